"""Two contacts that are one person: nothing of either is lost, and it can be taken back to the last row."""

import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection as database
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from campaigns.feeder import feed_campaigns
from campaigns.models import Campaign, CampaignRecipient, RecipientStatus
from campaigns.services import CampaignService
from messaging import merging, people, services
from messaging.contacts import consent, tags
from messaging.delivery import sweep
from messaging.inbox import steering
from messaging.models import (
    ChatAction,
    Contact,
    ContactMerge,
    Conversation,
    ConversationStatus,
    Label,
    Message,
    MessageStatus,
    Note,
    Tag,
)
from tests.factories import opt_out, reply
from tests.live.process import database_url
from tests.messaging.test_people import (
    ANA,
    ANA_LID,
    BIA,
    NOON,
    at_once,
    by_lid,
    by_phone,
    group,
    meet,
    seen,
)
from units import live
from units.models import Unit, User, WhatsAppConnection

pytestmark = pytest.mark.django_db

R = RecipientStatus


@pytest.fixture
def ana_by_phone(unit: Unit) -> Contact:
    return meet(unit, seen(ANA, "Ana", 1))[0]


@pytest.fixture
def ana_by_lid(unit: Unit) -> Contact:
    return meet(unit, seen(ANA_LID, "Ana Maria", 2))[0]


def received(chat: Conversation, external_id: str, *, minute: int = 0, sender: Contact | None = None) -> Message:
    """A text of the contact, or of `sender` in a group."""
    message = Message.objects.create(
        unit_id=chat.unit_id,
        connection=WhatsAppConnection.objects.get(unit_id=chat.unit_id),
        conversation=chat,
        direction="inbound",
        origin="contact",
        status="received",
        external_id=external_id,
        body=f"texto {external_id}",
        sender=sender,
        happened_at=NOON + timedelta(minutes=minute),
    )
    with transaction.atomic():
        Conversation.objects.filter(pk=chat.pk).refresh_summary()
    return message


def chat_of(contact: Contact) -> Conversation:
    return people.conversation_with(contact)


def tags_of(contact: Contact) -> set[str]:
    return set(Tag.objects.filter(contacts=contact).values_list("name", flat=True))


def asked(message: Message) -> ChatAction:
    """Somebody wants the chat marked as read up to there."""
    return ChatAction.objects.create(
        unit_id=message.unit_id,
        connection_id=message.connection_id,
        conversation_id=message.conversation_id,
        message=message,
        kind="read",
        expires_at=NOON,
    )


def set_chat(contact: Contact, **values: Any) -> None:
    Conversation.objects.filter(pk=chat_of(contact).pk).update(**values)


def linked_tables() -> list[str]:
    """Every table with a link between rows of a unit, from the database itself; merges apart."""
    with database.cursor() as cursor:
        cursor.execute("SELECT DISTINCT conrelid::regclass::text FROM pg_constraint WHERE conname LIKE '%%same_unit'")
        return sorted(table for (table,) in cursor.fetchall() if table != "contact_merges")


def everything() -> dict[str, list[str]]:
    """All rows of these tables, and of contacts."""
    rows = {}
    with database.cursor() as cursor:
        for table in ["contacts", *linked_tables()]:
            cursor.execute(f"SELECT to_jsonb(t)::text FROM {table} t ORDER BY id")
            rows[table] = [row for (row,) in cursor.fetchall()]
    return rows


# What a merge does


def test_whoever_has_the_phone_is_kept_else_the_older(unit: Unit, ana_by_lid: Contact, ana_by_phone: Contact) -> None:
    (later,) = meet(unit, seen(by_lid("999")))
    assert merging.in_order(ana_by_lid, ana_by_phone) == (ana_by_phone, ana_by_lid)
    assert merging.in_order(later, ana_by_lid) == (ana_by_lid, later)


def test_all_that_was_the_absorbed_contact_s_is_the_kept_one_s(
    unit: Unit, ana_by_phone: Contact, ana_by_lid: Contact
) -> None:
    (family,) = meet(unit, seen(group("120363000000000001"), "Família"))
    received(chat_of(ana_by_phone), "A1")
    received(chat_of(ana_by_lid), "B1")
    received(chat_of(family), "G1", sender=ana_by_lid)
    made = merging.merge(ana_by_phone, ana_by_lid)
    assert (made.kept, made.absorbed_id, made.absorbed_name) == (ana_by_phone, ana_by_lid.id, "Ana Maria")
    assert set(Message.objects.filter(conversation=chat_of(ana_by_phone)).values_list("external_id", flat=True)) == {
        "A1",
        "B1",
    }
    assert Message.objects.get(external_id="G1").sender == ana_by_phone
    assert ana_by_phone.addresses.count() == 2
    assert list(Contact.objects.filter(is_group=False)) == [ana_by_phone]


