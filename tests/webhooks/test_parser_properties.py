"""Whatever arrives, the parser answers with events that PostgreSQL can store."""

import copy
import json
import math
import time
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from messaging.events import ContactsChanged, MessageKind, MessageReceived
from tests.webhooks.mutations import NASTY, places, real_bodies
from webhooks.parsers.events import ChatsChanged, Envelope, Ignored
from webhooks.parsers.evolution import EVENTS, parse
from webhooks.parsers.raw import RAW_MAX
from webhooks.parsers.redaction import without_secrets
from webhooks.parsers.values import NAME_MAX, TEXT_MAX

BODIES = real_bodies()

# With the lone surrogates and NUL that JSON's escapes can bring.
TEXTS = st.text(st.characters() | st.characters(categories=["Cs"]) | st.just("\x00"), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4))
HOSTILE = st.sampled_from(NASTY)


def leaves(value: object) -> Iterator[object]:
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from leaves(getattr(value, field.name))
    elif isinstance(value, dict):
        yield from leaves(list(value))
        yield from leaves(list(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from leaves(one)
    else:
        yield value


def assert_storable(envelope: Envelope) -> None:
    assert envelope.events
    for leaf in leaves(envelope):
        if isinstance(leaf, str):
            assert "\x00" not in leaf
            leaf.encode()
        elif isinstance(leaf, float):
            assert math.isfinite(leaf)
        elif isinstance(leaf, int):
            assert -(2**63) <= leaf < 2**63
        else:
            assert leaf is None
    for event in envelope.events:
        if isinstance(event, MessageReceived):
            json.dumps(event.details, allow_nan=False)
            assert len(json.dumps(event.raw, allow_nan=False)) <= RAW_MAX
            assert (event.raw is None) or event.kind is MessageKind.UNKNOWN
            assert len(event.text or "") <= TEXT_MAX
            assert len(event.push_name or "") <= NAME_MAX


@settings(deadline=None)
@given(JSON, st.none() | TEXTS)
def test_any_json_value_is_read(body: object, path_event: str | None) -> None:
    assert_storable(parse(body, path_event=path_event))


@settings(deadline=None)
@given(st.sampled_from(sorted(EVENTS)), JSON)
def test_any_data_of_any_event_is_read(event: str, data: object) -> None:
    assert_storable(parse({"event": event, "data": data}))


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(BODIES), st.randoms(use_true_random=False), st.lists(HOSTILE | JSON, min_size=1, max_size=4))
def test_a_damaged_real_body_is_read(body: object, random: Random, values: list[object]) -> None:
    damaged = copy.deepcopy(body)
    for value in values:
        container, key = random.choice(list(places(damaged)) or [([None], 0)])
        if random.random() < 0.3:
            del container[key]
        else:
            container[key] = copy.deepcopy(value)
    assert_storable(parse(damaged))
    assert_storable(parse(without_secrets(damaged)))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(BODIES), st.sampled_from(sorted(EVENTS)))
def test_any_real_body_under_any_event_name_is_read(body: object, event: str) -> None:
    if isinstance(body, dict):
        assert_storable(parse({**body, "event": event}))


def test_every_member_replaced_by_each_nasty_value_is_read() -> None:
    nasty: list[object] = [None, "", "a\x00\ud800", 10**400, math.nan, [], {}, [None], "9" * 5000]
    for body in BODIES[::7]:
        for index in range(len(list(places(body)))):
            for value in nasty:
                damaged = copy.deepcopy(body)
                container, key = list(places(damaged))[index]
                container[key] = value
                assert_storable(parse(damaged))


def test_unwrapping_and_wrappers_have_an_end() -> None:
    body: object = {"event": "messages.upsert"}
    message: object = {"conversation": "deep"}
    for _ in range(500):
        body, message = [{"body": body}], {"ephemeralMessage": {"message": message}}
    assert_storable(parse(body))
    [event] = parse({"event": "messages.upsert", "data": {"key": {"id": "A"}, "message": message}}).events
    assert isinstance(event, MessageReceived)
    assert event.kind is MessageKind.UNKNOWN


def test_what_is_nested_without_end_is_read_at_once() -> None:
    deep: object = {"conversation": "deep"}
    for _ in range(20_000):
        deep = {"message": [deep]}
    key = {"id": "A", "remoteJid": "5511999991234@s.whatsapp.net"}
    started = time.process_time()
    for message in (deep, {"futureMessage": deep}, {"extendedTextMessage": {"contextInfo": {"quotedMessage": deep}}}):
        assert_storable(parse({"event": "messages.upsert", "data": {"key": key, "message": message}}))
    assert_storable(parse({"event": "messages.upsert", "data": deep}))
    without_secrets(deep)
    assert time.process_time() - started < 1


def test_one_bad_element_does_not_lose_the_others() -> None:
    good = {
        "key": {"id": "A", "remoteJid": "5511999991234@s.whatsapp.net"},
        "message": {"conversation": "oi"},
    }
    first, second, third = parse({"event": "messages.upsert", "data": [None, good, "x"]}).events
    assert isinstance(second, MessageReceived)
    assert isinstance(first, Ignored)
    assert isinstance(third, Ignored)


def test_a_list_of_contacts_keeps_those_with_an_address() -> None:
    data = [{"pushName": "João"}, {"remoteJid": "5511999991234@s.whatsapp.net"}, 7]
    seen, *ignored = parse({"event": "contacts.upsert", "data": data}).events
    assert isinstance(seen, ContactsChanged)
    assert [contact.address.phone for contact in seen.contacts] == ["+5511999991234"]
    assert len(ignored) == 2


def test_nothing_but_nul_and_lone_surrogates_is_taken_from_a_text() -> None:
    said = "  oi\x00 \ud800\n\t\u200d👩\u200d👩\u200d👧 \ud83d\ude00 é e\u0301 \x01 "
    data = {"key": {"id": "A"}, "message": {"conversation": said}}
    [event] = parse({"event": "messages.upsert", "data": data}).events
    assert isinstance(event, MessageReceived)
    assert event.text == "  oi \ufffd\n\t\u200d👩\u200d👩\u200d👧 😀 é e\u0301 \x01 "


def test_a_chat_that_was_only_renamed_is_no_address() -> None:
    seen, ignored = parse({"event": "chats.upsert", "data": [{"id": "cmwrkhtfd005kam7", "name": "Maria"}]}).events
    assert seen == ChatsChanged()
    assert isinstance(ignored, Ignored)
