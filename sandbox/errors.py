"""Outcomes of a request that are not its answer."""

from typing import Any


class EvolutionError(Exception):
    """An answer that is not a success.

    ``message`` goes into Evolution's envelope; ``body`` replaces the envelope.
    """

    def __init__(self, status: int, message: Any = None, *, body: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.body = body


class DropConnection(Exception):
    """Close the caller's connection without an answer."""


class NeverAnswer(Exception):
    """Keep the caller waiting until it gives up."""


def license_required() -> EvolutionError:
    """What Evolution 2.4 answers before activation (reconstructed from its release notes; 2.3.6 does not know
    it).
    """
    body = {
        "error": "service not activated",
        "code": "LICENSE_REQUIRED",
        "message": "License required",
        "register_url": "/manager/login",
    }
    return EvolutionError(503, body=body)
