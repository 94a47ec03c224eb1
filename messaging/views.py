"""Contacts, conversations and messages, over HTTP."""

from typing import Any

import django_filters
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm_whatsapp.api import Conflict, NewestFirstPagination
from messaging import people, search, services
from messaging.models import Contact, Conversation, Message
from messaging.phones import InvalidPhone
from messaging.serializers import (
    ContactSerializer,
    ConversationSerializer,
    MessageSerializer,
    NewContactSerializer,
    NewMessageSerializer,
)
from messaging.threads import look_around, rows_of_thread, with_people_and_files
from units.access import UnitScope
from units.models import Unit


class ContactFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(method="matching", label="Words of the name, or digits of the number")

    def matching(self, queryset: QuerySet[Contact], name: str, value: str) -> QuerySet[Contact]:
        return queryset.matching(_unit_of(self).pk, value)  # type: ignore[attr-defined]


class ContactListView(UnitScope, generics.ListAPIView):
    """The unit's contacts, newest first."""

    serializer_class = ContactSerializer
    queryset = Contact.objects.none()
    filterset_class = ContactFilter

    def get_queryset(self) -> Any:
        return Contact.objects.filter(unit=self.unit).prefetch_related("addresses")

    @extend_schema(request=NewContactSerializer, responses={201: ContactSerializer})
    def post(self, request: Request, unit_id: str) -> Response:
        """Add a contact by phone number; a known number answers with the contact that has it."""
        form = NewContactSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            contact = people.contact_by_phone(self.unit, **form.validated_data)
        except InvalidPhone as error:
            raise ValidationError({"phone": [error.message]}) from error
        return Response(ContactSerializer(contact).data, status=status.HTTP_201_CREATED)


class ConversationFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(
        method="matching", label="Words of a message or of the contact's name, or digits of the number"
    )

    class Meta:
        model = Conversation
        fields = ["status"]

    def matching(self, queryset: QuerySet[Conversation], name: str, value: str) -> QuerySet[Conversation]:
        return queryset.filter(search.conversations(_unit_of(self), value))


class LatestFirstPagination(NewestFirstPagination):
    ordering = ("-last_message_at", "-id")


class ConversationListView(UnitScope, generics.ListAPIView):
    """The unit's conversations, the one with the latest message first."""

    serializer_class = ConversationSerializer
    pagination_class = LatestFirstPagination
    queryset = Conversation.objects.none()
    filterset_class = ConversationFilter

    def get_queryset(self) -> Any:
        rows = Conversation.objects.filter(unit=self.unit)
        return rows.select_related("contact").prefetch_related("contact__addresses")


class ThreadPagination(NewestFirstPagination):
    ordering = ("-happened_at", "-id")


class ThreadFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(method="matching", label="Words of the text")

    def matching(self, queryset: QuerySet[Message], name: str, value: str) -> QuerySet[Message]:
        return search.having_words(queryset, _unit_of(self), value)


class ThreadView(UnitScope, generics.ListAPIView):
    """The messages of a conversation, newest first. Reactions are no messages of their own: they hang on theirs."""

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

    @extend_schema(responses=MessageSerializer)
    def get(self, request: Request, unit_id: str, message_id: str) -> Response:
        message = _readable(Message.objects.filter(unit=self.unit, id=message_id)).first()
        if message is None:
            raise Http404
        return Response(_shown(message))


class SendMessageView(UnitScope, APIView):
    """Send a text. 202: it is kept and will be sent, once; follow its `status`."""

    @extend_schema(
        request=NewMessageSerializer,
        responses={202: MessageSerializer},
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                str,
                OpenApiParameter.HEADER,
                description="The same key and message again is answered with the message that the first made.",
            )
        ],
    )
    def post(self, request: Request, unit_id: str) -> Response:
        form = NewMessageSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        wanted = form.validated_data
        with transaction.atomic():
            try:
                message = services.queue_text(
                    conversation=self._conversation(wanted),
                    text=wanted["text"],
                    author=request.user,  # type: ignore[arg-type]
                    reply_to_external_id=wanted.get("reply_to", ""),
                    idempotency_key=self._idempotency_key(request),
                )
            except services.CannotQueue as error:
                raise ValidationError({"text": [error.message]}) from error
            except services.KeyReused as error:
                raise Conflict(_("This Idempotency-Key was used for another message."), "key_reused") from error
        kept = _readable(Message.objects.filter(pk=message.pk)).get()
        return Response(_shown(kept), status=status.HTTP_202_ACCEPTED)

    @staticmethod
    def _idempotency_key(request: Request) -> str | None:
        key = request.headers.get("Idempotency-Key")
        if key and (len(key) > 200 or not key.isprintable()):
            raise ValidationError({"idempotency_key": [_("An Idempotency-Key has at most 200 printable characters.")]})
        return key or None

    def _conversation(self, wanted: dict[str, Any]) -> Conversation:
        """Raises ValidationError for a number that is none, and for what is not there (or not this unit's)."""
        if "phone" in wanted:
            try:
                return people.conversation_with(people.contact_by_phone(self.unit, wanted["phone"]))
            except InvalidPhone as error:
                raise ValidationError({"phone": [error.message]}) from error
        if "contact_id" in wanted:
            contact = Contact.objects.filter(unit=self.unit, id=wanted["contact_id"]).first()
            if contact is None:
                raise Http404
            return people.conversation_with(contact)
        conversation = Conversation.objects.filter(unit=self.unit, id=wanted["conversation_id"]).first()
        if conversation is None:
            raise Http404
        return conversation


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
