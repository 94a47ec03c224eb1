"""The one address that Evolution posts to."""

import structlog
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from webhooks import inbox

log = structlog.get_logger(__name__)

# A body of up to so many bytes is read before its secret is known, which saves a query. A larger one, or one that does
# not tell its size, only from somebody who may post.
READ_FROM_ANYBODY = 64 * 1024


@csrf_exempt
def evolution(request: HttpRequest, secret: str, path_event: str = "") -> HttpResponse:
    """`POST /webhooks/whatsapp/evolution/<secret>[/<event>]`: keep the body, answer 200, understand it later.

    404 for an unknown secret, with nothing written. For a known one only 200 or 503: Evolution never retries after 400,
    401, 403, 404 or 422, so any of these would lose the event (tests/evolution/webhooks/retry-schedule.json).
    """
    try:
        size = inbox.announced_size(request)
        if (request.method != "POST" or not 0 < size <= READ_FROM_ANYBODY) and not inbox.is_known(secret):
            return _answer(404)
        if request.method != "POST":
            # What a followed redirect makes of a POST, or a person with a browser. There is nothing to keep.
            return _answer(200)
        body = inbox.read_body(request)
        kept = inbox.keep_stub(secret, size, path_event) if body is None else inbox.keep(secret, body, path_event)
    except (DatabaseError, OSError) as error:
        log.error("webhook_not_stored", error=type(error).__name__)
        return _answer(503)
    return _answer(200 if kept else 404)


def _answer(status: int) -> HttpResponse:
    """Nothing but a status. With its length: no middleware adds it here (webhooks/middleware.py), and without it the
    server would send the nothing in chunks.
    """
    return HttpResponse(status=status, headers={"Content-Length": "0"})
