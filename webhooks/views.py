"""The one address that Evolution posts to."""

import structlog
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from units.webhook_secrets import HEADER
from webhooks import door, inbox

log = structlog.get_logger(__name__)


@csrf_exempt
def evolution(request: HttpRequest, secret: str, path_event: str = "") -> HttpResponse:
    """`POST /webhooks/whatsapp/evolution/<secret>[/<event>]`: keep the body, answer 200, understand it later.

    404 for an unknown secret or without the header that was registered, with nothing written. For a known one only 200
    or 503: Evolution never retries after 400, 401, 403, 404 or 422, so any of these would lose the event
    (tests/evolution/webhooks/retry-schedule.json). 503 has a Retry-After when the secret's rate is exceeded.
    """
    try:
        # First of all: a stranger whose body comes byte by byte would hold one of a few threads.
        if not door.opens(secret, request.headers.get(HEADER)):
            return _answer(404)
        if request.method != "POST":
            # What a followed redirect makes of a POST, or a person with a browser. There is nothing to keep.
            return _answer(200)
        if wait := door.seconds_to_wait(secret):
            log.warning("webhook_throttled", seconds=wait)
            # Evolution has a schedule of its own, and does not read this; a proxy before us may.
            return _answer(503, {"Retry-After": str(wait)})
        body = inbox.read_body(request)
        if body is None:
            kept = inbox.keep_stub(secret, inbox.announced_size(request), path_event)
        else:
            kept = inbox.keep(secret, body, path_event)
    except (DatabaseError, OSError) as error:
        log.error("webhook_not_stored", error=type(error).__name__)
        return _answer(503)
    return _answer(200 if kept else 404)


def _answer(status: int, headers: dict[str, str] | None = None) -> HttpResponse:
    """Nothing but a status. With its length: no middleware adds it here (webhooks/middleware.py), and without it the
    server would send the nothing in chunks.
    """
    return HttpResponse(status=status, headers={"Content-Length": "0", **(headers or {})})
