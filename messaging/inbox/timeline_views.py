"""Everything that happened to a message, over HTTP."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from messaging.inbox.timeline import Happening, Moment, timeline
from messaging.models import ActionStatus, Message
from messaging.serializers import error_sentence
from units.access import UnitScope
from units.roles import Action


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "an attempt that failed",
            {
                "at": "2026-11-22T12:00:05.120000Z",
                "what": "attempt_failed",
                "what_label": "An attempt to send it failed",
                "by": None,
                "attempt": 1,
                "outcome": "Disconnected",
                "code": "disconnected",
                "explanation": "The number is disconnected. Messages wait and go out when it is back.",
                "answer": "Connection Closed",
                "state": None,
                "message_id": None,
            },
        )
    ]
)
class MomentSerializer(serializers.Serializer[Any]):
    """Something that happened to a message. All members are always there; null says nothing of it."""

    at = serializers.DateTimeField(allow_null=True, help_text="null: the time was not kept.")
    what = serializers.ChoiceField(choices=Happening.choices)
    what_label = serializers.CharField(source="what.label", help_text="`what`, in the language of the request.")
    by = serializers.CharField(allow_null=True, help_text="Name of the person or program who did it.")
    attempt = serializers.IntegerField(allow_null=True, help_text="Number of the attempt that failed; 1 is the first.")
    outcome = serializers.CharField(
        allow_null=True,
        help_text="How the attempt ended: NotSent, Disconnected, … (tried again), Rejected, NotOnWhatsApp (given up), "
        "OutcomeUnknown (unconfirmed).",
    )
    code = serializers.CharField(
        allow_null=True,
        help_text="Why it failed, as in `error.code` of messages. Of `settled`: sent, not_sent_by_word or sent_again.",
    )
    explanation = serializers.SerializerMethodField(
        help_text="`code` as a sentence, in the language of the request; null where there is none."
    )
    answer = serializers.CharField(
        allow_null=True, help_text="What the WhatsApp server said, at most 500 characters, without secrets."
    )
    state = serializers.ChoiceField(
        choices=ActionStatus.choices, allow_null=True, help_text="How far what was asked for has come."
    )
    message_id = serializers.UUIDField(
        allow_null=True,
        help_text="Of `repeated`: the message that took its place. Of `queued`: the one whose place it took.",
    )

    def get_explanation(self, moment: Moment) -> str | None:
        sentence = str(error_sentence(moment.code)) if moment.code else None
        return sentence if sentence != moment.code else None


class TimelineSerializer(serializers.Serializer[Any]):
    results = MomentSerializer(many=True, help_text="Oldest first. Of the attempts that failed, the latest hundred.")


class TimelineView(UnitScope, APIView):
    """Everything that happened to a message: who queued it, each attempt, receipts, edits, decisions."""

    reads, writes = Action.READ_INBOX, Action.WRITE_INBOX

    @extend_schema(responses=TimelineSerializer)
    def get(self, request: Request, unit_id: str, message_id: str) -> Response:
        message = Message.objects.filter(unit=self.unit, id=message_id).select_related("author").first()
        if message is None:
            raise Http404
        return Response(TimelineSerializer({"results": timeline(message)}).data)
