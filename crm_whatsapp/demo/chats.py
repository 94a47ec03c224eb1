"""Conversations of the demo shop. Nothing is sent: what the shop said stands there as what has become of it."""

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils import timezone

from crm_whatsapp.db import ClockNow
from crm_whatsapp.demo.files import FILES
from crm_whatsapp.demo.past import days_ago
from crm_whatsapp.demo.words import ANSWERS, CHATS, LABELS, SMALL_TALK, Chat, Line
from messaging import people
from messaging.events import Chat as ChatKind
from messaging.events import ChatAddress, MessageKind, MessageReceived
from messaging.inbound import MessageHandlerService, Told
from messaging.models import (
    Attachment,
    Contact,
    Conversation,
    ConversationEvent,
    ConversationEventKind,
    ConversationLabel,
    ConversationStatus,
    Direction,
    Label,
    Message,
    MessageStatus,
    Note,
    Origin,
)
from messaging.outgoing import attachments, queueing
from units.models import Unit, User

type Team = Mapping[str, User]

# The same shop at every start.
CHANCE: Final = random.Random(1923)  # noqa: S311 - a demo, no secret
# Twice what the overview shows: it compares with the time before.
DAYS: Final = 62
_RECEIPTS: Final = {
    MessageStatus.SENT: ("sent_at",),
    MessageStatus.DELIVERED: ("sent_at", "delivered_at"),
    MessageStatus.READ: ("sent_at", "delivered_at", "read_at"),
}
_DONE_AS: Final = {
    ConversationStatus.PENDING: ConversationEventKind.PENDING,
    ConversationStatus.SNOOZED: ConversationEventKind.SNOOZED,
    ConversationStatus.RESOLVED: ConversationEventKind.RESOLVED,
}


def meet(unit: Unit) -> list[Contact]:
    """Whom the conversations of `words` are with."""
    return [people.contact_by_phone(unit, f"+{chat.phone}", chat.name) for chat in CHATS]


def these_days(unit: Unit, team: Team) -> None:
    """The conversations of `words`, each as it stands there."""
    labels = {name: Label.objects.create(unit=unit, name=name, color=color) for name, color in LABELS.items()}
    _say(unit, [(f"+{chat.phone}", chat.lines) for chat in CHATS], team)
    for chat in CHATS:
        contact = people.contact_by_phone(unit, f"+{chat.phone}")
        _sort(people.conversation_with(contact), chat, labels, team)


def every_day(unit: Unit, phones: Sequence[str], team: Team) -> None:
    """What was going on all the time: nothing of it waits for anybody."""
    now, told = timezone.now(), []
    for days in range(2, DAYS):
        opens = days_ago(days, 9)
        hours = 5 if opens.isoweekday() == 6 else 10
        for _ in range(CHANCE.randint(hours - 1, hours + 4)):
            begins = opens + timedelta(minutes=CHANCE.triangular(0, hours * 60, hours * 25))
            lines = _dialogue(CHANCE.choice(SMALL_TALK), (now - begins).total_seconds() / 60, team)
            told.append((CHANCE.choice(phones), lines))
    _say(unit, told, team)
    _put_aside(unit, phones)


def answers(unit: Unit, got_it: Sequence[tuple[str, datetime]], team: Team) -> None:
    """Replies to a campaign, of those who got it and when; the last of them wants no more."""
    now = timezone.now()
    told = []
    for place, (phone, sent_at) in enumerate(got_it):
        minutes = (now - sent_at).total_seconds() / 60 - CHANCE.uniform(45, 300)
        is_last = place == len(got_it) - 1
        told.append((phone, _dialogue(("SAIR",) if is_last else CHANCE.choice(ANSWERS), minutes, team)))
    _say(unit, told, team)
    _put_aside(unit, [phone for phone, _sent_at in got_it])


def _dialogue(texts: Sequence[str], minutes: float, team: Team) -> list[Line]:
    """`texts` in turn, from so many minutes ago on; one of the team answers, sooner or later."""
    colleague, lines = CHANCE.choice(sorted(team)), []
    for place, text in enumerate(texts):
        status = CHANCE.choices([MessageStatus.READ, MessageStatus.DELIVERED], [9, 1])[0]
        lines.append(Line(minutes=minutes, text=text, by=colleague if place % 2 else "", status=status))
        minutes -= CHANCE.lognormvariate(1.9, 0.7) if place % 2 == 0 else CHANCE.uniform(1, 6)
    return lines


def _put_aside(unit: Unit, phones: Sequence[str]) -> None:
    rows = Conversation.objects.filter(unit=unit, contact__addresses__value__in=phones)
    ids = list(rows.values_list("pk", flat=True))
    Conversation.objects.filter(pk__in=ids).update(status=ConversationStatus.RESOLVED, read_until=ClockNow())
    Conversation.objects.filter(pk__in=ids).refresh_summary()


