"""Settings: who works in the unit."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.pages import ConsoleRequest, go_to, render_dialog, render_page, unit_view
from console.settings_forms import MemberForm, RoleForm
from crm_whatsapp.throttling import seconds_to_wait
from units import letters, members
from units.member_views import LETTERS
from units.models import Membership, Unit
from units.roles import Action, Role


def _member(unit: Unit, member_id: UUID) -> Membership:
    found = members.people(unit).select_related("unit").filter(pk=member_id).first()
    if found is None:
        raise Http404(_("This person does not work here any more."))
    return found


def _site(request: ConsoleRequest) -> str:
    return request.build_absolute_uri("/")[:-1]


def _too_many_letters(unit: Unit) -> bool:
    return bool(seconds_to_wait(LETTERS, "letters", str(unit.pk)))


@require_GET
@unit_view(Action.MANAGE_ACCESS)
def page(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The people of the unit, by name."""
    rows = members.people(unit).order_by("user__first_name", "user__last_name", "user__email")
    return render_page(request, unit, "console/settings/members.html", "settings", {"tab": "members", "rows": rows})


@require_http_methods(["GET", "POST"])
@unit_view(Action.MANAGE_ACCESS)
def new(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Let a person work in the unit; a letter tells."""
    form = MemberForm(request.POST if request.method == "POST" else None, unit=unit, initial={"role": Role.AGENT})
    if form.is_valid():
        told = form.cleaned_data
        role = Role(told["role"])
        members.require_grantable(unit, role)
        if _too_many_letters(unit):
            form.add_error("email", _("Too many letters for now. Try again later."))
        else:
            try:
                members.add(unit, told["email"], role, name=told["name"], site=_site(request))
            except members.WorksHereAlready:
                form.add_error("email", _("This person works in the unit already."))
            else:
                messages.success(request, _("%(email)s gets a letter with the way in.") % {"email": told["email"]})
                return go_to(request, "console:members", unit.id)
    return render_dialog(request, unit, "console/settings/member_new.html", "settings", {"form": form})


@require_http_methods(["GET", "POST"])
@unit_view(Action.MANAGE_ACCESS)
def role(request: ConsoleRequest, unit: Unit, member_id: UUID) -> HttpResponse:
    """Give another role; it holds from the next request on."""
    member, error = _member(unit, member_id), ""
    form = RoleForm(request.POST if request.method == "POST" else None, unit=unit, initial={"role": member.role})
    if form.is_valid():
        wanted = Role(form.cleaned_data["role"])
        members.require_grantable(unit, wanted)
        try:
            members.change_role(member, wanted)
        except members.LastOwner:
            error = str(members.LAST_OWNER)
        else:
            messages.success(request, _("Saved."))
            return go_to(request, "console:members", unit.id)
    context = {"form": form, "member": member, "error": error}
    return render_dialog(request, unit, "console/settings/member_role.html", "settings", context)


@require_http_methods(["GET", "POST"])
@unit_view(Action.MANAGE_ACCESS)
def remove(request: ConsoleRequest, unit: Unit, member_id: UUID) -> HttpResponse:
    """GET: what would follow. POST: nothing of the unit is open to this person any more."""
    member, error = _member(unit, member_id), ""
    if request.method == "POST":
        try:
            members.remove(member)
        except members.LastOwner:
            error = str(members.LAST_OWNER)
        else:
            messages.success(request, _("%(name)s works here no more.") % {"name": member.user})
            if member.user == request.user:
                # The way to another unit, or to the page that says there is none.
                return go_to(request, "console:home")
            return go_to(request, "console:members", unit.id)
    context = {"member": member, "error": error, "is_me": member.user == request.user}
    return render_dialog(request, unit, "console/settings/member_remove.html", "settings", context)


@require_POST
@unit_view(Action.MANAGE_ACCESS)
def invite(request: ConsoleRequest, unit: Unit, member_id: UUID) -> HttpResponse:
    """Send the letter once more."""
    member = _member(unit, member_id)
    if _too_many_letters(unit):
        messages.error(request, _("Too many letters for now. Try again later."))
    else:
        letters.invite(member, _site(request))
        messages.success(request, _("The letter to %(email)s is on its way.") % {"email": member.user.email})
    return go_to(request, "console:members", unit.id)
