"""Who works in a unit, in which role, and programs that work there under a name of their own."""

from datetime import datetime
from functools import partial

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from crm_whatsapp.db import ClockNow
from units import audit, letters, tokens
from units.models import ApiToken, AuditAction, Membership, Unit, User
from units.roles import ALLOWED, Action, Role

LAST_OWNER = _("A unit keeps at least one owner. Make somebody else an owner first.")


class LastOwner(Exception):
    """Without this person nobody would own the unit."""


class WorksHereAlready(Exception):
    """The person is a member of the unit."""


def lock(unit: Unit) -> None:
    """Nobody else changes who works in `unit` until the transaction ends: of two owners who leave at once, one stays.

    Raises Unit.DoesNotExist when it has gone.
    """
    Unit.objects.select_for_update(no_key=True).get(pk=unit.pk)


def people(unit: Unit) -> QuerySet[Membership]:
    """The people of `unit`; no programs."""
    return Membership.objects.filter(unit=unit, user__is_integration=False).select_related("user")


def programs(unit: Unit) -> QuerySet[Membership]:
    """The integrations of `unit`."""
    return Membership.objects.filter(unit=unit, user__is_integration=True).select_related("user")


def owners(unit: Unit) -> QuerySet[Membership]:
    """People who own `unit` and may log in."""
    return people(unit).filter(role=Role.OWNER, user__is_active=True)


def require_grantable(unit: Unit, role: Role) -> None:
    """Nobody gives more than he may do himself: `unit.allowed`. Raises PermissionDenied."""
    if not ALLOWED[role] <= unit.allowed:
        raise PermissionDenied(_("You cannot give a role that may do more than you."))


def add(unit: Unit, email: str, role: Role, *, name: str = "", site: str) -> Membership:
    """Let the person with `email` work in `unit`; who has no account gets one. It is told by mail, after the commit.

    The mail has a link to set a password for whoever has none yet. `name`: of a new account; the others have theirs.
    `site`: the address of this installation, for links in the mail. Raises WorksHereAlready.
    """
    with transaction.atomic():
        lock(unit)
        membership = enter(unit, _person(email, name), role)
        transaction.on_commit(partial(letters.invite, membership, site))
    return membership


def enter(unit: Unit, user: User, role: Role) -> Membership:
    """Make `user` a member, within a transaction. Raises WorksHereAlready."""
    membership, is_new = Membership.objects.get_or_create(unit=unit, user=user, defaults={"role": role})
    if not is_new:
        raise WorksHereAlready
    audit.record(unit.pk, AuditAction.MEMBER_ADDED, user, role=role)
    return membership


def change_role(membership: Membership, role: Role) -> Membership:
    """Raises LastOwner, and Membership.DoesNotExist when it has been removed meanwhile."""
    with transaction.atomic():
        lock(membership.unit)
        found = Membership.objects.select_related("user", "unit").get(pk=membership.pk)
        if found.role != role:
            if role != Role.OWNER:
                _require_another_owner(found)
            audit.record(found.unit_id, AuditAction.MEMBER_CHANGED, found.user, role=[found.role, role])
            found.role = role
            found.save(update_fields=["role"])
    return found


def remove(membership: Membership) -> None:
    """He sees nothing of the unit any more, from the next request on, and his tokens for it are revoked.

    A program ends with it: it works nowhere else. Raises LastOwner, and Membership.DoesNotExist.
    """
    with transaction.atomic():
        lock(membership.unit)
        found = Membership.objects.select_related("user").get(pk=membership.pk)
        _require_another_owner(found)
        bound = ApiToken.objects.filter(user=found.user, unit=found.unit_id, revoked_at=None)
        revoked = bound.update(revoked_at=ClockNow())
        if found.user.is_integration:
            # The account stays: what it wrote keeps its name.
            User.objects.filter(pk=found.user_id).update(is_active=False)
        audit.record(found.unit_id, AuditAction.MEMBER_REMOVED, found.user, role=found.role, tokens_revoked=revoked)
        found.delete()


def add_program(
    unit: Unit,
    name: str,
    role: Role,
    *,
    by: User,
    scopes: frozenset[Action],
    expires_at: datetime | None = None,
) -> tuple[Membership, ApiToken, str]:
    """A program that works in `unit`, with a first token: the membership, the token's row, and the token itself."""
    with transaction.atomic():
        lock(unit)
        membership = enter(unit, User.objects.create_integration(name), role)
        token, secret = tokens.mint(
            membership.user, name, by=by, units=[unit.pk], unit=unit, scopes=scopes, expires_at=expires_at
        )
    return membership, token, secret


def _require_another_owner(membership: Membership) -> None:
    others = owners(membership.unit).exclude(pk=membership.pk)
    if membership.role == Role.OWNER and not membership.user.is_integration and not others.exists():
        raise LastOwner


def _person(email: str, name: str) -> User:
    found = User.objects.filter(email=email.lower()).first()
    if found:
        return found
    try:
        with transaction.atomic():
            return User.objects.create_user(email, first_name=name)
    except IntegrityError:
        # Another unit added the same person this moment.
        return User.objects.get(email=email.lower())
