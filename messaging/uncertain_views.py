"""Messages that nobody confirmed, and messages that failed: what a person does with them, over HTTP."""

from typing import Any, cast

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm_whatsapp.api import Conflict, NewestFirstPagination
from messaging import settling
from messaging.models import Direction, Message
from messaging.outgoing.errors import CannotQueue
from messaging.serializers import MessageSerializer
from messaging.threads import look_around, with_people_and_files
from messaging.uncertain_serializers import SettlementSerializer, UncertainMessageSerializer
from units.access import UnitScope
from units.models import User
from units.roles import Action


class LatestCallFirstPagination(NewestFirstPagination):
    ordering = ("-dispatched_at", "-id")


class UncertainMessagesView(UnitScope, generics.ListAPIView):
    """Messages that may have been sent or not, the latest first: `error` says why."""

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX

    serializer_class = UncertainMessageSerializer
    pagination_class = LatestCallFirstPagination
    queryset = Message.objects.none()

    def get_queryset(self) -> Any:
        return with_people_and_files(settling.uncertain_messages(self.unit))

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        return page and look_around(page)


class SettleView(UnitScope, APIView):
    """Say what became of an uncertain message. 409: it has been settled already."""

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX

    @extend_schema(request=SettlementSerializer, responses=MessageSerializer)
    def post(self, request: Request, unit_id: str, message_id: str) -> Response:
        message = _message(self, message_id)
        form = SettlementSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            message = settling.settle(message, was_sent=form.validated_data["sent"])
        except CannotQueue as error:
            raise Conflict(error.message) from error
        return Response(_shown(message))


class SendAgainView(UnitScope, APIView):
    """Send an uncertain message once more, though the first may have arrived; that one counts as failed.

    202: the message that takes its place; asked twice, it is the same one. 409: it has been settled already.
    """

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX

    repeat = staticmethod(settling.send_again)

    @extend_schema(request=None, responses={202: MessageSerializer})
    def post(self, request: Request, unit_id: str, message_id: str) -> Response:
        try:
            made = self.repeat(_message(self, message_id), author=cast("User", request.user))
        except CannotQueue as error:
            raise Conflict(error.message) from error
        return Response(_shown(made), status=status.HTTP_202_ACCEPTED)


class RetryMessageView(SendAgainView):
    """Send a message that failed or expired.

    202: the message that takes its place; asked twice, it is the same one. 409: it has not failed.
    """

    repeat = staticmethod(settling.retry)


class DiscardView(UnitScope, APIView):
    """Be done with a message that failed or expired: it is `cancelled`, with the error `discarded`.

    A receipt that comes all the same moves it on. 409: it has not failed, or is a campaign's.
    """

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX

    @extend_schema(request=None, responses=MessageSerializer)
    def post(self, request: Request, unit_id: str, message_id: str) -> Response:
        try:
            message = settling.discard(_message(self, message_id))
        except CannotQueue as error:
            raise Conflict(error.message) from error
        return Response(_shown(message))


def _message(view: UnitScope, message_id: str) -> Message:
    """Raises Http404 for what is not there, or is not this unit's, or came in."""
    message = Message.objects.filter(unit=view.unit, id=message_id, direction=Direction.OUTBOUND).first()
    if message is None:
        raise Http404
    return message


def _shown(message: Message) -> Any:
    rows = Message.objects.filter(pk=message.pk).select_related("conversation__contact")
    row = with_people_and_files(rows.prefetch_related("conversation__contact__addresses")).get()
    return MessageSerializer(look_around([row])[0]).data
