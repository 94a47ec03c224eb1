"""One conversation over HTTP: whose it is, where it stands, its labels and notes; and how many there are of each."""

from typing import Any, cast

from django.db import IntegrityError, transaction
from django.http import Http404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm_whatsapp.api import Conflict
from messaging import services
from messaging.inbox import counting, steering
from messaging.inbox.serializers import (
    ConversationEventSerializer,
    CountsSerializer,
    NoteSerializer,
    SteeringSerializer,
)
from messaging.models import Conversation, ConversationEvent, Label, Note
from messaging.serializers import ConversationSerializer
from messaging.views import shown
from units.access import UnitScope
from units.models import User
from units.roles import Action


class ConversationScope(UnitScope):
    """Below `/units/{unit_id}/conversations/{conversation_id}`: `self.conversation`, checked before anything else."""

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX

    conversation: Conversation

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        conversation = Conversation.objects.filter(unit=self.unit, id=kwargs["conversation_id"]).first()
        if conversation is None:
            raise Http404
        self.conversation = conversation

    def answer(self) -> Response:
        """The conversation as it is now."""
        row = shown(Conversation.objects.filter(pk=self.conversation.pk)).first()
        if row is None:
            raise Http404
        return Response(ConversationSerializer(row).data)


class ConversationView(ConversationScope, APIView):
    """One conversation."""

    @extend_schema(responses=ConversationSerializer)
    def get(self, request: Request, unit_id: str, conversation_id: str) -> Response:
        return self.answer()

    @extend_schema(request=SteeringSerializer, responses=ConversationSerializer)
    def patch(self, request: Request, unit_id: str, conversation_id: str) -> Response:
        """Assign it to somebody, or change its status. All that is named is changed, or nothing."""
        form = SteeringSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        told, author = form.validated_data, cast("User", request.user)
        try:
            with transaction.atomic():
                if "assigned_to" in told:
                    steering.assign(self.conversation, told["assigned_to"], by=author)
                if "status" in told or "snoozed_until" in told:
                    wanted = told.get("status") or self.conversation.status
                    steering.set_status(self.conversation, wanted, told.get("snoozed_until"), by=author)
        except steering.CannotSteer as error:
            raise ValidationError({error.field: [error.message]}) from error
        return self.answer()


class ReadView(ConversationScope, APIView):
    """Everything in the conversation has been seen. WhatsApp is told so: the customer sees blue ticks."""

    @extend_schema(request=None, responses=ConversationSerializer)
    def post(self, request: Request, unit_id: str, conversation_id: str) -> Response:
        services.mark_read(self.conversation)
        return self.answer()


class UnreadView(ConversationScope, APIView):
    """The last that the contact wrote counts as unread again. 409: it has been answered, so nothing waits."""

    @extend_schema(request=None, responses=ConversationSerializer)
    def post(self, request: Request, unit_id: str, conversation_id: str) -> Response:
        try:
            steering.mark_unread(self.conversation)
        except steering.CannotSteer as error:
            raise Conflict(error.message, "nothing_waits") from error
        return self.answer()


class ConversationLabelView(ConversationScope, APIView):
    """A label of a conversation. Both may be asked for again."""

    def _label(self, label_id: str) -> Label:
        label = Label.objects.filter(unit=self.unit, id=label_id).first()
        if label is None:
            raise Http404
        return label

    @extend_schema(request=None, responses=ConversationSerializer)
    def put(self, request: Request, unit_id: str, conversation_id: str, label_id: str) -> Response:
        """Put a label on the conversation."""
        try:
            steering.add_label(self.conversation, self._label(label_id))
        except IntegrityError as error:
            # Deleted, or merged into another conversation, this moment.
            raise Http404 from error
        return self.answer()

    @extend_schema(responses={200: ConversationSerializer})
    def delete(self, request: Request, unit_id: str, conversation_id: str, label_id: str) -> Response:
        """Take a label off the conversation."""
        steering.remove_label(self.conversation, self._label(label_id))
        return self.answer()


class NoteListView(ConversationScope, generics.ListAPIView):
    """The notes of a conversation, newest first."""

    serializer_class = NoteSerializer
    queryset = Note.objects.none()

    def get_queryset(self) -> Any:
        return Note.objects.filter(unit=self.unit, conversation=self.conversation).select_related("author")

    @extend_schema(request=NoteSerializer, responses={201: NoteSerializer})
    def post(self, request: Request, unit_id: str, conversation_id: str) -> Response:
        """Leave a note for colleagues. It is never sent."""
        form = NoteSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        note = steering.write_note(self.conversation, cast("User", request.user), form.validated_data["body"])
        return Response(NoteSerializer(note).data, status=status.HTTP_201_CREATED)


class EventListView(ConversationScope, generics.ListAPIView):
    """What was done with a conversation, newest first: to whom it was given, and where it stood from then on."""

    serializer_class = ConversationEventSerializer
    queryset = ConversationEvent.objects.none()

    def get_queryset(self) -> Any:
        rows = ConversationEvent.objects.filter(unit=self.unit, conversation=self.conversation)
        return rows.select_related("author", "assignee")


class NoteView(ConversationScope, APIView):
    """A note of one's own. 403 for somebody else's."""

    def _note(self, request: Request, note_id: str) -> Note:
        notes = Note.objects.filter(unit=self.unit, conversation=self.conversation, id=note_id)
        note = notes.select_related("author").first()
        if note is None:
            raise Http404
        if note.author_id != request.user.pk:
            raise PermissionDenied(_("This note is somebody else's."))
        return note

    @extend_schema(request=NoteSerializer, responses=NoteSerializer)
    def patch(self, request: Request, unit_id: str, conversation_id: str, note_id: str) -> Response:
        note = self._note(request, note_id)
        form = NoteSerializer(note, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        if "body" in form.validated_data:
            steering.edit_note(note, form.validated_data["body"])
        return Response(NoteSerializer(note).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, unit_id: str, conversation_id: str, note_id: str) -> Response:
        steering.delete_note(self._note(request, note_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class CountsView(UnitScope, APIView):
    """How many conversations there are to look at, for badges."""

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX

    @extend_schema(responses=CountsSerializer)
    def get(self, request: Request, unit_id: str) -> Response:
        return Response(CountsSerializer(counting.counts(self.unit.pk, request.user.pk)).data)
