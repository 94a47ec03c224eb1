"""What people do with messages that nobody confirmed or that failed: say how it was, send again, let it be."""

from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext_lazy as _

from crm_whatsapp.db import ClockNow
from messaging import lanes, people
from messaging.events import MessageKind
from messaging.models import Contact, Conversation, Direction, Message, MessageMedia, MessageStatus, Origin
from messaging.outgoing.contents import Content, Media, Text
from messaging.outgoing.errors import CannotQueue
from messaging.outgoing.queueing import queue
from messaging.services import changes_of, moved_outbound
from messaging.signals import message_repeated
from units import audit, live
from units.models import AuditAction, Unit, User

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

S = MessageStatus

# In `Message.details`: the id of the message that took the place of this one, and the other way round.
SENT_AGAIN_AS: Final = "sent_again_as"
AGAIN_OF: Final = "again_of"
# Not the copy's: its successor, and which request made it.
_OF_THE_FIRST = (SENT_AGAIN_AS, "request")
# What a copy may need of its files.
_FILE_FIELDS = ("url", "file", "thumbnail", "mime_type", "size", "sha256", "width", "height", "attachment_id", "status")
# What a person may retry or discard. Not what was cancelled: that was somebody's wish.
OVER = frozenset({S.FAILED, S.EXPIRED})
# What a person has something to decide about.
OPEN_TO_PEOPLE = OVER | {S.UNCERTAIN}
# The error of a message that a person has discarded.
DISCARDED: Final = "discarded"
_SETTLED = _("This message has been settled already.")
_ONLY_OVER = _("Only a message that was not sent can be retried.")


def uncertain_messages(unit: Unit) -> QuerySet[Message]:
    """What nobody knows the fate of, the newest call first."""
    rows = Message.objects.filter(unit=unit, status=S.UNCERTAIN)
    return rows.select_related("conversation__contact", "author").prefetch_related("conversation__contact__addresses")


def settle(message: Message, *, was_sent: bool) -> Message:
    """A person knows what became of an uncertain message. Raises CannotQueue when it is not (or no longer) one."""
    with transaction.atomic():
        row = Message.objects.filter(pk=message.pk, status=S.UNCERTAIN)
        if was_sent:
            changes: dict[str, Any] = {"sent_at": F("dispatched_at"), "error_code": "", "error": ""}
            moved = row.move_to(S.SENT, look_up_due_at=None, **changes)
        else:
            moved = row.move_to(S.FAILED, error_code="not_sent_by_word", error="", look_up_due_at=None)
        if not moved:
            raise CannotQueue(_SETTLED)
        audit.record(message.unit_id, AuditAction.MESSAGE_SETTLED, message, named=False, sent=was_sent)
        told = moved_outbound([message.pk])
        # Its chat may go on.
        lanes.wake([message.connection_id])
        live.publish(told)
    message.refresh_from_db()
    return message


def send_again(message: Message, *, author: User | None) -> Message:
    """A person has an uncertain message sent once more, though the first may have arrived: it counts as failed now.

    Returns the message that takes its place; asked twice, the same one. Raises CannotQueue when it is not, or no
    longer, uncertain, or its contact has no number.
    """
    return _repeat(message, author=author, may_be=frozenset({S.UNCERTAIN}), refusal=_SETTLED)


def retry(message: Message, *, author: User | None) -> Message:
    """A person has a message sent that was not: failed or expired.

    Returns the message that takes its place; asked twice, it is the same one. Raises CannotQueue for any other, or when
    its contact has no number.
    """
    return _repeat(message, author=author, may_be=OVER, refusal=_ONLY_OVER)


def discard(message: Message) -> Message:
    """A person is done with a message that was not sent. Raises CannotQueue for any other, and for a campaign's.

    A receipt that comes all the same proves that it arrived, and moves it on as it does a failed one.
    """
    with transaction.atomic():
        # No move of `MOVES`: whoever cancels what still waits must not take along what has failed.
        rows = Message.objects.filter(pk=message.pk, direction=Direction.OUTBOUND, status__in=OVER)
        rows = rows.exclude(origin=Origin.CAMPAIGN)
        if not rows.update(status=S.CANCELLED, error_code=DISCARDED, error=""):
            raise CannotQueue(_("Only a message that was not sent can be discarded, and none of a campaign."))
        audit.record(message.unit_id, AuditAction.MESSAGE_SETTLED, message, named=False, discarded=True)
        live.publish(moved_outbound([message.pk]))
    message.refresh_from_db()
    return message


