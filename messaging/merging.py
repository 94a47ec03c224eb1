"""Two contacts that turn out to be one person become one, and can be parted again.

The rules, and why they are so: docs/decisions/0013-merging-contacts.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import OperationalError, models, transaction
from django.db import connection as database
from django.db.models import Q
from django.dispatch import Signal
from django.utils.translation import gettext_lazy as _
from psycopg.errors import DeadlockDetected, LockNotAvailable

from crm_whatsapp.db import ClockNow
from messaging.contacts import joining
from messaging.contacts.changes import contact_changes
from messaging.inbox import joining as sorting
from messaging.models import (
    AddressKind,
    ChatAction,
    Contact,
    ContactAddress,
    ContactMerge,
    Conversation,
    ConversationStatus,
    Message,
)
from messaging.rows import give_back, restore, row_of, some
from messaging.signals import contacts_merged, contacts_parted
from units import audit, live
from units.models import AuditAction, Unit, User

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# The more open of two conversations decides.
OPENNESS = [
    ConversationStatus.OPEN,
    ConversationStatus.PENDING,
    ConversationStatus.SNOOZED,
    ConversationStatus.RESOLVED,
]
# What a merge may change on the rows that stay.
SEEN = ("read_until", "seen_until")
CHAT = ("status", "snoozed_until", "assigned_to_id", *SEEN, "referral", "referred_at")

# How long a merge waits for a row, and how often it tries. Well below PostgreSQL's deadlock_timeout of a second.
PATIENCE, TRIES = "400ms", 10

_NEVER = datetime.min.replace(tzinfo=UTC)
_ALWAYS = datetime.max.replace(tzinfo=UTC)
_OPENNESS = [str(status) for status in OPENNESS]


class CannotUndo(ValueError):
    """A merge that cannot be taken back; `message` says why, to a person."""

    def __init__(self, message: str | _StrPromise) -> None:
        self.message = message
        super().__init__(str(message))


def in_order(one: Contact, other: Contact) -> tuple[Contact, Contact]:
    """Which of two is kept, and which is absorbed: whoever has a phone number is kept, else the older one."""
    with_phone = set(
        ContactAddress.objects.filter(contact__in=[one, other], kind=AddressKind.PHONE).values_list(
            "contact", flat=True
        )
    )
    kept, absorbed = sorted([one, other], key=lambda contact: (contact.pk not in with_phone, contact.pk))
    return kept, absorbed


def were_parted(one: Contact, other: Contact) -> bool:
    """Whether somebody has said, by undoing a merge, that these are two; also of contacts that each has absorbed."""
    sides = {one.pk: {one.pk}, other.pk: {other.pk}}
    merges = ContactMerge.objects.filter(unit_id=one.unit_id)
    lasting = merges.filter(kept__in=[one, other], undone_at=None)
    for kept_id, absorbed_id in lasting.values_list("kept_id", "absorbed_id"):
        sides[kept_id].add(absorbed_id)
    pair = Q(kept=one, absorbed_id__in=sides[other.pk]) | Q(kept=other, absorbed_id__in=sides[one.pk])
    return merges.filter(pair, undone_at__isnull=False).exists()


def successor(contact: Contact) -> Contact | None:
    """The contact that `contact` was merged into; None when it was not, or is itself again."""
    merges = ContactMerge.objects.filter(unit_id=contact.unit_id, absorbed_id=contact.pk, undone_at=None)
    merge = merges.select_related("kept").order_by("-created_at").first()
    return merge.kept if merge else None


def conversation_instead_of(unit: Unit, conversation_id: UUID) -> Conversation | None:
    """The conversation into which one that is gone was merged, if it was."""
    merges = ContactMerge.objects.filter(unit=unit, undone_at=None, before__conversation__id=str(conversation_id))
    merge = merges.order_by("-created_at").first()
    return Conversation.objects.filter(contact_id=merge.kept_id).first() if merge else None


def merge(kept: Contact, absorbed: Contact, changes: list[live.Change] | None = None) -> ContactMerge:
    """Move all that `absorbed` has to `kept`, and delete it; in one transaction. Both objects are stale afterwards.

    Live changes are added to `changes`, for the caller to publish last; without it they are published here. Raises
    Contact.DoesNotExist when one of the two has gone meanwhile.

    1. Move messages and recipients, in the order in which everybody locks (messages, recipients, conversations).
    2. Lock both conversations and contacts: nobody can add to them any more. Who has not committed yet is waited for.
    3. Move what came meanwhile, then addresses and names, and delete what is empty now.
    """
    if kept.unit_id != absorbed.unit_id or kept.pk == absorbed.pk or kept.is_group or absorbed.is_group:
        raise ValueError("only two people of one unit can be one")
    return _giving_way(lambda: _merge(kept, absorbed, changes))


def undo(merge: ContactMerge, by: User | None, changes: list[live.Change] | None = None) -> Contact:
    """Part again what `merge` made one, and return the contact that is back. The two are never merged by themselves
    again. Raises CannotUndo. `changes` as in `merge`.

    What was the absorbed contact's goes back, as it was. What came since stays with the kept contact, but for messages
    that went to an address which goes back. What somebody has changed since on the kept contact stays changed.
    """
    return _giving_way(lambda: _undo(merge, by, changes))


# Steps


def _giving_way[T](work: Callable[[], T]) -> T:
    """Do `work` in a transaction, and again when others hold what it needs.

    It locks more rows than anybody else, and cannot know all of them before it holds some. So it is the one that lets
    go first: before PostgreSQL looks for circles and ends one who waits, perhaps a person's "pause".
    """
    for again in range(TRIES):
        try:
            with transaction.atomic(), database.cursor() as cursor:
                cursor.execute("SHOW lock_timeout")
                (usual,) = cursor.fetchone()
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [PATIENCE])
                done = work()
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [usual])
                return done
        except OperationalError as error:
            if again == TRIES - 1 or not isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
                raise
    raise AssertionError("unreachable")


def _merge(kept: Contact, absorbed: Contact, changes: list[live.Change] | None) -> ContactMerge:
    told: list[live.Change] = []
    _one_at_a_time(kept.unit_id)
    before: dict[str, Any] = {"messages": [], "senders": []}
    _move_messages(before, kept, absorbed)
    told += _tell(contacts_merged, kept.pk, absorbed.pk, before)
    pair = [kept.pk, absorbed.pk]
    list(_locked(Conversation.objects.filter(contact_id__in=pair)))
    contacts = {contact.pk: contact for contact in _locked(Contact.objects.filter(pk__in=pair))}
    if len(contacts) < 2:
        raise Contact.DoesNotExist
    kept, absorbed = contacts[kept.pk], contacts[absorbed.pk]
    before["contact"], before["kept"] = row_of(absorbed), row_of(kept)
    _move_messages(before, kept, absorbed)
    told += _tell(contacts_merged, kept.pk, absorbed.pk, before)
    told += _merge_conversations(before, kept, absorbed)
    for model, name, column in ((ContactAddress, "addresses", "contact"), (ContactMerge, "merges", "kept")):
        rows = model._default_manager.filter(**{column: absorbed})
        before[name] = [str(pk) for pk in rows.values_list("pk", flat=True)]
        rows.update(**{column: kept})
    joining.join(before, kept, absorbed)
    _delete(absorbed)
    made = ContactMerge.objects.create(
        unit_id=kept.unit_id, kept=kept, absorbed_id=absorbed.pk, absorbed_name=absorbed.name, before=before
    )
    audit.record(kept.unit_id, AuditAction.CONTACTS_MERGED, made, named=False, kept=kept.pk, absorbed=absorbed.pk)
    told += contact_changes(kept.unit_id, [kept.pk])
    became = {"merged_into": str(kept.pk)}
    told.append(live.Change(unit_id=kept.unit_id, kind="contact", object_id=absorbed.pk, data=became))
    _hand_over(told, changes)
    return made


def _undo(merge: ContactMerge, by: User | None, changes: list[live.Change] | None) -> Contact:
    told: list[live.Change] = []
    _one_at_a_time(merge.unit_id)
    merge = ContactMerge.objects.select_for_update().get(pk=merge.pk)
    if merge.undone_at:
        raise CannotUndo(_("This merge has been undone already."))
    before, kept = merge.before, merge.kept
    restore(Contact, before["contact"])
    absorbed = Contact.objects.get(pk=merge.absorbed_id)
    addresses = ContactAddress.objects.filter(pk__in=before["addresses"], contact=kept)
    told += _part_conversations(before, kept, absorbed, addresses)
    addresses.update(contact=absorbed)
    ContactMerge.objects.filter(pk__in=before["merges"], kept=kept).update(kept=absorbed)
    joining.part(before, kept, absorbed)
    ContactMerge.objects.filter(pk=merge.pk).update(undone_at=ClockNow(), undone_by=by)
    audit.record(kept.unit_id, AuditAction.CONTACTS_PARTED, merge, named=False, kept=kept.pk, absorbed=absorbed.pk)
    told += contact_changes(kept.unit_id, [kept.pk, absorbed.pk])
    _hand_over(told, changes)
    return absorbed


def _one_at_a_time(unit_id: UUID) -> None:
    """Of two merges in a unit the second sees what the first has done."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"merge {unit_id}"])


