"""Bodies that nobody should send, made of bodies that somebody did: for the fuzz test and `make bench ARGS=fuzz`."""

import copy
import json
import math
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from webhooks.parsers.evolution import EVENTS

EVOLUTION = Path(__file__).parents[1] / "evolution"
NASTY: tuple[object, ...] = (
    None,
    "",
    "\x00",
    "a\ud800b\x00\udfff",
    [],
    {},
    [[]],
    [None],
    {"": {}},
    -1,
    0,
    True,
    10**400,
    -(2**63) - 1,
    1.5,
    math.nan,
    -math.inf,
    "9" * 5000,
    "²",
    "١٢٣@s.whatsapp.net",
    "@",
    "x" * 500,
    "ꦾ" * 70_000,
    {"low": -1, "high": 2**40},
    {"low": True},
    {str(index): 255 for index in range(300)},
    "2024-13-45T99:99Z",
    "0001-01-01T00:00:00+23:59",
    253402300800,
    "http://[",
    "5511977776666@s.whatsapp.net",
    "905511977776666@lid",
    "120363000000000001@g.us",
    {"key": {"id": "X", "fromMe": True}, "type": 0},
    {"key": {"id": "X"}, "type": 14, "editedMessage": {"conversation": "novo"}},
)


def real_bodies() -> list[Any]:
    """What the wild sent and what was recorded."""
    payloads = [json.loads(path.read_text())["payload"] for path in sorted((EVOLUTION / "payloads").glob("*.json"))]
    recorded = [json.loads(path.read_text()).get("body") for path in sorted((EVOLUTION / "webhooks").glob("*.json"))]
    return payloads + [body for body in recorded if body is not None]


def places(value: object) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) in a JSON value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield value, key
        yield from places(inner)


class Mutator:
    """Makes bodies of an instance, the same ones for the same seed."""

    def __init__(self, instance: str, seed: int) -> None:
        self._instance = instance
        self._random = Random(seed)
        self._bodies = real_bodies()
        self._number = 0

    def body(self) -> bytes:
        """One body, unlike any other unless its end was cut off."""
        self._number += 1
        random = self._random
        body = self._arbitrary() if random.random() < 0.05 else copy.deepcopy(random.choice(self._bodies))
        if random.random() < 0.7:
            # Else most would be messages that are here already.
            self._give_new_ids(body)
        for _ in range(random.choice((0, 1, 1, 2, 3, 6))):
            try:
                body = self._changed(body)
            except RecursionError:  # deep enough
                break
        if isinstance(body, dict):
            if random.random() < 0.97:
                body["instance"] = self._instance
            # Last, so that bodies which lose their end may become equal: that happens.
            body["number"] = self._number
        try:
            raw = json.dumps(body, ensure_ascii=random.random() < 0.7).encode("utf-8", "surrogatepass")
        except (ValueError, RecursionError):  # deeper than can be written, or in a circle
            raw = b"[]"
        return self._damaged(raw) if random.random() < 0.15 else raw

    def _give_new_ids(self, body: Any) -> None:
        for container, key in places(body):
            if key == "id" and "remoteJid" in container:
                container[key] = f"FUZZ{self._number}"

    def _changed(self, body: Any) -> Any:
        """The body with one thing dropped, retyped, doubled, swapped, renamed or buried."""
        random = self._random
        found = list(places(body))
        if not found:
            return {"event": random.choice(list(EVENTS)), "data": body}
        container, key = random.choice(found)
        match random.randrange(9):
            case 0:
                del container[key]
            case 1 | 2:
                container[key] = copy.deepcopy(random.choice(NASTY))
            case 3:
                container[key] = self._arbitrary()
            case 4:
                other, place = random.choice(found)
                container[key], other[place] = copy.deepcopy(other[place]), copy.deepcopy(container[key])
            case 5:
                # A member of another body in this one's place.
                donor, place = random.choice(list(places(random.choice(self._bodies))) or [(NASTY, 0)])
                container[key] = copy.deepcopy(donor[place])
            case 6:
                container[key] = [copy.deepcopy(container[key]) for _ in range(random.choice((0, 1, 2, 20)))]
            case 7:
                for _ in range(random.choice((1, 5, 200))):
                    container[key] = random.choice(
                        ({"message": container[key]}, {"data": container[key]}, [container[key]])
                    )
            case 8:
                return {
                    "event": random.choice(list(EVENTS)),
                    "data": body.get("data") if isinstance(body, dict) else body,
                }
        return body

    def _arbitrary(self, depth: int = 4) -> Any:
        random = self._random
        match random.randrange(6 if depth else 4):
            case 0:
                return random.choice((None, True, False, random.randint(-(2**70), 2**70), random.random() * 10**18))
            case 1:
                return "".join(chr(random.choice((random.randrange(128), random.randrange(0x11000)))) for _ in range(8))
            case 2 | 3:
                return copy.deepcopy(random.choice(NASTY))
            case 4:
                return [self._arbitrary(depth - 1) for _ in range(random.randrange(4))]
            case _:
                names = (
                    "key",
                    "id",
                    "message",
                    "data",
                    "event",
                    "status",
                    "update",
                    "conversation",
                    "\x00",
                    "remoteJid",
                )
                return {random.choice(names): self._arbitrary(depth - 1) for _ in range(random.randrange(5))}

    def _damaged(self, raw: bytes) -> bytes:
        """Bytes cut, flipped, doubled, made invalid UTF-8, or nested thousands of levels deep."""
        random = self._random
        at = random.randrange(len(raw) + 1)
        match random.randrange(7):
            case 0:
                return raw[:at]
            case 1:
                return raw[:at] + bytes([random.randrange(256)]) + raw[at + 1 :]
            case 2:
                return raw[:at] + random.choice((b"\xff\xfe", b"\xed\xa0\x80", b"\xc3", b"\x00")) + raw[at:]
            case 3:
                # The same member twice: the last counts.
                return raw[:1] + b'"data": {"key": 7}, "event": "call", ' + raw[1:] if raw[:1] == b"{" else raw * 2
            case 4:
                levels = random.choice((50, 900, 5_000, 50_000))
                return b'{"event": "messages.upsert", "data": ' + b"[" * levels + raw + b"]" * levels + b"}"
            case 5:
                levels = random.choice((50, 900, 5_000))
                deep = b'{"ephemeralMessage": {"message": ' * levels + b'{"conversation": "oi"}' + b"}}" * levels
                return b'{"event": "messages.upsert", "data": {"key": {"id": "D"}, "message": ' + deep + b"}}"
            case _:
                return random.choice((b"\xef\xbb\xbf", b" " * 1000, b"")) + raw.replace(b'"', b"'", 1)
