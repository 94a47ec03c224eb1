"""What needs a person of a unit, over HTTP."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from rest_framework import generics

from attention.board import items
from attention.episodes import known_to
from attention.kinds import CAN_WAIT
from attention.models import Episode, Kind
from attention.serializers import NeedSerializer
from units.access import UnitScope
from units.roles import Action


class NeedFilter(django_filters.FilterSet):
    kind = django_filters.ChoiceFilter(choices=Kind.choices)
    is_now = django_filters.BooleanFilter(method="of_now")

    def of_now(self, rows: QuerySet[Episode], name: str, value: bool) -> QuerySet[Episode]:
        return rows.exclude(kind__in=CAN_WAIT) if value else rows.filter(kind__in=CAN_WAIT)


class AttentionView(UnitScope, generics.ListAPIView):
    """What needs a person, the newest first; `is_now` true: what counts in a badge.

    It is looked for every 15 seconds, and at once when a number is lost or a message fails; the live event `attention`
    tells. What was done meanwhile is left out, so a page may have fewer rows than were asked for.
    """

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX

    serializer_class = NeedSerializer
    queryset = Episode.objects.none()
    filterset_class = NeedFilter

    def get_queryset(self) -> Any:
        return known_to(self.unit).filter(ended_at=None)

    def paginate_queryset(self, queryset: Any) -> Any:
        return items(self.unit, super().paginate_queryset(queryset) or [])
