"""A number's pace, what holds it, and what waits for a choice, over HTTP."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm_whatsapp.api import Conflict
from messaging import breaker, stale
from messaging.models import Message
from messaging.pace_serializers import (
    ChoiceSerializer,
    ChosenSerializer,
    PaceSerializer,
    StandingSerializer,
)
from messaging.serializers import MessageSerializer
from messaging.threads import look_around, with_people_and_files
from units.access import UnitScope
from units.models import WhatsAppConnection
from units.roles import Action


class NumberScope(UnitScope):
    """`self.connection`: the unit's number."""

    reads, writes = Action.READ_NUMBER, Action.WRITE_NUMBER

    connection: WhatsAppConnection

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.connection = WhatsAppConnection.objects.select_related("unit").get(unit=self.unit)


class PaceView(NumberScope, APIView):
    """How fast and when the unit's number sends campaigns, and what keeps it from sending now."""

    @extend_schema(responses=StandingSerializer)
    def get(self, request: Request, unit_id: str) -> Response:
        return Response(StandingSerializer(self.connection).data)

    @extend_schema(request=PaceSerializer, responses=StandingSerializer)
    def patch(self, request: Request, unit_id: str) -> Response:
        """Change what is given; it counts from the next message on."""
        form = PaceSerializer(self.connection, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        form.save()
        return Response(StandingSerializer(self.connection).data)


class ReleaseView(NumberScope, APIView):
    """Let the campaigns of a number go on that were stopped because of failures. 409 when they are not stopped."""

    @extend_schema(request=None, responses=StandingSerializer)
    def post(self, request: Request, unit_id: str) -> Response:
        if not breaker.release(self.connection):
            raise Conflict(_("The campaigns of this number are not stopped."))
        return Response(StandingSerializer(self.connection).data)


class WaitingView(NumberScope, generics.ListAPIView):
    """Messages that waited while the number was away for long, and now wait for a choice; newest first."""

    # It shows what was written to whom.
    reads = Action.READ_INBOX

    serializer_class = MessageSerializer
    queryset = Message.objects.none()

    def get_queryset(self) -> Any:
        rows = stale.waiting(self.connection).select_related("conversation__contact")
        return with_people_and_files(rows.prefetch_related("conversation__contact__addresses"))

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        return page and look_around(page)

    @extend_schema(request=ChoiceSerializer, responses=ChosenSerializer)
    def post(self, request: Request, unit_id: str) -> Response:
        """Send, reschedule or drop what waits. Whatever is still waiting when its lifetime ends expires."""
        form = ChoiceSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        choice = form.validated_data
        ids = choice.get("message_ids")
        try:
            match choice["action"]:
                case "send":
                    changed = stale.send(self.connection, ids)
                case "drop":
                    changed = stale.drop(self.connection, ids)
                case _:
                    changed = stale.reschedule(self.connection, choice["at"], ids)
        except stale.CannotReschedule as error:
            raise ValidationError({"at": [error.message]}) from error
        return Response({"changed": changed, "waiting": stale.waiting(self.connection).count()})
