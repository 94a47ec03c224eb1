"""What has become of a campaign, in figures."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from campaigns.models import Campaign, RecipientStatus
from campaigns.results import results
from campaigns.services import CampaignService
from tests.factories import campaign
from units.models import Unit

pytestmark = pytest.mark.django_db

R = RecipientStatus


def with_outcomes(unit: Unit, *outcomes: dict[str, Any]) -> Campaign:
    """A campaign whose recipients are as told."""
    made = campaign(unit, people=len(outcomes))
    for recipient, columns in zip(made.recipients.order_by("id"), outcomes, strict=True):
        made.recipients.filter(pk=recipient.pk).update(**columns)
    return made


def test_whoever_has_read_has_got_it_and_was_sent_to(unit: Unit) -> None:
    now = timezone.now()
    made = with_outcomes(
        unit,
        {"status": R.READ, "sent_at": now, "replied_at": now},
        {"status": R.DELIVERED, "sent_at": now, "opted_out_at": now},
        {"status": R.SENT, "sent_at": now},
        {"status": R.SENT, "sent_at": now},
        {"status": R.FAILED, "error_message": "not_on_whatsapp"},
        {"status": R.UNCERTAIN},
    )
    told = results(made)
    figures = told.figures
    assert (figures.sent, figures.delivered, figures.read, figures.replied, figures.opted_out) == (4, 2, 1, 1, 1)
    assert (figures.total, figures.failed, figures.uncertain) == (6, 1, 1)
    assert figures.rates == {
        "delivered": 0.5,
        "read": 0.25,
        "replied": 0.25,
        "opted_out": 0.25,
        "failed": pytest.approx(1 / 6),
    }


def test_reasons_are_counted_the_most_frequent_first(unit: Unit) -> None:
    skipped = [{"status": R.SKIPPED, "error_message": code} for code in ("blocked", "opted_out", "opted_out")]
    told = results(with_outcomes(unit, *skipped, {"status": R.FAILED, "error_message": "not_on_whatsapp"}))
    assert list(told.skipped.items()) == [("opted_out", 2), ("blocked", 1)]
    assert told.failed == {"not_on_whatsapp": 1}


def test_each_text_has_its_own_figures(unit: Unit) -> None:
    made = with_outcomes(
        unit, {"variant": 0, "status": R.READ}, {"variant": 1, "status": R.SENT}, {"variant": 1, "status": R.READ}, {}
    )
    told = {of.label: of.figures for of in results(made).variants}
    assert (told["A"].sent, told["A"].read) == (1, 1)
    assert (told["B"].sent, told["B"].read) == (2, 1)
    assert told[""].pending == 1


def test_a_short_campaign_is_told_by_hours_and_a_long_one_by_days_of_the_unit(unit: Unit) -> None:
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    minutes = [10, 20, 70]
    made = with_outcomes(
        unit, *({"status": R.SENT, "sent_at": midnight + timedelta(minutes=minute)} for minute in minutes)
    )
    told = results(made)
    assert (told.step, [of.figures.sent for of in told.over_time]) == ("hour", [2, 1])
    made.recipients.filter(pk=made.recipients.order_by("id")[0].pk).update(sent_at=midnight - timedelta(days=9))
    told = results(made)
    assert (told.step, [of.at for of in told.over_time]) == ("day", [midnight - timedelta(days=9), midnight])


def test_before_anybody_was_sent_to_there_are_no_rates(unit: Unit) -> None:
    told = results(campaign(unit, start=False))
    assert told.over_time == []
    assert set(told.figures.rates.values()) == {None}


def test_it_costs_the_same_for_many(unit: Unit, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    made = with_outcomes(unit, *({"status": R.SENT, "sent_at": timezone.now()} for _ in range(30)))
    with django_assert_num_queries(4):
        results(made)


def test_a_program_gets_them_with_reasons_as_sentences(api: APIClient, unit: Unit) -> None:
    made = with_outcomes(unit, {"status": R.SKIPPED, "error_message": "opted_out"}, {"status": R.SENT})
    CampaignService(made).pause()
    told = api.get(f"/units/{unit.id}/campaigns/{made.id}/results").data
    assert told["figures"]["sent"] == 1
    assert told["rates"]["read"] == 0
    assert [(reason["code"], reason["people"]) for reason in told["skipped"]] == [("opted_out", 1)]
