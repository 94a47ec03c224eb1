"""Whose it is: what goes out from our number, by us, by hand on the phone, or by another program."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from crm_whatsapp.db import ClockNow
from messaging import lanes, people
from messaging.events import MessageKind, MessageReceived
from messaging.inbound.batch import SENDING, Effects, Outcome, moment
from messaging.models import Direction, Message
from messaging.models import MessageStatus as S

if TYPE_CHECKING:
    from messaging.inbound.arrivals import Arrival

# How far the clocks of the gateway and the database may be apart when an echo is matched by its time.
ECHO_TOLERANCE = timedelta(seconds=30)
# What a person typed on the phone itself, as the gateway guesses from the id; never what was sent through it.
TYPED = frozenset({"android", "ios"})


def bind(effects: Effects, outbound: Sequence[Arrival]) -> dict[tuple[str, str], Outcome]:
    """Give echoes of our own sends to our own rows; the outcomes of those that are to become no row, by their key.

    An echo never binds to a message whose call is still under way: the answer's id wins, so it waits. Only a message
    that went out without an id takes it, by chat, text and time; one echo, one message.
    """
    echoes = [one for one in outbound if not one.told.from_history and one.event.source not in TYPED]
    if not echoes:
        return {}
    open_sends = list(
        effects.messages(Direction.OUTBOUND)
        .filter(status__in=[S.DISPATCHING, S.UNCERTAIN, S.SENT], external_id=None)
        .select_related("conversation")
        .only("status", "kind", "body", "details", "target_external_id", "dispatched_at", "conversation__contact_id")
        .order_by("dispatched_at", "id")
    )
    bound: dict[tuple[str, str], Outcome] = {}
    if not open_sends:
        return bound
    contacts = people.known_contacts_of(effects.connection.unit, [echo.chat for echo in echoes])
    for echo, contact in zip(echoes, contacts, strict=True):
        same = [send for send in open_sends if says_the_same(send, echo.event)]
        # A campaign sends one text to many: of a chat that we know, only its own send can be meant.
        if contact:
            same = [send for send in same if send.conversation.contact_id == contact.id]
        if any(send.status == S.DISPATCHING for send in same):
            bound[echo.key] = Outcome(reason=SENDING, not_yet=True)
            continue
        # Of two equal ones the open one: that the other went out is a person's word, and to conclude that this one did
        # not would have it sent twice.
        same.sort(key=lambda send: send.status == S.SENT)
        twin = next((send for send in same if contact and _is_twin(send, echo)), None)
        if twin is not None and _takes(effects, twin, echo):
            open_sends.remove(twin)
            bound[echo.key] = Outcome()
    return bound


def says_the_same(send: Message, told: MessageReceived) -> bool:
    """Whether what the gateway tells may be this message of ours, by its content.

    By what comes through unchanged: of a file its caption, and of a document its name, since the gateway re-encodes
    pictures and sound; of a place its coordinates; of a visiting card names and numbers; of a poll question and
    answers; of a reaction the emoji and what it hangs on.
    """
    if send.kind != told.kind:
        return False
    ours, text = send.details, told.text or ""
    match told.kind:
        case MessageKind.LOCATION:
            return all(_is_near(ours.get(name), told.details.get(name)) for name in ("latitude", "longitude"))
        case MessageKind.CONTACT:
            return _cards(ours) == _cards(told.details)
        case MessageKind.POLL:
            # The question is the first of the lines that both texts begin with.
            same_question = text.startswith(ours.get("question", ""))
            return same_question and _titles(ours) == _titles(told.details)
        case MessageKind.REACTION:
            return (send.target_external_id, send.body) == (told.target_id or "", text)
        case MessageKind.AUDIO:
            return bool((ours.get("media") or {}).get("voice")) == bool(told.media and told.media.is_voice)
        case MessageKind.DOCUMENT:
            names = (ours.get("media") or {}).get("file_name"), told.media.file_name if told.media else None
            return send.body == text and (None in names or names[0] == names[1])
    return send.body == text


def _is_near(ours: object, told: object) -> bool:
    """Degrees go through other programs' floating point."""
    return isinstance(ours, int | float) and isinstance(told, int | float) and abs(ours - told) < 1e-6


def _cards(details: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    cards = details.get("contacts") or []
    return [
        (card.get("name") or "", [re.sub(r"\D", "", phone) for phone in card.get("phones") or []]) for card in cards
    ]


def _titles(details: Mapping[str, Any]) -> list[str]:
    return [option.get("title") or "" for option in details.get("options") or []]


def _is_twin(send: Message, echo: Arrival) -> bool:
    """Whether this message may have gone out at the echo's time, which has whole seconds."""
    at = moment(echo.event.timestamp, echo.told.received_at)
    earliest = at - ECHO_TOLERANCE - lanes.gateway_may_act_for()
    return send.dispatched_at is not None and earliest <= send.dispatched_at <= at + ECHO_TOLERANCE


def _takes(effects: Effects, send: Message, echo: Arrival) -> bool:
    """Write the id, and that the message is proven to have gone out; False when somebody else settled it just now."""
    row = Message.objects.filter(pk=send.pk, external_id=None, status__in=[S.UNCERTAIN, S.SENT])
    if not row.update(external_id=echo.external_id):
        return False
    effects.arrived.add(echo.external_id)
    sent_at = moment(echo.event.timestamp, echo.told.received_at)
    changes = {"sent_at": sent_at, "receipt_due_at": ClockNow() + Message.RECEIPT_PATIENCE}
    if Message.objects.filter(pk=send.pk).move_to(S.SENT, error_code="", error="", **changes):
        # Its chat may go on.
        effects.wakes.add(effects.connection.id)
        effects.moved.append(send.pk)
    return True
