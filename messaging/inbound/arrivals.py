"""Messages that came: into rows, each once, however many at a time."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection as database

from messaging import media, people
from messaging.events import (
    CallChanged,
    Chat,
    ChatAddress,
    Media,
    MessageKind,
    MessageReceived,
    MessageStatusChanged,
)
from messaging.inbound import echoes, receipts
from messaging.inbound.batch import (
    DONE,
    DUPLICATE,
    HOUSEKEEPING,
    Effects,
    Heard,
    Outcome,
    Told,
    moment,
    within_its_second,
)
from messaging.models import Contact, Conversation, Direction, Message, Origin
from messaging.models import MessageStatus as S
from messaging.people import Sighting
from messaging.services import changes_of
from units import live

type _Key = tuple[str, str]

# Of what a call was told to be, this says most about it; a call that was accepted ends as well.
CALL_STATES = ("offer", "ringing", "terminate", "timeout", "reject", "accept")


@dataclass(slots=True)
class Arrival:
    """A message that is to become a row."""

    told: Told[MessageReceived]
    chat: ChatAddress
    direction: Direction
    external_id: str
    origin: Origin
    happened_at: datetime
    contact_id: UUID = field(init=False)
    conversation_id: UUID = field(init=False)
    sender_id: UUID | None = None

    @classmethod
    def of(cls, told: Told[MessageReceived], chat: ChatAddress) -> "Arrival":
        event = told.event
        external_id = event.external_id or f"~{told.key}"
        origin = Origin.GATEWAY if event.is_api_echo else Origin.PHONE if event.from_me else Origin.CONTACT
        return cls(
            told=told,
            chat=chat,
            direction=Direction.OUTBOUND if event.from_me else Direction.INBOUND,
            # No id of WhatsApp's begins so: it stands for a message without one, and is the same when told again.
            external_id=external_id,
            origin=origin,
            happened_at=within_its_second(moment(event.timestamp, told.received_at), told.received_at, external_id),
        )

    @property
    def event(self) -> MessageReceived:
        return self.told.event

    @property
    def key(self) -> _Key:
        return (self.direction, self.external_id)

    @property
    def speaker(self) -> ChatAddress | None:
        """The person who speaks in a group; None elsewhere, and for ourselves."""
        author = self.event.author
        is_theirs = self.chat.kind is Chat.GROUP and not self.event.from_me
        return author if is_theirs and author and (author.phone or author.lid) else None

    @property
    def status(self) -> S:
        return S.SENT if self.event.from_me else S.RECEIVED


def receive(effects: Effects, batch: Sequence[Told[MessageReceived | CallChanged]]) -> list[Outcome]:
    """Make a row of each message that is not here yet."""
    outcomes = [DONE] * len(batch)
    arrivals: dict[_Key, list[tuple[int, Arrival]]] = defaultdict(list)
    for place, told in enumerate(batch):
        message = _message_of(told)
        chat = message.event.chat
        reason = HOUSEKEEPING if message.event.kind.is_housekeeping else effects.not_shown(chat)
        if reason or chat is None:
            outcomes[place] = Outcome(reason=reason)
        else:
            arrival = Arrival.of(message, chat)
            arrivals[arrival.key].append((place, arrival))
    new = _new_ones(effects, arrivals, outcomes)
    made = _insert(effects, new)
    for arrival in new:
        if arrival.key not in made:
            # Another transaction was faster; its row is the same.
            outcomes[arrivals[arrival.key][0][0]] = Outcome(reason=DUPLICATE)
    every = [arrival for told_again in arrivals.values() for _, arrival in told_again]
    receipts.record(effects, [_progress(one.told) for one in every if one.told.from_history and one.event.from_me])
    _advance_calls(effects, every)
    return outcomes


def _message_of(told: Told[MessageReceived | CallChanged]) -> Told[MessageReceived]:
    """A call stands in the chat as a message does."""
    event = told.event
    if isinstance(event, CallChanged):
        event = MessageReceived(
            kind=MessageKind.CALL,
            external_id=event.external_id,
            chat=event.chat,
            timestamp=event.timestamp,
            details={"status": event.status or "offer", "video": event.is_video},
            raw_type="call",
        )
    return Told(event=event, received_at=told.received_at, key=told.key, from_history=told.from_history)


def _new_ones(
    effects: Effects, arrivals: dict[_Key, list[tuple[int, Arrival]]], outcomes: list[Outcome]
) -> list[Arrival]:
    """Those that are neither here nor told twice in this batch, nor the echo of a send of ours."""
    ids = [external_id for _direction, external_id in arrivals]
    rows = effects.messages().filter(external_id__in=ids)
    known = {
        (row.direction, row.external_id): row
        for row in rows.only("direction", "external_id", "from_history", "kind", "body", "conversation_id", "unit_id")
    }
    new: list[Arrival] = []
    come_alive: list[tuple[Message, Arrival]] = []
    filled: list[tuple[Message, Arrival]] = []
    files: list[tuple[UUID, UUID, Media]] = []
    for key, told_again in arrivals.items():
        # Of a placeholder and what it stands for, of a message told as history and as it came, the latter counts.
        told_again.sort(key=lambda one: (_is_empty(one[1].event.kind, one[1].event.text), one[1].told.from_history))
        place, arrival = told_again[0]
        # The steps of a call all say the same call; each has its effect (`_advance_calls`).
        again = DONE if arrival.event.kind is MessageKind.CALL else Outcome(reason=DUPLICATE)
        for later, _arrival in told_again[1:]:
            outcomes[later] = again
        if key not in known:
            new.append(arrival)
            continue
        outcomes[place] = again
        row = known[key]
        if row.from_history and not arrival.told.from_history:
            come_alive.append((row, arrival))
        if arrival.event.media and (arrival.event.media.base64 or arrival.event.media.url):
            # A sync may have told it first, without the file.
            files.append((row.pk, row.unit_id, arrival.event.media))
        if _is_empty(row.kind, row.body) and not _is_empty(arrival.event.kind, arrival.event.text):
            filled.append((row, arrival))
            outcomes[place] = DONE
    media.expect(files)
    _revise(effects, come_alive, filled)
    bound = echoes.bind(effects, [arrival for arrival in new if arrival.event.from_me and arrival.event.external_id])
    for arrival_key, outcome in bound.items():
        outcomes[arrivals[arrival_key][0][0]] = outcome
    return [arrival for arrival in new if arrival.key not in bound]


def _is_empty(kind: str, text: str | None) -> bool:
    """A placeholder: what the message says comes later, under the same id."""
    return kind == MessageKind.UNKNOWN and not text


def _progress(told: Told[MessageReceived]) -> Told[MessageStatusChanged]:
    """How far a message of ours has come, as a sync of old messages tells it."""
    event = MessageStatusChanged(external_id=told.event.external_id, status=told.event.status, from_me=True)
    return Told(event=event, received_at=told.received_at, key=told.key)


def _revise(effects: Effects, come_alive: list[tuple[Message, Arrival]], filled: list[tuple[Message, Arrival]]) -> None:
    """Rows that are here, and of which more is told now: that they came just now, or what they say."""
    if come_alive:
        rows = [row for row, _arrival in come_alive]
        Message.objects.filter(id__in=[row.pk for row in rows]).update(from_history=False)
        effects.touched |= {row.conversation_id for row in rows}
        effects.reopened |= {row.conversation_id for row in rows if row.direction == Direction.INBOUND}
    # One that is both is heard once.
    for row, arrival in {row.pk: (row, arrival) for row, arrival in come_alive + filled}.values():
        _hear(effects, arrival, row.conversation_id, None)
    for row, arrival in filled:
        row.kind, row.body = arrival.event.kind, arrival.event.text or ""
        row.details = details_of(arrival.event)
        row.reply_to_external_id = arrival.event.reply_to_id or ""
        row.target_external_id = arrival.event.target_id or ""
    if filled:
        rows = [row for row, _arrival in filled]
        columns = ["kind", "body", "details", "reply_to_external_id", "target_external_id"]
        Message.objects.bulk_update(rows, columns)
        media.expect([(row.pk, row.unit_id, a.event.media) for row, a in filled if a.event.media])
        effects.touched |= {row.conversation_id for row in rows}
        effects.changes += changes_of(effects.messages().filter(id__in=[row.pk for row in rows]))


def _insert(effects: Effects, new: list[Arrival]) -> set[_Key]:
    """Rows for `new`, with the people and conversations they belong to; the keys of those that were made."""
    if not new:
        return set()
    _place(effects, new)
    made = _insert_rows(effects, new)
    rows = [(arrival, made[arrival.key]) for arrival in new if arrival.key in made]
    unit_id = effects.connection.unit_id
    media.expect([(pk, unit_id, a.event.media) for a, pk in rows if a.event.media])
    effects.arrived |= {arrival.external_id for arrival, _pk in rows}
    # What a reaction or a vote hangs on is shown with it.
    hung_on = {arrival.event.target_id for arrival, _pk in rows if arrival.event.target_id}
    for arrival, pk in rows:
        conversation_id = arrival.conversation_id
        if arrival.event.kind is MessageKind.REACTION:
            continue
        effects.touched.add(conversation_id)
        data = {
            "conversation_id": str(conversation_id),
            "direction": str(arrival.direction),
            "status": str(arrival.status),
        }
        effects.changes.append(live.Change(unit_id=unit_id, kind="message", object_id=pk, data=data))
        if arrival.direction == Direction.INBOUND and not arrival.told.from_history:
            effects.reopened.add(conversation_id)
            _hear(effects, arrival, conversation_id, arrival.contact_id)
        advert = arrival.event.details.get("referral")
        if advert and effects.referrals.get(conversation_id, (arrival.happened_at,))[0] <= arrival.happened_at:
            effects.referrals[conversation_id] = (arrival.happened_at, advert)
    if hung_on:
        effects.changes += changes_of(effects.messages().filter(external_id__in=hung_on))
    return set(made)


def _hear(effects: Effects, arrival: Arrival, conversation_id: UUID, contact_id: UUID | None) -> None:
    """Note what a person wrote to us, for consent and for campaigns; in groups nobody speaks to us alone."""
    event = arrival.event
    is_said = event.kind not in (MessageKind.CALL, MessageKind.REACTION, MessageKind.UNKNOWN)
    if is_said and not event.from_me and not arrival.told.from_history and arrival.chat.kind is not Chat.GROUP:
        text = event.text or "" if event.kind is MessageKind.TEXT else ""
        effects.heard.append(Heard(arrival.external_id, conversation_id, contact_id, text, arrival.happened_at))


def _place(effects: Effects, new: list[Arrival]) -> None:
    """Give each message its conversation, and those of groups their sender."""
    sightings: list[Sighting] = []
    for arrival in new:
        sightings.append(_sighting(arrival, arrival.chat, arrival.chat.kind is not Chat.GROUP))
        if speaker := arrival.speaker:
            sightings.append(_sighting(arrival, speaker, True))
    contacts = iter(people.contacts_of(effects.connection.unit, sightings, effects.changes))
    chats: list[Contact] = []
    for arrival in new:
        chats.append(next(contacts))
        if arrival.speaker:
            arrival.sender_id = next(contacts).id
    conversations = _conversations(effects, {contact.id for contact in chats})
    for arrival, contact in zip(new, chats, strict=True):
        arrival.contact_id = contact.id
        arrival.conversation_id = conversations[contact.id]


def _sighting(arrival: Arrival, address: ChatAddress, is_speaker: bool) -> Sighting:
    """In what we wrote ourselves the name is our own, and a group's is not its speaker's."""
    name = arrival.event.push_name if is_speaker and not arrival.event.from_me else None
    return Sighting(address=address, name=name or "", at=moment(arrival.event.timestamp, arrival.told.received_at))


def _conversations(effects: Effects, contact_ids: set[UUID]) -> dict[UUID, UUID]:
    """The conversation of each contact, made where there is none."""
    chats = Conversation.objects.filter(unit_id=effects.connection.unit_id, contact_id__in=contact_ids)
    known = dict(chats.values_list("contact_id", "id"))
    if missing := contact_ids - known.keys():
        Conversation.objects.bulk_create(
            [Conversation(unit_id=effects.connection.unit_id, contact_id=contact_id) for contact_id in sorted(missing)],
            ignore_conflicts=True,
        )
        known = dict(chats.values_list("contact_id", "id"))
    return known


def _insert_rows(effects: Effects, new: list[Arrival]) -> dict[_Key, UUID]:
    """One statement: through the ORM a row costs several times as much, and this is the way of every message."""
    patience = Message.RECEIPT_PATIENCE
    columns: dict[str, list[Any]] = {
        "conversation": [a.conversation_id for a in new],
        "sender": [a.sender_id for a in new],
        "direction": [str(a.direction) for a in new],
        "external_id": [a.external_id for a in new],
        "origin": [str(a.origin) for a in new],
        "kind": [str(a.event.kind) for a in new],
        "body": [a.event.text or "" for a in new],
        "details": [json.dumps(details_of(a.event)) for a in new],
        "reply_to": [a.event.reply_to_id or "" for a in new],
        "target": [a.event.target_id or "" for a in new],
        "from_history": [a.told.from_history for a in new],
        "status": [str(a.status) for a in new],
        "happened_at": [a.happened_at for a in new],
        "sent_at": [moment(a.event.timestamp, a.told.received_at) if a.event.from_me else None for a in new],
        "receipt_due_at": [a.told.received_at + patience if a.event.from_me else None for a in new],
    }
    connection = effects.connection
    with database.cursor() as cursor:
        cursor.execute(
            _INSERT,
            columns | {"unit": connection.unit_id, "connection": connection.id, "provider": connection.provider},
        )
        return {(direction, external_id): pk for pk, direction, external_id in cursor.fetchall()}


def details_of(event: MessageReceived) -> dict[str, Any]:
    """What a message of this kind needs besides its text (messaging.events). Files are rows of their own."""
    details = dict(event.details)
    if event.raw_type:
        details["type"] = event.raw_type
    if event.raw is not None:
        details["raw"] = event.raw
    if event.is_forwarded:
        details["forwarded"] = True
    if event.quoted:
        author, chat = event.quoted.author, event.chat
        # In a direct chat there are two: who is not the other is ourselves.
        direct = author is not None and chat is not None and chat.kind is not Chat.GROUP
        theirs = author and chat and bool({author.phone, author.lid} & {chat.phone, chat.lid} - {None})
        from_me = not theirs if direct else None
        details["quoted"] = {"kind": event.quoted.kind, "text": event.quoted.text, "from_me": from_me}
    if event.media:
        details["media"] = {
            "mime_type": event.media.mime_type,
            "file_name": event.media.file_name,
            "size": event.media.size,
            "seconds": event.media.seconds,
            "voice": event.media.is_voice,
            "gif": event.media.is_gif,
            "view_once": event.media.is_view_once,
        }
    return details


def _advance_calls(effects: Effects, arrivals: list[Arrival]) -> None:
    """A call is told step by step: the row says the most telling of them, whichever came last."""
    calls = [arrival for arrival in arrivals if arrival.event.kind is MessageKind.CALL and arrival.event.external_id]
    if not calls:
        return
    rows = effects.messages(Direction.INBOUND).filter(
        kind=MessageKind.CALL, external_id__in={arrival.external_id for arrival in calls}
    )
    changed = []
    for row in rows.select_for_update(no_key=True).order_by("id"):
        told = [arrival for arrival in calls if arrival.external_id == row.external_id]
        states = [row.details.get("status"), *(arrival.event.details.get("status") for arrival in told)]
        # It began with the first step, and whoever turned the camera on made it a video call.
        began = min(row.happened_at, *(arrival.happened_at for arrival in told))
        video = any([row.details.get("video"), *(arrival.event.details.get("video") for arrival in told)])
        details = row.details | {"status": max(states, key=_call_rank), "video": video}
        if (details, began) != (row.details, row.happened_at):
            row.details, row.happened_at = details, began
            changed.append(row)
    Message.objects.bulk_update(changed, ["details", "happened_at"])
    effects.touched |= {row.conversation_id for row in changed}
    effects.changes += changes_of(changed)


def _call_rank(state: object) -> tuple[int, str]:
    return (CALL_STATES.index(state) if state in CALL_STATES else -1, str(state))


_INSERT = """
INSERT INTO messages (
    unit_id, connection_id, provider, conversation_id, sender_id, direction, external_id, origin, kind, body, details,
    reply_to_external_id, target_external_id, from_history, status, happened_at, sent_at, receipt_due_at)
SELECT %(unit)s, %(connection)s, %(provider)s, one.conversation_id, one.sender_id, one.direction, one.external_id,
       one.origin, one.kind, one.body, one.details::jsonb, one.reply_to, one.target, one.from_history, one.status,
       one.happened_at, one.sent_at, one.receipt_due_at
FROM unnest(
    %(conversation)s::uuid[], %(sender)s::uuid[], %(direction)s::text[], %(external_id)s::text[], %(origin)s::text[],
    %(kind)s::text[], %(body)s::text[], %(details)s::text[], %(reply_to)s::text[], %(target)s::text[],
    %(from_history)s::bool[], %(status)s::text[], %(happened_at)s::timestamptz[], %(sent_at)s::timestamptz[],
    %(receipt_due_at)s::timestamptz[])
  AS one (conversation_id, sender_id, direction, external_id, origin, kind, body, details, reply_to, target,
          from_history, status, happened_at, sent_at, receipt_due_at)
ON CONFLICT ON CONSTRAINT messages_once DO NOTHING
RETURNING id, direction, external_id
"""
