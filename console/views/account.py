"""Who is in, and where they work."""

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView
from django.http import HttpResponse
from django.shortcuts import redirect, render

from console.forms import LoginForm
from console.pages import ConsoleRequest
from units.models import Unit


class Login(LoginView):
    """E-mail and password."""

    template_name = "console/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True


@login_required
def home(request: ConsoleRequest) -> HttpResponse:
    """The first unit of the person, or a page that says there is none."""
    unit = Unit.objects.of_member(request.user).first()
    if unit is None:
        return render(request, "console/no_unit.html")
    return redirect("console:inbox", unit.id)