def _locked[M: models.Model](rows: models.QuerySet[M]) -> models.QuerySet[M]:
    """Against any change, and against new rows that point at them."""
    return rows.select_for_update().order_by("pk")


def _tell(signal: Signal, kept_id: UUID, absorbed_id: UUID, before: dict[str, Any]) -> list[live.Change]:
    answers: list[tuple[Any, Any]] = signal.send(
        sender=ContactMerge, kept_id=kept_id, absorbed_id=absorbed_id, before=before
    )
    return [change for _receiver, more in answers for change in more]


def _hand_over(told: list[live.Change], changes: list[live.Change] | None) -> None:
    if changes is None:
        live.publish(told)
    else:
        changes += told


def _chat_change(conversation: Conversation, **data: str) -> live.Change:
    return live.Change(unit_id=conversation.unit_id, kind="conversation", object_id=conversation.pk, data=data)


def _chats_of(*contacts: Contact) -> dict[UUID, Conversation]:
    """By the contact's id, those that have one."""
    return {chat.contact_id: chat for chat in Conversation.objects.filter(contact__in=contacts)}


def _move_messages(before: dict[str, Any], kept: Contact, absorbed: Contact) -> None:
    """Those of the chat that goes away, and those that its contact wrote in groups."""
    chats = _chats_of(kept, absorbed)
    if len(chats) == 2:
        written = Message.objects.filter(conversation=chats[absorbed.pk])
        # At one go with those that may be cancelled, as campaigns lock them.
        _lock(written | Message.objects.filter(conversation=chats[kept.pk]).waiting())
        before["messages"] += _update_locked(written, conversation=chats[kept.pk])
    before["senders"] += _update_locked(Message.objects.filter(unit_id=kept.unit_id, sender=absorbed), sender=kept)


