"""Writing the audit log. Whoever does something calls `record` in the transaction that does it."""

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any
from uuid import UUID

import structlog
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.http import HttpRequest, HttpResponse

from units.models import ApiToken, AuditAction, AuditEntry, User

# The request that this thread is answering; none in a worker, where it is the product itself that acts.
_request: ContextVar[HttpRequest | None] = ContextVar("audited_request", default=None)


def record(
    unit_id: UUID, action: AuditAction, about: models.Model | None = None, *, named: bool = True, **details: Any
) -> None:
    """Write that somebody did `action` to `about` (a row of the unit).

    `named`: off where the row's name is a customer's, who may have to be forgotten; the log is not changed afterwards.
    `details` are JSON values, times and decimals: [before, after] for what was changed, counts, codes. Never a secret,
    a text or a customer's number.
    """
    request = _request.get()
    user, token = getattr(request, "user", None), getattr(request, "auth", None)
    AuditEntry.objects.create(
        unit_id=unit_id,
        actor=user if isinstance(user, User) else None,
        actor_name=str(user)[:200] if isinstance(user, User) else "",
        token_name=str(token)[:100] if isinstance(token, ApiToken) else "",
        action=action,
        object_id=about.pk if about else None,
        object_name=str(about)[:200] if about and named else "",
        details=json.loads(DjangoJSONEncoder().encode(details)),
        request_id=str(structlog.contextvars.get_contextvars().get("request_id", ""))[:64],
    )


def difference(before: Mapping[str, Any], row: models.Model) -> dict[str, Any]:
    """By column, [before, after] of those of `before` that are another now."""
    now = {name: getattr(row, name) for name in before}
    return {name: [was, now[name]] for name, was in before.items() if was != now[name]}


class AuditMiddleware:
    """Remembers the request; who makes it is asked when something is recorded (an API knows it only then)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        before = _request.set(request)
        try:
            return self.get_response(request)
        finally:
            _request.reset(before)
