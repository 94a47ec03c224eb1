"""Units, their connection and their feed, over HTTP."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm_whatsapp.api import Conflict, GatewayUnavailable
from crm_whatsapp.errors import ErrorsSerializer
from units import webhook_secrets
from units.access import UnitScope
from units.gateways.errors import GatewayError, InstanceMissing
from units.models import LiveEvent, Unit, UnitFeed, WhatsAppConnection
from units.roles import Action
from units.serializers import (
    ChangesSerializer,
    ConnectionSerializer,
    ConnectSerializer,
    UnitSerializer,
)
from units.services import ConnectionService


class UnitListView(generics.ListAPIView):
    """The units in which you work."""

    serializer_class = UnitSerializer
    queryset = Unit.objects.none()

    def get_queryset(self) -> Any:
        rows = Unit.objects.of_member(self.request.user)  # type: ignore[arg-type]
        bound_to = getattr(self.request.auth, "unit_id", None)
        return rows.filter(pk=bound_to) if bound_to else rows


class UnitView(UnitScope, APIView):
    """One unit."""

    reads, writes = None, None

    @extend_schema(responses=UnitSerializer)
    def get(self, request: Request, unit_id: str) -> Response:
        return Response(UnitSerializer(self.unit).data)


class ConnectView(UnitScope, APIView):
    """Connect the unit's number: answers with a QR code to scan, or says that it is connected already."""

    reads, writes = Action.READ_NUMBER, Action.WRITE_NUMBER
    answers_once = False

    @extend_schema(request=ConnectSerializer, responses={200: ConnectionSerializer, 502: ErrorsSerializer})
    def post(self, request: Request, unit_id: str) -> Response:
        form = ConnectSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            connection = ConnectionService(self.unit).connect(**form.validated_data)
        except GatewayError as error:
            raise GatewayUnavailable(error.sentence, error.code) from error
        return Response(ConnectionSerializer(connection).data)


class DisconnectView(UnitScope, APIView):
    """Disconnect the unit's number. What is queued waits until it is back."""

    reads, writes = Action.READ_NUMBER, Action.WRITE_NUMBER
    answers_once = False

    @extend_schema(request=None, responses={200: ConnectionSerializer, 502: ErrorsSerializer})
    def post(self, request: Request, unit_id: str) -> Response:
        try:
            connection = ConnectionService(self.unit).disconnect()
        except GatewayError as error:
            raise GatewayUnavailable(error.sentence, error.code) from error
        return Response(ConnectionSerializer(connection).data)


class RotateSecretView(UnitScope, APIView):
    """Renew the secret in the address that the WhatsApp server posts this unit's events to.

    The secret before stays valid until the next renewal: events under way carry it. 409: the number has not been
    connected, or the secret is being renewed this minute. 502: ask again; nothing is lost.
    """

    reads, writes = Action.MANAGE_ACCESS, Action.MANAGE_ACCESS
    speaks_http = True

    @extend_schema(request=None, responses={204: None, 502: ErrorsSerializer})
    def post(self, request: Request, unit_id: str) -> Response:
        try:
            webhook_secrets.renew(self.unit)
        except InstanceMissing as error:
            raise Conflict(error.sentence, error.code) from error
        except GatewayError as error:
            raise GatewayUnavailable(error.sentence, error.code) from error
        except webhook_secrets.RenewedJustNow as error:
            raise Conflict(_("The secret is being renewed. Try again in two minutes."), "renewed_just_now") from error
        return Response(status=204)


class ConnectionStatusView(UnitScope, APIView):
    """How the unit's number is connected, as last known. Ask as often as you like: this asks nobody else.

    Whoever scans a code ties a phone to the unit, so that codes are shown to whoever may connect the number alone.
    """

    reads, writes = Action.READ_NUMBER, Action.WRITE_NUMBER

    @extend_schema(responses=ConnectionSerializer)
    def get(self, request: Request, unit_id: str) -> Response:
        connection = WhatsAppConnection.objects.select_related("completeness").get(unit=self.unit)
        shown = ConnectionSerializer(connection).data
        if Action.WRITE_NUMBER not in self.unit.allowed:
            shown |= {"qr_code": None, "pairing_code": None}
        return Response(shown)


class ChangesView(UnitScope, APIView):
    """What has changed in the unit after `after`, in order, at most 500 at a time. For sync without open streams.

    `reset`: what came after `after` is no longer kept, or `after` is of another database. Load everything anew, and
    ask for what comes after `last_seq`.
    """

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX

    PAGE = 500

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "after", int, description="The last `seq` you have; without it, no changes, but where to begin."
            )
        ],
        responses=ChangesSerializer,
    )
    def get(self, request: Request, unit_id: str) -> Response:
        # Before the events, so all up to it can be seen below.
        newest = UnitFeed.objects.filter(unit=self.unit).values_list("last_seq", flat=True).first() or 0
        after = request.query_params.get("after")
        if after is None:
            return self._answer([], newest)
        if not (after.isascii() and after.isdecimal()) or len(after) > 18:
            raise ValidationError({"after": [_("This is not the number of an event.")]})
        seq = int(after)
        events = list(LiveEvent.objects.filter(unit=self.unit, seq__gt=seq).order_by("seq")[: self.PAGE])
        if seq > newest or (seq < newest and not (events and events[0].seq == seq + 1)):
            return self._answer([], newest, reset=True)
        return self._answer(events, events[-1].seq if events else seq)

    def _answer(self, events: list[LiveEvent], last_seq: int, *, reset: bool = False) -> Response:
        return Response(ChangesSerializer({"results": events, "last_seq": last_seq, "reset": reset}).data)