def _lock(messages: models.QuerySet[Message]) -> list[UUID]:
    """Lock in the order of ids; the ids."""
    return list(messages.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))


def _update_locked(messages: models.QuerySet[Message], **values: Any) -> list[str]:
    ids = _lock(messages)
    Message.objects.filter(pk__in=ids).update(**values)
    return [str(pk) for pk in ids]


def _merge_conversations(before: dict[str, Any], kept: Contact, absorbed: Contact) -> list[live.Change]:
    """One chat of two; a chat that is alone only changes its owner."""
    chats = _chats_of(kept, absorbed)
    mine, other = chats.get(kept.pk), chats.get(absorbed.pk)
    before["conversation"] = row_of(other) if other else None
    before["actions"] = []
    before["kept_conversation"] = before["kept_conversation_after"] = None
    if other is None:
        return []
    if mine is None:
        ids = Message.objects.filter(conversation=other).values_list("pk", flat=True)
        before["messages"] = [str(pk) for pk in ids]
        Conversation.objects.filter(pk=other.pk).update(contact=kept)
        return [_chat_change(other)]
    before["kept_conversation"] = row_of(mine)
    referred = max(mine, other, key=lambda chat: chat.referred_at or _NEVER)
    # Of two that are snoozed the one that wakes first.
    leading = min(mine, other, key=lambda chat: (_OPENNESS.index(chat.status), chat.snoozed_until or _ALWAYS))
    Conversation.objects.filter(pk=mine.pk).update(
        status=leading.status,
        snoozed_until=leading.snoozed_until,
        assigned_to=mine.assigned_to_id or other.assigned_to_id,
        **{column: _seen(column, mine, other) for column in SEEN},
        referral=referred.referral,
        referred_at=referred.referred_at,
    )
    before["kept_conversation_after"] = some(row_of(mine), CHAT)
    actions = ChatAction.objects.filter(conversation=other)
    before["actions"] = [str(pk) for pk in actions.order_by("pk").values_list("pk", flat=True)]
    actions.update(conversation=mine)
    before["sorting"] = sorting.join(mine, other)
    _delete(other)
    Conversation.objects.filter(pk=mine.pk).refresh_summary()
    return [_chat_change(mine), _chat_change(other, merged_into=str(mine.pk))]