def test_a_chat_that_is_alone_keeps_its_address(ana_by_phone: Contact, ana_by_lid: Contact) -> None:
    chat = chat_of(ana_by_lid)
    merging.merge(ana_by_phone, ana_by_lid)
    assert chat_of(ana_by_phone) == chat


def test_an_old_link_leads_to_the_kept_contact(ana_by_phone: Contact, ana_by_lid: Contact) -> None:
    made = merging.merge(ana_by_phone, ana_by_lid)
    assert merging.successor(ana_by_lid) == ana_by_phone
    assert people.conversation_with(ana_by_lid) == chat_of(ana_by_phone)
    merging.undo(made, None)
    assert merging.successor(ana_by_lid) is None


@pytest.mark.parametrize(
    ("mine", "theirs", "joint"),
    [("resolved", "open", "open"), ("pending", "snoozed", "pending"), ("snoozed", "resolved", "snoozed")],
)
def test_the_more_open_of_two_chats_decides(
    ana_by_phone: Contact, ana_by_lid: Contact, mine: str, theirs: str, joint: str
) -> None:
    set_chat(ana_by_phone, status=mine)
    set_chat(ana_by_lid, status=theirs)
    merging.merge(ana_by_phone, ana_by_lid)
    assert chat_of(ana_by_phone).status == joint


@pytest.mark.parametrize("unread", ["mine", "theirs"])
def test_nothing_unread_becomes_read(ana_by_phone: Contact, ana_by_lid: Contact, unread: str) -> None:
    read, not_read = (ana_by_lid, ana_by_phone) if unread == "mine" else (ana_by_phone, ana_by_lid)
    received(chat_of(not_read), "new")
    received(chat_of(read), "old")
    services.mark_read(chat_of(read))
    assert (chat_of(read).unread_count, chat_of(not_read).unread_count) == (0, 1)
    merging.merge(ana_by_phone, ana_by_lid)
    assert chat_of(ana_by_phone).unread_count >= 1


def test_what_was_seen_on_the_phone_alone_hides_nothing_of_the_other_chat(
    ana_by_phone: Contact, ana_by_lid: Contact
) -> None:
    received(chat_of(ana_by_phone), "new")
    set_chat(ana_by_lid, seen_until=NOON + timedelta(days=1))
    merging.merge(ana_by_phone, ana_by_lid)
    assert (chat_of(ana_by_phone).unread_count, chat_of(ana_by_phone).seen_until) == (1, None)


def test_what_was_read_in_both_chats_is_read(ana_by_phone: Contact, ana_by_lid: Contact) -> None:
    for number, contact in enumerate((ana_by_phone, ana_by_lid)):
        received(chat_of(contact), str(number))
        services.mark_read(chat_of(contact))
    merging.merge(ana_by_phone, ana_by_lid)
    assert chat_of(ana_by_phone).unread_count == 0


def test_the_later_advert_and_anybody_in_charge_are_kept(ana: User, ana_by_phone: Contact, ana_by_lid: Contact) -> None:
    set_chat(ana_by_phone, referral={"title": "Verão"}, referred_at=NOON)
    set_chat(ana_by_lid, referral={"title": "Inverno"}, referred_at=NOON + timedelta(days=1), assigned_to=ana)
    merging.merge(ana_by_phone, ana_by_lid)
    chat = chat_of(ana_by_phone)
    assert (chat.referral, chat.assigned_to) == ({"title": "Inverno"}, ana)


