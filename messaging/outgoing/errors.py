"""Why something that a person asked for cannot be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


class CannotQueue(ValueError):
    """A message that cannot be accepted; `message` says why, to a person."""

    def __init__(self, message: str | _StrPromise) -> None:
        self.message = message
        super().__init__(str(message))


class KeyReused(ValueError):
    """An idempotency key that stands for another request already."""
