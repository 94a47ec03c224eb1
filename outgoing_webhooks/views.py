"""Outgoing webhooks of a unit, over HTTP."""

from typing import Any, cast

from django.http import Http404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm_whatsapp.api import Conflict
from outgoing_webhooks import posting, services, words
from outgoing_webhooks.models import OutgoingWebhook
from outgoing_webhooks.serializers import (
    ChangeWebhookSerializer,
    MadeWebhookSerializer,
    NewWebhookSerializer,
    SecretSerializer,
    TestedSerializer,
    WebhookSerializer,
)
from units.access import UnitScope
from units.models import User
from units.roles import Action

NOT_KEPT = {"Cache-Control": "no-store"}
TAKEN = _("There is a webhook for this address already.")


class WebhookScope(UnitScope):
    reads, writes = Action.MANAGE_ACCESS, Action.MANAGE_ACCESS

    def webhook(self, webhook_id: str) -> OutgoingWebhook:
        """Raises Http404."""
        found = OutgoingWebhook.objects.filter(unit=self.unit, pk=webhook_id).first()
        if found is None:
            raise Http404
        return found


class WebhooksView(WebhookScope, generics.ListAPIView):
    """Addresses to which what happens in the unit is posted, the newest first."""

    serializer_class = WebhookSerializer
    queryset = OutgoingWebhook.objects.none()

    def get_queryset(self) -> Any:
        return OutgoingWebhook.objects.filter(unit=self.unit)

    @extend_schema(request=NewWebhookSerializer, responses={201: MadeWebhookSerializer})
    def post(self, request: Request, unit_id: str) -> Response:
        """Post the unit's live events, from now on, to an address. `secret`, which signs them, is shown this once.

        400: not a public https address. 409: there is one for this address, or ten.
        """
        form = NewWebhookSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        told = form.validated_data
        try:
            made, secret = services.add(
                self.unit, told["url"], kinds=told.get("kinds", ()), by=cast(User, request.user)
            )
        except services.AddressTaken as error:
            raise Conflict(TAKEN, "address_taken") from error
        except services.TooMany as error:
            raise Conflict(_("A unit has ten webhooks at most."), "too_many") from error
        shown = WebhookSerializer(made).data | {"secret": secret}
        return Response(shown, status=status.HTTP_201_CREATED, headers=NOT_KEPT)


class WebhookView(WebhookScope, APIView):
    """One of them."""

    @extend_schema(responses=WebhookSerializer)
    def get(self, request: Request, unit_id: str, webhook_id: str) -> Response:
        return Response(WebhookSerializer(self.webhook(webhook_id)).data)

    @extend_schema(request=ChangeWebhookSerializer, responses=WebhookSerializer)
    def patch(self, request: Request, unit_id: str, webhook_id: str) -> Response:
        """Another address, other events, on or off. Switched on again, it goes on where it was, or after `after_seq`.

        400: there is no event of that number yet. 409: there is one for this address.
        """
        form = ChangeWebhookSerializer(data=request.data)
        found = self.webhook(webhook_id)
        form.is_valid(raise_exception=True)
        try:
            changed = services.change(found, **form.validated_data)
        except services.AddressTaken as error:
            raise Conflict(TAKEN, "address_taken") from error
        except services.NotYet as error:
            raise ValidationError({"after_seq": [_("There is no event of this number yet.")]}) from error
        except OutgoingWebhook.DoesNotExist as error:
            raise Http404 from error
        return Response(WebhookSerializer(changed).data)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, unit_id: str, webhook_id: str) -> Response:
        """Nothing more is posted there, but what is on its way."""
        if not services.remove(self.webhook(webhook_id)):
            raise Http404
        return Response(status=status.HTTP_204_NO_CONTENT)


class TestWebhookView(WebhookScope, APIView):
    """Post an event of the kind `test` at once, and say whether it was taken. What is answered is not shown."""

    speaks_http = True

    @extend_schema(request=None, responses=TestedSerializer)
    def post(self, request: Request, unit_id: str, webhook_id: str) -> Response:
        try:
            code = posting.try_out(self.webhook(webhook_id))
        except OutgoingWebhook.DoesNotExist as error:
            raise Http404 from error
        return Response({"delivered": not code, "error": words.sentence(code), "error_code": code})


class RotateSecretView(WebhookScope, APIView):
    """Make a new secret, shown this once. Events are signed with it and, until the next, with the one before."""

    @extend_schema(request=None, responses=SecretSerializer)
    def post(self, request: Request, unit_id: str, webhook_id: str) -> Response:
        try:
            secret = services.rotate(self.webhook(webhook_id))
        except OutgoingWebhook.DoesNotExist as error:
            raise Http404 from error
        return Response({"secret": secret}, headers=NOT_KEPT)