@pytest.mark.parametrize(
    ("mine", "theirs", "joint"),
    [
        (("Ana", False, 1), ("Ana Maria", False, 2), "Ana Maria"),
        (("Ana", False, 2), ("Ana Maria", False, 1), "Ana"),
        (("Ana", False, 2), ("Dona Ana", True, None), "Dona Ana"),
        (("Dona Ana", True, None), ("Ana", False, 9), "Dona Ana"),
        (("Dona Ana", True, None), ("D. Ana", True, None), "Dona Ana"),
        (("", False, None), ("Ana", False, None), "Ana"),
    ],
)
def test_our_name_before_theirs_and_the_later_before_the_earlier(
    ana_by_phone: Contact, ana_by_lid: Contact, mine: Any, theirs: Any, joint: str
) -> None:
    for contact, (name, is_ours, minute) in ((ana_by_phone, mine), (ana_by_lid, theirs)):
        at = None if minute is None else NOON + timedelta(minutes=minute)
        Contact.objects.filter(pk=contact.pk).update(name=name, name_is_ours=is_ours, named_at=at)
    merging.merge(ana_by_phone, ana_by_lid)
    assert Contact.objects.get().name == joint


def test_whoever_opted_out_under_one_address_gets_no_campaign_under_the_other(  # I9
    unit: Unit, ana_by_phone: Contact, ana_by_lid: Contact
) -> None:
    opt_out(ana_by_lid)
    campaign = campaign_to(unit, ana_by_phone)
    CampaignService(campaign).dispatch()
    merging.merge(ana_by_phone, ana_by_lid)
    feed_campaigns()
    recipient = campaign.recipients.get()
    assert (recipient.status, recipient.error_message) == (R.SKIPPED, "opted_out")


def test_only_two_people_of_one_unit_can_be_one(unit: Unit, ana_by_phone: Contact) -> None:
    (family,) = meet(unit, seen(group("120363000000000001")))
    for other in (ana_by_phone, family):
        with pytest.raises(ValueError, match="two people"):
            merging.merge(ana_by_phone, other)


def test_the_changes_are_told_for_both_chats(ana_by_phone: Contact, ana_by_lid: Contact) -> None:
    mine, theirs = chat_of(ana_by_phone), chat_of(ana_by_lid)
    changes: list[live.Change] = []
    merging.merge(ana_by_phone, ana_by_lid, changes)
    assert [(change.kind, change.object_id, change.data) for change in changes] == [
        ("conversation", mine.id, {}),
        ("conversation", theirs.id, {"merged_into": str(mine.id)}),
        ("contact", ana_by_phone.pk, {}),
        ("contact", ana_by_lid.pk, {"merged_into": str(ana_by_phone.pk)}),
    ]


