"""Contacts, conversations and messages, as the API shows and takes them."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from messaging.events import MessageKind
from messaging.media import file_of
from messaging.media.serializers import MediaSerializer
from messaging.models import Contact, Conversation, ConversationStatus, Direction, Label, Message, MessageStatus
from messaging.threads import Surroundings
from units.gateways.errors import SENTENCES


class ContactBriefSerializer(serializers.ModelSerializer[Contact]):
    phone = serializers.CharField(source="phone_number", read_only=True)

    class Meta:
        model = Contact
        fields = ["id", "name", "phone", "is_group"]
        read_only_fields = fields


class ReferralSerializer(serializers.Serializer[Any]):
    """The advert that a person came from, as far as WhatsApp told it."""

    title = serializers.CharField(required=False)
    body = serializers.CharField(required=False)
    source_id = serializers.CharField(required=False)
    source_url = serializers.CharField(required=False)
    click_id = serializers.CharField(required=False, help_text="The click's id with Meta (ctwa_clid).")
    referred_at = serializers.DateTimeField(allow_null=True)


class ColleagueSerializer(serializers.Serializer[Any]):
    """Somebody of the unit, or a program of it."""

    id = serializers.UUIDField()
    name = serializers.CharField(source="shown_name")


class LabelBriefSerializer(serializers.ModelSerializer[Label]):
    class Meta:
        model = Label
        fields = ["id", "name", "color"]
        read_only_fields = fields


class LastMessageSerializer(serializers.Serializer[Any]):
    """As much of a message as a row of the inbox shows; its text is `last_message_preview`."""

    id = serializers.UUIDField()
    direction = serializers.ChoiceField(choices=Direction.choices)
    kind = serializers.CharField()
    status = serializers.ChoiceField(choices=MessageStatus.choices)
    deleted = serializers.BooleanField(help_text="Deleted for everyone.")
    sender_name = serializers.CharField(source="sender", allow_null=True, help_text="Who spoke, in a group; else null.")


class ConversationSerializer(serializers.ModelSerializer[Conversation]):
    """Takes conversations of `messaging.views.shown`."""

    contact = ContactBriefSerializer(read_only=True)
    status = serializers.ChoiceField(choices=ConversationStatus.choices, read_only=True)
    status_label = serializers.CharField(source="get_status_display", read_only=True)
    snoozed_until = serializers.SerializerMethodField(
        help_text="When it opens again by itself; null: it is not snoozed, or until the contact writes."
    )
    assigned_to = ColleagueSerializer(read_only=True, allow_null=True, help_text="Whose it is; null: nobody's.")
    labels = LabelBriefSerializer(many=True, read_only=True, help_text="By name.")
    last_message = LastMessageSerializer(source="last", read_only=True, allow_null=True, help_text="null: none yet.")
    referral = serializers.SerializerMethodField(help_text="The latest advert that led here; null without one.")

    class Meta:
        model = Conversation
        fields = [
            "id",
            "contact",
            "status",
            "status_label",
            "snoozed_until",
            "assigned_to",
            "labels",
            "unread_count",
            "waiting_since",
            "last_message_at",
            "last_message_preview",
            "last_message",
            "referral",
            "created_at",
        ]
        read_only_fields = fields

    def get_snoozed_until(self, conversation: Conversation) -> datetime | None:
        return conversation.snoozed_until if conversation.status == ConversationStatus.SNOOZED else None

    @extend_schema_field(ReferralSerializer(allow_null=True))
    def get_referral(self, conversation: Conversation) -> dict[str, Any] | None:
        if not conversation.referral:
            return None
        told = {name: conversation.referral[name] for name in _REFERRAL if name in conversation.referral}
        return ReferralSerializer(told | {"referred_at": conversation.referred_at}).data


_REFERRAL = ("title", "body", "source_id", "source_url", "click_id")


class MessageErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField(help_text="What happened and what to do, in the language of the request.")


class QuotedSerializer(serializers.Serializer[Any]):
    """The message that this one answers, which may not be here: then as WhatsApp told it."""

    id = serializers.UUIDField(allow_null=True, help_text="null: the quoted message is not here.")
    external_id = serializers.CharField()
    kind = serializers.CharField()
    body = serializers.CharField(allow_blank=True, help_text="Empty for a deleted message.")
    direction = serializers.ChoiceField(choices=Direction.choices, allow_null=True, help_text="null: not told.")
    deleted = serializers.BooleanField()


class PersonSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField(allow_blank=True)


class ReactionSerializer(serializers.Serializer[Any]):
    emoji = serializers.CharField()
    from_me = serializers.BooleanField()
    contact = PersonSerializer(allow_null=True, help_text="Who reacted; null: we did.")
    at = serializers.DateTimeField()


class TargetSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(allow_null=True, help_text="null: that message is not here.")
    external_id = serializers.CharField()


# What `details` says of each kind. What is not named here stays inside: raw parts, quotes that have a field of their
# own, the code that lets anybody into a group.
_FILE = ("media",)
_OPTIONS = ("options",)
_CHOICE = ("option_id", "description", "answers")
_GOODS = ("id", "price_1000", "currency", "items")
PUBLIC_DETAILS: dict[str, tuple[str, ...]] = {
    MessageKind.TEXT: ("preview",),
    MessageKind.IMAGE: _FILE,
    MessageKind.VIDEO: _FILE,
    MessageKind.AUDIO: (*_FILE, "transcription"),
    MessageKind.DOCUMENT: _FILE,
    MessageKind.STICKER: _FILE,
    MessageKind.LOCATION: ("latitude", "longitude", "name", "address", "url", "live"),
    MessageKind.CONTACT: ("contacts",),
    MessageKind.POLL: ("options", "selectable"),
    MessageKind.POLL_VOTE: ("votes",),
    MessageKind.BUTTON_REPLY: _CHOICE,
    MessageKind.LIST_REPLY: _CHOICE,
    MessageKind.INTERACTIVE_REPLY: _CHOICE,
    MessageKind.BUTTONS: _OPTIONS,
    MessageKind.LIST: _OPTIONS,
    MessageKind.TEMPLATE: _OPTIONS,
    MessageKind.INTERACTIVE: _OPTIONS,
    MessageKind.ORDER: _GOODS,
    MessageKind.PRODUCT: _GOODS,
    MessageKind.GROUP_INVITE: ("group",),
    MessageKind.CALL: ("status", "video", "seconds", "starts_at"),
}
_OF_ANY_KIND = ("type", "mentions", "referral")


class MessageSerializer(serializers.ModelSerializer[Message]):
    """Takes messages that `messaging.threads.look_around` has looked around of.

    Of a message that was deleted for everyone only the bare facts remain: no body, details, quote, reactions or file.
    """

    body = serializers.SerializerMethodField(help_text="Empty for a deleted message.")
    details = serializers.SerializerMethodField(
        help_text="By kind: preview {url, title, description} of a link · media {mime_type, file_name, size, seconds, "
        "voice, gif, view_once} as announced, transcription · latitude, longitude, name, address, url, live · contacts "
        "[{name, phones}] · options [{id, title, description, votes}], selectable, votes_by_option {title: voters} · "
        "votes [title] · option_id, description, answers {field: text} · id, price_1000, currency, items · group · "
        "status, video, seconds, starts_at of a call. Of any: type (WhatsApp's own), mentions [JID], referral."
    )
    status = serializers.ChoiceField(choices=MessageStatus.choices, read_only=True)
    status_label = serializers.CharField(source="get_status_display", read_only=True)
    contact = ContactBriefSerializer(source="conversation.contact", read_only=True)
    sender = ContactBriefSerializer(
        read_only=True, allow_null=True, help_text="Who spoke, in a group; null elsewhere and for ourselves."
    )
    conversation_id = serializers.UUIDField(read_only=True)
    author = ColleagueSerializer(
        read_only=True, allow_null=True, help_text="Who sent it from here; null: the contact, the phone, or a campaign."
    )
    media = serializers.SerializerMethodField(help_text="The file; null without one.")
    quoted = serializers.SerializerMethodField()
    reactions = serializers.SerializerMethodField(help_text="The one of each person that counts, oldest first.")
    target = serializers.SerializerMethodField(help_text="What a vote or reaction is about; null for other kinds.")
    forwarded = serializers.SerializerMethodField()
    deleted = serializers.SerializerMethodField(help_text="Deleted for everyone: nothing of it is shown.")
    error = serializers.SerializerMethodField()

    class Meta:
        model = Message
        fields = [
            "id",
            "direction",
            "origin",
            "kind",
            "body",
            "details",
            "media",
            "quoted",
            "reactions",
            "target",
            "forwarded",
            "edited_at",
            "deleted",
            "status",
            "status_label",
            "error",
            "provider",
            "external_id",
            "contact",
            "sender",
            "conversation_id",
            "author",
            "happened_at",
            "sent_at",
            "delivered_at",
            "read_at",
            "created_at",
        ]
        read_only_fields = fields

    def get_body(self, message: Message) -> str:
        return "" if message.deleted_at else message.body

    def get_details(self, message: Message) -> dict[str, Any]:
        if message.deleted_at:
            return {}
        names = (*PUBLIC_DETAILS.get(message.kind, ()), *_OF_ANY_KIND)
        shown = {name: message.details[name] for name in names if name in message.details}
        if message.kind == MessageKind.POLL:
            shown["votes_by_option"] = dict(_around(message).votes)
        return shown

    @extend_schema_field(MediaSerializer(allow_null=True))
    def get_media(self, message: Message) -> dict[str, Any] | None:
        file = file_of(message)
        return MediaSerializer(file).data if file else None

    @extend_schema_field(QuotedSerializer(allow_null=True))
    def get_quoted(self, message: Message) -> dict[str, Any] | None:
        quote = _around(message).quote
        if quote is None:
            return None
        return {
            "id": quote.message and quote.message.id,
            "external_id": quote.external_id,
            "kind": quote.kind,
            "body": quote.body,
            "direction": quote.direction,
            "deleted": quote.is_deleted,
        }

    @extend_schema_field(ReactionSerializer(many=True))
    def get_reactions(self, message: Message) -> list[Any]:
        return list(ReactionSerializer(_around(message).reactions, many=True).data)

    @extend_schema_field(TargetSerializer(allow_null=True))
    def get_target(self, message: Message) -> dict[str, Any] | None:
        if not message.target_external_id or message.deleted_at:
            return None
        target = _around(message).target
        return {"id": target and target.id, "external_id": message.target_external_id}

    def get_forwarded(self, message: Message) -> bool:
        return bool(message.details.get("forwarded")) and not message.deleted_at

    def get_deleted(self, message: Message) -> bool:
        return message.deleted_at is not None

    @extend_schema_field(MessageErrorSerializer(allow_null=True))
    def get_error(self, message: Message) -> dict[str, Any] | None:
        if not message.error_code:
            return None
        return {"code": message.error_code, "message": str(error_sentence(message.error_code))}


def _around(message: Message) -> Surroundings:
    around: Surroundings = message.around  # type: ignore[attr-defined]
    return around


_OWN_SENTENCES = {
    "expired": _("Not sent: it waited longer than it was worth sending."),
    "opted_out": _("Not sent: this person does not want campaigns."),
    "blocked": _("Not sent: this contact is blocked."),
    "replaced": _("Not sent: a later reaction took its place."),
    "merged": _("Not sent: this person gets the campaign under another address."),
    "no_address": _("Not sent: this contact has no number."),
    "dropped": _("Not sent: it waited while the number was away, and somebody dropped it."),
    "discarded": _("Not sent, and somebody discarded it."),
    "not_sent_by_word": _("Not sent: somebody looked at the phone and it was not there."),
    "sent_again": _("Unconfirmed. Somebody had it sent again; the other one counts."),
    "unconfirmed_not_sent": _("Not sent: WhatsApp was asked twice and has no trace of it. You can send it again."),
    "undecided": _("Unconfirmed. We could not find out whether it arrived. Look at the phone, and say how it is."),
}


def error_sentence(code: str) -> Any:
    """A stored error code as a sentence, in the language of now; the code itself when it is from another time."""
    return SENTENCES.get(code) or _OWN_SENTENCES.get(code) or code
