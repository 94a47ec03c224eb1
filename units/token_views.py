"""Tokens of the person who asks, and programs of a unit with theirs, over HTTP."""

from typing import Any, cast

from django.db import transaction
from django.db.models import Prefetch
from django.http import Http404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from units import members, tokens
from units.access import UnitScope
from units.idempotency import AnswersOnce
from units.models import ApiToken, Membership, Unit, User
from units.people_serializers import (
    IntegrationSerializer,
    MadeIntegrationSerializer,
    MadeTokenSerializer,
    NewIntegrationSerializer,
    NewIntegrationTokenSerializer,
    NewTokenSerializer,
    TokenSerializer,
)
from units.roles import ALLOWED, Action, Role

NOT_KEPT = {"Cache-Control": "no-store"}


def _token_of(request: Request) -> ApiToken | None:
    return request.auth if isinstance(request.auth, ApiToken) else None


def _scopes(told: dict[str, Any], allowed: frozenset[Action]) -> frozenset[Action]:
    """What was asked for; everything that is allowed, when nothing was. Raises ValidationError beyond that."""
    wanted = frozenset(Action(scope) for scope in told.get("scopes", allowed))
    if not wanted:
        raise ValidationError({"scopes": [_("You may do nothing here that a token could do.")]})
    if beyond := sorted(wanted - allowed):
        raise ValidationError(
            {"scopes": [_("This is more than you may do: %(scopes)s.") % {"scopes": ", ".join(beyond)}]}
        )
    return wanted


# --- Of a person ----------------------------------------------------------------------------------


