"""Keeping what the gateway posts. The request's thread does this and nothing more."""

import hashlib
import json
import time
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection as database
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_noop

from crm_whatsapp.bell import ring_on_commit
from units.models import WebhookSecret, sha256
from webhooks.models import EventStatus
from webhooks.parsers.redaction import mask_secrets_in_bytes, without_secrets

log = structlog.get_logger(__name__)

DRAIN = "webhooks.tasks.drain_inbox"

OVERSIZED = gettext_noop("The body was larger than this installation takes; only its size was kept.")
MALFORMED = gettext_noop("The body is not JSON.")

# With WhatsApp out of reach Evolution posts some 35 `connection.update` a second (docs/evolution.md, "Traps"):
# one per connection, state and this many seconds is kept.
HINT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose secret opened the endpoint: a connection's own, or the installation's (`connection_id` None)."""

    connection_id: UUID | None


def sender_of(secret: str) -> Sender | None:
    """Who may post with this secret; None for an unknown one."""
    known = WebhookSecret.objects.filter(sha256=sha256(secret)).values_list("connection_id", flat=True).first()
    if known is not None:
        return Sender(known)
    installation = settings.EVOLUTION_GLOBAL_WEBHOOK_SECRET
    if installation and constant_time_compare(secret, installation):
        return Sender(None)
    return None


def announced_size(request: HttpRequest) -> int:
    """The body's bytes by its header; 0 when that says none, or nonsense."""
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def read_body(request: HttpRequest) -> bytes | None:
    """The body, or None when it is larger than WEBHOOK_MAX_BODY_BYTES (not Django's own limit, which answers 400)."""
    limit = settings.WEBHOOK_MAX_BODY_BYTES
    if announced_size(request) > limit:
        return None
    body = request.read(limit + 1)
    return body if len(body) <= limit else None


def keep(sender: Sender, raw: bytes, path_event: str) -> None:
    """Store one body, once; ring for the drain. Raises django.db.Error when it could not be stored."""
    fingerprint = hashlib.sha256(path_event.encode() + b"\0" + raw).digest()
    try:
        body = without_secrets(json.loads(raw))
        # ASCII: NUL characters and lone surrogates stay escaped, and PostgreSQL takes them.
        stored = json.dumps(body)
    except (ValueError, RecursionError):
        text = mask_secrets_in_bytes(raw).decode("utf-8", "backslashreplace").replace("\0", "\\x00")
        _insert(sender, "", path_event, text, fingerprint, EventStatus.IGNORED, MALFORMED)
        return
    envelope = body if isinstance(body, dict) else {}
    event = envelope.get("event")
    event = event if isinstance(event, str) else ""
    if hint := _hint(envelope, event or path_event):
        # This process's clock will do: where it is off, one hint more or less is kept, and no more depends on it.
        bucket = time.time() // HINT_SECONDS
        fingerprint = hashlib.sha256(f"{hint} {bucket}".encode(errors="backslashreplace")).digest()
    _insert(sender, event, path_event, stored, fingerprint, EventStatus.RECEIVED, "")
    ring_on_commit(DRAIN)


def keep_stub(sender: Sender, size: int, path_event: str) -> None:
    """Store that a body was too large: it would not get smaller by a retry."""
    fingerprint = sha256(f"oversized {path_event} {size}")
    _insert(sender, "", path_event, json.dumps({"size": size}), fingerprint, EventStatus.IGNORED, OVERSIZED)


def _hint(envelope: dict[str, object], event: str) -> str:
    """What makes two hints the same; empty for whatever is no mere hint."""
    if event.lower().replace("_", ".").replace("-", ".") != "connection.update":
        return ""
    data = envelope.get("data")
    state = data.get("state") if isinstance(data, dict) else None
    # `open` and `close` are rare, and each says who or why.
    return f"{envelope.get('instance')} {state}" if state == "connecting" else ""


def _one_line(name: str) -> str:
    """An event's name as the column takes it: short, without NUL characters and lone surrogates."""
    return name.encode(errors="backslashreplace").decode().replace("\0", "")[:80]


def _insert(
    sender: Sender,
    event: str,
    path_event: str,
    body: str,
    fingerprint: bytes,
    status: EventStatus,
    reason: str,
) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO webhook_events (connection_id, event, path_event, body, fingerprint, status, reason)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (connection_id, fingerprint) DO NOTHING",
            [
                sender.connection_id,
                _one_line(event),
                _one_line(path_event),
                body,
                fingerprint,
                status,
                reason,
            ],
        )
