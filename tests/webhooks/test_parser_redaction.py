import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhooks.parsers.evolution import parse
from webhooks.parsers.redaction import mask_secrets_in_bytes, without_secrets

EVOLUTION = Path(__file__).parents[1] / "evolution"
CANARY = "canary-5f2b9c"
HOOK = f"https://crm.example.com/webhooks/whatsapp/evolution/{CANARY}"


@pytest.mark.parametrize(
    "body",
    [
        {"event": "call", "apikey": CANARY, "data": {}},
        {"event": "error", "api_key": CANARY},
        {"event": "call", "apiKey": CANARY, "destination": HOOK},
        {"event": "instance.create", "hash": {"apikey": CANARY}, "token": CANARY},
        {"data": {"hash": CANARY, "token": CANARY}},
        [
            {
                "headers": {"apikey": CANARY, "authorization": f"Bearer {CANARY}"},
                "webhookUrl": HOOK,
                "body": {},
            }
        ],
        [{"body": {"event": "call", "apikey": CANARY}, "query": {"token": CANARY}}],
        {"json": {"body": {"apikey": CANARY}}},
        {"event": "call", "server_url": HOOK, "local": f"see {HOOK}/messages-upsert"},
        {"data": {"messages": [{"apikey": CANARY}]}},
        {"body": " " + json.dumps({"event": "call", "apikey": CANARY, "destination": HOOK})},
        [json.dumps({"body": json.dumps({"event": "call", "apikey": CANARY})})],
        {"event": "call", "log": "[cut off at " + HOOK},
        {"data": {"0": 1, "apikey": CANARY}},
        # A relay's `message` is no WhatsApp message.
        {"Type": "Notification", "Message": json.dumps({"event": "call", "token": CANARY, "destination": HOOK})},
        {"message": {"event": "call", "destination": CANARY, "headers": {"authorization": f"Bearer {CANARY}"}}},
        {"messages": [{"body": {"event": "call", "hash": CANARY}, "headers": {"set-cookie": CANARY}}]},
        {"update": {"MessageId": "1", "Token": CANARY}},
        {"data": {"message": json.dumps({"event": "call", "token": CANARY})}},
        json.dumps(json.dumps({"token": CANARY})),
        {"data": f'log: {{"token":"{CANARY}"}}'},
        {"query": f"event=call&token={CANARY}"},
        # In the middle of what a message says: our address is no secret of theirs.
        {"data": {"key": {"id": "A"}, "message": {"conversation": f"see {HOOK}"}}},
        {"data": {"key": {"id": "A"}, "message": {"conversation": json.dumps({"a": HOOK}).replace("/", "\\/")}}},
        {"data": {"message": {"imageMessage": {"caption": f"u={HOOK.replace('/', '%2F')}"}}}},
    ],
    ids=lambda body: json.dumps(body)[:40],
)
def test_no_secret_of_an_envelope_or_wrapper_survives(body: object) -> None:
    assert CANARY not in json.dumps(without_secrets(body))


@pytest.mark.parametrize(
    "name",
    [
        "globalApikey",
        "x-api-key",
        "instanceToken",
        "accessTokenWaBusiness",
        "client_secret",
        "proxyPassword",
        "jwt",
        "set-cookie",
        "Proxy-Authorization",
        "private_key",
        "bearer",
        "jwt_key",
    ],
)
def test_a_member_is_secret_by_how_its_name_ends(name: str) -> None:
    assert without_secrets({"event": "call", "data": {name: CANARY}}) == {"event": "call", "data": {}}


def test_a_body_in_quotes_says_the_same_without_its_secrets() -> None:
    inner = {"event": "messages.upsert", "data": {"key": {"id": "A"}, "message": {"conversation": "token: 123"}}}
    quoted = json.dumps(inner | {"apikey": CANARY})
    assert parse(without_secrets({"body": quoted})) == parse(inner)


def test_what_a_message_says_stays_as_it_is() -> None:
    message = {
        "conversation": "token: 123, apikey=4",
        "messageContextInfo": {"messageSecret": "c2Vj"},
        "imageMessage": {"mediaKey": "bWVk", "fileEncSha256": "c2hh", "caption": '{"token": "123"}'},
        "interactiveMessage": {"token": "t", "hash": [1, {"destination": "Recife"}], "webhookUrl": "u"},
    }
    body = {"event": "messages.upsert", "apikey": CANARY, "data": {"key": {"id": "A"}, "message": message}}
    assert without_secrets(body) == {
        "event": "messages.upsert",
        "data": {"key": {"id": "A"}, "message": message},
    }


