"""The people of a unit."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.contacts import contacts
from console.forms import ContactForm
from console.pages import ConsoleRequest, go_to, render_dialog, render_page, unit_view
from console.templatetags.console import called
from console.views.inbox import conversation_url
from messaging.models import Contact
from units.models import Unit


@require_GET
@unit_view
def index(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The list, by name; with `q`, those who match; with `after`, the rows that follow."""
    search, after = request.GET.get("q", ""), request.GET.get("after", "")
    context = {"list": contacts(unit, search=search, after=after), "q": search}
    if request.htmx:
        return render(request, "console/contacts/rows.html", {"unit": unit} | context)
    return render_page(request, unit, "console/contacts/page.html", "contacts", context)


@require_http_methods(["GET", "POST"])
@unit_view
def new(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Add a person by phone number."""
    form = ContactForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and (contact := form.save(unit)):
        messages.success(request, _("%(name)s is in your contacts.") % {"name": called(contact)})
        return go_to(request, reverse("console:contacts", args=[unit.id]))
    return render_dialog(request, unit, "console/contacts/new.html", "contacts", {"form": form})


@require_POST
@unit_view
def converse(request: ConsoleRequest, unit: Unit, contact_id: UUID) -> HttpResponse:
    """Open the conversation with a contact."""
    return redirect(conversation_url(unit, get_object_or_404(Contact, unit=unit, id=contact_id)))
