"""`Idempotency-Key`: a POST that is sent twice, because its answer was lost, is done once."""

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

from django.core.files.uploadedfile import UploadedFile
from django.db import connection as database
from django.db import transaction
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from crm_whatsapp.api import Conflict, address_of
from crm_whatsapp.db import ClockNow
from units.models import AnsweredRequest

HEADER = "Idempotency-Key"
MAX_KEY_CHARACTERS = 200
REMEMBERED_FOR = timedelta(hours=24)


class _AnsweredBefore(Exception):
    def __init__(self, answer: AnsweredRequest) -> None:
        self.answer = answer


class AnswersOnce:
    """Part of `UnitScope`: the answer to a POST with a key is kept with what it did.

    Same key and request: the same answer. Another request: 409 `idempotency_key_reused`. At the same time: the second
    waits for the first. A refusal (4xx, 5xx) did nothing and is not kept.

    - Answer and effect are one transaction.
    - With `speaks_http` the view asks other servers, during which no transaction may be open: a lock of the database's
      session keeps the others waiting instead. A process that dies between effect and answer leaves the effect alone.
    - Without `answers_once` the key is nothing here: the view says why.
    """

    answers_once: ClassVar[bool] = True
    speaks_http: ClassVar[bool] = False

    # What is to be kept once it is answered; the lock that is held until then.
    _kept: AnsweredRequest | None = None
    _lock: int | None = None

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if not self._is_keyed(request):
            return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        if self.speaks_http:
            try:
                return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
            finally:
                if self._lock is not None:
                    with database.cursor() as cursor:
                        cursor.execute("SELECT pg_advisory_unlock(%s)", [self._lock])
        with transaction.atomic():
            response = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
            if response.status_code >= 400:
                transaction.set_rollback(True)
        return response

    def once(self, request: Request) -> None:
        """Called when it is known that the caller may do it: whoever may no more is not told what was answered.

        Raises Conflict, and ValidationError for a key that is none.
        """
        if not self._is_keyed(request):
            return
        asked = AnsweredRequest(
            user=request.user,  # type: ignore[misc]
            key=key_of(request),
            fingerprint=_fingerprint(request),
        )
        if self.speaks_http:
            self._wait_for_others(asked)
        elif not self._is_first(asked):
            # Whoever was at it has ended: the insert waited for him.
            raise _AnsweredBefore(_answered(asked))
        self._kept = asked

    def handle_exception(self, exc: Exception) -> Response:
        if not isinstance(exc, _AnsweredBefore):
            return super().handle_exception(exc)  # type: ignore[misc]
        response = Response(json.loads(str(exc.answer.body) or "null"), status=exc.answer.status)
        response["Idempotent-Replayed"] = "true"
        # As the first was, where that was a secret.
        response["Cache-Control"] = "no-store"
        return response

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        if self._kept and response.status_code < 400:
            answer = {"status": response.status_code, "body": JSONRenderer().render(response.data).decode()}
            if self.speaks_http:
                AnsweredRequest.objects.create(
                    user_id=self._kept.user_id, key=self._kept.key, fingerprint=self._kept.fingerprint, **answer
                )
            else:
                AnsweredRequest.objects.filter(pk=self._kept.pk).update(**answer)
        # Here, because it is no part of what is kept.
        if response.status_code == 201 and (made_at := address_of(request.path, response.data)):
            response["Location"] = made_at
        return super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]

    def _is_keyed(self, request: Any) -> bool:
        return self.answers_once and request.method == "POST" and HEADER in request.headers

    def _is_first(self, asked: AnsweredRequest) -> bool:
        with database.cursor() as cursor:
            cursor.execute(_INSERT, [asked.user_id, asked.key, bytes(asked.fingerprint)])
            if row := cursor.fetchone():
                asked.pk = row[0]
        return row is not None

    def _wait_for_others(self, asked: AnsweredRequest) -> None:
        name = hashlib.sha256(f"{asked.user_id} {asked.key}".encode()).digest()
        lock = int.from_bytes(name[:8], signed=True)
        with database.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [lock])
        self._lock = lock
        if AnsweredRequest.objects.filter(user=asked.user_id, key=asked.key).exists():
            raise _AnsweredBefore(_answered(asked))


def forget_old() -> int:
    """Forget what was answered a day ago; the number."""
    return AnsweredRequest.objects.filter(created_at__lt=ClockNow() - REMEMBERED_FOR).delete()[0]


def _answered(asked: AnsweredRequest) -> AnsweredRequest:
    """What was answered to `asked` before. Raises Conflict when the key stands for another request."""
    before = AnsweredRequest.objects.get(user=asked.user_id, key=asked.key)
    if bytes(before.fingerprint) != asked.fingerprint:
        raise Conflict(_("This key was used for another request already."), code="idempotency_key_reused")
    return before


def key_of(request: Request) -> str:
    """Raises ValidationError for what is no key."""
    key = request.headers[HEADER]
    if not key.strip() or len(key) > MAX_KEY_CHARACTERS or not key.isprintable():
        raise ValidationError({HEADER: _("1 to 200 printable characters.")}, code="invalid")
    return key


def _fingerprint(request: Request) -> bytes:
    # With its token: an answer may hold what another token of the same person may not see, such as a wider token.
    token = getattr(request.auth, "pk", "")
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()} {token}\n".encode())
    for piece in _pieces(request.data):
        digest.update(piece)
    return digest.digest()


def _pieces(data: Any) -> Iterator[bytes]:
    """What was sent, as the view sees it: a boundary or a space more makes no other request."""
    if not hasattr(data, "lists"):
        yield json.dumps(data, sort_keys=True, default=str).encode()
        return
    for name, values in sorted(data.lists()):
        for value in values:
            if isinstance(value, UploadedFile):
                # Sizes, so that nothing in a file can look like the next field.
                yield json.dumps([name, value.name, value.size]).encode()
                yield from value.chunks()
                value.seek(0)
            else:
                yield json.dumps([name, value]).encode()


_INSERT = """
INSERT INTO answered_requests (user_id, key, fingerprint) VALUES (%s, %s, %s)
ON CONFLICT (user_id, key) DO NOTHING RETURNING id
"""
