"""The feeder: what it queues for whom, at which pace, and until when."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection as database
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns.drafting import VariantText
from campaigns.feeder import feed_campaigns
from campaigns.models import Campaign, CampaignStatus, RecipientStatus
from campaigns.services import CampaignService
from campaigns.standing import AHEAD
from crm_whatsapp.db import ClockNow
from messaging.models import (
    Attachment,
    AttributeDefinition,
    AttributeKind,
    Contact,
    ContactAddress,
    ConversationStatus,
    Message,
    MessageMedia,
    MessageStatus,
)
from messaging.services import moved_outbound
from messaging.signals import contacts_opted_out, contacts_wrote, number_back
from tests.factories import CONNECTED, campaign, contact, conversation, message, opt_out
from tests.stack import wait_for
from units.models import ConnectionStatus, Unit, WhatsAppConnection
from units.services import create_unit

pytestmark = pytest.mark.django_db

C = CampaignStatus
R = RecipientStatus
S = MessageStatus


def settle(status: MessageStatus, **values: Any) -> None:
    """As if delivery had sent what is queued."""
    ids = list(Message.objects.filter(status=S.QUEUED).values_list("id", flat=True))
    Message.objects.filter(id__in=ids).update(status=status, dispatched_at=ClockNow(), **values)
    moved_outbound(ids)


def now() -> Any:
    return Campaign.objects.values_list(ClockNow(), flat=True)[0]


def picture(unit: Unit, kind: str = "image") -> Attachment:
    file = ContentFile(b"x", name="oferta.png")
    return Attachment.objects.create(
        unit=unit, kind=kind, name="oferta.png", file=file, mime_type="image/png", size=1, sha256="0" * 64
    )


def paced(unit: Unit, seconds: int = 60, **more: Any) -> Campaign:
    """A campaign with a pace of its own, sending."""
    made = CampaignService.create(
        unit=unit,
        name="Devagar",
        content="Oi",
        contacts=[contact(unit) for _ in range(3)],
        interval_seconds=seconds,
        **more,
    )
    return CampaignService(made).dispatch()


def test_the_text_that_is_sent_is_kept_on_the_message(unit: Unit) -> None:
    ana = contact(unit, name="Ana Souza")
    made = CampaignService.create(
        unit=unit,
        name="X",
        content="{Oi|Olá} {{ primeiro_nome }}",
        contacts=[ana],
        opt_out_line="Para não receber mais, responda SAIR",
    )
    CampaignService(made).dispatch()
    feed_campaigns()
    sent, recipient = Message.objects.get(), made.recipients.get()
    assert sent.body.split(" ", 1)[1] == "Ana\n\nPara não receber mais, responda SAIR"
    assert (recipient.message_id, recipient.variant, sent.kind) == (sent.pk, 0, "text")
    assert sent.conversation.status == ConversationStatus.RESOLVED


def test_what_the_unit_knows_of_a_person_stands_in_the_text(unit: Unit) -> None:
    AttributeDefinition.objects.create(unit=unit, key="cidade", name="Cidade", kind=AttributeKind.TEXT)
    ana = contact(unit, name="Ana Souza")
    Contact.objects.filter(pk=ana.pk).update(attributes={"cidade": "Santos"})
    made = CampaignService.create(unit=unit, name="X", content="Novidades em {{ cidade | breve }}", contacts=[ana])
    CampaignService(made).dispatch()
    feed_campaigns()
    assert Message.objects.get().body == "Novidades em Santos"


def test_a_file_goes_with_the_text_as_its_caption(unit: Unit) -> None:
    made = campaign(unit, people=1, start=False)
    file = picture(unit)
    CampaignService(made).edit(attachment=file.pk, content="Veja")
    CampaignService(made).dispatch()
    feed_campaigns()
    sent = Message.objects.get()
    assert (sent.kind, sent.body, sent.details["media"]["file_name"]) == ("image", "Veja", "oferta.png")
    assert MessageMedia.objects.get(message=sent).attachment_id == file.pk


def test_each_variant_is_noted_on_the_recipient(unit: Unit) -> None:
    made = campaign(unit, people=40, start=False)
    CampaignService(made).edit(content="A", variants=[VariantText("B"), {"content": "C", "weight": 1}])
    CampaignService(made).dispatch()
    while made.recipients.filter(status=R.PENDING).exists():
        feed_campaigns()
        settle(S.SENT)
    rows = set(made.recipients.values_list("variant", "message__body"))
    assert rows == {(0, "A"), (1, "B"), (2, "C")}


def test_a_text_that_nobody_can_write_to_somebody_skips_him(unit: Unit) -> None:
    made = campaign(unit, people=1, start=False)
    CampaignService(made).edit(content="Oi {{ nome }}")
    CampaignService(made).dispatch()
    feed_campaigns()
    feed_campaigns()
    made.refresh_from_db()
    recipient = made.recipients.get()
    assert (recipient.status, recipient.error_message, made.status) == (R.SKIPPED, "missing_value", C.COMPLETED)


def test_whoever_is_blocked_after_the_start_gets_nothing(unit: Unit) -> None:
    made = campaign(unit, people=1)
    Contact.objects.update(blocked_at=ClockNow())
    feed_campaigns()
    assert made.recipients.get().error_message == "blocked"


def test_a_thousand_who_are_left_out_do_not_keep_the_next_waiting(unit: Unit) -> None:
    made = campaign(unit, people=60)
    for one in Contact.objects.order_by("pk")[:55]:
        opt_out(one)
    feed_campaigns()
    assert made.progress() | {"skipped": 55, "queued": AHEAD} == made.progress()


def test_a_number_that_was_never_asked_about_is_asked_about_first(unit: Unit) -> None:
    made = campaign(unit, people=50)
    ContactAddress.objects.update(checked_at=None)
    feed_campaigns()
    assert not Message.objects.exists()
    assert 20 <= ContactAddress.objects.filter(check_due_at__isnull=False).count() <= 45
    first = made.recipients.order_by("id")[0]
    first.contact.addresses.update(checked_at=ClockNow(), check_due_at=None, not_on_whatsapp_at=ClockNow())
    second = made.recipients.order_by("id")[1]
    second.contact.addresses.update(checked_at=ClockNow(), check_due_at=None)
    feed_campaigns()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.error_message, second.status) == ("not_on_whatsapp", R.QUEUED)
    assert Message.objects.count() == 1


def test_those_who_are_known_do_not_wait_for_those_who_are_not(unit: Unit) -> None:
    made = campaign(unit, people=10)
    for recipient in made.recipients.order_by("id")[:8]:
        recipient.contact.addresses.update(checked_at=None)
    feed_campaigns()
    assert made.progress()["queued"] == AHEAD


def test_a_number_that_is_held_or_outside_its_window_is_given_nothing(unit: Unit) -> None:
    made = campaign(unit, people=3)
    soon, later = (timezone.localtime() + timedelta(hours=hours) for hours in (4, 5))
    for hold in ({"campaigns_held_at": ClockNow()}, {"window_start": soon.time(), "window_end": later.time()}):
        WhatsAppConnection.objects.update(**hold)
        feed_campaigns()
        assert not Message.objects.exists()
        WhatsAppConnection.objects.update(campaigns_held_at=None, window_start=None, window_end=None)
    feed_campaigns()
    assert made.progress()["queued"] == AHEAD


def test_what_would_wait_for_hours_goes_back_and_does_not_expire(unit: Unit) -> None:
    made = campaign(unit, people=3)
    feed_campaigns()
    WhatsAppConnection.objects.update(campaigns_held_at=ClockNow())
    feed_campaigns()
    assert (made.progress()["pending"], Message.objects.count()) == (3, 0)


# A pace of its own


def test_an_own_pace_has_one_message_ahead_and_the_next_goes_an_interval_after_the_answer(unit: Unit) -> None:  # I5
    made = paced(unit)
    feed_campaigns()
    feed_campaigns()
    assert Message.objects.count() == 1
    before = now()
    settle(S.SENT, sent_at=ClockNow())
    feed_campaigns()
    queued = Message.objects.get(status=S.QUEUED)
    assert queued.due_at is not None
    assert timedelta(seconds=60) <= queued.due_at - before < timedelta(seconds=90)
    made.refresh_from_db()
    assert queued.due_at == made.next_send_at


def test_an_own_pace_survives_pause_and_resume(unit: Unit) -> None:  # I5
    made = paced(unit)
    feed_campaigns()
    before = now()
    settle(S.SENT)
    feed_campaigns()
    CampaignService(made).pause()
    CampaignService(made).resume()
    feed_campaigns()
    due_at = Message.objects.get(status=S.QUEUED).due_at
    assert due_at is not None
    assert due_at - before >= timedelta(seconds=60)


def test_after_an_uncertain_one_an_own_pace_waits_until_the_gateway_can_act_no_more(unit: Unit) -> None:  # I5
    made = paced(unit)
    feed_campaigns()
    before = now()
    settle(S.UNCERTAIN)
    made.refresh_from_db()
    assert made.next_send_at is not None
    assert made.next_send_at - before > timedelta(seconds=60 + 75)


def test_with_an_own_pace_nobody_is_chosen_whose_chat_waits_for_a_settlement(unit: Unit) -> None:
    made = paced(unit)
    first = made.recipients.order_by("id")[0]
    message(conversation(unit), out=True)
    chat = Message.objects.get().conversation
    chat.contact = first.contact
    chat.save(update_fields=["contact"])
    Message.objects.update(status=S.UNCERTAIN, look_up_due_at=ClockNow())
    feed_campaigns()
    first.refresh_from_db()
    assert (first.status, made.progress()["queued"]) == (R.PENDING, 1)


@pytest.mark.parametrize("interval_seconds", [None, 60])
def test_whose_chat_waits_for_a_person_does_not_keep_a_campaign_from_its_end(  # I4
    unit: Unit, interval_seconds: int | None
) -> None:
    chat = conversation(unit)
    message(chat, out=True, status=S.UNCERTAIN, error_code="undecided", look_up_due_at=None)
    made = CampaignService.create(
        unit=unit, name="X", content="Oi", contacts=[chat.contact], interval_seconds=interval_seconds
    )
    CampaignService(made).dispatch()
    feed_campaigns()
    made.refresh_from_db()
    recipient = made.recipients.get()
    assert (made.status, recipient.status, recipient.error_message) == (C.COMPLETED, R.SKIPPED, "unsettled")


def test_of_two_campaigns_at_once_one_that_leaves_out_the_other_s_people_does(unit: Unit) -> None:
    known = [contact(unit) for _ in range(3)]
    made = [
        CampaignService.create(
            unit=unit, name="X", content="Oi", contacts=known, audience={"exclude_contacted_within_days": 7}
        )
        for _ in range(2)
    ]
    for one in made:
        CampaignService(one).dispatch()
    for _ in range(8):
        feed_campaigns()
        settle(S.SENT, sent_at=ClockNow())
    feed_campaigns()
    written = list(Message.objects.values_list("conversation__contact", flat=True))
    assert sorted(written) == sorted(one.pk for one in known)
    assert {Campaign.objects.get(pk=one.pk).status for one in made} == {C.COMPLETED}


@pytest.mark.django_db(transaction=True)
def test_of_two_feeders_of_a_unit_the_second_sees_whom_the_first_has_chosen(unit: Unit) -> None:
    known = [contact(unit)]
    lately = {"exclude_contacted_within_days": 7}
    first, second = (
        CampaignService(
            CampaignService.create(unit=unit, name="X", content="Oi", contacts=known, audience=lately)
        ).dispatch()
        for _ in range(2)
    )
    Campaign.objects.filter(pk=second.pk).update(status=C.PAUSED)

    def feed() -> None:
        Campaign.objects.filter(pk=second.pk).update(status=C.PROCESSING)
        feed_campaigns()
        connections.close_all()

    thread = threading.Thread(target=feed)
    with transaction.atomic():
        feed_campaigns()
        thread.start()
        wait_for(lambda: not thread.is_alive() or somebody_waits_for_us(), what="the other feeder")
    thread.join()
    feed_campaigns()
    assert first.recipients.get().status == R.QUEUED
    assert second.recipients.get().error_message == "contacted_lately"


def somebody_waits_for_us() -> bool:
    with database.cursor() as cursor:
        # Not pg_stat_activity, which stays the same within a transaction.
        cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")
        return cursor.fetchone() is not None


def test_a_pace_that_is_set_while_paused_holds_from_the_first_on(unit: Unit) -> None:
    made = campaign(unit)
    CampaignService(made).pause()
    CampaignService(made).edit(interval_seconds=600)
    CampaignService(made).resume()
    feed_campaigns()
    due_at = Message.objects.get().due_at
    assert due_at is not None
    assert due_at - now() > timedelta(seconds=590)


# Its end


def test_after_its_end_nobody_gets_it_and_it_is_done(unit: Unit) -> None:
    made = campaign(unit, people=3)
    feed_campaigns()
    Campaign.objects.update(ends_at=ClockNow() - timedelta(seconds=1))
    feed_campaigns()
    made.refresh_from_db()
    assert (made.status, Message.objects.count()) == (C.COMPLETED, 0)
    assert set(made.recipients.values_list("status", "error_message")) == {(R.SKIPPED, "campaign_ended")}


def test_a_message_lives_no_longer_than_its_campaign(unit: Unit) -> None:
    made = campaign(unit, people=1, start=False)
    ends_at = timezone.now() + timedelta(minutes=5)
    CampaignService(made).edit(ends_at=ends_at)
    CampaignService(made).dispatch()
    feed_campaigns()
    assert Message.objects.get().expires_at == ends_at
    Campaign.objects.update(ends_at=ClockNow())
    settle(S.EXPIRED)
    assert made.recipients.get().error_message == "campaign_ended"


# Many at once


def test_a_pass_over_many_campaigns_takes_no_more_statements_than_one_over_few() -> None:
    def statements(count: int) -> int:
        for number in range(count):
            unit = create_unit(f"U{number}")
            WhatsAppConnection.objects.filter(unit=unit).update(**CONNECTED)
            campaign(unit, people=3)
        with CaptureQueriesContext(database) as captured:
            feed_campaigns()
        return len(captured)

    few = statements(2)
    assert Message.objects.count() == 2 * AHEAD
    assert statements(20) == few
    with CaptureQueriesContext(database) as captured:
        feed_campaigns()
    assert len(captured) == 2


@pytest.mark.django_db(transaction=True)
def test_of_two_who_feed_at_once_nobody_feeds_twice(unit: Unit) -> None:  # I3
    made = [campaign(unit, people=8) for _ in range(3)]

    def feed() -> None:
        barrier.wait()
        feed_campaigns()
        connections.close_all()

    for _ in range(4):
        barrier = threading.Barrier(4)
        threads = [threading.Thread(target=feed) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(one.progress()["queued"] <= AHEAD for one in made)
        settle(S.SENT)
    feed_campaigns()
    written = list(Message.objects.values_list("conversation", flat=True))
    assert len(written) == len(set(written)) == 24


# What people do after it


def reached(unit: Unit) -> tuple[Campaign, Contact]:
    made = campaign(unit, people=1)
    feed_campaigns()
    settle(S.SENT, sent_at=ClockNow() - timedelta(hours=1))
    return made, made.recipients.get().contact


def test_whoever_writes_after_it_has_replied_and_who_opts_out_did_so_because_of_it(unit: Unit) -> None:
    made, person = reached(unit)
    contacts_wrote.send(sender=Message, wrote=[(person.pk, now())])
    contacts_opted_out.send(sender=Message, opted_out=[(person.pk, now())])
    recipient = made.recipients.get()
    first = recipient.replied_at
    assert first is not None
    assert recipient.opted_out_at is not None
    contacts_wrote.send(sender=Message, wrote=[(person.pk, now())])
    recipient.refresh_from_db()
    assert recipient.replied_at == first


def test_what_somebody_writes_before_it_or_weeks_later_is_no_reply(unit: Unit) -> None:
    made, person = reached(unit)
    for at in (now() - timedelta(hours=2), now() + timedelta(days=8)):
        contacts_wrote.send(sender=Message, wrote=[(person.pk, at), (contact(unit).pk, at)])
    assert made.recipients.get().replied_at is None


def test_a_reply_is_to_the_latest_campaign(unit: Unit) -> None:
    made, person = reached(unit)
    later = CampaignService.create(unit=unit, name="Depois", content="Oi", contacts=[person])
    later.recipients.update(status=R.SENT, sent_at=ClockNow())
    contacts_wrote.send(sender=Message, wrote=[(person.pk, now())])
    assert made.recipients.get().replied_at is None
    assert later.recipients.get().replied_at is not None


def test_a_number_that_comes_back_after_long_leaves_its_campaigns_to_a_person(unit: Unit) -> None:
    made, other = campaign(unit), campaign(create_unit("Outra"))
    number_back.send(
        sender=WhatsAppConnection,
        connection=WhatsAppConnection.objects.get(unit=unit, status=ConnectionStatus.CONNECTED),
        away_for=timedelta(hours=5),
    )
    made.refresh_from_db()
    other.refresh_from_db()
    assert (made.status, other.status) == (C.PAUSED, C.PROCESSING)
    assert made.status_reason
