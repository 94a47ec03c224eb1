"""What every page of a unit shares: who may see it, in which time zone, and the shell around it."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate
from urllib.parse import urlencode
from uuid import UUID

import structlog
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ObjectDoesNotExist, ObjectNotUpdated, PermissionDenied
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext_lazy
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails
from psycopg.errors import ForeignKeyViolation

from attention.episodes import count_now
from crm_whatsapp.errors import not_found
from messaging.models import Conversation
from units.access import unit_for
from units.models import Unit, UnitFeed, User
from units.roles import Action

log = structlog.get_logger(__name__)

SAFE = ("GET", "HEAD", "OPTIONS")
# Of more the menu of the header asks once it is opened.
MOST_UNITS = 20
GONE = gettext_lazy("It is not here any more. Somebody may have removed it meanwhile.")
_GZIP = GZipMiddleware(lambda _request: HttpResponse())


class ConsoleRequest(HttpRequest):
    """A request as the middleware and the log-in leave it."""

    htmx: HtmxDetails
    user: User


type UnitView[**P, R: HttpResponseBase] = Callable[Concatenate[ConsoleRequest, Unit, P], R]


def unit_view[**P, R: HttpResponseBase](
    reads: Action, writes: Action | None = None
) -> Callable[[UnitView[P, R]], Callable[..., HttpResponseBase]]:
    """Pass a view the unit instead of its id, to members only, and let times show in the unit's zone.

    `reads` is what GET asks of the person; `writes`, the same by default, what any other method asks. Whoever is not
    logged in gets the log-in page, as a whole page even when only a part was asked for. A page that was made for
    somebody else, before another log-in in the same browser, does nothing in this person's name: it is loaded anew.
    A unit that is not there and one that is not theirs are answered alike, with 404; what their role does not allow is
    403.
    """

    def decorate(view: UnitView[P, R]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: ConsoleRequest, unit_id: UUID, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_login(request)
            if request.method not in SAFE and _is_somebody_elses(request):
                return HttpResponseClientRedirect(request.htmx.current_url_abs_path or reverse("console:home"))
            try:
                unit = unit_for(request.user, unit_id, action=reads if request.method in SAFE else changes)
                with timezone.override(unit.time_zone):
                    response = view(request, unit, *args, **kwargs)
            except (Http404, ObjectDoesNotExist, ObjectNotUpdated) as missing:
                return _not_there(request, missing)
            except IntegrityError as refused:
                if isinstance(refused.__cause__, ForeignKeyViolation):
                    return _not_there(request, refused)
                raise
            except PermissionDenied as refused:
                if request.htmx:
                    # For the note over the page (shell.js); a whole page gets 403.html.
                    return HttpResponse(str(refused), status=403, content_type="text/plain; charset=utf-8")
                raise
            # One address answers with a page or a part of it: the browser's Back must not take one for the other.
            patch_vary_headers(response, ["HX-Request"])
            response.headers.setdefault("Cache-Control", "private, no-cache")
            return _compressed(request, response)

        # So that tests can ask what a page demands, as they ask a view of the API.
        vars(guarded).update(reads=reads, writes=changes)
        return guarded

    changes = writes or reads
    return decorate


def _compressed(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Pages and parts of them (docs/decisions/0019): not files, which have ranges, nor what shows a secret once."""
    is_html = response.headers.get("Content-Type", "").startswith("text/html")
    if not is_html or "no-store" in response.headers.get("Cache-Control", ""):
        return response
    return _GZIP.process_response(request, response)


def _not_there(request: ConsoleRequest, missing: Exception) -> HttpResponse:
    """Whoever has a page that shows it is told that it is gone; who follows a link, that it may not be theirs."""
    if not isinstance(missing, Http404):
        # Or a row that has to be there is not, which somebody should see.
        log.warning("gone_meanwhile", exc_info=missing)
    if request.htmx:
        # For the note over the page (shell.js).
        return HttpResponse(GONE, status=404, content_type="text/plain; charset=utf-8")
    if request.method in SAFE:
        # Whoever tries the product with DEBUG is told in the same words.
        return not_found(request, missing)
    return render(request, "404.html", {"gone": GONE}, status=404)


def _is_somebody_elses(request: ConsoleRequest) -> bool:
    return request.headers.get("X-Person", str(request.user.pk)) != str(request.user.pk)


def _to_login(request: ConsoleRequest) -> HttpResponse:
    if request.htmx:
        here = request.htmx.current_url_abs_path or reverse("console:home")
        return HttpResponseClientRedirect(f"{settings.LOGIN_URL}?{urlencode({'next': here})}")
    return redirect_to_login(request.get_full_path())


def render_page(
    request: ConsoleRequest, unit: Unit, template: str, section: str, context: dict[str, Any]
) -> HttpResponse:
    """A whole page: `template` inside the shell.

    `section` is marked in the rail: inbox, campaigns, contacts, attention, overview, settings, number or profile.
    `live_seq` is read before the page's own rows are (a QuerySet in `context` runs only while rendering), so the
    browser asks again for what changes meanwhile rather than missing it. A view that reads its rows earlier passes it.
    """
    units = list(Unit.objects.of_member(request.user).select_related("connection")[: MOST_UNITS + 1])
    return render(
        request,
        template,
        {
            "unit": unit,
            "section": section,
            "live_url": settings.LIVE_URL,
            "live_seq": context["live_seq"] if "live_seq" in context else last_seq(unit),
            "units": units[:MOST_UNITS],
            "has_many_units": len(units) > MOST_UNITS,
            "unread": context["unread"] if "unread" in context else unread_conversations(unit),
            "attention": count_now(unit.pk),
        }
        | context,
    )


def last_seq(unit: Unit) -> int:
    """The number of the latest live event."""
    return UnitFeed.objects.filter(unit=unit).values_list("last_seq", flat=True).first() or 0


def unread_conversations(unit: Unit) -> int:
    """The number in the rail's badge."""
    return Conversation.objects.filter(unit=unit, unread_count__gt=0).count()


def render_dialog(
    request: ConsoleRequest, unit: Unit, template: str, section: str, context: dict[str, Any]
) -> HttpResponse:
    """`template` (which extends `layout`) as a dialog over the page it was asked from, or as a page of its own."""
    if request.htmx:
        return render(request, template, {"unit": unit, "layout": "console/dialog.html"} | context)
    return render_page(request, unit, template, section, {"layout": "console/dialog_page.html"} | context)


class SeeOther(HttpResponseRedirect):
    """Go on with GET, whatever was sent."""

    status_code = 303


def go_to(request: ConsoleRequest, to: str, *args: Any) -> HttpResponse:
    """As Django's `redirect`, after a form that htmx has sent or a plain one."""
    url = resolve_url(to, *args)
    return HttpResponseClientRedirect(url) if request.htmx else SeeOther(url)