def test_members_keep_their_order() -> None:
    body = {"b": {"d": 1, "c": 2}, "apikey": "x", "a": [3, {"z": 1, "y": 2}]}
    assert json.dumps(without_secrets(body)) == '{"b": {"d": 1, "c": 2}, "a": [3, {"z": 1, "y": 2}]}'


def test_the_body_given_is_not_changed() -> None:
    body = {"apikey": CANARY, "data": {"token": CANARY}}
    without_secrets(body)
    assert body == {"apikey": CANARY, "data": {"token": CANARY}}


def test_a_body_may_be_nested_deeper_than_the_stack() -> None:
    body: object = {"apikey": CANARY}
    for _ in range(50_000):
        body = [body]
    copy = without_secrets(body)
    while isinstance(copy, list):
        copy = copy[0]
    assert copy == {}


@pytest.mark.parametrize("path", sorted((EVOLUTION / "webhooks").glob("*.json")), ids=lambda path: path.stem)
def test_a_recorded_body_loses_its_secrets_and_nothing_of_its_data(path: Path) -> None:
    body = json.loads(path.read_text()).get("body")
    kept = without_secrets(body)
    assert isinstance(kept, dict) or body is None
    if isinstance(body, dict) and isinstance(kept, dict):
        assert kept.keys().isdisjoint({"apikey", "api_key", "destination"})
        assert kept.get("data") == body.get("data")


# Too short to be the name of a secret, but for one.
NAMES = st.text(max_size=3).filter(lambda name: name.lower() != "jwt")
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | NAMES,
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
)


@settings(deadline=None)
@given(JSON)
def test_a_body_without_secrets_stays_equal(body: object) -> None:
    assert without_secrets(body) == body


@pytest.mark.parametrize(
    "raw",
    [
        f'{{"event":"call","apikey":"{CANARY}"',
        f'{{"event":"call","apikey" : "{CANARY}',
        f"{{'api_key': '{CANARY}', }}",
        f'{{"apiKey":"a\\"{CANARY}","b":1,}}',
        f'{{"body":"{{\\"apikey\\":\\"{CANARY}\\",\\"x\\":1}}"',
        f'{{"destination":"{HOOK}",,}}',
        f'{{"destination":"https://other.example.com/{CANARY}",,}}',
        f"apikey={CANARY}&event=call",
        f"Authorization: Bearer {CANARY}\r\nX: y",
        f"POST {HOOK}/messages-upsert HTTP/1.1",
        f'{{"x":"{HOOK}"',
        f'\xff\x00{{"apikey":"{CANARY}"',
        f'{{"url":"https:\\/\\/h\\/webhooks\\/whatsapp\\/evolution\\/{CANARY}"',
        f'{{"instanceToken":"{CANARY}"',
        f'{{"password" : ["{CANARY}"]',
        f'{{"apikey":{{"a":"{CANARY}"}},,',
        f"{{'secret': u'{CANARY}'",
        f"<apikey>{CANARY}</apikey>",
        f'"Authorization","Bearer {CANARY}"',
    ],
)
def test_no_secret_survives_in_a_body_that_does_not_parse(raw: str) -> None:
    masked = mask_secrets_in_bytes(raw.encode("latin-1"))
    assert CANARY.encode() not in masked
    assert b"***" in masked


def test_the_rest_of_a_body_that_does_not_parse_stays() -> None:
    raw = b'{"event":"messages.upsert","apikey":"K-1","data":{"message":{"conversation":"oi'
    assert mask_secrets_in_bytes(raw) == raw.replace(b"K-1", b"***")


@settings(deadline=None)
@given(st.binary())
def test_masking_takes_any_bytes(raw: bytes) -> None:
    assert isinstance(mask_secrets_in_bytes(raw), bytes)


@pytest.mark.parametrize(
    "raw",
    [
        b'"apikey":"' + b"\\" * 500_000 + b"api_key" * 100_000,
        b"token:" + b"\\" * 200_000 + b'"' + b"\\" * 200_000,
        b"token" + b" " * 400_000,
        b"token:" + b" " * 400_000,
        b"token" * 80_000,
        b"token:'" * 60_000,
        b"bearer " * 60_000,
        b"secret:{" * 50_000,
        b"webhooks" + b"\\" * 400_000,
    ],
    ids=lambda raw: raw[:12].decode(),
)
def test_masking_a_large_body_takes_linear_time(raw: bytes) -> None:
    started = time.process_time()
    mask_secrets_in_bytes(raw)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("path", sorted((EVOLUTION / "payloads").glob("*.json")), ids=lambda path: path.stem)
def test_a_body_without_secrets_means_the_same(path: Path) -> None:
    payload = json.loads(path.read_text())["payload"]
    assert parse(without_secrets(payload)) == parse(payload)
