"""Finding something from any page."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from console import search
from console.pages import ConsoleRequest, render_page, unit_view
from units.models import Unit
from units.roles import Action


@require_GET
@unit_view(Action.READ_INBOX)
def page(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """What is found for `q`: a page of its own, or the first of each kind for below the field of the header."""
    text = request.GET.get("q", "")
    if request.htmx:
        context = {"unit": unit, "found": search.find(unit, text, most=search.FEW), "is_short": True}
        return render(request, "console/search/found.html", context)
    return render_page(request, unit, "console/search/page.html", "search", {"found": search.find(unit, text)})
