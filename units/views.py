"""Units, their connection and their feed, over HTTP."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm_whatsapp.api import GatewayUnavailable
from units.access import UnitScope
from units.gateways.errors import GatewayError
from units.models import LiveEvent, Unit, UnitFeed, WhatsAppConnection
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
    filter_backends = ()

    def get_queryset(self) -> Any:
        return Unit.objects.of_member(self.request.user)  # type: ignore[arg-type]


class UnitView(UnitScope, APIView):
    """One unit."""

    @extend_schema(responses=UnitSerializer)
    def get(self, request: Request, unit_id: str) -> Response:
        return Response(UnitSerializer(self.unit).data)


class ConnectView(UnitScope, APIView):
    """Connect the unit's number: answers with a QR code to scan, or says that it is connected already."""

    @extend_schema(request=ConnectSerializer, responses=ConnectionSerializer)
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

    @extend_schema(request=None, responses=ConnectionSerializer)
    def post(self, request: Request, unit_id: str) -> Response:
        try:
            connection = ConnectionService(self.unit).disconnect()
        except GatewayError as error:
            raise GatewayUnavailable(error.sentence, error.code) from error
        return Response(ConnectionSerializer(connection).data)


class ConnectionStatusView(UnitScope, APIView):
    """How the unit's number is connected, as last known. Ask as often as you like: this asks nobody else."""

    @extend_schema(responses=ConnectionSerializer)
    def get(self, request: Request, unit_id: str) -> Response:
        connection = WhatsAppConnection.objects.select_related("completeness").get(unit=self.unit)
        return Response(ConnectionSerializer(connection).data)


class ChangesView(UnitScope, APIView):
    """What has changed in the unit after `after`, in order, at most 500 at a time. For sync without open streams."""

    PAGE = 500

    @extend_schema(
        parameters=[OpenApiParameter("after", int, description="The last `seq` you have; 0 for all that is kept.")],
        responses=ChangesSerializer,
    )
    def get(self, request: Request, unit_id: str) -> Response:
        feed = UnitFeed.objects.filter(unit=self.unit).first()
        after = request.query_params.get("after")
        if after is None:
            return Response({"results": [], "last_seq": feed.last_seq if feed else 0})
        if not after.isdecimal() or len(after) > 18:
            raise ValidationError({"after": [_("This is not the number of an event.")]})
        events = list(LiveEvent.objects.filter(unit=self.unit, seq__gt=int(after)).order_by("seq")[: self.PAGE])
        last_seq = events[-1].seq if events else int(after)
        return Response(ChangesSerializer({"results": events, "last_seq": last_seq}).data)
