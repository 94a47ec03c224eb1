"""Who is in, and where they work."""

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, PasswordResetConfirmView
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.views.decorators.http import require_http_methods

from console.connection import needs_a_person
from console.forms import ForgottenPasswordForm, LoginForm
from console.pages import ConsoleRequest
from units.logins import ask_for_password
from units.models import Role
from units.roles import ALLOWED, Action


class Login(LoginView):
    """E-mail and password."""

    template_name = "console/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True


@require_http_methods(["GET", "HEAD", "POST"])
def forgot(request: ConsoleRequest) -> HttpResponse:
    """Ask for a link to a new password. The answer is the same for every address."""
    form = ForgottenPasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        ask_for_password(request, form.cleaned_data["email"])
        return render(request, "console/password_asked.html")
    return render(request, "console/password_forgotten.html", {"form": form})


class SetPassword(PasswordResetConfirmView):
    """Where the link in a letter leads: choose a password, once. Whoever is logged in with the old one is out."""

    template_name = "console/password.html"
    success_url = reverse_lazy("console:login")


@login_required
def home(request: ConsoleRequest) -> HttpResponse:
    """The first unit of the person: its inbox, or its number when that waits for somebody to connect it."""
    membership = request.user.memberships.select_related("unit__connection").order_by("unit__name", "unit").first()
    if membership is None:
        return render(request, "console/no_unit.html")
    may_connect = Action.WRITE_NUMBER in ALLOWED[Role(membership.role)]
    is_away = may_connect and needs_a_person(membership.unit.connection)
    return redirect("console:number" if is_away else "console:inbox", membership.unit_id)
