"""Mail to people: about accounts, which can be sent again, and about what needs somebody in a unit."""

from smtplib import SMTPRecipientsRefused
from uuid import UUID

import structlog
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage, mailers
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _

from units.models import Membership, Unit, User
from units.roles import ALLOWED, Action, Role

log = structlog.get_logger(__name__)


def invite(membership: Membership, site: str) -> None:
    """Tell a person of a new unit; how to get in, too. Never raises: it can be sent again.

    `site`: scheme and host of this installation.
    """
    user, unit = membership.user, membership.unit
    if user.has_usable_password():
        how = _("Log in as usual: %(link)s") % {"link": site + reverse("console:login")}
    else:
        how = _("Choose a password first, within three days: %(link)s") % {"link": _link(user, site)}
    body = _("You have been added to %(unit)s, as: %(role)s.\n\n%(how)s") % {
        "unit": unit.name,
        "role": membership.get_role_display(),
        "how": how,
    }
    _send(_("You work in %(unit)s now") % {"unit": unit.name}, body, user)


def send_password_link(user_id: UUID, site: str) -> None:
    """A link to set a new password, to who may log in with one; to nobody else a word."""
    user = User.objects.filter(pk=user_id, is_active=True, is_integration=False).first()
    if user:
        body = _(
            "Somebody, perhaps you, asked for a new password here.\n\n"
            "Choose one within three days: %(link)s\n\n"
            "If it was not you, there is nothing to do: the password stays as it is."
        ) % {"link": _link(user, site)}
        _send(_("A new password"), body, user)


def write_to_members(unit: Unit, action: Action, subject: str, body: str) -> int:
    """A mail to each person of `unit` who may do `action` there and wants its mail; how many the mail server took.

    Raises whatever a mail server and the network raise before it took one: nobody but the caller knows when to try
    again. After that it would be once more to those who have it, for as long as one address is refused.
    """
    may = [role for role in Role if action in ALLOWED[role]]
    people = User.objects.filter(
        memberships__unit=unit, memberships__role__in=may, memberships__gets_mail=True, is_active=True
    )
    # One each: nobody needs the addresses of the others.
    line = " ".join(subject.split())
    letters = [
        EmailMessage(line, body, to=[person.email]) for person in people.filter(is_integration=False).order_by("email")
    ]
    taken = 0
    for letter in letters:
        try:
            mailers["default"].send_messages([letter])
            taken += 1
        except Exception as error:
            if not taken and not _is_for_good(error):
                raise
            log.exception("letter_not_sent", unit_id=str(unit.pk))
    log.info("members_written_to", unit_id=str(unit.pk), people=taken)
    return taken


def _is_for_good(error: Exception) -> bool:
    """Whether nobody is at that address, or can be: the next time neither."""
    if isinstance(error, SMTPRecipientsRefused):
        return all(code >= 500 for code, _said in error.recipients.values())
    return isinstance(error, ValueError)


def _link(user: User, site: str) -> str:
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return site + reverse("console:set-password", args=[uid, default_token_generator.make_token(user)])


def _send(subject: str, body: str, to: User) -> None:
    try:
        EmailMessage(" ".join(subject.split()), body, to=[to.email]).send()
    except Exception:
        # Whatever a mail server and the network raise.
        log.exception("letter_not_sent", user_id=str(to.pk))
