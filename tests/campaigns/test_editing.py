"""What people do with a campaign besides starting and stopping it."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns.drafting import VariantText
from campaigns.feeder import feed_campaigns, start_due
from campaigns.filling import fill_audiences
from campaigns.models import Campaign, CampaignStatus, RecipientStatus
from campaigns.services import MAY_HAVE_IT, CampaignService, NotPossible
from campaigns.testing import TESTS_AN_HOUR, send_test
from crm_whatsapp.db import ClockNow
from messaging import settling
from messaging.models import Contact, Message, MessageStatus, Origin, Tag
from tests.campaigns.test_feeding import picture, settle
from tests.factories import campaign, contact, conversation, message, opt_out
from units.models import Unit, User
from units.services import create_unit

pytestmark = pytest.mark.django_db

C = CampaignStatus
R = RecipientStatus
S = MessageStatus


def completed(unit: Unit, *statuses: MessageStatus) -> Campaign:
    """A campaign whose recipients' messages ended so."""
    made = campaign(unit, people=len(statuses))
    for status in statuses:
        feed_campaigns()
        first = Message.objects.filter(status=S.QUEUED).order_by("id")[:1]
        Message.objects.exclude(pk__in=first.values("pk")).filter(status=S.QUEUED).update(status=S.CLAIMED)
        settle(status, error_code="unconfirmed" if status == S.UNCERTAIN else "refused")
        Message.objects.filter(status=S.CLAIMED).update(status=S.QUEUED)
    feed_campaigns()
    made.refresh_from_db()
    assert made.status == C.COMPLETED
    return made


# Editing


def test_a_draft_is_changed_in_all_that_it_has(unit: Unit) -> None:
    made = campaign(unit, start=False)
    ends_at = timezone.now() + timedelta(days=1)
    CampaignService(made).edit(
        name=" Outro ",
        content="Oi\r\ntudo",
        weight=2,
        opt_out_line="SAIR",
        variants=[VariantText("B", 3)],
        ends_at=ends_at,
        interval_seconds="2.5",
        audience={"everyone": True},
    )
    assert (made.name, made.content, made.weight, made.opt_out_line) == ("Outro", "Oi\ntudo", 2, "SAIR")
    assert (made.ends_at, float(made.interval_seconds or 0), made.audience) == (ends_at, 2.5, {"everyone": True})
    assert list(made.variants.values_list("position", "content", "weight")) == [(1, "B", 3)]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"content": ""}, "content"),
        ({"content": "{a"}, "content"),
        ({"weight": 0}, "weight"),
        ({"variants": [{"content": "{{ x }}"}]}, "variants"),
        ({"variants": [{"content": "x"}] * 26}, "variants"),
        ({"attachment": uuid.uuid4()}, "attachment"),
        ({"opt_out_line": "x" * 301}, "opt_out_line"),
        ({"interval_seconds": 0.5}, "interval_seconds"),
        ({"interval_seconds": "soon"}, "interval_seconds"),
        ({"audience": {"tags": ["x"]}}, "audience"),
    ],
)
def test_what_is_no_good_is_refused_and_nothing_changes(unit: Unit, changes: dict[str, Any], field: str) -> None:
    made = campaign(unit, start=False)
    before = Campaign.objects.values().get(pk=made.pk)
    with pytest.raises(NotPossible) as refused:
        CampaignService(made).edit(**{"name": "Outro"} | changes)
    assert refused.value.field == field
    assert Campaign.objects.values().get(pk=made.pk) == before


def test_an_end_that_has_passed_is_refused(unit: Unit) -> None:
    with pytest.raises(NotPossible):
        CampaignService(campaign(unit, start=False)).edit(ends_at=timezone.now() - timedelta(days=1))


def test_a_file_of_another_unit_is_not_there(unit: Unit) -> None:  # I7
    with pytest.raises(NotPossible):
        CampaignService(campaign(unit, start=False)).edit(attachment=picture(create_unit("Outra")))


def test_a_sound_has_no_words(unit: Unit) -> None:
    service = CampaignService(campaign(unit, start=False))
    with pytest.raises(NotPossible):
        service.edit(attachment=picture(unit, "audio"), content="Ouça")
    service.edit(attachment=picture(unit, "audio"), content="")


