"""Single JSON values, in all the spellings they arrive in, as plain Python values or None."""

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

type JSONObject = Mapping[str, object]

EMPTY: JSONObject = MappingProxyType({})

BIGINT_MAX = 2**63 - 1
INT_MAX = 2**31 - 1
# Earlier is no time of a message (WhatsApp is from 2009), later is 2100: both are test data or damage.
TIME_MIN, TIME_MAX = 1_000_000_000, 4_102_444_800
# The longest id seen is Meta's wamid with some 90 characters.
IDENTIFIER_MAX = 200

# WhatsApp's own limit for a text. Longer ones are made to crash phones, and PostgreSQL's text search refuses a
# megabyte.
TEXT_MAX = 65_536
NAME_MAX = 200

_DIGITS = re.compile(r"[+-]?\d{1,20}(?:\.0+)?", re.ASCII)
# Where no name is known, Evolution fills in the JID, or the part before its "@".
_NO_NAME = re.compile(r"\+?\d{8,}(?:[-:]\d+)?(?:@[a-z.]+)?|\S+@(?:s\.whatsapp\.net|lid|g\.us)", re.ASCII)


# Python itself takes no more digits at once; nothing that is told here has more than twenty.
_INTEGER_DIGITS_MAX = 4_000


def loads(body: str | bytes) -> object:
    """A body as Python values: `json.loads`, but with an infinite float for an integer of thousands of digits.

    JSON bounds no number, and Python refuses such a body as a whole (`sys.set_int_max_str_digits`). Raises ValueError
    for what is no JSON, RecursionError for what is nested too deep.
    """
    try:
        return json.loads(body)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:
        # Not at once: counting the digits of every number makes reading a third slower.
        return json.loads(body, parse_int=_whole)


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _INTEGER_DIGITS_MAX else math.copysign(math.inf, -1 if digits[0] == "-" else 1)


def mapping(value: object) -> JSONObject:
    """The value when it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else EMPTY


def items(value: object) -> list[object]:
    """The value when it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def first(source: JSONObject, names: Iterable[str]) -> object:
    """The value of the first of `names` that is there and not null."""
    for name in names:
        value = source.get(name)
        if value is not None:
            return value
    return None


def clean(value: str) -> str:
    """Without NUL and lone surrogates: PostgreSQL refuses both. Two halves of a pair are joined."""
    if value.isascii():
        return value.replace("\x00", "") if "\x00" in value else value
    if "\x00" in value:
        value = value.replace("\x00", "")
    try:
        value.encode()
    except UnicodeEncodeError:
        value = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value


def text(value: object, *, limit: int | None = TEXT_MAX) -> str | None:
    """Something to read, cut at `limit` characters, or None when there is nothing. A number stands for its digits."""
    if isinstance(value, str):
        return clean(value[:limit]) or None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= BIGINT_MAX:
        return str(value)
    return None


def identifier(value: object) -> str | None:
    """An id: short, without spaces around it; a number stands for its digits."""
    value = text(value)
    value = value.strip() if value else None
    return value if value and len(value) <= IDENTIFIER_MAX else None


def word(value: object) -> str | None:
    """A short word of a protocol, in lower case."""
    value = identifier(value) if isinstance(value, str) else None
    return value.lower() if value else None


def person_name(value: object) -> str | None:
    """A name worth showing, cut at NAME_MAX: None for "", for mere punctuation such as ".", for a number or a JID in
    a name's place; an emoji is a name.
    """
    if not isinstance(value, str):
        return None
    name = clean(value[:TEXT_MAX]).strip()[:NAME_MAX]
    if _NO_NAME.fullmatch(name):
        return None
    return name if any(unicodedata.category(char)[0] not in "PZC" for char in name) else None


def lines(*parts: str | None) -> str | None:
    """The parts that say something, one a line, none twice."""
    return "\n".join(dict.fromkeys(part for part in parts if part))[:TEXT_MAX] or None


_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def flag(value: object) -> bool | None:
    """A boolean, also as 0/1 or as a word; None when it is neither."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _FLAGS.get(value[:6].lower())
    if isinstance(value, int):
        return bool(value) if value in (0, 1) else None
    return None


def integer(value: object, *, low: int = 0, high: int = BIGINT_MAX) -> int | None:
    """A whole number between `low` and `high`: a number, its digits, or a 64-bit `{low, high, unsigned}`."""
    number: int | None = None
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        number = value
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    elif isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        number = int(value.strip().partition(".")[0])
    elif isinstance(value, dict):
        lower, upper = value.get("low"), value.get("high", 0)
        if isinstance(lower, int) and isinstance(upper, int):
            # JavaScript's Long: the lower half is signed. Imitations put the whole number there.
            number = upper * 2**32 + (lower & 0xFFFFFFFF if lower < 0 else lower)
    return number if number is not None and low <= number <= high else None


def decimal(value: object, limit: float) -> float | None:
    """A finite number between -limit and limit, also from its digits."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) <= limit else None


def timestamp(value: object) -> int | None:
    """Unix seconds, from seconds, milli- or microseconds, their digits, a Long, or a zoned ISO time."""
    seconds = int(value) if isinstance(value, float) and 0 <= value < BIGINT_MAX else integer(value)
    if seconds is None:
        if not isinstance(value, str) or len(value) > 40:
            return None
        try:
            moment = datetime.fromisoformat(value.strip())
            seconds = int(moment.timestamp()) if moment.tzinfo else None
        except (ValueError, OverflowError):
            return None
    for digits in (14, 11):
        if seconds is not None and seconds >= 10**digits:
            seconds //= 10 ** (6 if digits == 14 else 3)
            break
    return seconds if seconds is not None and TIME_MIN <= seconds < TIME_MAX else None


def compact(**members: object) -> dict[str, object]:
    """The members that are told."""
    return {name: value for name, value in members.items() if value is not None}
