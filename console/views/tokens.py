"""Settings: programs that work in the unit, and tokens."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.db.models import Prefetch, Q
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from console.pages import ConsoleRequest, go_to, render_dialog, render_page, unit_view
from console.settings_forms import ProgramForm, TokenForm
from units import members, tokens
from units.models import ApiToken, Membership, Unit
from units.roles import ALLOWED, Action, Role


def _programs(unit: Unit) -> Any:
    live = ApiToken.objects.filter(revoked_at=None).order_by("-created_at", "-id")
    with_tokens = Prefetch("user__api_tokens", queryset=live, to_attr="live_tokens")
    return members.programs(unit).select_related("unit").prefetch_related(with_tokens).order_by("user__first_name")


def _program(unit: Unit, integration_id: UUID) -> Membership:
    found: Membership | None = _programs(unit).filter(pk=integration_id).first()
    if found is None:
        raise Http404(_("This integration is not there any more."))
    return found


def _page(request: ConsoleRequest, unit: Unit, **made: Any) -> HttpResponse:
    own = ApiToken.objects.filter(Q(unit=unit) | Q(unit=None), user=request.user, revoked_at=None)
    context = {"tab": "tokens", "programs": _programs(unit), "own": own.order_by("-created_at", "-id")}
    answer = render_page(request, unit, "console/settings/tokens.html", "settings", context | made)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@require_GET
@unit_view(Action.MANAGE_ACCESS)
def page(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Integrations with their tokens, and the person's own."""
    return _page(request, unit)


def _form(request: ConsoleRequest, unit: Unit, form: TokenForm, **context: Any) -> HttpResponse:
    shown = {"tab": "tokens", "form": form} | context
    return render_page(request, unit, "console/settings/token_new.html", "settings", shown)


@require_http_methods(["GET", "POST"])
@unit_view(Action.MANAGE_ACCESS)
def new_program(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """A program that works in the unit under a name of its own; it stays when the person who made it goes."""
    first = {"role": Role.AGENT, "scopes": sorted(ALLOWED[Role.AGENT])}
    form = ProgramForm(request.POST if request.method == "POST" else None, allowed=unit.allowed, initial=first)
    if not form.is_valid():
        return _form(request, unit, form)
    wanted = Role(form.cleaned_data["role"])
    members.require_grantable(unit, wanted)
    _row, token, secret = members.add_program(
        unit,
        form.cleaned_data["name"],
        wanted,
        by=request.user,
        scopes=form.wanted & unit.allowed & ALLOWED[wanted],
        expires_at=form.expires_at,
    )
    return _page(request, unit, made=token, secret=secret)


@require_http_methods(["GET", "POST"])
@unit_view(Action.MANAGE_ACCESS)
def new_program_token(request: ConsoleRequest, unit: Unit, integration_id: UUID) -> HttpResponse:
    """One more token of a program, such as to replace one that ends."""
    program = _program(unit, integration_id)
    allowed = unit.allowed & ALLOWED[Role(program.role)]
    first = {"scopes": sorted(allowed)}
    form = TokenForm(request.POST if request.method == "POST" else None, allowed=allowed, initial=first)
    if not form.is_valid():
        return _form(request, unit, form, program=program)
    with transaction.atomic():
        members.lock(unit)
        # Removed meanwhile: its token would open nothing.
        program = _program(unit, integration_id)
        token, secret = tokens.mint(
            program.user,
            form.cleaned_data["name"],
            by=request.user,
            units=[unit.pk],
            unit=unit,
            scopes=form.wanted & allowed,
            expires_at=form.expires_at,
        )
    return _page(request, unit, made=token, secret=secret)


@require_http_methods(["GET", "POST"])
@unit_view(Action.MANAGE_ACCESS)
def new_own(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """A token that acts as the person, in this unit alone."""
    first = {"scopes": sorted(unit.allowed)}
    form = TokenForm(request.POST if request.method == "POST" else None, allowed=unit.allowed, initial=first)
    if not form.is_valid():
        return _form(request, unit, form, is_own=True)
    token, secret = tokens.mint(
        request.user,
        form.cleaned_data["name"],
        by=request.user,
        units=[unit.pk],
        unit=unit,
        scopes=form.wanted & tokens.allowed_to(request.user, unit, None),
        expires_at=form.expires_at,
    )
    return _page(request, unit, made=token, secret=secret)


@require_http_methods(["GET", "POST"])
@unit_view(Action.MANAGE_ACCESS)
def revoke(request: ConsoleRequest, unit: Unit, token_id: UUID) -> HttpResponse:
    """GET: which one? POST: it opens nothing from the next request on."""
    mine = Q(user=request.user) & (Q(unit=unit) | Q(unit=None))
    of_programs = Q(unit=unit, user__is_integration=True)
    token = ApiToken.objects.filter(mine | of_programs, revoked_at=None, pk=token_id).select_related("user").first()
    if token is None:
        raise Http404(_("This token is not there any more."))
    if request.method == "POST":
        tokens.revoke(token)
        messages.success(request, _("Revoked: %(name)s opens nothing any more.") % {"name": token.name})
        return go_to(request, "console:tokens", unit.id)
    return render_dialog(request, unit, "console/settings/token_revoke.html", "settings", {"token": token})


@require_http_methods(["GET", "POST"])
@unit_view(Action.MANAGE_ACCESS)
def remove(request: ConsoleRequest, unit: Unit, integration_id: UUID) -> HttpResponse:
    """GET: what would follow. POST: the program opens nothing any more; what it wrote stays, under its name."""
    program = _program(unit, integration_id)
    if request.method == "POST":
        members.remove(program)
        messages.success(request, _("%(name)s was removed.") % {"name": program.user})
        return go_to(request, "console:tokens", unit.id)
    return render_dialog(request, unit, "console/settings/program_remove.html", "settings", {"program": program})
