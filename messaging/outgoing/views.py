"""Sending of any kind over HTTP: messages, their files, and what is done in a chat besides."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.http import Http404
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm_whatsapp.api import Conflict, JSONParser
from messaging import people
from messaging.media.serving import serve_attachment
from messaging.media_views import THUMBNAIL, AsItIs
from messaging.models import Attachment, Contact, Conversation, Message
from messaging.outgoing import asking, attachments, contents
from messaging.outgoing.errors import CannotQueue, KeyReused
from messaging.outgoing.queueing import made_before, queue
from messaging.outgoing.serializers import (
    AttachmentSerializer,
    ChatActionSerializer,
    EditSerializer,
    NewAttachmentSerializer,
    NewMessageSerializer,
)
from messaging.outgoing.web import Web
from messaging.phones import InvalidPhone
from messaging.serializers import MessageSerializer
from messaging.threads import look_around, with_people_and_files
from units.access import UnitScope
from units.idempotency import HEADER as IDEMPOTENCY_KEY
from units.idempotency import key_of
from units.roles import Action

# Of the parts of a form around the file.
_FORM_BYTES = 64 * 1024


class SendMessageView(UnitScope, APIView):
    """Send a message. 202: it is kept and will be sent, once; follow its `status`."""

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX
    answers_once = False

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
        key = key_of(request) if IDEMPOTENCY_KEY in request.headers else None
        try:
            message = made_before(self.unit.pk, key, form.fingerprint) if key else None
            if message is None:
                # A file is fetched outside of any transaction, and only for a message that is new.
                content = self._content(form, request)
                # In one with the contact: what is refused makes none.
                with transaction.atomic():
                    conversation = self._conversation(form.validated_data)
                    message = queue(
                        conversation=conversation,
                        content=content,
                        author=request.user,  # type: ignore[arg-type]
                        reply_to=self._quoted(conversation, form.validated_data.get("reply_to", "")),
                        idempotency_key=key,
                        fingerprint=form.fingerprint,
                    )
            else:
                with transaction.atomic():
                    if self._conversation(form.validated_data).pk != message.conversation_id:
                        raise KeyReused
        except CannotQueue as error:
            raise ValidationError({form.what: [error.message]}) from error
        except KeyReused as error:
            raise Conflict(_("This Idempotency-Key was used for another message."), "idempotency_key_reused") from error
        return Response(_shown(message), status=status.HTTP_202_ACCEPTED)

    def _content(self, form: NewMessageSerializer, request: Request) -> contents.Content:
        wanted = form.validated_data[form.what]
        match form.what:
            case "text":
                return contents.Text(wanted, link_preview=form.validated_data["link_preview"])
            case "media":
                return contents.Media(
                    attachment=self._attachment(wanted, request), caption=wanted["caption"], voice=wanted["voice"]
                )
            case "location":
                return contents.Location(**wanted)
            case "contact_card":
                return contents.ContactCard(**wanted)
            case "poll":
                return contents.Poll(**wanted | {"options": tuple(wanted["options"])})
        target = Message.objects.filter(unit=self.unit, id=wanted["message_id"]).select_related("sender").first()
        if target is None:
            raise CannotQueue(_("That message is not in this conversation."))
        return contents.Reaction(target=target, emoji=wanted["emoji"])

    def _attachment(self, wanted: dict[str, Any], request: Request) -> Attachment:
        if "attachment_id" in wanted:
            attachment = Attachment.objects.filter(unit=self.unit, id=wanted["attachment_id"]).first()
            if attachment is None:
                raise CannotQueue(_("There is no such file."))
            return attachment
        found = Web().fetch(wanted["url"])
        author: Any = request.user
        return attachments.attach(self.unit, found.content, name=found.name, kind=wanted.get("kind"), author=author)

    @staticmethod
    def _quoted(conversation: Conversation, name: str) -> Message | None:
        """The quoted message, by our id or WhatsApp's."""
        if not name:
            return None
        by_id = Q(external_id=name)
        with suppress(ValueError):
            by_id |= Q(id=UUID(name))
        quoted = Message.objects.filter(by_id, conversation=conversation).select_related("sender").first()
        if quoted is None:
            raise ValidationError({"reply_to": [_("That message is not in this conversation.")]})
        return quoted

    def _conversation(self, wanted: dict[str, Any]) -> Conversation:
        """Raises ValidationError for an invalid number, and for what is not there (or not this unit's)."""
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
        return _conversation(self, wanted["conversation_id"])


