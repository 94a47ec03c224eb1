"""The one door to a unit's rows: what is not yours and what is not there answer alike."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.request import Request

from units.models import Role, Unit, User


def unit_for(user: Any, unit_id: UUID, *, roles: tuple[Role, ...] = ()) -> Unit:
    """The unit `unit_id`, if `user` works there (in one of `roles`, when given).

    Raises Http404 for a unit that does not exist, is somebody else's, or in which the role does not suffice.
    """
    unit = None
    if isinstance(user, User) and user.is_active:
        membership = {"memberships__user": user} | ({"memberships__role__in": roles} if roles else {})
        unit = Unit.objects.select_related("connection").filter(id=unit_id, **membership).first()
    if unit is None:
        raise Http404(_("There is no such unit."))
    return unit


class UnitScope:
    """Mixin for API views below `/units/{unit_id}/`: `self.unit`, checked before anything else runs."""

    unit: Unit

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        self.unit = unit_for(request.user, kwargs["unit_id"])
