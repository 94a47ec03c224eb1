"""Contacts, conversations and messages, over HTTP."""

from typing import Any
from uuid import UUID

import django_filters
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm_whatsapp.api import Conflict, NewestFirstPagination
from messaging import search
from messaging.models import Conversation, ConversationLabel, ConversationStatus, Message
from messaging.outgoing import asking
from messaging.outgoing.errors import CannotQueue
from messaging.outgoing.serializers import ChatActionSerializer
from messaging.outgoing.views import message_of
from messaging.serializers import (
    ConversationSerializer,
    MessageSerializer,
)
from messaging.threads import look_around, newest, rows_of_thread, with_people_and_files
from units.access import UnitScope
from units.models import Unit
from units.roles import Action


class ConversationFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(
        method="matching", label="Words of a message or of the contact's name, or digits of the number"
    )
    status = django_filters.MultipleChoiceFilter(
        choices=ConversationStatus.choices, label="Any of these; named more than once for more than one."
    )
    assigned_to = django_filters.CharFilter(method="of_person", label="Id of a person, `me` or `nobody`")
    label = django_filters.UUIDFilter(method="labelled", label="Id of a label")
    unread = django_filters.BooleanFilter(method="is_unread", label="With something unread, or without")
    waiting = django_filters.BooleanFilter(
        field_name="waiting_since", lookup_expr="isnull", exclude=True, label="Where the contact waits for an answer"
    )

    def matching(self, queryset: QuerySet[Conversation], name: str, value: str) -> QuerySet[Conversation]:
        return queryset.filter(search.conversations(_unit_of(self), value))

    def of_person(self, queryset: QuerySet[Conversation], name: str, value: str) -> QuerySet[Conversation]:
        """Raises ValidationError for what is no id."""
        if value == "nobody":
            return queryset.filter(assigned_to=None)
        try:
            person = self.request.user.pk if value == "me" else UUID(value)
        except ValueError:
            raise ValidationError({name: [_("The id of a person, “me” or “nobody”.")]}) from None
        return queryset.filter(assigned_to=person)

    def labelled(self, queryset: QuerySet[Conversation], name: str, value: UUID) -> QuerySet[Conversation]:
        return queryset.filter(Exists(ConversationLabel.objects.filter(label=value, conversation=OuterRef("pk"))))

    def is_unread(self, queryset: QuerySet[Conversation], name: str, value: bool) -> QuerySet[Conversation]:
        return queryset.filter(unread_count__gt=0) if value else queryset.filter(unread_count=0)


def shown(conversations: QuerySet[Conversation]) -> QuerySet[Conversation]:
    """With what ConversationSerializer reads of other tables."""
    rows = conversations.select_related("contact", "assigned_to").annotate(last=newest())
    return rows.prefetch_related("contact__addresses", "labels")


class LatestFirstPagination(NewestFirstPagination):
    ordering = ("-last_message_at", "-id")


class ConversationListView(UnitScope, generics.ListAPIView):
    """The unit's conversations, the one with the latest message first."""

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX

    serializer_class = ConversationSerializer
    pagination_class = LatestFirstPagination
    queryset = Conversation.objects.none()
    filterset_class = ConversationFilter

    def get_queryset(self) -> Any:
        return shown(Conversation.objects.filter(unit=self.unit))


class ThreadPagination(NewestFirstPagination):
    ordering = ("-happened_at", "-id")


class ThreadFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(method="matching", label="Words of the text")

    def matching(self, queryset: QuerySet[Message], name: str, value: str) -> QuerySet[Message]:
        return search.having_words(queryset, _unit_of(self), value)


class ThreadView(UnitScope, generics.ListAPIView):
    """The messages of a conversation, newest first. Reactions are no messages of their own: they hang on theirs."""

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX

    serializer_class = MessageSerializer
    pagination_class = ThreadPagination
    queryset = Message.objects.none()
    filterset_class = ThreadFilter

    def get_queryset(self) -> Any:
        conversation = Conversation.objects.filter(unit=self.unit, id=self.kwargs["conversation_id"]).first()
        if conversation is None:
            raise Http404
        return _readable(rows_of_thread(Message.objects.filter(unit=self.unit, conversation=conversation)))

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        return page and look_around(page)


class MessageView(UnitScope, APIView):
    """One message."""

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX

    @extend_schema(responses=MessageSerializer)
    def get(self, request: Request, unit_id: str, message_id: str) -> Response:
        message = _readable(Message.objects.filter(unit=self.unit, id=message_id)).first()
        if message is None:
            raise Http404
        return Response(_shown(message))

    @extend_schema(responses={202: ChatActionSerializer})
    def delete(self, request: Request, unit_id: str, message_id: str) -> Response:
        """Delete a message of ours for everyone, for two days after it was sent."""
        try:
            action = asking.delete(message_of(self, message_id), author=request.user)  # type: ignore[arg-type]
        except CannotQueue as error:
            raise Conflict(error.message, "cannot_delete") from error
        return Response(ChatActionSerializer(action).data, status=status.HTTP_202_ACCEPTED)


def _readable(messages: QuerySet[Message]) -> QuerySet[Message]:
    """With what the serializer reads of other tables."""
    messages = messages.select_related("conversation__contact").prefetch_related("conversation__contact__addresses")
    return with_people_and_files(messages)


def _shown(message: Message) -> Any:
    return MessageSerializer(look_around([message])[0]).data


def _unit_of(filters: django_filters.FilterSet) -> Unit:
    """The unit whose list is filtered."""
    unit: Unit = filters.request.parser_context["view"].unit
    return unit