def _say(unit: Unit, told: Sequence[tuple[str, Sequence[Line]]], team: Team) -> None:
    """Have `told` (number and lines each) said: by the contact as the gateway tells it, by the shop as rows."""
    now = timezone.now()
    number = Message.objects.filter(unit=unit).count()
    heard, rows, files = [], [], []
    chats = _conversations(unit, [phone for phone, _lines in told])
    for chat, (phone, lines) in enumerate(told):
        ids = [f"3EB0{number + chat:06X}{place:010X}" for place in range(len(lines))]
        for line, external_id in zip(lines, ids, strict=True):
            at = now - timedelta(minutes=line.minutes)
            target = ids[line.to] if line.to is not None else ""
            if line.file:
                files.append((external_id, line))
            if line.by:
                rows.append(_ours(unit, chats[phone], line, external_id, target, at, team[line.by]))
            else:
                event = _theirs(phone, line, external_id, target, at)
                heard.append(Told(event=event, received_at=now, key=external_id))
    Message.objects.bulk_create(rows)
    MessageHandlerService(unit.connection).handle(heard)
    _attach(unit, files)
    Conversation.objects.filter(pk__in={chats[phone].pk for phone, _lines in told}).refresh_summary()


def _conversations(unit: Unit, phones: Sequence[str]) -> dict[str, Conversation]:
    return {phone: people.conversation_with(people.contact_by_phone(unit, phone)) for phone in dict.fromkeys(phones)}


def _theirs(phone: str, line: Line, external_id: str, target: str, at: datetime) -> MessageReceived:
    kind = MessageKind(line.kind)
    return MessageReceived(
        kind=kind,
        external_id=external_id,
        chat=ChatAddress(jid=f"{phone[1:]}@s.whatsapp.net", kind=ChatKind.INDIVIDUAL, phone=phone),
        text=line.text,
        timestamp=int(at.timestamp()),
        target_id=target if kind is MessageKind.REACTION else None,
        reply_to_id=target if target and kind is not MessageKind.REACTION else None,
        details=_details(line),
    )


def _ours(
    unit: Unit, chat: Conversation, line: Line, external_id: str, target: str, at: datetime, author: User
) -> Message:
    is_reaction = line.kind == MessageKind.REACTION
    receipts = {
        column: at + timedelta(seconds=seconds)
        for column, seconds in zip(_RECEIPTS.get(line.status, ()), (2, 5, 90), strict=False)
    }
    return Message(
        unit=unit,
        connection=unit.connection,
        conversation=chat,
        direction=Direction.OUTBOUND,
        origin=Origin.REPLY,
        author=author,
        kind=line.kind,
        body=line.text,
        details=_details(line),
        target_external_id=target if is_reaction else "",
        reply_to_external_id="" if is_reaction else target,
        # Of what certainly went out alone WhatsApp has told an id.
        external_id=external_id if receipts else None,
        status=line.status,
        error_code=line.error_code,
        happened_at=at,
        dispatched_at=at,
        **receipts,
    )


def _details(line: Line) -> dict[str, Any]:
    if not line.file:
        return {}
    file = FILES[line.file]
    told: dict[str, Any] = {"file_name": file.name, "seconds": file.seconds or None, "voice": bool(file.seconds)}
    return {"media": told}


def _attach(unit: Unit, files: Sequence[tuple[str, Line]]) -> None:
    kept: dict[str, Attachment] = {}
    messages = dict(
        Message.objects.filter(unit=unit, external_id__in=[pk for pk, _line in files]).values_list("external_id", "pk")
    )
    for external_id, line in files:
        if line.file not in kept:
            file = FILES[line.file]
            kept[line.file] = attachments.attach(unit, file.content(), name=file.name, kind=file.kind)
        queueing.attach([(messages[external_id], kept[line.file])])


def _sort(conversation: Conversation, chat: Chat, labels: Mapping[str, Label], team: Team) -> None:
    """What the team made of a conversation, with the lines in the thread that say so."""
    now = timezone.now()
    shared: dict[str, Any] = {"unit_id": conversation.unit_id, "conversation": conversation}
    ConversationLabel.objects.bulk_create(ConversationLabel(label=labels[name], **shared) for name in chat.labels)
    if chat.note:
        minutes, author, body = chat.note
        Note.objects.create(author=team[author], body=body, created_at=now - timedelta(minutes=minutes), **shared)
    until = now + timedelta(days=2) if chat.status == ConversationStatus.SNOOZED else None
    changes = {"status": chat.status, "assigned_to": team.get(chat.assignee), "snoozed_until": until}
    Conversation.objects.filter(pk=conversation.pk).update(**changes)
    for kind, more, minutes in _events(chat, until, team):
        at = now - timedelta(minutes=minutes)
        ConversationEvent.objects.create(kind=kind, author=team[chat.assignee], created_at=at, **more, **shared)


def _events(
    chat: Chat, until: datetime | None, team: Team
) -> Iterator[tuple[ConversationEventKind, dict[str, Any], float]]:
    """Kind, details and minutes ago: taken before the first answer, put aside after the last line."""
    if not chat.assignee:
        return
    first = next(line.minutes for line in chat.lines if line.by or line is chat.lines[-1])
    yield ConversationEventKind.ASSIGNED, {"assignee": team[chat.assignee]}, first + 0.5
    if kind := _DONE_AS.get(ConversationStatus(chat.status)):
        yield kind, {"until": until}, chat.lines[-1].minutes - 0.5
