"""Tags and segments that are deleted while a campaign names them: nobody gets it who was to be left out."""

from functools import partial

import pytest

from campaigns import lost
from campaigns.feeder import feed_campaigns
from campaigns.filling import fill_audiences, fill_slice
from campaigns.models import Campaign, CampaignStatus, RecipientStatus
from campaigns.services import CampaignService, NotPossible
from messaging.contacts import tags
from messaging.models import Message, Segment, Tag
from tests.factories import campaign, contact, tag
from units.models import Unit

pytestmark = pytest.mark.django_db

C = CampaignStatus
R = RecipientStatus


def leaving_out(unit: Unit, *, everyone: bool = False) -> tuple[Campaign, Tag]:
    """To three people, one of whom has a tag that it leaves out."""
    people = [contact(unit) for _ in range(3)]
    no = tag(unit, "Não enviar", people[-1])
    given = {"everyone": True} if everyone else {"contacts": [one.pk for one in people]}
    spec = given | {"exclude_tags": [no.pk]}
    return CampaignService.create(unit=unit, name="X", content="Oi", audience=spec), no


def test_a_draft_whose_excluded_tag_is_gone_neither_starts_nor_is_scheduled(unit: Unit) -> None:
    made, no = leaving_out(unit)
    tags.delete_tag(no)
    service = CampaignService(made)
    for act in (service.dispatch, partial(service.schedule, made.created_at)):
        with pytest.raises(NotPossible) as refused:
            act()
        assert refused.value.field == "audience"
    made.refresh_from_db()
    assert (made.status, made.progress()["total"]) == (C.DRAFT, 0)


@pytest.mark.parametrize("member", ["tags", "segments"])
def test_one_to_people_who_cannot_be_told_any_more_does_not_start(unit: Unit, member: str) -> None:
    known = contact(unit)
    chosen = tag(unit, "VIP", known) if member == "tags" else Segment.objects.create(unit=unit, name="S", filters=[])
    spec = {member: [chosen.pk], "contacts": [known.pk]}
    made = CampaignService.create(unit=unit, name="X", content="Oi", audience=spec)
    chosen.delete()
    with pytest.raises(NotPossible):
        CampaignService(made).dispatch()


def test_one_that_is_sending_stops_before_the_next_when_an_excluded_tag_is_deleted(unit: Unit) -> None:
    known = contact(unit)
    no = tag(unit, "Não enviar", known)
    spec = {"exclude_tags": [no.pk]}
    made = CampaignService.create(unit=unit, name="X", content="Oi", contacts=[known], audience=spec)
    CampaignService(made).dispatch()
    tags.delete_tag(no)
    feed_campaigns()
    made.refresh_from_db()
    assert (made.status, made.progress()["pending"], Message.objects.count()) == (C.PAUSED, 1, 0)
    assert made.status_reason == str(lost.NO_EXCLUSION)


def test_another_campaign_goes_on_meanwhile(unit: Unit) -> None:
    made, no = leaving_out(unit)
    CampaignService(made).dispatch()
    fill_audiences()
    other = campaign(unit, people=1)
    tags.delete_tag(no)
    feed_campaigns()
    assert (made.progress()["queued"], other.progress()["queued"]) == (0, 1)


def test_one_that_is_being_filled_stops_between_two_slices(unit: Unit) -> None:
    made, no = leaving_out(unit, everyone=True)
    CampaignService(made).dispatch()
    fill_slice(made.pk, size=1)
    tags.delete_tag(no)
    fill_slice(made.pk, size=5)
    made.refresh_from_db()
    assert (made.status, made.progress()["total"]) == (C.PAUSED, 1)


def test_it_goes_on_once_somebody_has_chosen_again(unit: Unit) -> None:
    made, no = leaving_out(unit)
    service = CampaignService(made)
    service.dispatch()
    tags.delete_tag(no)
    fill_audiences()
    service.campaign.refresh_from_db()
    with pytest.raises(NotPossible):
        service.resume()
    service.edit(audience={"contacts": made.audience["contacts"]})
    service.resume()
    fill_audiences()
    assert made.progress()["pending"] == 3


def test_what_is_gone_may_be_taken_out_of_the_audience_of_one_that_has_begun(unit: Unit) -> None:
    one, two = contact(unit), contact(unit)
    chosen = tag(unit, "VIP", one)
    spec = {"tags": [chosen.pk], "contacts": [two.pk]}
    service = CampaignService(CampaignService.create(unit=unit, name="X", content="Oi", audience=spec))
    service.dispatch()
    tags.delete_tag(chosen)
    fill_audiences()
    service.campaign.refresh_from_db()
    assert service.campaign.status == C.PAUSED
    service.edit(audience={"contacts": [str(two.pk)]})
    assert service.resume().status == C.PROCESSING


def test_a_tag_that_gave_people_may_go_when_all_of_them_are_recipients(unit: Unit) -> None:
    chosen = tag(unit, "VIP", contact(unit))
    made = CampaignService.create(unit=unit, name="X", content="Oi", audience={"tags": [chosen.pk]})
    CampaignService(made).dispatch()
    fill_audiences()
    tags.delete_tag(chosen)
    feed_campaigns()
    assert made.recipients.get().status == R.QUEUED