def test_every_table_that_speaks_of_a_contact_or_a_chat_is_one_that_a_merge_moves() -> None:
    """A new link needs a line in `merging`, or a merge would cascade to its rows."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT c.conrelid::regclass::text, a.attname FROM pg_constraint c"
            " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[cardinality(c.conkey)]"
            " WHERE c.contype = 'f' AND c.confrelid IN ('contacts'::regclass, 'conversations'::regclass)"
        )
        assert sorted(cursor.fetchall()) == [
            ("campaign_recipients", "contact_id"),
            ("chat_actions", "conversation_id"),
            ("contact_addresses", "contact_id"),
            ("contact_merges", "kept_id"),
            ("contact_tags", "contact_id"),
            ("conversation_events", "conversation_id"),
            ("conversation_labels", "conversation_id"),
            ("conversations", "contact_id"),
            ("messages", "conversation_id"),
            ("messages", "sender_id"),
            ("notes", "conversation_id"),
        ]


# Campaigns


def campaign_to(unit: Unit, *contacts: Contact) -> Campaign:
    return CampaignService.create(unit=unit, name="Volta às aulas", content="Lentes com 30%", contacts=contacts)


@pytest.mark.parametrize(
    ("mine", "theirs", "joint"),
    [
        (R.PENDING, R.SENT, R.SENT),
        (R.READ, R.DELIVERED, R.READ),
        (R.UNCERTAIN, R.PENDING, R.UNCERTAIN),
        (R.PENDING, R.FAILED, R.PENDING),
        (R.SKIPPED, R.PENDING, R.PENDING),
        (R.SENDING, R.QUEUED, R.SENDING),
    ],
)
def test_of_two_recipients_the_one_that_went_further_stays(
    unit: Unit, ana_by_phone: Contact, ana_by_lid: Contact, mine: R, theirs: R, joint: R
) -> None:
    campaign = campaign_to(unit, ana_by_phone, ana_by_lid)
    campaign.recipients.filter(contact=ana_by_phone).update(status=mine)
    campaign.recipients.filter(contact=ana_by_lid).update(status=theirs)
    merging.merge(ana_by_phone, ana_by_lid)
    recipient = campaign.recipients.get()
    assert (recipient.contact, recipient.status) == (ana_by_phone, joint)


def test_the_waiting_message_of_the_other_recipient_is_cancelled(
    unit: Unit, ana_by_phone: Contact, ana_by_lid: Contact
) -> None:
    campaign = campaign_to(unit, ana_by_phone, ana_by_lid)
    CampaignService(campaign).dispatch()
    feed_campaigns()
    merging.merge(ana_by_phone, ana_by_lid)
    assert sorted(Message.objects.values_list("status", "error_code")) == [("cancelled", "merged"), ("queued", "")]
    assert campaign.recipients.get().status == R.QUEUED


@pytest.mark.parametrize(
    ("ended", "status"), [(None, R.PENDING), ("cancelled", R.CANCELLED), ("completed", R.CANCELLED)]
)
def test_whose_message_was_cancelled_gets_another_after_all_unless_the_campaign_is_over(
    unit: Unit, ana_by_phone: Contact, ana_by_lid: Contact, ended: str | None, status: R
) -> None:
    campaign = campaign_to(unit, ana_by_phone, ana_by_lid)
    CampaignService(campaign).dispatch()
    feed_campaigns()
    made = merging.merge(ana_by_phone, ana_by_lid)
    if ended:
        Campaign.objects.update(status=ended)
    merging.undo(made, None)
    assert campaign.recipients.get(contact=ana_by_lid).status == status
    feed_campaigns()
    assert Message.objects.filter(status=MessageStatus.QUEUED).count() == (1 if ended else 2)


def test_whoever_may_have_got_it_under_one_address_gets_none_under_the_other(  # I3
    unit: Unit, ana_by_phone: Contact, ana_by_lid: Contact
) -> None:
    campaign = campaign_to(unit, ana_by_phone, ana_by_lid)
    campaign.recipients.filter(contact=ana_by_lid).update(status=R.FAILED, error_message="unconfirmed")
    merging.merge(ana_by_phone, ana_by_lid)
    assert campaign.recipients.get().status == R.FAILED


def test_what_was_on_the_way_to_the_same_person_is_not_tried_again(  # I3
    unit: Unit, ana_by_phone: Contact, ana_by_lid: Contact
) -> None:
    campaign = campaign_to(unit, ana_by_phone, ana_by_lid)
    CampaignService(campaign).dispatch()
    feed_campaigns()
    ids = list(Message.objects.values_list("pk", flat=True))
    Message.objects.filter(pk__in=ids).update(status=MessageStatus.DISPATCHING)
    services.moved_outbound(ids)
    Message.objects.filter(recipients__contact=ana_by_phone).update(status=MessageStatus.SENT)
    services.moved_outbound(ids)
    merging.merge(ana_by_phone, ana_by_lid)
    # The gateway was not reached.
    Message.objects.filter(status=MessageStatus.DISPATCHING).update(status=MessageStatus.QUEUED)
    sweep()
    assert sorted(Message.objects.values_list("status", flat=True)) == ["expired", "sent"]


def test_what_was_on_the_way_during_the_merge_is_where_its_message_is_after_parting(
    unit: Unit, ana_by_phone: Contact, ana_by_lid: Contact
) -> None:
    campaign = campaign_to(unit, ana_by_phone, ana_by_lid)
    CampaignService(campaign).dispatch()
    feed_campaigns()
    ids = list(Message.objects.values_list("pk", flat=True))
    for status in (MessageStatus.DISPATCHING, MessageStatus.SENT):
        Message.objects.filter(pk__in=ids).update(status=status)
        services.moved_outbound(ids)
        if status == MessageStatus.DISPATCHING:
            made = merging.merge(ana_by_phone, ana_by_lid)
    merging.undo(made, None)
    feed_campaigns()
    campaign.refresh_from_db()
    assert set(campaign.recipients.values_list("status", flat=True)) == {R.SENT}
    assert campaign.status == "completed"


# Taking it back


def test_undoing_says_who_did_it_and_happens_once(ana: User, ana_by_phone: Contact, ana_by_lid: Contact) -> None:
    made = merging.merge(ana_by_phone, ana_by_lid)
    assert merging.undo(made, ana) == ana_by_lid
    made.refresh_from_db()
    assert (made.undone_by, made.undone_at is not None) == (ana, True)
    with pytest.raises(merging.CannotUndo):
        merging.undo(made, ana)


def test_what_came_since_stays_but_for_what_went_to_an_address_that_goes_back(
    unit: Unit, ana_by_phone: Contact
) -> None:
    (bia,) = meet(unit, seen(BIA))
    received(chat_of(ana_by_phone), "A1")
    received(chat_of(bia), "B1")
    made = merging.merge(ana_by_phone, bia)
    received(chat_of(ana_by_phone), "since")
    answer = reply(unit, to=chat_of(ana_by_phone))
    assert answer.recipient == BIA.jid
    merging.undo(made, None)
    assert set(chat_of(ana_by_phone).messages.values_list("external_id", flat=True)) == {"A1", "since"}
    assert set(chat_of(bia).messages.values_list("external_id", flat=True)) == {"B1", None}


def test_a_chat_that_was_alone_goes_back_and_what_came_since_has_a_chat_of_its_own(
    ana_by_phone: Contact, ana_by_lid: Contact
) -> None:
    chat = chat_of(ana_by_lid)
    received(chat, "B1")
    made = merging.merge(ana_by_phone, ana_by_lid)
    received(chat, "since")
    merging.undo(made, None)
    assert chat_of(ana_by_lid) == chat
    assert chat.messages.get().external_id == "B1"
    assert chat_of(ana_by_phone).messages.get().external_id == "since"


def test_what_staff_changed_since_stays_changed(ana: User, ana_by_phone: Contact, ana_by_lid: Contact) -> None:
    for contact in (ana_by_phone, ana_by_lid):
        set_chat(contact, status=ConversationStatus.SNOOZED)
    made = merging.merge(ana_by_phone, ana_by_lid)
    Contact.objects.update(name="Dona Ana", name_is_ours=True)
    set_chat(ana_by_phone, status=ConversationStatus.RESOLVED)
    merging.undo(made, ana)
    ana_by_phone.refresh_from_db()
    assert (ana_by_phone.name, chat_of(ana_by_phone).status) == ("Dona Ana", ConversationStatus.RESOLVED)
    assert chat_of(ana_by_lid).status == ConversationStatus.SNOOZED


def test_what_was_read_in_the_joint_chat_is_read_in_both(ana_by_phone: Contact, ana_by_lid: Contact) -> None:
    for number, contact in enumerate((ana_by_phone, ana_by_lid)):
        received(chat_of(contact), str(number))
    made = merging.merge(ana_by_phone, ana_by_lid)
    services.mark_read(chat_of(ana_by_phone))
    merging.undo(made, None)
    assert [chat_of(contact).unread_count for contact in (ana_by_phone, ana_by_lid)] == [0, 0]


def test_who_was_in_charge_and_has_been_deleted_since_is_left_out(
    ana: User, ana_by_phone: Contact, ana_by_lid: Contact
) -> None:
    for contact in (ana_by_phone, ana_by_lid):
        set_chat(contact, assigned_to=ana)
    made = merging.merge(ana_by_phone, ana_by_lid)
    with database.cursor() as cursor:
        cursor.execute("DELETE FROM users WHERE id = %s", [ana.pk])
    merging.undo(made, None)
    assert [chat_of(contact).assigned_to for contact in (ana_by_phone, ana_by_lid)] == [None, None]


def test_who_was_blocked_is_blocked_and_parted_only_under_that_address(
    ana_by_phone: Contact, ana_by_lid: Contact
) -> None:
    consent.block(ana_by_lid, reason="ofensas", by=None)
    made = merging.merge(ana_by_phone, ana_by_lid)
    ana_by_phone.refresh_from_db()
    assert ana_by_phone.blocked_reason == "ofensas"
    merging.undo(made, None)
    ana_by_phone.refresh_from_db()
    ana_by_lid.refresh_from_db()
    assert (ana_by_phone.blocked_at, bool(ana_by_lid.blocked_at)) == (None, True)


def test_who_was_unblocked_since_the_merge_stays_so(ana_by_phone: Contact, ana_by_lid: Contact) -> None:
    consent.block(ana_by_phone, reason="ofensas", by=None)
    made = merging.merge(ana_by_phone, ana_by_lid)
    consent.unblock(ana_by_phone, reason="engano", by=None)
    merging.undo(made, None)
    ana_by_phone.refresh_from_db()
    assert ana_by_phone.blocked_at is None


def test_tags_of_both_are_on_the_kept_contact_once(unit: Unit, ana_by_phone: Contact, ana_by_lid: Contact) -> None:
    tags.replace(ana_by_phone, ["VIP", "Loja"])
    tags.replace(ana_by_lid, ["vip", "Novo"])
    made = merging.merge(ana_by_phone, ana_by_lid)
    assert tags_of(ana_by_phone) == {"VIP", "Loja", "Novo"}
    merging.undo(made, None)
    assert (tags_of(ana_by_phone), tags_of(ana_by_lid)) == ({"VIP", "Loja"}, {"VIP", "Novo"})


def test_a_tag_deleted_since_the_merge_does_not_come_back(ana_by_phone: Contact, ana_by_lid: Contact) -> None:
    for contact in (ana_by_phone, ana_by_lid):
        tags.replace(contact, ["VIP"])
    made = merging.merge(ana_by_phone, ana_by_lid)
    tags.delete_tag(Tag.objects.get())
    merging.undo(made, None)
    assert tags_of(ana_by_lid) == set()


def test_attributes_are_filled_in_and_the_kept_one_s_count(ana_by_phone: Contact, ana_by_lid: Contact) -> None:
    Contact.objects.filter(pk=ana_by_phone.pk).update(attributes={"cidade": "Recife"})
    Contact.objects.filter(pk=ana_by_lid.pk).update(attributes={"cidade": "Olinda", "idade": 30, "vip": True})
    made = merging.merge(ana_by_phone, ana_by_lid)
    ana_by_phone.refresh_from_db()
    assert ana_by_phone.attributes == {"cidade": "Recife", "idade": 30, "vip": True}
    # What somebody has changed since stays.
    Contact.objects.filter(pk=ana_by_phone.pk).update(attributes={"cidade": "Recife", "idade": 31, "vip": True})
    merging.undo(made, None)
    ana_by_phone.refresh_from_db()
    ana_by_lid.refresh_from_db()
    assert ana_by_phone.attributes == {"cidade": "Recife", "idade": 31}
    assert ana_by_lid.attributes == {"cidade": "Olinda", "idade": 30, "vip": True}


def test_what_was_asked_for_in_a_chat_is_still_asked_for(ana_by_phone: Contact, ana_by_lid: Contact) -> None:
    messages = [received(chat_of(contact), str(contact.pk)) for contact in (ana_by_phone, ana_by_lid)]
    actions = [asked(message) for message in messages]
    made = merging.merge(ana_by_phone, ana_by_lid)
    assert {action.conversation for action in ChatAction.objects.all()} == {chat_of(ana_by_phone)}
    merging.undo(made, None)
    for action, contact in zip(actions, (ana_by_phone, ana_by_lid), strict=True):
        action.refresh_from_db()
        assert action.conversation == chat_of(contact)


def test_notes_and_labels_of_both_chats_are_in_the_joint_one(
    unit: Unit, ana_by_phone: Contact, ana_by_lid: Contact
) -> None:
    both, one = (Label.objects.create(unit=unit, name=name) for name in ("Troca", "Orçamento"))
    for contact, label in ((ana_by_phone, both), (ana_by_lid, both), (ana_by_lid, one)):
        steering.add_label(chat_of(contact), label)
    Note.objects.create(unit=unit, conversation=chat_of(ana_by_lid), body="Prefere a tarde")
    merging.merge(ana_by_phone, ana_by_lid)
    joint = chat_of(ana_by_phone)
    assert [label.name for label in joint.labels.all()] == ["Orçamento", "Troca"]
    assert joint.notes.get().body == "Prefere a tarde"


def test_the_history_of_a_chat_comes_along_and_goes_back(
    unit: Unit, ana_by_phone: Contact, ana_by_lid: Contact
) -> None:
    steering.set_status(chat_of(ana_by_lid), "resolved")
    made = merging.merge(ana_by_phone, ana_by_lid)
    assert chat_of(ana_by_phone).events.get().kind == "resolved"
    merging.undo(made, None)
    assert [chat_of(contact).events.count() for contact in (ana_by_phone, ana_by_lid)] == [0, 1]


def test_an_opt_out_before_the_merge_is_parted_with_its_address(ana_by_phone: Contact, ana_by_lid: Contact) -> None:
    opt_out(ana_by_lid)
    made = merging.merge(ana_by_phone, ana_by_lid)
    assert consent.has_opted_out(ana_by_phone)
    merging.undo(made, None)
    assert [consent.has_opted_out(contact) for contact in (ana_by_phone, ana_by_lid)] == [False, True]


def test_an_opt_out_lifted_since_the_merge_stays_lifted(ana_by_phone: Contact, ana_by_lid: Contact) -> None:
    opt_out(ana_by_lid)
    made = merging.merge(ana_by_phone, ana_by_lid)
    consent.lift(ana_by_phone, reason="quer de novo", by=None)
    merging.undo(made, None)
    assert not consent.has_opted_out(ana_by_lid)


def test_an_opt_out_since_the_merge_stays_with_its_address(ana_by_phone: Contact, ana_by_lid: Contact) -> None:
    made = merging.merge(ana_by_phone, ana_by_lid)
    opt_out(ana_by_phone)
    merging.undo(made, None)
    assert consent.has_opted_out(ana_by_lid)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_merges_can_be_undone_in_any_order(unit: Unit, ana_by_lid: Contact, order: tuple[int, int]) -> None:
    """A LID is taken for Ana, and then Ana for Bia."""
    (bia,), (phone,) = meet(unit, seen(BIA)), meet(unit, seen(ANA))
    for number, contact in enumerate((bia, phone, ana_by_lid)):
        received(chat_of(contact), str(number))
    start = everything()
    merges = [merging.merge(phone, ana_by_lid), merging.merge(bia, phone)]
    for number in order:
        merging.undo(merges[number], None)
    now = everything()
    # Out of order, only what one of the later merges put on a kept row may differ: its name.
    exact = now if order == (1, 0) else now | {"contacts": start["contacts"]}
    assert exact == start


CHATS = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(ConversationStatus.values),
        "snoozed_until": st.none() | st.integers(0, 5).map(lambda day: NOON + timedelta(days=day)),
        "read_until": st.none() | st.integers(0, 5).map(lambda day: NOON + timedelta(days=day)),
        "seen_until": st.none() | st.integers(0, 5).map(lambda day: NOON + timedelta(days=day)),
        "referral": st.sampled_from([{}, {"title": "Verão", "n": 1.5}]),
        "referred_at": st.none() | st.integers(0, 5).map(lambda day: NOON + timedelta(days=day)),
    },
)
SIDES = st.fixed_dictionaries(
    {
        "name": st.tuples(st.sampled_from(["", "Ana", "Bia"]), st.booleans(), st.none() | st.integers(0, 3)),
        "addresses": st.integers(1, 2),
        "chat": st.none() | CHATS,
        "messages": st.lists(st.integers(0, 5), max_size=3),
        "notes": st.integers(0, 2),
        "labels": st.lists(st.sampled_from(["Orçamento", "Troca"]), unique=True),
        "spoke": st.booleans(),
        "opted_out": st.booleans(),
        "blocked": st.booleans(),
        "tags": st.lists(st.sampled_from(["VIP", "Novo", "Loja"]), unique=True),
        "attributes": st.dictionaries(st.sampled_from(["cidade", "idade"]), st.sampled_from(["a", 1, True])),
        "campaigns": st.lists(
            st.none() | st.sampled_from([status for status in R if status != R.QUEUED]), min_size=2, max_size=2
        ),
    }
)


def populate(unit: Unit, campaigns: list[Campaign], family: Conversation, digits: str, side: dict[str, Any]) -> Contact:
    """A contact with what `side` says, through the product's own ways where there are any."""
    phones = [by_phone(f"55119{number}{digits}", digits) for number in range(side["addresses"])]
    *_, contact = meet(unit, *map(seen, phones))
    name, is_ours, minute = side["name"]
    at = None if minute is None else NOON + timedelta(minutes=minute)
    Contact.objects.filter(pk=contact.pk).update(name=name, name_is_ours=is_ours and bool(name), named_at=at)
    if side["opted_out"]:
        opt_out(contact)
    if side["blocked"]:
        consent.block(contact, reason=digits, by=None)
    tags.replace(contact, side["tags"])
    Contact.objects.filter(pk=contact.pk).update(attributes=side["attributes"])
    if side["spoke"]:
        received(family, f"G{digits}", sender=contact)
    if side["chat"] is not None:
        set_chat(contact, **side["chat"])
        for number, minute in enumerate(side["messages"]):
            received(chat_of(contact), f"{digits}-{number}", minute=minute)
        for _ in range(side["notes"]):
            Note.objects.create(unit=unit, conversation=chat_of(contact), body=digits)
        for name in side["labels"]:
            label, _made = Label.objects.get_or_create(unit=unit, name=name)
            steering.add_label(chat_of(contact), label)
        Conversation.objects.filter(contact=contact).refresh_summary()
    for campaign, status in zip(campaigns, side["campaigns"], strict=True):
        if status:
            CampaignRecipient.objects.create(unit=unit, campaign=campaign, contact=contact, status=status)
    return contact


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mine=SIDES, theirs=SIDES)
def test_a_merge_that_is_undone_gives_the_start(unit: Unit, mine: Any, theirs: Any) -> None:
    with transaction.atomic():
        family = chat_of(*meet(unit, seen(group("120363000000000001"))))
        campaigns = [campaign_to(unit), campaign_to(unit)]
        kept = populate(unit, campaigns, family, "1111111", mine)
        absorbed = populate(unit, campaigns, family, "2222222", theirs)
        start = everything()
        merging.undo(merging.merge(kept, absorbed), None)
        assert everything() == start
        transaction.set_rollback(True)


