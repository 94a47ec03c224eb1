"""Messages over the API: every kind, what hangs on it, and what is told to nobody."""

import json
from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from messaging.events import MessageKind
from messaging.models import Conversation, Message, MessageMedia
from tests import factories
from tests.factories import message, reaction, vote
from units.models import Unit, User

# All that a kind may bring, as it is stored.
ALL = {
    "type": "someMessage", "mentions": ["1@lid"], "referral": {"title": "Promo"}, "forwarded": True,
    "media": {"size": 9}, "transcription": "Oi", "latitude": 1.5, "longitude": 2.5, "name": "Loja", "address": "Rua",
    "url": "u", "live": True, "contacts": [{"name": "Zé"}], "options": [{"title": "A"}], "selectable": 1,
    "votes": ["A"], "option_id": "1", "description": "d", "id": "9", "price_1000": 5, "currency": "BRL", "items": 1,
    "group": "1@g.us", "status": "timeout", "video": False, "code": "SECRET", "raw": {"x": "SECRET"},
    "quoted": {"text": "SECRET"}, "preview": {"url": "https://a.com"},
}  # fmt: skip


def shown(api: APIClient, row: Message) -> Any:
    return api.get(f"/units/{row.unit_id}/messages/{row.id}").json()


def thread(api: APIClient, chat: Conversation) -> list[Any]:
    return api.get(f"/units/{chat.unit_id}/conversations/{chat.id}/messages").json()["results"]


@pytest.mark.parametrize("kind", MessageKind)
def test_each_kind_shows_its_own_details_and_no_secrets(api: APIClient, unit: Unit, kind: str) -> None:  # I8
    answer = shown(api, message(factories.conversation(unit), "texto", kind=kind, details=ALL))
    assert (answer["kind"], answer["body"], answer["forwarded"]) == (kind, "texto", True)
    assert "SECRET" not in json.dumps(answer)
    assert set(answer["details"]) >= {"type", "mentions", "referral"}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("location", {"latitude", "longitude", "name", "address", "url", "live"}),
        ("contact", {"contacts"}),
        ("poll", {"options", "selectable", "votes_by_option"}),
        ("list_reply", {"option_id", "description"}),
        ("order", {"id", "price_1000", "currency", "items"}),
        ("call", {"status", "video"}),
        ("audio", {"media", "transcription"}),
        ("unknown", set()),
        ("text", {"preview"}),
    ],
)
def test_details_are_those_of_the_kind(api: APIClient, unit: Unit, kind: str, names: set[str]) -> None:
    answer = shown(api, message(factories.conversation(unit), kind=kind, details=ALL))
    assert set(answer["details"]) == names | {"type", "mentions", "referral"}


def test_a_quoted_message_is_told_as_it_is_here(api: APIClient, unit: Unit) -> None:
    chat = factories.conversation(unit)
    asked = message(chat, "Fica quanto?")
    answer = shown(api, message(chat, "120", out=True, reply_to_external_id=asked.external_id))
    assert answer["quoted"] == {
        "id": str(asked.id),
        "external_id": asked.external_id,
        "kind": "text",
        "body": "Fica quanto?",
        "direction": "inbound",
        "deleted": False,
    }


@pytest.mark.parametrize(("from_me", "direction"), [(True, "outbound"), (False, "inbound"), (None, None)])
def test_a_quoted_message_that_is_not_here_is_told_as_whatsapp_told_it(
    api: APIClient, unit: Unit, from_me: bool | None, direction: str | None
) -> None:
    told = {"quoted": {"kind": "image", "text": "a armação", "from_me": from_me}}
    quoted = shown(api, message(factories.conversation(unit), reply_to_external_id="X", details=told))["quoted"]
    assert (quoted["id"], quoted["external_id"], quoted["kind"]) == (None, "X", "image")
    assert (quoted["body"], quoted["direction"]) == ("a armação", direction)


def test_reactions_are_told_with_their_message_and_are_none_of_the_thread(api: APIClient, unit: Unit) -> None:
    chat = factories.conversation(unit, name="Marina")
    liked = message(chat, "Pronto!", out=True)
    reaction(liked, "👍", minutes_ago=3)
    theirs, ours = reaction(liked, "❤️", minutes_ago=2), reaction(liked, "🙏", out=True, minutes_ago=1)
    (answer,) = thread(api, chat)
    assert [(row["emoji"], row["from_me"]) for row in answer["reactions"]] == [("❤️", False), ("🙏", True)]
    assert answer["reactions"][0]["contact"] == {"id": str(chat.contact_id), "name": "Marina"}
    assert answer["reactions"][1]["contact"] is None
    assert shown(api, theirs)["target"] == {"id": str(liked.id), "external_id": liked.external_id}
    assert shown(api, ours)["reactions"] == []


