"""Segments: contacts by what they have in common, under a name."""

from uuid import UUID

from django.contrib import messages
from django.db.models.functions import Lower
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from campaigns.models import Campaign, CampaignStatus
from console.contacts import Filters
from console.pages import ConsoleRequest, go_to, render_dialog, render_page, unit_view
from console.segments import SegmentForm, in_words
from messaging.contacts import segments
from messaging.contacts.segments import Filter, InvalidFilter
from messaging.models import Segment
from messaging.words import number_in
from units.models import Unit
from units.roles import Action


@require_GET
@unit_view(Action.READ_CONTACTS)
def index(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The unit's segments, by name. Whom one names is counted on its own page."""
    rows = Segment.objects.filter(unit=unit).order_by(Lower("name"))
    return render_page(request, unit, "console/contacts/segments.html", "contacts", {"segments": rows})


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_SETTINGS)
def new(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """A segment; with the query of the list, of whom that finds."""
    filters: list[Filter] = []
    asked = Filters(unit, request.GET)
    if not asked.is_broken:
        filters = asked.form.filters()
        if words := asked.form.cleaned_data["q"]:
            # A number is looked for in names as well.
            field = "search" if number_in(words) else "name"
            filters.append({"field": field, "op": "contains", "value": words})
    return _form(request, unit, Segment(), filters)


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_SETTINGS)
def edit(request: ConsoleRequest, unit: Unit, segment_id: UUID) -> HttpResponse:
    """Another name, or other conditions. Campaigns that have started keep whom they began with."""
    segment = get_object_or_404(Segment, unit=unit, id=segment_id)
    return _form(request, unit, segment, segment.filters)


def _form(request: ConsoleRequest, unit: Unit, segment: Segment, filters: list[Filter]) -> HttpResponse:
    is_new = segment._state.adding
    form = SegmentForm(unit, request.POST if request.method == "POST" else None, segment=segment, filters=filters)
    # What a change of a condition asks for is the form as it is now.
    is_saving = request.method == "POST" and "save" in request.POST
    if is_saving and form.is_valid() and form.save():
        messages.success(request, _("The segment is saved."))
        return go_to(request, "console:segments", unit.id)
    # Counted first: it tells which row says nothing yet.
    people = form.people_now() if form.rows else None
    if not is_saving:
        form.errors.clear()
        for row in form.rows:
            row.error = row.error if row.value else ""
    context = {"form": form, "segment": segment, "is_new": is_new, "people": people}
    return render_page(request, unit, "console/contacts/segment.html", "contacts", context)


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_SETTINGS)
def delete(request: ConsoleRequest, unit: Unit, segment_id: UUID) -> HttpResponse:
    """GET: what goes. POST: delete it."""
    segment = get_object_or_404(Segment, unit=unit, id=segment_id)
    if request.method == "POST":
        segment.delete()
        messages.success(request, _("The segment %(name)s was deleted.") % {"name": segment.name})
        return go_to(request, "console:segments", unit.id)
    drafts = Campaign.objects.filter(
        unit=unit,
        status__in=[CampaignStatus.DRAFT, CampaignStatus.SCHEDULED],
        audience__segments__contains=[str(segment.pk)],
    )
    try:
        people = segments.queryset(unit, segment.filters).count()
    except InvalidFilter:
        people = 0
    context = {
        "segment": segment,
        "people": people,
        "drafts": list(drafts.order_by("name").values_list("name", flat=True)[:5]),
        "conditions": in_words(SegmentForm(unit, segment=segment, filters=segment.filters)),
    }
    return render_dialog(request, unit, "console/contacts/delete_segment.html", "contacts", context)
