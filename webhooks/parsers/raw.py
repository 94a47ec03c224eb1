"""The deciding part of a message that nobody here knows, small enough to be kept with it."""

import json
import math
from itertools import islice

from webhooks.parsers.values import BIGINT_MAX, JSONObject, clean

# Of JSON text, as it is kept.
RAW_MAX = 4_096
_DEPTH, _MEMBERS, _TEXT = 6, 40, 300
# Keys, hashes and pictures: useless to read, some of them secret; and what may be deleted for everyone one day.
_DROPPED = (
    "key",
    "sha256",
    "thumbnail",
    "base64",
    "secret",
    "token",
    "apikey",
    "payload",
    "scans",
    "sidecar",
    "quotedmessage",
)
_KEPT = frozenset({"key", "targetmessagekey", "parentmessagekey", "remotejid"})


def excerpt(value: JSONObject) -> dict[str, object]:
    """A copy of an object without its bytes and secrets, long texts cut; at most RAW_MAX bytes of JSON.

    `cut` is true in the copy when members were left out for their number, depth or size.
    """
    copied: dict[str, object] = {}
    for limit in (_TEXT, 60, 10):
        copied = _members(value, limit, _DEPTH)
        if len(json.dumps(copied)) <= RAW_MAX:
            return copied
    kept: dict[str, object] = {"cut": True}
    size = len(json.dumps(kept))
    for name, member in copied.items():
        size += len(json.dumps({name: member}))
        if size > RAW_MAX:
            break
        kept[name] = member
    return kept


def _members(value: JSONObject, limit: int, depth: int) -> dict[str, object]:
    kept: dict[str, object] = {}
    for name, member in islice(value.items(), _MEMBERS):
        if not _is_dropped(name):
            kept[clean(name[:limit])] = _copied(member, limit, depth - 1)
    return kept | {"cut": True} if len(value) > _MEMBERS else kept


def _copied(value: object, limit: int, depth: int) -> object:
    match value:
        case dict() if _is_bytes(value):
            return f"({len(value)} bytes)"
        case dict() if depth:
            return _members(value, limit, depth)
        case list() if depth:
            return [_copied(member, limit, depth - 1) for member in value[: _MEMBERS // 2]]
        case dict() | list():
            return "…"
        case str():
            # Cut before it is cleaned: it may be megabytes long.
            return clean(value[:limit]) + ("…" if len(value) > limit else "")
        case float() if not math.isfinite(value):
            return None
        case int() if abs(value) > BIGINT_MAX:
            return None
    return value


def _is_bytes(value: JSONObject) -> bool:
    """Bytes as JavaScript writes them down: `{"0": 57, "1": 104, …}` or `{"type": "Buffer", "data": […]}`."""
    return ("0" in value and isinstance(value["0"], int)) or value.get("type") == "Buffer"


def _is_dropped(name: str) -> bool:
    folded = name.lower()
    return folded not in _KEPT and folded.endswith(_DROPPED)
