"""What people wrote to us just now: who is told of it, and what it means for campaigns (I9).

Who writes one of the words to leave by, and nothing else, gets no campaigns from then on, and one short answer that
says so. Who writes one of the words to come back by gets them again, unless staff have entered that he wants none. Of
several such words the last one said counts, whichever comes here last: they may come in any order (I2).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext

from crm_whatsapp.db import ClockNow
from messaging import lanes, people
from messaging.contacts import consent, keywords
from messaging.contacts.changes import contact_changes
from messaging.events import MessageKind
from messaging.inbound.batch import Effects, Heard
from messaging.models import Conversation, Direction, Message, OptOutSource
from messaging.services import changes_of
from messaging.signals import contacts_wrote

# After a day nobody expects an answer: what an outage has held back for longer counts, and is not answered.
ANSWERED_WITHIN = timedelta(hours=24)


def act_on(effects: Effects, *, look_anew: bool) -> None:
    """Tell who wrote, and do what they asked for. Without such a word this reads and writes nothing.

    Before recipients and conversations are locked. `look_anew`: contacts may have been merged since they were heard.
    """
    if not effects.heard:
        return
    _find_contacts(effects.heard, look_anew=look_anew)
    latest: dict[UUID, datetime] = {}
    for one in effects.heard:
        if one.contact_id:
            latest[one.contact_id] = max(one.happened_at, latest.get(one.contact_id, one.happened_at))
    words = [one for one in effects.heard if keywords.opts_out(one.text) or keywords.opts_in(one.text)]
    if words:
        _obey(effects, words)
    answers: list[tuple[Any, Any]] = contacts_wrote.send(
        sender=Message, unit_id=effects.connection.unit_id, wrote=sorted(latest.items())
    )
    effects.changes += [change for _receiver, more in answers for change in more or []]


def _find_contacts(heard: Sequence[Heard], *, look_anew: bool) -> None:
    unknown = [one for one in heard if look_anew or one.contact_id is None]
    if unknown:
        chats = Conversation.objects.filter(id__in={one.conversation_id for one in unknown})
        owners = dict(chats.values_list("id", "contact_id"))
        for one in unknown:
            one.contact_id = owners.get(one.conversation_id)


def _obey(effects: Effects, words: Sequence[Heard]) -> None:
    """Opt out, or in, whoever said so last."""
    unit_id = effects.connection.unit_id
    last = {one.contact_id: one for one in sorted(words, key=lambda one: one.happened_at) if one.contact_id}
    overtaken = _overtaken(last.values()) if last else set()
    leaving: dict[UUID, Heard] = {}
    returning: dict[UUID, Heard] = {}
    for contact_id, one in last.items():
        if one.conversation_id not in overtaken:
            (leaving if keywords.opts_out(one.text) else returning)[contact_id] = one
    if leaving:
        told = [consent.OptedOut(pk, one.text.strip(), one.happened_at) for pk, one in sorted(leaving.items())]
        new, changes = consent.opt_out_many(unit_id, told, source=OptOutSource.WORD)
        effects.changes += changes
        _answer(effects, [leaving[pk] for pk in sorted(new)], _goodbye(), "opt-out")
    # Under the word by which it was lifted.
    by_word: dict[str, list[UUID]] = defaultdict(list)
    for contact_id, one in sorted(returning.items()):
        by_word[one.text.strip()].append(contact_id)
    for word, contact_ids in by_word.items():
        back = consent.lift_word(contact_ids, word=word)
        effects.changes += contact_changes(unit_id, sorted(back))
        _answer(effects, [returning[pk] for pk in sorted(back)], _welcome(), "opt-in")


def _overtaken(words: Iterable[Heard]) -> set[UUID]:
    """The conversations in which another such word was said later, and came here before."""
    since = {one.conversation_id: one.happened_at for one in words}
    later = Message.objects.filter(
        conversation__in=since,
        happened_at__gt=min(since.values()),
        direction=Direction.INBOUND,
        kind=MessageKind.TEXT,
        from_history=False,
        # What was made of it afterwards was not said.
        edited_at=None,
    )
    said = later.values_list("conversation_id", "happened_at", "body")
    return {chat for chat, at, text in said if at > since[chat] and (keywords.opts_out(text) or keywords.opts_in(text))}


def _answer(effects: Effects, asked: Sequence[Heard], text: str, what: str) -> None:
    """Queue `text` for those who have just asked, once for each message of theirs, however often that is told.

    Nobody writes to whom staff have blocked.
    """
    by_chat = {one.conversation_id: one for one in asked}
    chats = Conversation.objects.filter(id__in=by_chat, contact__blocked_at=None).annotate(now=ClockNow())
    connection = effects.connection
    answers = [
        Message(
            **lanes.queued(connection, chat, address),
            body=text,
            idempotency_key=f"{what} {connection.id} {one.external_id}"[:200],
        )
        for chat in chats.select_related("contact").prefetch_related("contact__addresses").order_by("id")
        if (one := by_chat[chat.id]).happened_at > chat.now - ANSWERED_WITHIN
        and (address := people.send_address(chat.contact))
    ]
    if answers:
        Message.objects.bulk_create(answers, ignore_conflicts=True)
        keys = [answer.idempotency_key for answer in answers]
        effects.changes += changes_of(Message.objects.filter(unit=connection.unit_id, idempotency_key__in=keys))
        effects.touched |= {answer.conversation_id for answer in answers}
        effects.wakes.add(connection.id)


def _goodbye() -> str:
    """In the language of the installation: nobody knows the customer's."""
    with translation.override(settings.LANGUAGE_CODE):
        said = gettext("Done. You will get no more of our campaigns.")
        if settings.OPT_IN_WORDS:
            way_back = gettext("Should you want them again, just write %(word)s.")
            said += " " + way_back % {"word": settings.OPT_IN_WORDS[0]}
        return said


def _welcome() -> str:
    with translation.override(settings.LANGUAGE_CODE):
        said = gettext("Welcome back! You will get our campaigns again.")
        if settings.OPT_OUT_WORDS:
            way_out = gettext("To leave at any time, write %(word)s.")
            said += " " + way_out % {"word": settings.OPT_OUT_WORDS[0]}
        return said
