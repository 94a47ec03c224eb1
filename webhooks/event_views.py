"""Events that could not be handled, over HTTP: what they are, and a second try."""

from typing import Any

import django_filters
from django.db.models import F, Func, IntegerField, QuerySet
from django.db.models.functions import Left
from django.http import Http404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm_whatsapp.api import Conflict
from crm_whatsapp.filters import MomentFilter
from units.access import UnitScope
from units.roles import Action
from webhooks import reading, replay
from webhooks.models import EventStatus, WebhookEvent
from webhooks.serializers import (
    SETTLED_BADLY,
    ReplayedSerializer,
    ReplaySerializer,
    WebhookEventDetailSerializer,
    WebhookEventSerializer,
)


class _EventScope(UnitScope):
    reads, writes = Action.REPLAY_EVENTS, Action.REPLAY_EVENTS

    def events(self) -> QuerySet[WebhookEvent]:
        rows = replay.chosen(unit_id=self.unit.pk).filter(status__in=dict(SETTLED_BADLY))
        size = Func(F("body"), function="octet_length", output_field=IntegerField())
        return rows.annotate(size=size, beginning=Left("body", reading.SUMMED_UP)).defer("body", "fingerprint")

    def event(self, event_id: str) -> WebhookEvent:
        event = self.events().filter(id=event_id).first()
        if event is None:
            raise Http404
        return event


class WebhookEventFilter(django_filters.FilterSet):
    status = django_filters.ChoiceFilter(
        choices=SETTLED_BADLY,
        label="dead: it could not be handled (what is listed without this filter, too). ignored: it had no effect.",
        method="with_status",
    )
    since = MomentFilter("created_at", "gte", label="That came then or later.")
    until = MomentFilter("created_at", "lt", label="That came before then.")

    def filter_queryset(self, queryset: Any) -> Any:
        rows = super().filter_queryset(queryset)
        return rows if self.form.cleaned_data["status"] else rows.filter(status=EventStatus.DEAD)

    def with_status(self, queryset: QuerySet[WebhookEvent], name: str, value: str) -> QuerySet[WebhookEvent]:
        return queryset.filter(status=value)


class WebhookEventListView(_EventScope, generics.ListAPIView):
    """What WhatsApp's server told of the unit's number and could not be handled, the latest first."""

    serializer_class = WebhookEventSerializer
    queryset = WebhookEvent.objects.none()
    filterset_class = WebhookEventFilter

    def get_queryset(self) -> Any:
        return self.events()


class WebhookEventView(_EventScope, APIView):
    """One event that could not be handled, or was ignored, with what was told."""

    @extend_schema(responses=WebhookEventDetailSerializer)
    def get(self, request: Request, unit_id: str, event_id: str) -> Response:
        event: Any = self.event(event_id)
        event.shown, event.left_out = reading.readable(event)
        return Response(WebhookEventDetailSerializer(event).data)


class ReplayEventView(_EventScope, APIView):
    """Handle an event again. 202: it is in the inbox; what had its effect has it no second time.

    409 for hints about the connection, whose moment has passed, and for what was no JSON.
    """

    @extend_schema(request=None, responses={202: ReplayedSerializer})
    def post(self, request: Request, unit_id: str, event_id: str) -> Response:
        event = self.event(event_id)
        count = replay.replay(replay.chosen(unit_id=self.unit.pk, ids=[event.pk]))
        if not count:
            raise Conflict(_("There is nothing in this event to handle again."), "not_replayable")
        return Response({"replayed": count}, status=status.HTTP_202_ACCEPTED)


class ReplayEventsView(_EventScope, APIView):
    """Handle the events of a time again, all that can be. 202: they are in the inbox."""

    @extend_schema(request=ReplaySerializer, responses={202: ReplayedSerializer})
    def post(self, request: Request, unit_id: str) -> Response:
        form = ReplaySerializer(data=request.data)
        form.is_valid(raise_exception=True)
        count = replay.replay(replay.chosen(unit_id=self.unit.pk, **form.validated_data))
        return Response({"replayed": count}, status=status.HTTP_202_ACCEPTED)
