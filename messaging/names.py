"""Names of people."""

from typing import Final

# What stands before a name, and is not part of it.
_TITLES: Final = frozenset(["seu", "sr", "sra", "srta", "dona", "d", "dr", "dra", "prof", "profa", "mr", "mrs", "ms"])


def first_name(name: str) -> str:
    """How to call a person: the first word of the name, with the title before it; empty without a name."""
    words = name.split()
    is_titled = len(words) > 1 and words[0].rstrip(".").lower() in _TITLES
    return " ".join(words[: 2 if is_titled else 1])