def test_of_several_in_a_group_each_has_one_reaction_and_one_vote(api: APIClient, unit: Unit) -> None:
    chat = factories.group(unit)
    ana, bia = factories.contact(unit, name="Ana"), factories.contact(unit, name="Bia")
    poll = message(chat, "Quando?", kind="poll", details={"options": [{"title": "A"}, {"title": "B"}]}, minutes_ago=9)
    for who in (ana, bia):
        reaction(poll, "👍", sender=who, minutes_ago=3)
        vote(poll, "A", sender=who, minutes_ago=4)
    reaction(poll, "", sender=bia, minutes_ago=2)
    vote(poll, "B", sender=bia, minutes_ago=2)
    answer = thread(api, chat)[-1]
    assert [row["contact"]["name"] for row in answer["reactions"]] == ["Ana"]
    assert answer["details"]["votes_by_option"] == {"A": 1, "B": 1}


def test_a_reaction_of_another_unit_to_the_same_id_hangs_on_its_own(
    api: APIClient, unit: Unit, stranger: User
) -> None:  # I7
    ours = message(factories.conversation(unit), external_id="SAME")
    theirs = message(factories.conversation(Unit.objects.get(memberships__user=stranger)), external_id="SAME")
    reaction(theirs, "👎")
    assert shown(api, ours)["reactions"] == []


def test_a_deleted_message_tells_nothing_of_itself(api: APIClient, unit: Unit) -> None:
    chat = factories.conversation(unit)
    gone = message(
        chat, "SECRET", kind="image", details=ALL, deleted_at=timezone.now(), reply_to_external_id="X", out=True
    )
    MessageMedia.objects.create(unit=unit, message=gone)
    reaction(gone, "😱")
    answer = message(chat, "?", reply_to_external_id=gone.external_id)
    rows = {row["id"]: row for row in thread(api, chat)}
    told = rows[str(gone.id)]
    assert (told["deleted"], told["body"], told["details"], told["media"]) == (True, "", {}, None)
    assert (told["quoted"], told["reactions"], told["forwarded"]) == (None, [], False)
    quoted = rows[str(answer.id)]["quoted"]
    assert (quoted["deleted"], quoted["body"]) == (True, "")
    assert "SECRET" not in json.dumps(list(rows.values()))


def test_an_edited_message_says_when(api: APIClient, unit: Unit) -> None:
    edited_at = timezone.now()
    answer = shown(api, message(factories.conversation(unit), edited_at=edited_at))
    assert datetime.fromisoformat(answer["edited_at"]) == edited_at


def test_in_a_group_the_sender_is_told(api: APIClient, unit: Unit) -> None:
    chat = factories.group(unit)
    ana = factories.contact(unit, name="Ana")
    answer = shown(api, message(chat, sender=ana))
    assert (answer["contact"]["is_group"], answer["contact"]["phone"]) == (True, "")
    assert answer["sender"] == {"id": str(ana.id), "name": "Ana", "phone": ana.phone_number, "is_group": False}


def test_a_conversation_tells_the_advert_that_led_to_it(api: APIClient, unit: Unit) -> None:
    plain, led = factories.conversation(unit), factories.conversation(unit)
    referral = {"title": "Promo", "source_id": "120000", "click_id": "CLID", "other": 1}
    Conversation.objects.filter(pk=led.pk).update(referral=referral, referred_at=timezone.now())
    rows = {row["id"]: row["referral"] for row in api.get(f"/units/{unit.id}/conversations").json()["results"]}
    assert rows[str(plain.id)] is None
    assert set(rows[str(led.id)]) == {"title", "source_id", "click_id", "referred_at"}


def test_a_thread_with_everything_costs_the_same_for_3_and_30(
    api: APIClient, unit: Unit, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    chat = factories.group(unit)
    for _ in range(2):
        for _ in range(8):
            first = message(chat, kind="poll", sender=factories.contact(unit))
            MessageMedia.objects.create(unit=unit, message=first)
            reaction(first, sender=factories.contact(unit))
            vote(first, "A", sender=factories.contact(unit))
            message(chat, out=True, reply_to_external_id=first.external_id)
        with django_assert_max_num_queries(14):
            thread(api, chat)


def test_the_schema_is_made_without_a_warning() -> None:
    GENERATOR_STATS.reset()
    validate_schema(SchemaGenerator().get_schema(request=None, public=True))
    assert not GENERATOR_STATS
