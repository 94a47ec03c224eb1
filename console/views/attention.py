"""What needs a person: one page, and what is done right there."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from attention import episodes
from attention.board import board, resolved
from attention.kinds import DeadLetters, LostFiles
from console.pages import ConsoleRequest, render_page, unit_view
from console.views.inbox import settled
from messaging import media, services
from messaging.models import Direction, Message
from units.models import Membership, Unit
from units.roles import Action
from webhooks import replay

# One press tries this many at most; for more, press again.
MOST = 200


@require_GET
@unit_view(Action.READ_INBOX)
def page(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Everything that needs a person, and what can be done about it."""
    return _page(request, unit)


@require_GET
@unit_view(Action.READ_INBOX)
def items(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The part of the page that changes by itself."""
    return _items(request, unit)


@require_GET
@unit_view(Action.READ_INBOX)
def badge(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The number in the navigation of every page."""
    return render(request, "console/attention/badge.html", {"unit": unit, "attention": episodes.count_now(unit.pk)})


@require_GET
@unit_view(Action.READ_INBOX)
def history(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """What has been settled."""
    return render_page(request, unit, "console/attention/history.html", "attention", {"episodes": resolved(unit)})


@require_POST
@unit_view(Action.WRITE_INBOX)
def settle(request: ConsoleRequest, unit: Unit, message_id: UUID) -> HttpResponse:
    """A person says whether an unconfirmed message arrived, or has it, or one that was not sent, sent again."""
    rows = Message.objects.filter(unit=unit, direction=Direction.OUTBOUND).select_related("conversation__contact")
    message = get_object_or_404(rows, id=message_id)
    error = ""
    try:
        settled(request, message)
    except services.CannotQueue as refusal:
        # Settled meanwhile, or there is nowhere to send to.
        error = str(refusal.message)
    return _answer(request, unit, error)


@require_POST
@unit_view(Action.WRITE_INBOX)
def retry_files(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Load the files once more that could not be loaded."""
    lost = Message.objects.filter(id__in=LostFiles().of(unit).values("message"), unit=unit)
    count = sum(media.try_again(message) for message in lost.order_by("id")[:MOST])
    told = ngettext("%(count)d file is being loaded again.", "%(count)d files are being loaded again.", count)
    return _answer(request, unit, done=told % {"count": count} if count else "")


@require_POST
@unit_view(Action.REPLAY_EVENTS)
def replay_events(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Handle the events once more that were not understood."""
    dead = DeadLetters().of(unit)
    count = replay.replay(dead.filter(id__in=list(dead.order_by("id").values_list("id", flat=True)[:MOST])))
    if count:
        told = ngettext("%(count)d notice is being read again.", "%(count)d notices are being read again.", count)
        return _answer(request, unit, done=told % {"count": count})
    return _answer(request, unit, _("There is nothing in this event to handle again."))


@require_POST
@unit_view(Action.READ_INBOX)
def mail(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The reader wants e-mails about this unit, or none."""
    wants = request.POST.get("gets_mail") == "on"
    Membership.objects.filter(unit=unit, user=request.user).update(gets_mail=wants)
    messages.success(
        request, _("You get an e-mail when somebody is needed now.") if wants else _("You get no e-mails of this unit.")
    )
    return redirect("console:attention", unit.id)


def _answer(request: ConsoleRequest, unit: Unit, error: str = "", *, done: str = "") -> HttpResponse:
    """What is left to do; to a browser without scripts as a page."""
    # At once, and not when the workers look next.
    episodes.observe(unit.pk)
    if request.htmx:
        return _items(request, unit, error, done)
    if error:
        return _page(request, unit, error)
    if done:
        messages.success(request, done)
    return redirect("console:attention", unit.id)


def _items(request: ConsoleRequest, unit: Unit, error: str = "", done: str = "") -> HttpResponse:
    context = _seen(unit) | {"unit": unit, "error": error, "done": done, "is_part": True}
    return render(request, "console/attention/items.html", context)


def _page(request: ConsoleRequest, unit: Unit, error: str = "") -> HttpResponse:
    membership = Membership.objects.filter(unit=unit, user=request.user).first()
    context = _seen(unit) | {"membership": membership, "error": error}
    return render_page(request, unit, "console/attention/page.html", "attention", context)


def _seen(unit: Unit) -> dict[str, Any]:
    """The badge says what the page does, also of what was done a moment ago on another page."""
    found = board(unit)
    return {"board": found, "attention": len(found.now)}
