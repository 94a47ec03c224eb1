"""Keeping what the gateway posts. The request's thread does this and nothing more."""

import hashlib
import json
import time

import psycopg
import structlog
from django.conf import settings
from django.db import connection as database
from django.db.models import Q
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_noop

from crm_whatsapp.bell import ring_on_commit
from units.crypto import sha256
from units.models import WebhookSecret, WhatsAppConnection
from webhooks.models import EventStatus
from webhooks.parsers.redaction import mask_secrets_in_bytes, without_secrets
from webhooks.parsers.values import loads

log = structlog.get_logger(__name__)

DRAIN = "webhooks.tasks.drain_inbox"

OVERSIZED = gettext_noop("The body was larger than this installation takes; only its size was kept.")
MALFORMED = gettext_noop("The body is not JSON.")
TOO_MANY_VALUES = gettext_noop("The body has more values than this installation decodes; it is kept as it came.")
# Kept as text, and nothing more is done with it.
NOT_DECODED = (OVERSIZED, MALFORMED, TOO_MANY_VALUES)

# With WhatsApp out of reach Evolution posts some 35 `connection.update` a second (docs/evolution.md, "Traps"):
# one per connection, state and this many seconds is kept.
HINT_SECONDS = 10


def told_of(connection: WhatsAppConnection) -> Q:
    """Which events are this connection's: also those that came by the installation's secret and name its instance,
    found by reading their bodies.

    By the member that names it: what a customer writes may be the name of another unit's instance, and a quote in it is
    kept with a backslash before it.
    """
    named = f'"instance": {json.dumps(connection.instance_name)}'
    return Q(connection=connection) | Q(connection=None, body__contains=named)


def is_known(secret: str) -> bool:
    """Whether somebody may post with this secret: a connection's own, or the installation's."""
    return is_installation(secret) or WebhookSecret.objects.filter(sha256=sha256(secret)).exists()


def announced_size(request: HttpRequest) -> int:
    """The body's bytes by its header; 0 when that says none, or nonsense."""
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def read_body(request: HttpRequest) -> bytes | None:
    """The body, or None when it is larger than WEBHOOK_MAX_BODY_BYTES (not Django's own limit, which answers 400).

    Raises OSError when it is not all there.
    """
    limit = settings.WEBHOOK_MAX_BODY_BYTES
    if announced_size(request) > limit:
        return None
    body = request.read(limit + 1)
    if len(body) < announced_size(request):
        # The server hands out what has come when a client leaves in the middle. He posts it again.
        raise ConnectionError
    return body if len(body) <= limit else None


def keep(secret: str, raw: bytes, path_event: str) -> bool:
    """Store one body, once, for whoever has `secret`; ring for the drain. False: nobody has, and nothing was stored.

    Raises django.db.Error when it could not be stored.
    """
    fingerprint = hashlib.sha256(path_event.encode() + b"\0" + raw).digest()
    if _values(raw) > settings.WEBHOOK_MAX_BODY_VALUES:
        return _keep_as_text(secret, raw, path_event, fingerprint, TOO_MANY_VALUES)
    try:
        body = without_secrets(loads(raw))
        # ASCII: NUL characters and lone surrogates stay escaped, and PostgreSQL takes them.
        stored = json.dumps(body)
    except (ValueError, RecursionError):
        return _keep_as_text(secret, raw, path_event, fingerprint, MALFORMED)
    envelope = body if isinstance(body, dict) else {}
    event = envelope.get("event")
    event = event if isinstance(event, str) else ""
    if hint := _hint(envelope, event or path_event):
        # This process's clock will do: where it is off, one hint more or less is kept, and no more depends on it.
        bucket = time.time() // HINT_SECONDS
        fingerprint = hashlib.sha256(f"{hint} {bucket}".encode(errors="backslashreplace")).digest()
    if not _insert(secret, event, path_event, stored, fingerprint, EventStatus.RECEIVED, ""):
        return False
    ring_on_commit(DRAIN)
    return True


def keep_stub(secret: str, size: int, path_event: str) -> bool:
    """Store that a body was too large: it would not get smaller by a retry. False as in `keep`."""
    fingerprint = sha256(f"oversized {path_event} {size}")
    return _insert(secret, "", path_event, json.dumps({"size": size}), fingerprint, EventStatus.IGNORED, OVERSIZED)


def _values(raw: bytes) -> int:
    """No fewer than the body has values, before anything is decoded: a file in it is one, `{},{},{}` many, and each
    takes some hundred bytes of memory.
    """
    return raw.count(b"{") + raw.count(b"[") + raw.count(b",")


def _keep_as_text(secret: str, raw: bytes, path_event: str, fingerprint: bytes, reason: str) -> bool:
    # Asked first: masking takes longer than refusing a stranger.
    if not is_known(secret):
        return False
    text = mask_secrets_in_bytes(raw).decode("utf-8", "backslashreplace").replace("\0", "\\x00")
    return _insert(secret, "", path_event, text, fingerprint, EventStatus.IGNORED, reason)


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


def is_installation(secret: str) -> bool:
    """Whether it is the secret of the gateway's global webhook."""
    installation = settings.EVOLUTION_GLOBAL_WEBHOOK_SECRET
    return bool(installation) and constant_time_compare(secret, installation)


# Whose secret it is and the row, in one statement and one round trip, which is its own transaction.
_INSERT = """
INSERT INTO webhook_events (connection_id, event, path_event, body, fingerprint, status, reason)
SELECT sender.connection_id, %s::text, %s::text, %s::text, %s, %s::text, %s::text
FROM {sender} AS sender
ON CONFLICT (connection_id, fingerprint) DO NOTHING
"""
_OF_CONNECTION = _INSERT.format(sender="(SELECT connection_id FROM webhook_secrets WHERE sha256 = %s)")
_OF_INSTALLATION = _INSERT.format(sender="(SELECT NULL::uuid AS connection_id)")


def _insert(
    secret: str,
    event: str,
    path_event: str,
    body: str,
    fingerprint: bytes,
    status: EventStatus,
    reason: str,
) -> bool:
    """Whether it is stored, now or before; False: nobody has this secret."""
    values = [_one_line(event), _one_line(path_event), body, fingerprint, status.value, reason]
    ours = is_installation(secret)
    database.ensure_connection()
    # Prepared, and so past Django's cursor, which merges a text that PostgreSQL must read and plan anew for each event.
    # Django switches preparing off; to its own cursors it makes no difference.
    database.connection.prepare_threshold = 0
    with database.wrap_database_errors, psycopg.Cursor(database.connection) as cursor:
        if ours:
            cursor.execute(_OF_INSTALLATION, values, prepare=True)
        else:
            cursor.execute(_OF_CONNECTION, [*values, sha256(secret)], prepare=True)
        stored = cursor.rowcount == 1
    # No row: it was there already, or the secret is nobody's.
    return stored or ours or is_known(secret)
