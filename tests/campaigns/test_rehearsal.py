"""What a rehearsal tells of a campaign. When it sends: test_forecast.py, and for real test_simulated.py."""

from datetime import time, timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from campaigns.models import Campaign, RecipientStatus
from campaigns.rehearsal import ANSWER_SECONDS, rehearse
from campaigns.services import CampaignService
from messaging.models import Contact, Message
from tests.factories import campaign, contact, opt_out
from units.models import ConnectionStatus, Unit, WhatsAppConnection

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def grown_up(settings: Any) -> None:
    settings.CAMPAIGN_WARM_UP = []


def everyone(unit: Unit, content: str = "Oi {{ nome | cliente }}", **more: Any) -> Campaign:
    return CampaignService.create(unit=unit, name="Volta", content=content, audience={"everyone": True}, **more)


def test_samples_are_of_real_people_and_show_every_text(unit: Unit) -> None:
    for name in ("Marina Souza", "", "Osvaldo"):
        contact(unit, name=name)
    made = everyone(unit, variants=[{"content": "Olá, {{ primeiro_nome | você }}!"}], opt_out_line="SAIR para sair")
    texts = {sample.text for sample in rehearse(made).samples}
    assert {"Oi Marina Souza\n\nSAIR para sair", "Olá, você!\n\nSAIR para sair"} < texts


def test_whoever_is_left_out_is_counted_by_reason(unit: Unit) -> None:
    people = [contact(unit) for _ in range(4)]
    opt_out(people[0])
    Contact.objects.filter(pk=people[1].pk).update(blocked_at=timezone.now())
    told = rehearse(everyone(unit))
    assert (told.tally.total, told.tally.people) == (4, 2)
    assert told.tally.excluded == {"blocked": 1, "opted_out": 1}
    assert told.timing
    assert told.timing.people == 2


def test_missing_values_are_counted_and_shown_on_the_sample(unit: Unit) -> None:
    contact(unit, name="Marina")
    contact(unit)
    told = rehearse(everyone(unit, "Oi {{ nome }}"))
    assert told.missing == {"nome": 1}
    assert [sample.problem for sample in told.samples] == ["", "missing_value"]
    assert told.timing
    assert told.timing.people == 1


def test_of_a_campaign_under_way_it_tells_what_is_left(unit: Unit) -> None:
    made = campaign(unit, people=5)
    done, skipped, *_left = made.recipients.order_by("id")
    made.recipients.filter(pk=done.pk).update(status=RecipientStatus.SENT)
    made.recipients.filter(pk=skipped.pk).update(status=RecipientStatus.SKIPPED, error_message="opted_out")
    told = rehearse(made)
    assert (told.tally.people, told.tally.excluded) == (3, {"opted_out": 1})


def test_the_time_of_an_answer_is_measured(unit: Unit) -> None:
    made = campaign(unit, people=3)
    assert told_answer(made) == ANSWER_SECONDS
    chat = Message.objects
    for seconds, one in zip((1, 2, 60), made.recipients.all(), strict=True):
        at = timezone.now() - timedelta(hours=1)
        conversation = one.contact.conversations.get_or_create(unit=unit, contact=one.contact)[0]
        chat.create(
            unit=unit,
            connection=unit.connection,
            conversation=conversation,
            direction="outbound",
            origin="campaign",
            status="sent",
            dispatched_at=at,
            sent_at=at + timedelta(seconds=seconds),
        )
    assert told_answer(made) == 2


def told_answer(made: Campaign) -> float:
    timing = rehearse(made).timing
    assert timing
    return timing.answer_seconds


def test_a_number_that_is_away_is_told(unit: Unit) -> None:
    WhatsAppConnection.objects.update(status=ConnectionStatus.DISCONNECTED)
    hold = rehearse(campaign(unit, start=False)).hold
    assert hold
    assert hold.code == "disconnected"


def test_more_campaigns_beside_it_and_more_texts_ask_no_more_of_the_database(unit: Unit) -> None:
    def queries(made: Campaign) -> int:
        with CaptureQueriesContext(database) as captured:
            told = rehearse(made)
        assert told.timing
        return len(captured)

    one, three = (campaign(unit, people=2, start=False) for _ in range(2))
    CampaignService(three).edit(variants=[{"content": "Oi!"}, {"content": "Olá!"}])
    campaign(unit, people=2)
    before = queries(one)
    for _ in range(2):
        campaign(unit, people=2)
    assert queries(three) == before


def test_the_scheduled_time_is_the_start(unit: Unit) -> None:
    at = timezone.now() + timedelta(days=2)
    made = CampaignService(campaign(unit, start=False)).schedule(at)
    timing = rehearse(made).timing
    assert timing
    assert timing.first_at == at


@pytest.mark.parametrize(
    ("rules", "word"),
    [
        ({}, "ritmo"),
        ({"daily_cap": 10}, "limite"),
        ({"window_start": time(0, 0), "window_end": time(0, 1)}, "janela"),
    ],
)
def test_a_time_that_cannot_be_kept_is_refused_with_the_reason(unit: Unit, rules: dict[str, Any], word: str) -> None:
    people, hours = (2000, 1) if not rules else (100, 10)
    WhatsAppConnection.objects.update(interval_seconds=10, **rules)
    made = campaign(unit, people=people, start=False)
    timing = rehearse(made, finish_by=timezone.now() + timedelta(hours=hours)).timing
    assert timing
    assert timing.finish
    assert timing.finish.interval_seconds is None
    assert timing.finish.earliest == timing.last_at
    assert timing.finish.refusal


def test_a_pace_is_found_that_ends_in_time(unit: Unit) -> None:
    made = campaign(unit, people=61, start=False)
    timing = rehearse(made, finish_by=timezone.now() + timedelta(hours=1)).timing
    assert timing
    assert timing.finish
    assert float(timing.finish.interval_seconds or 0) == pytest.approx(59.5, rel=0.01)


def test_it_costs_the_same_for_many(unit: Unit, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    for _ in range(40):
        contact(unit)
    made = everyone(unit)
    with django_assert_max_num_queries(20):
        rehearse(made)


def test_a_program_gets_it_as_json(api: APIClient, unit: Unit) -> None:
    made = campaign(unit, people=3, start=False)
    address = f"/units/{unit.id}/campaigns/{made.id}/rehearsal"
    told = api.post(address, {"finish_by": timezone.now() + timedelta(hours=1)}, format="json").data
    assert told["tally"]["people"] == 3
    assert told["timing"]["finish"]["possible"] is True
    assert len(told["samples"]) == 3
    assert told["hold"] is None


def test_what_is_not_kept_can_be_rehearsed_too(api: APIClient, unit: Unit) -> None:
    body = {"name": "X", "content": "Oi {{ nome | você }}", "phones": ["+5511912345678"]}
    told = api.post(f"/units/{unit.id}/campaigns/rehearsal", body, format="json").data
    assert told["samples"][0]["text"] == "Oi você"
    assert not Campaign.objects.exists()
    assert not Contact.objects.exists()
