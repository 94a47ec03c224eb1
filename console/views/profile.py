"""What a person sets for himself."""

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from console.pages import ConsoleRequest, render_page, unit_view
from console.profile_forms import MailForm, PasswordForm, ProfileForm
from units.models import Unit, User
from units.roles import Action


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@unit_view(Action.READ_INBOX)
def page(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """GET: all of it. POST: the one part that was sent (`part`)."""
    part = request.POST.get("part", "") if request.method == "POST" else ""
    # The page around the forms shows what is kept: a name that was refused is nobody's.
    kept = User.objects.get(pk=request.user.pk)
    about = ProfileForm(request.POST if part == "about" else None, instance=kept)
    password = PasswordForm(request.user, request.POST if part == "password" else None)
    mail = MailForm(request.POST if part == "mail" else None, user=request.user)
    done = ""
    if part == "about" and about.is_valid():
        kept.save(update_fields=about.changed_data)
        done = _("Saved.")
    elif part == "password" and password.is_valid():
        password.save()
        update_session_auth_hash(request, request.user)
        done = _("The password is another one. Everywhere else you are logged out.")
    elif part == "mail" and mail.is_valid():
        mail.save()
        done = _("Saved.")
    if done:
        messages.success(request, done)
        return redirect("console:profile", unit.id)
    context = {"about": about, "password": password, "mail": mail}
    return render_page(request, unit, "console/profile/page.html", "profile", context)
