"""What the gateway has stored and we do not have: put into the inbox, as if its webhook had come after all.

From there it goes the way of any webhook, with its duplicates, dead letters and replay. What is here already is left
out before; what comes twice all the same (its webhook was only late) has no second effect (I2).
"""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db import connection as database

from crm_whatsapp.bell import ring_on_commit
from messaging.models import Direction, Message, MessageStatus
from units.gateways.evolution import EvolutionService, FoundMessage, FoundPage
from units.models import WhatsAppConnection
from webhooks.inbox import DRAIN
from webhooks.models import EventStatus
from webhooks.parsers.redaction import without_secrets

PAGE_SIZE = 100
# A longer stretch is halved: what a run has compared is kept stretch by stretch.
PAGES_PER_STRETCH = 20
# A shorter one is read to its end, however much it holds.
SHORTEST_STRETCH = timedelta(minutes=1)
# `WebhookEvent.path_event` of what came this way. The bodies name their event, so it has no other meaning.
SOURCE = "catch-up"

_RANK = {MessageStatus.DELIVERED: 1, MessageStatus.READ: 2}
_PROOFS = {"DELIVERY_ACK": 1, "READ": 2, "PLAYED": 3}
_PLAYED = 3


@dataclass(slots=True)
class Tally:
    """Of a comparison: messages `seen` at the gateway, and how many `messages` and `receipts` were not here."""

    seen: int = 0
    messages: int = 0
    receipts: int = 0


@dataclass(frozen=True, slots=True)
class _Known:
    """What is here of a message."""

    status: str
    is_played: bool
    is_deleted: bool
    is_unread: bool


type _KnownMessages = dict[tuple[str, str | None], _Known]


@dataclass(frozen=True, slots=True)
class _News:
    """A body to put into the inbox. `about`: what makes it the same body when it is found again."""

    event: str
    about: str
    data: dict[str, Any]


@dataclass(slots=True)
class Comparison:
    """Compares a connection's messages at the gateway with ours, `pages` of them (some more to end a stretch).

    It stops after `seconds` as well, between two calls. With `dry_run` it only counts. `calls`: made to the gateway.
    """

    connection: WhatsAppConnection
    pages: int
    seconds: float
    from_me: Literal[True] | None = None
    dry_run: bool = False
    read_timeout: float | None = None
    tally: Tally = field(default_factory=Tally)
    calls: int = 0
    # Every message that was looked at, for whoever wants to know: it stays null unless a list is given.
    found: list[FoundMessage] | None = None
    _until: float = field(init=False)
    _gateway: EvolutionService = field(init=False)

    def __post_init__(self) -> None:
        self._until = time.monotonic() + self.seconds
        self._gateway = EvolutionService(self.connection.instance_name, read_timeout=self.read_timeout)

    def run(self, since: datetime, until: datetime) -> datetime:
        """Compare what was sent between `since` and `until`, oldest first; returns up to where it came.

        Raises GatewayError; what was found until then is kept.
        """
        reached = since
        while reached < until and self._may_go_on:
            end, complete = self._stretch(reached, until)
            if not complete:
                break
            reached = end
        return reached

    @property
    def _may_go_on(self) -> bool:
        return self.calls < self.pages and time.monotonic() < self._until

    def _stretch(self, since: datetime, until: datetime) -> tuple[datetime, bool]:
        """The longest stretch from `since` on that is not too long; its end, and whether all of it was compared.

        Newest first, as the gateway gives them: what it stores meanwhile shifts the pages, and so shows a message
        twice. Oldest first the same would hide one.
        """
        page = self._page(since, until, 1)
        while page.pages > PAGES_PER_STRETCH and until - since > SHORTEST_STRETCH:
            until = since + (until - since) / 2
            page = self._page(since, until, 1)
        number = 1
        while True:
            self._keep(page.messages)
            if number >= page.pages or not page.messages:
                return until, True
            if time.monotonic() >= self._until:
                return until, False
            number += 1
            page = self._page(since, until, number)

    def _page(self, since: datetime, until: datetime, number: int) -> FoundPage:
        self.calls += 1
        return self._gateway.find_messages(
            since=since, until=until, from_me=self.from_me, page=number, page_size=PAGE_SIZE
        )

    def _keep(self, found: Iterable[FoundMessage]) -> None:
        """Put into the inbox what one page tells and is not here: one query, one statement."""
        ours = [message for message in found if message.external_id and self._is_shown(message.jid)]
        self.tally.seen += len(ours)
        if self.found is not None:
            self.found += ours
        known = self._known({message.external_id for message in ours})
        # Oldest first: that is the order in which the inbox is read.
        told = [one for message in reversed(ours) for one in _news(message, known)]
        # The gateway may have stored a message twice.
        news = list({_fingerprint(one): one for one in told}.values())
        kept = self._unkept(news) if self.dry_run else self._insert(news)
        new_messages = sum(event in ("messages.upsert", "send.message") for event in kept)
        self.tally.messages += new_messages
        self.tally.receipts += len(kept) - new_messages

    def _is_shown(self, jid: str) -> bool:
        """Whether messages of this chat are shown at all: else each would come to be ignored once more."""
        if jid.endswith("@g.us"):
            return self.connection.groups_enabled
        return not jid.endswith(("@broadcast", "@newsletter"))

    def _known(self, ids: set[str]) -> _KnownMessages:
        """What is here of the messages with these ids, by direction and id."""
        rows = Message.objects.filter(
            connection=self.connection, provider=self.connection.provider, external_id__in=ids
        ).values_list(
            "direction", "external_id", "status", "played_at", "deleted_at", "created_at", "conversation__read_until",
            "conversation__unread_count",
        )  # fmt: skip
        return {
            (direction, external_id): _Known(
                status=status,
                is_played=played_at is not None,
                is_deleted=deleted_at is not None,
                is_unread=unread > 0 and (read_until is None or read_until < created_at),
            )
            for direction, external_id, status, played_at, deleted_at, created_at, read_until, unread in rows
        }

    def _insert(self, news: list[_News]) -> list[str]:
        """The events of those that were new to the inbox, or could not be handled before."""
        if not news:
            return []
        with database.cursor() as cursor:
            cursor.execute(
                "INSERT INTO webhook_events (connection_id, event, path_event, body, fingerprint)"
                " SELECT %s, event, %s, body, fingerprint"
                " FROM unnest(%s::text[], %s::text[], %s::bytea[]) WITH ORDINALITY AS new (event, body, fingerprint, n)"
                " ORDER BY n ON CONFLICT (connection_id, fingerprint) DO UPDATE"
                " SET status = 'received', reason = '', attempts = 0, failures = 0, due_at = crm_now(),"
                "     settled_at = NULL"
                " WHERE webhook_events.status = 'dead' RETURNING event",
                [
                    self.connection.id,
                    SOURCE,
                    [one.event for one in news],
                    [self._body(one) for one in news],
                    [_fingerprint(one) for one in news],
                ],
            )
            kept = [event for (event,) in cursor.fetchall()]
        if kept:
            ring_on_commit(DRAIN)
        return kept

    def _unkept(self, news: list[_News]) -> list[str]:
        """The events of those that `_insert` would tell."""
        there = self.connection.webhook_events.exclude(status=EventStatus.DEAD).filter(
            fingerprint__in=[_fingerprint(one) for one in news]
        )
        prints = {bytes(fingerprint) for fingerprint in there.values_list("fingerprint", flat=True)}
        return [one.event for one in news if _fingerprint(one) not in prints]

    def _body(self, news: _News) -> str:
        envelope = {"event": news.event, "instance": self.connection.instance_name, "data": news.data}
        # ASCII, like every body of the inbox (webhooks/inbox.py).
        return json.dumps(without_secrets(envelope))