def send_to(message: Message, contact: Contact, *, author: User | None) -> Message:
    """The number was wrong: send the same to `contact` instead, and discard the first. Returns what goes out.

    Asked twice, it is the same one. Raises CannotQueue for what `discard` refuses, and as `queue` does.
    """
    with transaction.atomic():
        old = Message.objects.select_for_update(no_key=True).get(pk=message.pk, direction=Direction.OUTBOUND)
        made = Message.objects.filter(unit_id=old.unit_id, id=old.details.get(SENT_AGAIN_AS)).first()
        if made is not None:
            return made
        if old.status not in OVER:
            raise CannotQueue(_ONLY_OVER)
        chat = people.conversation_with(contact)
        if chat.pk == old.conversation_id:
            raise CannotQueue(_("This is the number that it was sent to."))
        new = queue(conversation=chat, content=_content(old), author=author, idempotency_key=f"instead-of-{old.pk}")
        Message.objects.filter(pk=old.pk).update(details=old.details | {SENT_AGAIN_AS: str(new.pk)})
        discard(old)
    return new


def _content(old: Message) -> Content:
    """What was to be sent, for another chat. Raises CannotQueue for what belongs to its own."""
    if old.kind == MessageKind.TEXT:
        return Text(old.body)
    file = MessageMedia.objects.filter(message=old).select_related("attachment").first()
    if file is None or file.attachment is None:
        raise CannotQueue(_("This kind of message cannot be sent to another number. Write it anew."))
    return Media(attachment=file.attachment, caption=old.body, voice=bool(old.details["media"].get("voice")))


def _repeat(message: Message, *, author: User | None, may_be: frozenset[S], refusal: "_StrPromise") -> Message:
    with transaction.atomic():
        # The row is the lock: of two who ask at once the second finds what the first made.
        old = Message.objects.select_for_update(no_key=True).get(pk=message.pk, direction=Direction.OUTBOUND)
        if SENT_AGAIN_AS in old.details:
            made = Message.objects.filter(unit_id=old.unit_id, id=old.details[SENT_AGAIN_AS]).first()
            if made is None:
                # Taken back with its campaign, which sends it when it goes on.
                raise CannotQueue(_("This message has been sent again already."))
            return made
        if old.status not in may_be:
            raise CannotQueue(refusal)
        copy = _copy(old, author)
        rows = Message.objects.filter(pk=old.pk)
        rows.update(details=old.details | {SENT_AGAIN_AS: str(copy.pk)})
        told = changes_of([copy])
        if rows.filter(status=S.UNCERTAIN).move_to(S.FAILED, error_code="sent_again", look_up_due_at=None):
            told += moved_outbound([old.pk])
            audit.record(old.unit_id, AuditAction.MESSAGE_SETTLED, old, named=False, sent_again_as=copy.pk)
        # Whoever has it in a list of his own (a campaign) goes on with the copy.
        message_repeated.send(sender=Message, old_id=old.pk, new_id=copy.pk)
        Conversation.objects.filter(pk=copy.conversation_id).refresh_summary()
        lanes.wake([copy.connection_id])
        live.publish(told)
    copy.refresh_from_db()
    return copy


def _copy(old: Message, author: User | None) -> Message:
    """The same message once more, to where the contact is reached now. A campaign's keeps its pace and its consent."""
    contact = old.conversation.contact
    if contact.blocked_at is not None:
        raise CannotQueue(_("This contact is blocked. Unblock them to write to them."))
    address = people.send_address(contact)
    if address is None:
        raise CannotQueue(_("This contact has no number to send to."))
    details = {name: value for name, value in old.details.items() if name not in _OF_THE_FIRST}
    copy = Message.objects.create(
        unit_id=old.unit_id,
        connection_id=old.connection_id,
        conversation_id=old.conversation_id,
        provider=old.provider,
        direction=Direction.OUTBOUND,
        origin=old.origin if old.origin == Origin.CAMPAIGN else Origin.REPLY,
        author=author,
        kind=old.kind,
        body=old.body,
        details=details | {AGAIN_OF: str(old.pk)},
        reply_to_external_id=old.reply_to_external_id,
        target_external_id=old.target_external_id,
        recipient=lanes.recipient_of(address),
        status=S.QUEUED,
        due_at=ClockNow(),
        expires_at=ClockNow() + Message.LIFETIME,
    )
    for file in MessageMedia.objects.filter(message=old):
        kept = {name: getattr(file, name) for name in _FILE_FIELDS}
        MessageMedia.objects.create(unit_id=old.unit_id, message=copy, due_at=None, **kept)
    return copy
