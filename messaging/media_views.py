"""Files of messages, over HTTP."""

from typing import Any

from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from messaging import media
from messaging.media.serializers import MediaSerializer
from messaging.media.serving import serve
from messaging.models import Message
from units.access import UnitScope
from units.roles import Action

_FILE = {(200, "*/*"): OpenApiResponse(OpenApiTypes.BINARY, "The file; 206: the part asked for.")}
THUMBNAIL = {(200, "image/webp"): OpenApiResponse(OpenApiTypes.BINARY, "The picture.")}


class AsItIs(DefaultContentNegotiation):
    """A file has one type. An `Accept` that does not name JSON (an `<img>`, a player) is no reason to refuse."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class MessageFileView(UnitScope, APIView):
    """The file of a message. What a browser may show is inline, everything else a download."""

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX

    content_negotiation_class = AsItIs
    thumbnail = False

    @extend_schema(responses=_FILE)
    def get(self, request: Request, unit_id: str, message_id: str) -> HttpResponseBase:
        return serve(request._request, _message(self, message_id), thumbnail=self.thumbnail)


class MessageThumbnailView(MessageFileView):
    """A small picture of an image, at most 480 pixels."""

    thumbnail = True

    @extend_schema(responses=THUMBNAIL)
    def get(self, request: Request, unit_id: str, message_id: str) -> HttpResponseBase:
        return super().get(request, unit_id, message_id)


class RetryMediaView(UnitScope, APIView):
    """Load a file once more that could not be loaded."""

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX

    @extend_schema(request=None, responses={202: MediaSerializer})
    def post(self, request: Request, unit_id: str, message_id: str) -> Response:
        """202 also when it is on its way, or here, already: `status` says so."""
        message = _message(self, message_id)
        media.try_again(message)
        file = media.file_of(message)
        if file is None:
            raise Http404
        return Response(MediaSerializer(file).data, status=status.HTTP_202_ACCEPTED)


def _message(view: UnitScope, message_id: str) -> Message:
    message = Message.objects.filter(unit=view.unit, id=message_id).first()
    if message is None:
        raise Http404
    return message
