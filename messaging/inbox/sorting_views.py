"""Labels and canned replies over HTTP."""

from typing import Any

import django_filters
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from rest_framework import generics
from rest_framework.serializers import BaseSerializer

from messaging.contacts.sorting_views import OnceByName
from messaging.inbox import steering
from messaging.inbox.serializers import CannedReplySerializer, LabelSerializer
from messaging.models import CannedReply, Label
from units.roles import Action


class _OfInbox(OnceByName):
    """Read by whoever reads the inbox."""

    reads, writes = Action.READ_INBOX, Action.WRITE_SETTINGS


class LabelListView(_OfInbox, generics.ListCreateAPIView):
    """What the unit's conversations may be about, newest first."""

    serializer_class = LabelSerializer
    queryset = Label.objects.none()

    def get_queryset(self) -> Any:
        return _counted(Label.objects.filter(unit=self.unit))


class LabelView(_OfInbox, generics.RetrieveUpdateDestroyAPIView):
    """One label."""

    serializer_class = LabelSerializer
    http_method_names = ["get", "patch", "delete", "head", "options"]
    queryset = Label.objects.none()
    lookup_url_kwarg = "label_id"

    def get_queryset(self) -> Any:
        return _counted(Label.objects.filter(unit=self.unit))

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        """Raises ValidationError when the name is taken."""
        with transaction.atomic():
            super().perform_update(serializer)
            steering.tell_of_label(self.get_object())

    def perform_destroy(self, instance: Label) -> None:
        """Take it off all conversations, and delete it."""
        steering.delete_label(instance)


def _counted(rows: QuerySet[Label]) -> QuerySet[Label]:
    return rows.annotate(conversation_count=Count("labelled"))


class CannedReplyFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(method="matching", label="Part of the shortcut or of the text")

    def matching(self, queryset: QuerySet[CannedReply], name: str, value: str) -> QuerySet[CannedReply]:
        return queryset.filter(Q(shortcut__icontains=value) | Q(body__icontains=value))


class CannedReplyListView(_OfInbox, generics.ListCreateAPIView):
    """The unit's canned replies, newest first."""

    name_field = "shortcut"
    serializer_class = CannedReplySerializer
    queryset = CannedReply.objects.none()
    filterset_class = CannedReplyFilter

    def get_queryset(self) -> Any:
        return CannedReply.objects.filter(unit=self.unit)


class CannedReplyView(_OfInbox, generics.RetrieveUpdateDestroyAPIView):
    """One canned reply."""

    name_field = "shortcut"
    serializer_class = CannedReplySerializer
    queryset = CannedReply.objects.none()
    http_method_names = ["get", "patch", "delete", "head", "options"]
    lookup_url_kwarg = "reply_id"

    def get_queryset(self) -> Any:
        return CannedReply.objects.filter(unit=self.unit)
