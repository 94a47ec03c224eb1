"""A body may hold numbers of any length, which Python does not read."""

import json
import math

import pytest

from webhooks.parsers.evolution import parse
from webhooks.parsers.values import loads


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_of_thousands_of_digits_spoils_nothing_beside_it(sign: str) -> None:
    body = loads(f'{{"a": {sign}{"9" * 5000}, "b": 12}}')
    assert body == {"a": float(f"{sign}inf"), "b": 12}
    assert loads(json.dumps(body)) == body


def test_a_message_beside_such_a_number_is_read() -> None:
    key = '{"remoteJid": "5511977776666@s.whatsapp.net", "id": "A", "fromMe": false}'
    message = f'{{"conversation": "oi", "x": {"9" * 5000}}}'
    [event] = parse(loads(f'{{"event": "messages.upsert", "data": {{"key": {key}, "message": {message}}}}}')).events
    assert getattr(event, "text", None) == "oi"


@pytest.mark.parametrize("raw", [b"{", b"\xff", b"[1,]"])
def test_what_is_no_json_is_none(raw: bytes) -> None:
    with pytest.raises(ValueError):
        loads(raw)


def test_other_numbers_stay_what_they_are() -> None:
    assert loads("[1, -0, 1.5, 1e400]") == [1, 0, 1.5, math.inf]
