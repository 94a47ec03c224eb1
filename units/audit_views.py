"""What was done in a unit, and by whom, over HTTP."""

from typing import Any

import django_filters
from rest_framework import generics

from crm_whatsapp.filters import MomentFilter
from units.access import UnitScope
from units.models import AuditAction, AuditEntry
from units.people_serializers import AuditEntrySerializer
from units.roles import Action


class AuditFilter(django_filters.FilterSet):
    action = django_filters.MultipleChoiceFilter(choices=AuditAction.choices)
    actor = django_filters.UUIDFilter("actor_id", label="A person or a program, by `user_id`.")
    object = django_filters.UUIDFilter("object_id", label="A campaign, a contact, a person …")
    since = MomentFilter("created_at", "gte")
    until = MomentFilter("created_at", "lt")

    class Meta:
        model = AuditEntry
        fields: list[str] = []


class AuditView(UnitScope, generics.ListAPIView):
    """What was done in the unit, the newest first. Nothing is ever changed or taken out of it."""

    reads, writes = Action.MANAGE_ACCESS, Action.MANAGE_ACCESS

    serializer_class = AuditEntrySerializer
    queryset = AuditEntry.objects.none()
    filterset_class = AuditFilter

    def get_queryset(self) -> Any:
        return AuditEntry.objects.filter(unit=self.unit)