def _news(found: FoundMessage, known: _KnownMessages) -> Iterator[_News]:
    """What a stored message tells that is not here."""
    direction = Direction.OUTBOUND if found.from_me else Direction.INBOUND
    ours = known.get((direction, found.external_id))
    about = f"{direction} {found.external_id}"
    if ours is None:
        event = "send.message" if found.from_me and _is_of_a_program(found) else "messages.upsert"
        yield _News(event, about, dict(found.record))
    if status := _status(found, ours):
        key = found.record["key"]
        update = {"keyId": found.external_id, "remoteJid": key.get("remoteJid"), "fromMe": found.from_me}
        yield _News("messages.update", f"{about} {status}", update | {"status": status})
    if "DELETED" in found.statuses and found.record.get("message") is None and not (ours and ours.is_deleted):
        # The word alone deletes nothing: some releases announce an edit by it (webhooks/parsers/updates.py).
        yield _News("messages.delete", f"{about} DELETED", dict(found.record["key"]))


def _is_of_a_program(found: FoundMessage) -> bool:
    """Sent through the gateway (or WhatsApp Web, whose ids are alike), not typed on the phone.

    Told as the echo that it is, so that it settles an unconfirmed send of ours instead of standing beside it.
    """
    return found.record.get("source") == "web" or found.external_id.startswith("3EB0")


def _status(found: FoundMessage, ours: _Known | None) -> str:
    """The word of the furthest status that is ahead of ours; "" when there is none."""
    if not found.from_me:
        # Read on the phone.
        return "READ" if "READ" in found.statuses and (ours is None or ours.is_unread) else ""
    here = 0
    if ours:
        here = _PLAYED if ours.is_played else _RANK.get(MessageStatus(ours.status), 0)
    furthest = max(found.statuses, key=lambda word: _PROOFS.get(word, 0), default="")
    if _PROOFS.get(furthest, 0) > here:
        return furthest
    refused = "ERROR" in found.statuses and here == 0 and not _PROOFS.get(furthest)
    return "ERROR" if refused and not (ours and ours.status == MessageStatus.FAILED) else ""


def _fingerprint(news: _News) -> bytes:
    return hashlib.sha256(f"{SOURCE} {news.event} {news.about}".encode()).digest()