def test_a_caption_that_is_too_long_is_refused_though_it_was_none_before(unit: Unit) -> None:
    made = campaign(unit, start=False)
    CampaignService(made).edit(content="x" * 1100)
    with pytest.raises(NotPossible):
        CampaignService(made).edit(attachment=picture(unit))


def test_while_paused_only_those_who_have_not_got_it_get_the_new_text(unit: Unit) -> None:
    made = campaign(unit, people=3)
    feed_campaigns()
    with pytest.raises(NotPossible):
        CampaignService(made).edit(content="Novo")
    settle(S.SENT)
    CampaignService(made).pause()
    CampaignService(made).edit(content="Novo")
    CampaignService(made).resume()
    feed_campaigns()
    assert sorted(Message.objects.values_list("body", flat=True)) == ["Lentes com 30%"] * 2 + ["Novo"]


def test_one_that_has_ended_keeps_all_but_its_name(unit: Unit) -> None:
    made = completed(unit, S.SENT)
    with pytest.raises(NotPossible):
        CampaignService(made).edit(content="Novo")
    assert CampaignService(made).edit(name="Antiga").name == "Antiga"


# When


def test_a_scheduled_one_gets_another_time_or_goes_back_to_draft(unit: Unit) -> None:
    service = CampaignService(campaign(unit, start=False))
    service.schedule(timezone.now() - timedelta(hours=1))
    later = timezone.now() + timedelta(hours=1)
    assert service.schedule(later).scheduled_at == later
    assert start_due() == 0
    assert service.unschedule().status == C.DRAFT
    with pytest.raises(NotPossible):
        service.unschedule()


def test_a_paused_one_goes_on_at_a_time(unit: Unit) -> None:
    service = CampaignService(campaign(unit, people=3))
    started_at = service.campaign.started_at
    service.pause()
    service.schedule(timezone.now() - timedelta(seconds=1))
    assert start_due() == 1
    service.campaign.refresh_from_db()
    assert (service.campaign.status, service.campaign.started_at) == (C.PROCESSING, started_at)


def test_one_whose_end_has_passed_neither_starts_nor_goes_on(unit: Unit) -> None:
    draft, paused = CampaignService(campaign(unit, start=False)), CampaignService(campaign(unit))
    paused.pause()
    Campaign.objects.update(ends_at=ClockNow() - timedelta(seconds=1))
    for act in (draft.dispatch, paused.resume):
        with pytest.raises(NotPossible):
            act()


# Again


def test_only_those_who_certainly_did_not_get_it_are_tried_again(unit: Unit) -> None:  # I3
    made = completed(unit, S.SENT, S.FAILED, S.UNCERTAIN)
    assert CampaignService(made).retry_failed() == 1
    feed_campaigns()
    assert made.status == C.PROCESSING
    assert sorted(made.recipients.values_list("status", flat=True)) == [R.QUEUED, R.SENT, R.UNCERTAIN]
    settle(S.SENT)
    feed_campaigns()
    made.refresh_from_db()
    assert (made.status, Message.objects.count()) == (C.COMPLETED, 4)


@pytest.mark.parametrize("code", MAY_HAVE_IT)
def test_whoever_was_given_up_but_may_have_it_is_not_tried_again(unit: Unit, code: str) -> None:  # I3
    made = completed(unit, S.UNCERTAIN)
    uncertain = Message.objects.filter(status=S.UNCERTAIN)
    uncertain.update(status=S.FAILED)
    made.recipients.update(status=R.FAILED, error_message=code)
    with pytest.raises(NotPossible):
        CampaignService(made).retry_failed()
    made.refresh_from_db()
    assert made.status == C.COMPLETED


def test_whoever_has_not_got_it_by_a_persons_word_is_tried_again(unit: Unit) -> None:
    made = completed(unit, S.UNCERTAIN, S.SENT)
    settling.settle(Message.objects.get(status=S.UNCERTAIN), was_sent=False)
    assert CampaignService(made).retry_failed() == 1
    feed_campaigns()
    assert sorted(made.recipients.values_list("status", flat=True)) == [R.QUEUED, R.SENT]


def test_whoever_was_left_out_for_an_unsettled_message_is_tried_again_once_it_is_settled(unit: Unit) -> None:
    chat = conversation(unit)
    earlier = message(chat, out=True, status=S.UNCERTAIN, error_code="undecided", look_up_due_at=None)
    made = CampaignService.create(unit=unit, name="X", content="Oi", contacts=[chat.contact])
    service = CampaignService(made)
    service.dispatch()
    feed_campaigns()
    assert made.recipients.get().error_message == "unsettled"
    with pytest.raises(NotPossible):
        service.retry_failed()
    settling.settle(earlier, was_sent=True)
    assert service.retry_failed() == 1
    feed_campaigns()
    assert made.recipients.get().status == R.QUEUED


