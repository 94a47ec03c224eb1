"""A campaign that raises, whatever it is, delays itself alone; and in the end a person is told."""

from datetime import timedelta

import pytest

from campaigns import trouble
from campaigns.feeder import feed_campaigns, start_due
from campaigns.filling import fill_audiences
from campaigns.models import Campaign, CampaignStatus, RecipientStatus
from campaigns.services import CampaignService
from campaigns.standing import AHEAD
from crm_whatsapp.db import ClockNow
from messaging.models import Contact, Message, MessageStatus
from messaging.services import moved_outbound
from tests.factories import CONNECTED, campaign, contact
from units.models import Unit, WhatsAppConnection
from units.services import create_unit

pytestmark = pytest.mark.django_db

C = CampaignStatus
R = RecipientStatus

# What the form and the API refuse, so that nothing expects it.
BROKEN = {"exclude_contacted_within_days": "soon"}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between two attempts."""
    monkeypatch.setattr(trouble, "FIRST_PAUSE", timedelta(0))


def another(name: str = "Outra") -> Unit:
    made = create_unit(name)
    WhatsAppConnection.objects.filter(unit=made).update(**CONNECTED)
    return made


def broken(made: Campaign) -> Campaign:
    """Its people are in another campaign, so that the database reads what is broken."""
    people = Contact.objects.filter(campaign_recipients__campaign=made)
    CampaignService.create(unit=made.unit, name="Outra", content="Oi", contacts=people)
    Campaign.objects.filter(pk=made.pk).update(audience=BROKEN)
    return made


def test_of_many_campaigns_one_that_raises_keeps_none_from_being_fed(unit: Unit) -> None:  # I4
    others = [campaign(another(f"U{number}")) for number in range(4)]
    broken(campaign(unit))
    feed_campaigns()
    assert [one.progress()["queued"] for one in others] == [AHEAD] * 4


def test_one_that_raises_while_it_is_filled_keeps_no_other_from_being_filled(unit: Unit) -> None:
    contact(unit)
    first, second = (
        CampaignService.create(unit=unit, name="X", content="Oi", audience={"everyone": True}) for _ in "12"
    )
    for made in (first, second):
        CampaignService(made).dispatch()
    Campaign.objects.filter(pk=first.pk).update(audience={"everyone": True} | BROKEN)
    fill_audiences()
    assert (first.progress()["total"], second.progress()["total"]) == (0, 1)


def test_one_that_cannot_be_started_keeps_no_other_from_starting(unit: Unit) -> None:
    first, second = campaign(unit, start=False), campaign(unit, start=False)
    Campaign.objects.update(status=C.SCHEDULED, scheduled_at=ClockNow() - timedelta(hours=1))
    Campaign.objects.filter(pk=first.pk).update(audience={"contacts": "nobody"})
    assert start_due() == 1
    second.refresh_from_db()
    assert second.status == C.PROCESSING


def test_one_that_raised_rests_before_it_is_tried_again(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trouble, "FIRST_PAUSE", timedelta(minutes=4))
    made = broken(campaign(unit))
    feed_campaigns()
    Campaign.objects.update(audience={})
    feed_campaigns()
    assert made.progress()["queued"] == 0


@pytest.mark.usefixtures("at_once")
def test_one_that_raised_goes_on_when_it_is_mended(unit: Unit) -> None:
    made = broken(campaign(unit))
    feed_campaigns()
    Campaign.objects.update(audience={})
    feed_campaigns()
    assert made.progress()["queued"] == AHEAD


@pytest.mark.usefixtures("at_once")
def test_one_that_goes_on_raising_is_paused_and_says_so(unit: Unit) -> None:
    made = broken(campaign(unit))
    for _ in range(trouble.TRIES):
        made.refresh_from_db()
        assert made.status == C.PROCESSING
        feed_campaigns()
    made.refresh_from_db()
    assert made.status == C.PAUSED
    assert "DataError" in made.status_reason


@pytest.mark.usefixtures("at_once")
def test_one_whose_audience_goes_on_raising_is_paused(unit: Unit) -> None:
    contact(unit)
    made = CampaignService.create(unit=unit, name="X", content="Oi", audience={"everyone": True})
    CampaignService(made).dispatch()
    broken(made)
    for _ in range(trouble.TRIES):
        fill_audiences()
    made.refresh_from_db()
    assert (made.status, made.progress()["total"]) == (C.PAUSED, 0)


@pytest.mark.usefixtures("at_once")
def test_a_scheduled_one_that_goes_on_raising_fails_and_says_so(unit: Unit) -> None:
    made = campaign(unit, start=False)
    Campaign.objects.update(
        status=C.SCHEDULED, scheduled_at=ClockNow() - timedelta(hours=1), audience={"contacts": "nobody"}
    )
    for _ in range(trouble.TRIES):
        start_due()
    made.refresh_from_db()
    assert made.status == C.FAILED
    assert made.status_reason


@pytest.mark.usefixtures("at_once")
def test_one_that_is_paused_for_trouble_can_be_resumed_and_has_all_its_tries_again(unit: Unit) -> None:
    made = broken(campaign(unit))
    for _ in range(trouble.TRIES):
        feed_campaigns()
    CampaignService(made).resume()
    feed_campaigns()
    made.refresh_from_db()
    assert made.status == C.PROCESSING
    Campaign.objects.update(audience={})
    feed_campaigns()
    assert made.progress()["queued"] == AHEAD


def test_what_came_back_is_taken_from_each_though_one_raises(unit: Unit) -> None:
    made = campaign(unit, people=1)
    feed_campaigns()
    Message.objects.update(status=MessageStatus.DISPATCHING, attempts=1)
    moved_outbound(list(Message.objects.values_list("id", flat=True)))
    CampaignService(made).pause()
    Message.objects.update(status=MessageStatus.QUEUED)
    made.recipients.update(status=R.QUEUED)
    other = broken(campaign(another()))
    feed_campaigns()
    assert (made.progress()["pending"], other.progress()["queued"]) == (1, 0)
