"""Tokens: made within what their maker may, and revoked."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from crm_whatsapp.db import ClockNow
from units import audit
from units.access import unit_for
from units.models import ApiToken, AuditAction, Membership, Unit, User
from units.roles import ALLOWED, Action, Role


def allowed_to(user: User, unit: Unit | None, by: ApiToken | None) -> frozenset[Action]:
    """What a token for `user` may be made to do: in `unit`, or in any where he works.

    `by`: the token with which it is asked for; a new one does not reach further. Raises Http404 for a unit that is not
    his, and PermissionDenied for a token of one unit that asks for more.
    """
    if by and by.unit_id and (unit is None or unit.pk != by.unit_id):
        raise PermissionDenied(_("This token is for one unit, and makes tokens for that unit alone."))
    if unit:
        return unit_for(user, unit.pk, token=by).allowed
    roles = Membership.objects.filter(user=user).values_list("role", flat=True)
    may = frozenset().union(*(ALLOWED[Role(role)] for role in roles))
    return may & {Action(scope) for scope in by.scopes} if by else may


def until(wanted: datetime | None, by: ApiToken | None) -> datetime | None:
    """When a new token ends: as wanted, but not after the one with which it is asked for."""
    ends = [at for at in (wanted, by and by.expires_at) if at]
    return min(ends) if ends else None


def mint(
    user: User,
    name: str,
    *,
    by: User,
    units: Iterable[UUID],
    scopes: Iterable[Action],
    unit: Unit | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """A token, noted in the logs of `units`: its row and itself, the only time that it is seen."""
    with transaction.atomic():
        token, secret = ApiToken.mint(
            user, name, unit=unit, scopes=sorted(scopes), expires_at=expires_at, created_by=by
        )
        for unit_id in units:
            audit.record(
                unit_id, AuditAction.TOKEN_MADE, token, of=str(user), scopes=token.scopes, expires_at=expires_at
            )
    return token, secret


def revoke(token: ApiToken) -> bool:
    """It opens nothing from the next request on; whether it did until now."""
    with transaction.atomic():
        revoked = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=ClockNow())
        for unit_id in reach(token.user, token.unit) if revoked else []:
            audit.record(unit_id, AuditAction.TOKEN_REVOKED, token, of=str(token.user))
    return bool(revoked)


def reach(user: User, unit: Unit | None) -> list[UUID]:
    """The units that a token of `user` opens."""
    if unit:
        return [unit.pk]
    return list(Unit.objects.of_member(user).order_by("id").values_list("id", flat=True))