# With real concurrency


def messages_of(contact: Contact) -> int:
    return Message.objects.filter(conversation__contact=contact).count()


@pytest.mark.django_db(transaction=True)
def test_a_message_that_comes_into_the_chat_that_goes_away_is_not_lost(
    unit: Unit, ana_by_phone: Contact, ana_by_lid: Contact
) -> None:
    chat_of(ana_by_phone)
    chat = chat_of(ana_by_lid)
    inserted = threading.Event()

    def write() -> None:
        with transaction.atomic():
            reply(unit, to=chat)
            inserted.set()
            # Long enough for the merge to come to its locks, which wait for us.
            threading.Event().wait(0.3)

    def merge() -> ContactMerge:
        inserted.wait(10)
        return merging.merge(ana_by_phone, ana_by_lid)

    _, made = at_once(write, merge)
    assert isinstance(made, ContactMerge), made
    assert messages_of(ana_by_phone) == 1
    assert made.before["messages"]


@pytest.mark.django_db(transaction=True)
def test_a_campaign_that_is_fed_during_a_merge_writes_to_the_person_once(
    unit: Unit, ana_by_phone: Contact, ana_by_lid: Contact
) -> None:
    campaign = campaign_to(unit, ana_by_phone, ana_by_lid)
    CampaignService(campaign).dispatch()
    at_once(lambda: merging.merge(ana_by_phone, ana_by_lid), feed_campaigns)
    feed_campaigns()
    assert CampaignRecipient.objects.get().contact == ana_by_phone
    assert Message.objects.filter(status=MessageStatus.QUEUED).count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_who_merge_the_same_at_once_one_does_it(unit: Unit, ana_by_phone: Contact, ana_by_lid: Contact) -> None:
    received(chat_of(ana_by_lid), "B1")
    both = by_lid("111222333", "553199991234")
    results = at_once(*[lambda: meet(unit, seen(both))] * 3)
    assert results == [[ana_by_phone]] * 3
    assert ContactMerge.objects.count() == 1
    assert messages_of(ana_by_phone) == 1


@pytest.mark.django_db(transaction=True)
def test_a_merge_that_others_keep_waiting_is_asked_to_come_back(
    api: APIClient, unit: Unit, ana_by_phone: Contact, ana_by_lid: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "TRIES", 2)
    api.raise_request_exception = False
    body = {"kept_id": str(ana_by_phone.pk), "absorbed_id": str(ana_by_lid.pk)}
    for key in ({}, {"Idempotency-Key": "k"}):
        with psycopg.connect(database_url()) as other:
            other.execute("SELECT FROM contacts WHERE id = %s FOR UPDATE", [ana_by_phone.pk])
            answer = api.post(f"/units/{unit.pk}/contacts/merges", body, format="json", headers=key)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "busy")
        assert int(answer["Retry-After"]) >= 1
        assert not ContactMerge.objects.exists()
    headers = {"Idempotency-Key": "k"}
    assert api.post(f"/units/{unit.pk}/contacts/merges", body, format="json", headers=headers).status_code == 201
