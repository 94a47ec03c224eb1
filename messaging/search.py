"""Finding conversations and messages by what was said, and by whom."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.lookups import IsNull

from messaging.models import Contact, Conversation, Message
from messaging.words import has_words
from units.models import Unit

# A word with more hits than this is a common one: soon found by going through the newest conversations. Of a million
# messages, reading 10,000 by the index takes as long as folding those among which a page of such hits is.
MANY_HITS = 10_000
# Characters of a snippet, and how many of them stand before the word.
SNIPPET, BEFORE = 140, 40


@dataclass(frozen=True, slots=True)
class Hit:
    """The newest message of a conversation that has the words, and the part of its text where they are."""

    message_id: UUID
    happened_at: datetime
    snippet: str


def having_words(messages: QuerySet[Message], unit: Unit, text: str) -> QuerySet[Message]:
    """Those of a unit's messages that have every word of `text`; none that was deleted."""
    return messages.filter(has_words("body", unit.pk, text), unit=unit, deleted_at=None)


def conversations(unit: Unit, text: str) -> Q:
    """Condition on the unit's conversations: their contact matches `text`, or a message of theirs has its words.

    Asks the database at once how common the words are. What is rare comes from the indexes of words. Of what is common
    those would yield hundreds of thousands of rows to sort: then conversations are looked into, newest first, until the
    page is full.
    """
    contacts = Contact.objects.filter(unit=unit).matching(unit.pk, text).order_by()
    messages = having_words(Message.objects.all(), unit, text)
    with transaction.atomic(), connection.cursor() as cursor:
        # For a few rows of many the planner would rather read the table from its beginning: quick for a word that is as
        # common as it guesses, and the whole table for one that is not.
        cursor.execute("SET LOCAL enable_seqscan = off")
        people = list(contacts.values_list("id", flat=True)[: MANY_HITS + 1])
        chats = list(messages.values_list("conversation_id", flat=True)[: MANY_HITS + 1])
        cursor.execute("SET LOCAL enable_seqscan TO DEFAULT")
    known = Q(contact__in=people if len(people) <= MANY_HITS else contacts.values("id"))
    if len(chats) <= MANY_HITS:
        return known | Q(id__in=set(chats))
    # Not EXISTS: beside an OR the planner may answer that for all conversations at once, by reading every message.
    said = messages.filter(conversation=OuterRef("pk")).values("id")[:1]
    return known | Q(IsNull(Subquery(said), False))


def hits(shown: Iterable[Conversation], unit: Unit, text: str) -> dict[UUID, Hit]:
    """Of each of these conversations its newest message with the words of `text`, if there is one."""
    messages = having_words(Message.objects.filter(conversation=OuterRef("pk")), unit, text)
    newest = Subquery(messages.order_by("-happened_at", "-id").values("id")[:1])
    rows = Conversation.objects.filter(unit=unit, id__in=[row.pk for row in shown])
    with transaction.atomic(), connection.cursor() as cursor:
        # From the newest message backwards, and no further than the first that has them: the planner would rather fold
        # all messages of a long conversation and sort them.
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        ids = [key for key in rows.values_list(newest, flat=True) if key]
        cursor.execute("SET LOCAL enable_bitmapscan TO DEFAULT")
    found = Message.objects.filter(unit=unit, id__in=ids).values_list("conversation_id", "id", "happened_at", "body")
    return {key: Hit(message, at, snippet(body, text)) for key, message, at, body in found}


def snippet(body: str, text: str) -> str:
    """A line of `body` around the first word of it that begins like one of `text`."""
    body = " ".join(body[:10_000].split())
    folded, places = _folded_with_places(body)
    begins = "|".join(sorted(map(re.escape, re.findall(r"\w+", _folded_with_places(text)[0])), key=len, reverse=True))
    found = re.search(rf"(?<!\w)(?:{begins})", folded) if begins else None
    start = max(0, places[found.start()] - BEFORE) if found else 0
    if start:
        # From the beginning of a word.
        start = body.find(" ", start, start + BEFORE) + 1 or start
    end = start + SNIPPET
    return f"{'…' if start else ''}{body[start:end]}{'…' if end < len(body) else ''}"


def _folded_with_places(text: str) -> tuple[str, list[int]]:
    """`text` as the SQL function crm_words folds it, and where in `text` each character comes from."""
    folded, places = [], []
    for place, char in enumerate(text):
        for part in unicodedata.normalize("NFKD", char.lower()):
            if not "\u0300" <= part <= "\u036f":
                folded.append(part)
                places.append(place)
    return "".join(folded), places