class EditMessageView(UnitScope, APIView):
    """Give a text of ours new words, for 15 minutes after it was sent."""

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX

    @extend_schema(request=EditSerializer, responses={202: ChatActionSerializer})
    def post(self, request: Request, unit_id: str, message_id: str) -> Response:
        message = message_of(self, message_id)
        form = EditSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            action = asking.edit(message, form.validated_data["text"], author=request.user)  # type: ignore[arg-type]
        except CannotQueue as error:
            raise ValidationError({"text": [error.message]}) from error
        return Response(ChatActionSerializer(action).data, status=status.HTTP_202_ACCEPTED)


class TypingView(UnitScope, APIView):
    """Show the customer for some seconds that somebody is writing."""

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, unit_id: str, conversation_id: UUID) -> Response:
        asking.typing(_conversation(self, conversation_id), author=request.user)  # type: ignore[arg-type]
        return Response(status=status.HTTP_204_NO_CONTENT)


class AttachmentListView(UnitScope, APIView):
    """Files to send."""

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX
    speaks_http = True

    parser_classes = [MultiPartParser, JSONParser]

    @extend_schema(
        request={"multipart/form-data": NewAttachmentSerializer, "application/json": NewAttachmentSerializer},
        responses={201: AttachmentSerializer},
    )
    def post(self, request: Request, unit_id: str) -> Response:
        """Upload a file, or have one fetched. It is judged by its content, never by its name."""
        # Before it is read: it would be written to disk first.
        if int(request.META.get("CONTENT_LENGTH") or 0) > attachments.most_bytes() + _FORM_BYTES:
            raise ValidationError({"file": [_("The file is too large.")]})
        form = NewAttachmentSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        wanted, author = form.validated_data, request.user
        try:
            if "file" in wanted:
                content, name = wanted["file"].read(), wanted["file"].name
            else:
                found = Web().fetch(wanted["url"])
                content, name = found.content, found.name
            kind: str | None = wanted.get("kind")
            attachment = attachments.attach(self.unit, content, name=name, kind=kind, author=author)  # type: ignore[arg-type]
        except CannotQueue as error:
            raise ValidationError({"file" if "file" in wanted else "url": [error.message]}) from error
        return Response(AttachmentSerializer(attachment).data, status=status.HTTP_201_CREATED)


class AttachmentView(UnitScope, APIView):
    """One file to send."""

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX

    @extend_schema(responses=AttachmentSerializer)
    def get(self, request: Request, unit_id: str, attachment_id: str) -> Response:
        return Response(AttachmentSerializer(_attachment(self, attachment_id)).data)


class AttachmentFileView(UnitScope, APIView):
    """The file itself. What a browser may show is inline, everything else a download."""

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX

    content_negotiation_class = AsItIs
    thumbnail = False

    @extend_schema(responses={(200, "*/*"): OpenApiResponse(OpenApiTypes.BINARY, "The file.")})
    def get(self, request: Request, unit_id: str, attachment_id: str) -> HttpResponseBase:
        return serve_attachment(request._request, _attachment(self, attachment_id), thumbnail=self.thumbnail)


class AttachmentThumbnailView(AttachmentFileView):
    """A small picture of an image, at most 480 pixels."""

    thumbnail = True

    @extend_schema(responses=THUMBNAIL)
    def get(self, request: Request, unit_id: str, attachment_id: str) -> HttpResponseBase:
        return super().get(request, unit_id, attachment_id)


def message_of(view: UnitScope, message_id: str) -> Message:
    """The unit's message. Raises Http404."""
    message = Message.objects.filter(unit=view.unit, id=message_id).first()
    if message is None:
        raise Http404
    return message


def _conversation(view: UnitScope, conversation_id: UUID) -> Conversation:
    conversation = Conversation.objects.filter(unit=view.unit, id=conversation_id).first()
    if conversation is None:
        raise Http404
    return conversation


def _attachment(view: UnitScope, attachment_id: str) -> Attachment:
    attachment = Attachment.objects.filter(unit=view.unit, id=attachment_id).first()
    if attachment is None:
        raise Http404
    return attachment


def _shown(message: Message) -> Any:
    rows = Message.objects.filter(pk=message.pk).select_related("conversation__contact")
    rows = rows.prefetch_related("conversation__contact__addresses")
    return MessageSerializer(look_around([with_people_and_files(rows).get()])[0]).data
