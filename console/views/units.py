"""The units of a person who works in many: the menu of the header shows these few by few."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from console.pages import ConsoleRequest, render_page, unit_view
from messaging.contacts.keywords import folded
from units.models import Unit
from units.roles import Action

# More than these nobody looks through: a part of the name finds the others.
MOST = 50


@require_GET
@unit_view(Action.READ_INBOX)
def units(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Those whose name has the words of `q`: a page of its own, or the lines of the menu."""
    asked = request.GET.get("q", "").replace("\0", "")[:120]
    words = folded(asked).split()
    mine = Unit.objects.of_member(request.user).select_related("connection")
    found = [one for one in mine if all(word in folded(one.name) for word in words)]
    context = {"found": found[:MOST], "more": max(len(found) - MOST, 0), "q": asked}
    if request.htmx:
        return render(request, "console/units/choices.html", context | {"unit": unit, "units": context["found"]})
    return render_page(request, unit, "console/units/page.html", "units", context)
