"""The one address that Evolution posts to."""

import structlog
from django.db import Error as DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from webhooks import inbox

log = structlog.get_logger(__name__)


@csrf_exempt
def evolution(request: HttpRequest, secret: str, path_event: str = "") -> HttpResponse:
    """`POST /webhooks/whatsapp/evolution/<secret>[/<event>]`: keep the body, answer 200, understand it later.

    404 for an unknown secret, with nothing written. For a known one only 200 or 503: Evolution never retries after 400,
    401, 403, 404 or 422, so any of these would lose the event (tests/evolution/webhooks/retry-schedule.json).
    """
    try:
        sender = inbox.sender_of(secret)
        if sender is None:
            raise Http404
        if request.method != "POST":
            # What a followed redirect makes of a POST, or a person with a browser. There is nothing to keep.
            return HttpResponse(status=200)
        body = inbox.read_body(request)
        if body is None:
            inbox.keep_stub(sender, inbox.announced_size(request), path_event)
        else:
            inbox.keep(sender, body, path_event)
    except (DatabaseError, OSError) as error:
        log.error("webhook_not_stored", error=type(error).__name__)
        return HttpResponse(status=503)
    return HttpResponse(status=200)