def test_who_is_tried_again_gets_the_same_words(unit: Unit) -> None:
    made = campaign(unit, people=1, start=False)
    CampaignService(made).edit(content="{a|b|c|d|e|f} {g|h|i|j|k}", variants=[{"content": "{l|m|n|o|p|q}"}])
    CampaignService(made).dispatch()
    feed_campaigns()
    settle(S.FAILED)
    CampaignService(made).retry_failed()
    feed_campaigns()
    assert len(set(Message.objects.values_list("body", flat=True))) == 1
    assert Message.objects.count() == 2


def test_a_clone_has_the_texts_and_the_people_and_nobodys_results(unit: Unit, ana: User) -> None:
    made = completed(unit, S.SENT, S.SENT)
    file = picture(unit)
    Campaign.objects.update(opt_out_line="SAIR", attachment=file)
    made.variants.create(unit=unit, position=1, content="B", weight=3)
    made.refresh_from_db()
    copy = CampaignService(made).clone(created_by=ana)
    assert (copy.status, copy.content, copy.opt_out_line, copy.attachment_id) == (
        C.DRAFT,
        made.content,
        "SAIR",
        file.pk,
    )
    assert list(copy.variants.values_list("content", "weight")) == [("B", 3)]
    assert not copy.recipients.exclude(status=R.PENDING, message=None).exists()
    assert copy.recipients.count() == 2
    assert copy.name != made.name


@pytest.mark.parametrize("starts", [False, True])
def test_a_clone_has_those_added_one_by_one_besides_the_audience(unit: Unit, starts: bool) -> None:
    tagged, before, after = (contact(unit) for _ in range(3))
    chosen = Tag.objects.create(unit=unit, name="VIP")
    on = chosen.contact_tags.create(unit=unit, contact=tagged)
    made = CampaignService.create(unit=unit, name="X", content="Oi", contacts=[before], audience={"tags": [chosen.pk]})
    service = CampaignService(made)
    if starts:
        service.dispatch()
        fill_audiences()
        service.pause()
        # Who is not of the audience any more does not come with the clone.
        on.delete()
    service.add_contacts([after])
    service.campaign.refresh_from_db()
    copy = service.clone()
    assert copy.audience == made.audience
    assert set(copy.recipients.values_list("contact", flat=True)) == {before.pk, after.pk}


def test_what_may_still_send_cannot_be_archived(unit: Unit) -> None:
    made = campaign(unit)
    with pytest.raises(NotPossible):
        CampaignService(made).archive()
    CampaignService(made).cancel()
    assert CampaignService(made).archive().archived_at is not None
    with pytest.raises(NotPossible):
        CampaignService(made).edit(name="X")
    assert CampaignService(made).unarchive().archived_at is None


# Tests


def test_a_test_goes_to_one_phone_at_once_and_is_no_recipient(unit: Unit, ana: User) -> None:
    made = campaign(unit, people=1, start=False)
    CampaignService(made).edit(content="Oi {{ nome }}", opt_out_line="SAIR")
    sent = send_test(made, "(11) 91234-5678", author=ana)
    assert (sent.body, sent.origin, sent.author) == ("Oi [nome]\n\nSAIR", Origin.REPLY, ana)
    assert made.recipients.count() == 1
    assert sent.status == S.QUEUED


def test_tests_are_few_and_not_for_those_who_opted_out(unit: Unit, ana: User) -> None:
    made = campaign(unit, people=0, start=False)
    for _ in range(TESTS_AN_HOUR):
        send_test(made, "+5511912345678", author=ana)
    with pytest.raises(NotPossible):
        send_test(made, "+5511912345678", author=ana)
    Message.objects.all().delete()
    opt_out(Contact.objects.get())
    with pytest.raises(NotPossible):
        send_test(made, "+5511912345678", author=ana)


def test_a_test_shows_the_chosen_variant(unit: Unit, ana: User) -> None:
    made = campaign(unit, start=False)
    CampaignService(made).edit(content="A", variants=[{"content": "B"}])
    assert send_test(made, contact(unit).phone_number, author=ana, variant=1).body == "B"