class OwnTokens(AnswersOnce):
    """What is below `/api/tokens`: of whoever asks. A token needs the scope that manages access."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        token = _token_of(request)
        if token and Action.MANAGE_ACCESS not in token.scopes:
            scope = {"scope": Action.MANAGE_ACCESS}
            raise PermissionDenied(_("This token may not do this. It needs the scope “%(scope)s”.") % scope)
        self.once(request)

    def mine(self, request: Request) -> Any:
        rows = ApiToken.objects.filter(user=request.user, revoked_at=None)  # type: ignore[misc]
        token = _token_of(request)
        # A token of one unit knows nothing of the others.
        return rows.filter(unit=token.unit_id) if token and token.unit_id else rows


class OwnTokensView(OwnTokens, generics.ListAPIView):
    """Your tokens, the newest first; without those that were revoked."""

    serializer_class = TokenSerializer
    queryset = ApiToken.objects.none()

    def get_queryset(self) -> Any:
        return self.mine(self.request)

    @extend_schema(request=NewTokenSerializer, responses={201: MadeTokenSerializer})
    def post(self, request: Request) -> Response:
        """Make a token that acts as you, for one unit or for all of yours. `token` is shown this once.

        It may do what your role allows, and of that no more than `scopes`. One made with a token reaches no further
        than that one: neither in scope, nor in units, nor in time.
        """
        form = NewTokenSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        told, user, by = form.validated_data, cast(User, request.user), _token_of(request)
        unit = self._unit(told["unit_id"])
        allowed = tokens.allowed_to(user, unit, by)
        token, secret = tokens.mint(
            user,
            told["name"],
            by=user,
            units=tokens.reach(user, unit),
            unit=unit,
            scopes=_scopes(told, allowed),
            expires_at=tokens.until(told["expires_at"], by),
        )
        shown = TokenSerializer(token).data | {"token": secret}
        return Response(shown, status=status.HTTP_201_CREATED, headers=NOT_KEPT)

    def _unit(self, unit_id: Any) -> Unit | None:
        if unit_id is None:
            return None
        unit = Unit.objects.of_member(cast(User, self.request.user)).filter(pk=unit_id).first()
        if unit is None:
            raise ValidationError({"unit_id": [_("There is no such unit.")]})
        return unit


class OwnTokenView(OwnTokens, APIView):
    """One of your tokens."""

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, token_id: str) -> Response:
        """Revoke it: it opens nothing from the next request on."""
        token = self.mine(request).select_related("user", "unit").filter(pk=token_id).first()
        if token is None or not tokens.revoke(token):
            raise Http404
        return Response(status=status.HTTP_204_NO_CONTENT)


# --- Of a unit ------------------------------------------------------------------------------------


class IntegrationScope(UnitScope):
    reads, writes = Action.MANAGE_ACCESS, Action.MANAGE_ACCESS

    def integrations(self) -> Any:
        live = ApiToken.objects.filter(revoked_at=None).order_by("-created_at", "-id")
        tokens_of = Prefetch("user__api_tokens", queryset=live, to_attr="live_tokens")
        return members.programs(self.unit).select_related("unit").prefetch_related(tokens_of)

    def integration(self, integration_id: str) -> Membership:
        """Raises Http404 for what is no program of this unit."""
        found = self.integrations().filter(pk=integration_id).first()
        if found is None:
            raise Http404
        return found


class IntegrationsView(IntegrationScope, generics.ListAPIView):
    """Programs that work in the unit under a name of their own, the newest first."""

    serializer_class = IntegrationSerializer
    queryset = Membership.objects.none()

    def get_queryset(self) -> Any:
        return self.integrations()

    @extend_schema(request=NewIntegrationSerializer, responses={201: MadeIntegrationSerializer})
    def post(self, request: Request, unit_id: str) -> Response:
        """Add a program with a first token, which is shown this once. It stays when the person who made it goes.

        Nobody gives a role, scopes or a time beyond his own: 403, or 400 for the scopes.
        """
        form = NewIntegrationSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        told, role = form.validated_data, Role(form.validated_data["role"])
        members.require_grantable(self.unit, role)
        made, _token, secret = members.add_program(
            self.unit,
            told["name"],
            role,
            by=cast(User, request.user),
            scopes=_scopes(told, self.unit.allowed & ALLOWED[role]),
            expires_at=tokens.until(told["expires_at"], _token_of(request)),
        )
        shown = IntegrationSerializer(self.integration(str(made.pk))).data | {"token": secret}
        return Response(shown, status=status.HTTP_201_CREATED, headers=NOT_KEPT)


class IntegrationView(IntegrationScope, APIView):
    """One program of the unit."""

    @extend_schema(responses=IntegrationSerializer)
    def get(self, request: Request, unit_id: str, integration_id: str) -> Response:
        return Response(IntegrationSerializer(self.integration(integration_id)).data)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, unit_id: str, integration_id: str) -> Response:
        """It opens nothing from the next request on. What it wrote stays, under its name."""
        found = self.integration(integration_id)
        try:
            members.remove(found)
        except Membership.DoesNotExist as error:
            raise Http404 from error
        return Response(status=status.HTTP_204_NO_CONTENT)


class IntegrationTokensView(IntegrationScope, APIView):
    """Tokens of a program."""

    @extend_schema(request=NewIntegrationTokenSerializer, responses={201: MadeTokenSerializer})
    def post(self, request: Request, unit_id: str, integration_id: str) -> Response:
        """Make one more token, such as to replace one that ends; `token` is shown this once."""
        form = NewIntegrationTokenSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        found, told = self.integration(integration_id), form.validated_data
        with transaction.atomic():
            members.lock(self.unit)
            # Removed meanwhile: 404. A token of a program that is gone opens nothing, but nobody would see it again.
            found = self.integration(integration_id)
            token, secret = tokens.mint(
                found.user,
                told["name"],
                by=cast(User, request.user),
                units=[self.unit.pk],
                unit=self.unit,
                scopes=_scopes(told, self.unit.allowed & ALLOWED[Role(found.role)]),
                expires_at=tokens.until(told["expires_at"], _token_of(request)),
            )
        shown = TokenSerializer(token).data | {"token": secret}
        return Response(shown, status=status.HTTP_201_CREATED, headers=NOT_KEPT)


class IntegrationTokenView(IntegrationScope, APIView):
    """One token of a program."""

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, unit_id: str, integration_id: str, token_id: str) -> Response:
        """Revoke it: it opens nothing from the next request on."""
        found = self.integration(integration_id)
        rows = ApiToken.objects.filter(user=found.user, unit=self.unit).select_related("user", "unit")
        token = rows.filter(pk=token_id).first()
        if token is None or not tokens.revoke(token):
            raise Http404
        return Response(status=status.HTTP_204_NO_CONTENT)