def _seen(column: str, *chats: Conversation) -> datetime | None:
    """The time up to which the joint chat has been seen: never later than that of a chat with something unread."""
    times = {chat.pk: getattr(chat, column) or _NEVER for chat in chats}
    unread = [times[chat.pk] for chat in chats if chat.unread_count]
    seen = min(unread) if unread else max(times.values())
    return None if seen == _NEVER else seen


def _delete(row: Contact | Conversation) -> None:
    """In the database, which cascades: Django's collector would load what hangs on it."""
    with database.cursor() as cursor:
        cursor.execute(f"DELETE FROM {row._meta.db_table} WHERE id = %s", [row.pk])  # noqa: S608


def _part_conversations(
    before: dict[str, Any], kept: Contact, absorbed: Contact, addresses: Iterable[ContactAddress]
) -> list[live.Change]:
    """Give the absorbed contact its chat back with its messages, and receivers theirs; locks as `merge` does."""
    joint = _chats_of(kept).get(kept.pk)
    in_joint = Message.objects.filter(conversation=joint)
    here = list(in_joint.select_for_update(no_key=True).order_by("pk").values_list("pk", "recipient"))
    _update_locked(Message.objects.filter(pk__in=before["senders"], sender=kept), sender=absorbed)
    told = _tell(contacts_parted, kept.pk, absorbed.pk, before)
    if joint:
        joint = _locked(Conversation.objects.filter(pk=joint.pk)).get()
    to_them = {form for address in addresses for form in _recipients(address)}
    as_before = set(before["messages"])
    theirs = [pk for pk, recipient in here if str(pk) in as_before or recipient in to_them]
    chats = [joint] if joint else []
    if joint and before["conversation"] and before["conversation"]["id"] == str(joint.pk):
        # It was theirs alone: with its id it goes back, and what came since needs a chat of its own.
        Conversation.objects.filter(pk=joint.pk).update(contact=absorbed)
        if len(theirs) < len(here):
            chats.append(_new_chat(kept, joint))
            in_joint.exclude(pk__in=theirs).update(conversation=chats[-1])
    elif before["conversation"] or theirs:
        chats.append(_their_chat(before, joint, absorbed))
        Message.objects.filter(pk__in=theirs).update(conversation=chats[-1])
        # Not of a merge from before there were any, nor when the absorbed contact had no chat.
        if joint and before.get("sorting"):
            sorting.part(before["sorting"], joint, chats[-1])
    if joint and before["kept_conversation"] and before["kept_conversation"]["id"] == str(joint.pk):
        was = _of_who_is_here(before["kept_conversation"])
        give_back(joint, was, before["kept_conversation_after"], CHAT)
    # What was asked for about a message goes where that is, the rest where it was.
    if chats:
        ChatAction.objects.filter(pk__in=before["actions"], conversation=joint).update(conversation=chats[-1])
    for chat in chats:
        ChatAction.objects.filter(message__conversation=chat).update(conversation=chat)
    Conversation.objects.filter(pk__in=[chat.pk for chat in chats]).refresh_summary()
    return told + [_chat_change(chat) for chat in chats]


def _recipients(address: ContactAddress) -> list[str]:
    """What a message to this address may have as its recipient."""
    digits = address.value.removeprefix("+")
    return [address.jid or digits, digits, f"{digits}@lid" if address.kind == AddressKind.LID else digits]


def _new_chat(contact: Contact, like: Conversation) -> Conversation:
    return Conversation.objects.create(
        unit_id=contact.unit_id,
        contact=contact,
        status=like.status,
        assigned_to_id=like.assigned_to_id,
        read_until=like.read_until,
        seen_until=like.seen_until,
    )


def _their_chat(before: dict[str, Any], joint: Conversation | None, absorbed: Contact) -> Conversation:
    """The chat that was deleted, as it was; or one like the joint chat, when there was none."""
    row = before["conversation"]
    if joint and row is None:
        return _new_chat(absorbed, joint)
    if joint and before["kept_conversation_after"]:
        now, after = row_of(joint), before["kept_conversation_after"]
        # Somebody has read the joint chat since, and so theirs.
        row = row | {column: now[column] for column in SEEN if now[column] != after[column]}
    restore(Conversation, _of_who_is_here(row))
    return Conversation.objects.get(pk=row["id"])


def _of_who_is_here(chat: dict[str, Any]) -> dict[str, Any]:
    """The row of a chat, in the charge of nobody when that person has been deleted since."""
    is_here = User.objects.filter(pk=chat["assigned_to_id"]).exists()
    return chat if is_here else chat | {"assigned_to_id": None}
