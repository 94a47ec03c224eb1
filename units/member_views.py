"""Who works in a unit, over HTTP."""

from typing import Any

from django.http import Http404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm_whatsapp.api import Conflict
from crm_whatsapp.throttling import seconds_to_wait
from units import letters, members
from units.access import UnitScope
from units.models import Membership
from units.people_serializers import AddedMemberSerializer, MemberSerializer, NewMemberSerializer, RoleSerializer
from units.roles import Action, Role

# Of a unit: each is a letter to an address that somebody typed.
LETTERS = "60/hour"


class MemberScope(UnitScope):
    """Whoever works in the unit sees who else does; owners decide."""

    reads, writes = None, Action.MANAGE_ACCESS

    def member(self, member_id: str) -> Membership:
        """Raises Http404 for what is no person of this unit."""
        found = members.people(self.unit).select_related("unit").filter(pk=member_id).first()
        if found is None:
            raise Http404
        return found

    def shown(self, membership: Membership) -> Any:
        return MemberSerializer(membership, context={"unit": self.unit}).data

    def count_letter(self) -> None:
        """Raises Throttled."""
        if wait := seconds_to_wait(LETTERS, "letters", str(self.unit.pk)):
            raise Throttled(wait)


class MembersView(MemberScope, generics.ListAPIView):
    """The people of the unit, the newest first."""

    serializer_class = MemberSerializer
    queryset = Membership.objects.none()

    def get_queryset(self) -> Any:
        return members.people(self.unit)

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "unit": getattr(self, "unit", None)}

    @extend_schema(request=NewMemberSerializer, responses={201: AddedMemberSerializer})
    def post(self, request: Request, unit_id: str) -> Response:
        """Let a person work in the unit. A letter tells; who has no account gets one, and sets a password by its link.

        409 `works_here_already`. Nobody gives a role that may do more than he himself: 403.
        """
        form = NewMemberSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        told = form.validated_data
        role = Role(told["role"])
        members.require_grantable(self.unit, role)
        self.count_letter()
        try:
            added = members.add(self.unit, told["email"], role, name=told["name"], site=site_of(request))
        except members.WorksHereAlready as error:
            raise Conflict(_("This person works in the unit already."), code="works_here_already") from error
        return Response(AddedMemberSerializer(added).data, status=status.HTTP_201_CREATED)


class MemberView(MemberScope, APIView):
    """One person of the unit."""

    @extend_schema(responses=MemberSerializer)
    def get(self, request: Request, unit_id: str, member_id: str) -> Response:
        return Response(self.shown(self.member(member_id)))

    @extend_schema(request=RoleSerializer, responses=MemberSerializer)
    def patch(self, request: Request, unit_id: str, member_id: str) -> Response:
        """Give another role; it holds from the next request on. 409 `last_owner`: a unit keeps one."""
        member = self.member(member_id)
        form = RoleSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        role = Role(form.validated_data["role"])
        members.require_grantable(self.unit, role)
        try:
            return Response(self.shown(members.change_role(member, role)))
        except members.LastOwner as error:
            raise Conflict(members.LAST_OWNER, code="last_owner") from error
        except Membership.DoesNotExist as error:
            raise Http404 from error

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, unit_id: str, member_id: str) -> Response:
        """Nothing of the unit is open to this person any more, and the tokens for it are revoked. 409 `last_owner`."""
        try:
            members.remove(self.member(member_id))
        except members.LastOwner as error:
            raise Conflict(members.LAST_OWNER, code="last_owner") from error
        except Membership.DoesNotExist as error:
            raise Http404 from error
        return Response(status=status.HTTP_204_NO_CONTENT)


class InviteView(MemberScope, APIView):
    """Send the letter to a person of the unit once more: a link to set a password lives for three days."""

    speaks_http = True

    @extend_schema(request=None, responses={202: None})
    def post(self, request: Request, unit_id: str, member_id: str) -> Response:
        member = self.member(member_id)
        self.count_letter()
        letters.invite(member, site_of(request))
        return Response(status=status.HTTP_202_ACCEPTED)


def site_of(request: Request) -> str:
    """Scheme and host as the caller knows them; the host is one of ALLOWED_HOSTS."""
    return request.build_absolute_uri("/")[:-1]
