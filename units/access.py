"""The one door to a unit's rows: what is not yours and what is not there answer alike."""

from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import F
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from crm_whatsapp.throttling import throttle_unit
from units.idempotency import AnswersOnce
from units.models import ApiToken, Unit, User
from units.roles import ALLOWED, Action, Role


def unit_for(user: Any, unit_id: UUID, *, action: Action | None = None, token: ApiToken | None = None) -> Unit:
    """The unit `unit_id`, if `user` works there and may do `action` there (None: whoever works there).

    `unit.allowed` says what else he may; with `token`, only what that may. Raises Http404 for a unit that does not
    exist or is somebody else's, and PermissionDenied where he works, but in a role that does not suffice.
    """
    unit = None
    if isinstance(user, User) and user.is_active and (token is None or token.unit_id in (None, unit_id)):
        rows = Unit.objects.select_related("connection").filter(memberships__user=user)
        unit = rows.annotate(as_role=F("memberships__role")).filter(id=unit_id).first()
    if unit is None:
        raise Http404(_("There is no such unit."))
    unit.allowed = ALLOWED[Role(unit.as_role)]
    if action and action not in unit.allowed:
        raise PermissionDenied(_("Your role in this unit does not allow this. Ask its owner."))
    if token:
        unit.allowed &= {Action(scope) for scope in token.scopes}
    if action and action not in unit.allowed:
        raise PermissionDenied(_("This token may not do this. It needs the scope “%(scope)s”.") % {"scope": action})
    return unit


class UnitScope(AnswersOnce):
    """Mixin for API views below `/units/{unit_id}/`: `self.unit`, checked before anything else runs.

    `reads` and `writes`: what GET, and what any other method, asks of the caller. None: no more than to work there.
    """

    reads: ClassVar[Action | None]
    writes: ClassVar[Action | None]
    unit: Unit

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        action = self.reads if request.method in SAFE_METHODS else self.writes
        token = request.auth if isinstance(request.auth, ApiToken) else None
        self.unit = unit_for(request.user, kwargs["unit_id"], action=action, token=token)
        throttle_unit(self.unit.pk)
        self.once(request)
