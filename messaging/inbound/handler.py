"""MessageHandlerService: a batch of events in, rows and live changes out."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection as database

from messaging.events import (
    CallChanged,
    ContactsChanged,
    GroupsChanged,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessageStatusChanged,
)
from messaging.inbound import amendments, arrivals, directory, receipts, said
from messaging.inbound.batch import Effects, HandledEvent, Outcome, Told
from messaging.models import Conversation, ConversationStatus
from messaging.services import conversation_change, moved_outbound
from units.models import WhatsAppConnection

# In this order what speaks of a message finds it when both are in one batch; the result is the same in any.
PHASES: list[tuple[tuple[type, ...], Callable[[Effects, Any], list[Outcome]]]] = [
    ((MessageReceived, CallChanged), arrivals.receive),
    ((MessageEdited, MessageDeleted), amendments.amend),
    ((MessageStatusChanged,), receipts.record),
    ((ContactsChanged, GroupsChanged), directory.learn),
]


class MessageHandlerService:
    """Writes what a connection's gateway tells: contacts, conversations, messages, statuses.

    Strictly idempotent (I2): a message is unique by connection, provider, direction and external id, and everything
    else is a function of what was told, not of its order. Each call belongs into a transaction of its own; the caller
    then wakes the lanes in `effects.wakes` and publishes `effects.changes`, last.
    """

    HANDLES = (
        MessageReceived,
        MessageEdited,
        MessageDeleted,
        MessageStatusChanged,
        CallChanged,
        ContactsChanged,
        GroupsChanged,
    )

    def __init__(self, connection: WhatsAppConnection) -> None:
        self.effects = Effects(connection)

    def handle(self, batch: Sequence[Told[HandledEvent]]) -> list[Outcome]:
        """Apply `batch` in a fixed number of statements; the outcome of each, in their order."""
        outcomes = [Outcome()] * len(batch)
        for kinds, apply in PHASES:
            places = [place for place, told in enumerate(batch) if isinstance(told.event, kinds)]
            if places:
                for place, outcome in zip(places, apply(self.effects, [batch[p] for p in places]), strict=True):
                    outcomes[place] = outcome
        # The address book may have made one person of two since they were heard.
        have_met = any(isinstance(told.event, ContactsChanged | GroupsChanged) for told in batch)
        self._refresh(have_met)
        return outcomes

    def _refresh(self, have_met: bool) -> None:
        """What follows from the messages that came or changed."""
        effects = self.effects
        effects.follow_merges()
        said.act_on(effects, look_anew=have_met)
        effects.changes += moved_outbound(effects.moved)
        chats = Conversation.objects.filter(unit_id=effects.connection.unit_id)
        wanted = {*effects.touched, *effects.reopened, *effects.referrals, *effects.seen}
        touched = chats.filter(id__in=wanted).lock()
        # Who writes opens his conversation again, unless it waits for somebody already.
        closed = [ConversationStatus.RESOLVED, ConversationStatus.SNOOZED]
        if effects.reopened:
            again = chats.filter(id__in=effects.reopened, status__in=closed)
            again.update(status=ConversationStatus.OPEN, snoozed_until=None)
        with database.cursor() as cursor:
            if effects.referrals:
                adverts = [(chat, at, json.dumps(advert)) for chat, (at, advert) in effects.referrals.items()]
                cursor.execute(_REFER, [list(column) for column in zip(*adverts, strict=True)])
            if effects.seen:
                cursor.execute(_SEEN, [list(effects.seen), list(effects.seen.values())])
        chats.filter(id__in=touched).refresh_summary()
        for conversation_id in touched:
            effects.changes.append(conversation_change(effects.connection.unit_id, conversation_id))


_REFER = """
UPDATE conversations c SET referral = told.advert::jsonb, referred_at = told.at
FROM unnest(%s::uuid[], %s::timestamptz[], %s::text[]) AS told (id, at, advert)
WHERE c.id = told.id AND (c.referred_at IS NULL OR c.referred_at < told.at)
"""
_SEEN = """
UPDATE conversations c SET seen_until = told.until
FROM unnest(%s::uuid[], %s::timestamptz[]) AS told (id, until)
WHERE c.id = told.id AND (c.seen_until IS NULL OR c.seen_until < told.until)
"""
