"""Contacts with what a unit keeps of them, as the API shows and takes them."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from messaging.models import AttributeDefinition, AttributeKind, Contact, OptOut, OptOutSource, Segment, Tag

TAGS_HELP = "Names of tags; one that is new is made. Upper and lower case are one."
ATTRIBUTES_HELP = (
    "Values by the key of the unit's attributes, each of its kind: text, number, date (2026-11-22 or 22/11/2026) or "
    "boolean. null takes one away; those that are not named stay."
)
FILTERS_HELP = (
    "All must hold. Each is {field, op, value}; a list as value: any of them. Fields: name, phone (is, starts_with, "
    "ddd), search (contains: in the name, or in a number), tag (id or name), attribute.<key>, last_inbound and created "
    "(within_days, not_within_days, before, after; last_inbound also never, ever), opted_out, blocked, is_on_whatsapp "
    "(is: true or false). Texts: contains, not_contains, is, is_not; numbers: greater, less, at_least, at_most; dates: "
    "before, after; all that may be missing: is_empty, is_not_empty."
)


class TagNameField(serializers.CharField):
    """The name of a tag. Which names there can be: messaging.contacts.tags."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=60, **options)


class ContactDetailSerializer(serializers.ModelSerializer[Contact]):
    """Takes contacts annotated with `opted_out`, with addresses and tags prefetched."""

    phone = serializers.CharField(
        source="phone_number", read_only=True, help_text="E.164; empty when only a LID is known."
    )
    tags = serializers.SerializerMethodField(help_text="Names, in alphabetical order.")
    attributes = serializers.DictField(read_only=True, help_text="Values by key of the unit's attributes.")
    opted_out = serializers.BooleanField(read_only=True, help_text="Wants no campaigns.")
    blocked_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Since when nobody writes to this contact; null: not blocked."
    )

    class Meta:
        model = Contact
        fields = [
            "id",
            "name",
            "phone",
            "is_group",
            "tags",
            "attributes",
            "opted_out",
            "blocked_at",
            "blocked_reason",
            "created_at",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_tags(self, contact: Contact) -> list[str]:
        return sorted((tag.name for tag in contact.tags.all()), key=str.casefold)


class NewContactDetailSerializer(serializers.Serializer[Any]):
    phone = serializers.CharField(max_length=40, help_text="In any notation; without a country code it is Brazilian.")
    name = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    tags = serializers.ListField(child=TagNameField(), required=False, max_length=50, help_text=TAGS_HELP)
    attributes = serializers.DictField(required=False, help_text=ATTRIBUTES_HELP)


class EditContactSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=200, required=False, allow_blank=True)
    tags = serializers.ListField(
        child=TagNameField(), required=False, max_length=50, help_text=f"All of them. {TAGS_HELP}"
    )
    attributes = serializers.DictField(required=False, help_text=ATTRIBUTES_HELP)


class GivenReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=500, help_text="Why; shown in the contact's history.")


class PersonOfStaffSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField(source="shown_name")


class OptOutSerializer(serializers.ModelSerializer[OptOut]):
    """An address to which no campaign goes, or went until it was lifted."""

    address = serializers.CharField(source="value", help_text="E.164, or WhatsApp's LID.")
    source = serializers.ChoiceField(choices=OptOutSource.choices)  # type: ignore[assignment]
    reason = serializers.CharField(help_text="What the person wrote, or what staff gave as the reason.")
    by = PersonOfStaffSerializer(allow_null=True, help_text="null: the person, or somebody who is here no more.")
    lifted_at = serializers.DateTimeField(allow_null=True, help_text="null: in force.")
    lifted_by = PersonOfStaffSerializer(allow_null=True)

    class Meta:
        model = OptOut
        fields = [
            "id",
            "kind",
            "address",
            "source",
            "reason",
            "by",
            "created_at",
            "lifted_at",
            "lifted_by",
            "lifted_reason",
        ]
        read_only_fields = fields


class TagSerializer(serializers.ModelSerializer[Tag]):
    name = TagNameField()
    contacts = serializers.IntegerField(
        source="contact_count", read_only=True, default=0, help_text="How many contacts have it."
    )

    class Meta:
        model = Tag
        fields = ["id", "name", "contacts", "created_at"]
        read_only_fields = ["id", "contacts", "created_at"]


class TagContactsSerializer(serializers.Serializer[Any]):
    """Whom: `contacts`, a `segment`, or `filters`. What: `add`, `remove`, or both."""

    contacts = serializers.ListField(
        child=serializers.UUIDField(), required=False, max_length=10_000, help_text="Ids; who is not there is left out."
    )
    segment = serializers.UUIDField(required=False)
    filters = serializers.ListField(child=serializers.DictField(), required=False, help_text=FILTERS_HELP)
    add = serializers.ListField(child=TagNameField(), required=False, default=list, max_length=50, help_text=TAGS_HELP)
    remove = serializers.ListField(child=TagNameField(), required=False, default=list, max_length=50)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if sum(key in attrs for key in ("contacts", "segment", "filters")) != 1:
            raise serializers.ValidationError(_("Say whom with exactly one of contacts, segment and filters."), "whom")
        return attrs


class TaggedSerializer(serializers.Serializer[Any]):
    added = serializers.IntegerField(help_text="Tags that are new on a contact.")
    removed = serializers.IntegerField()


class AttributeSerializer(serializers.ModelSerializer[AttributeDefinition]):
    key = serializers.RegexField(
        r"^[a-z][a-z0-9_]*\Z",
        max_length=40,
        help_text="As in a campaign's text, {{ key }}: small letters, digits and _. It stays as it is.",
    )
    kind = serializers.ChoiceField(choices=AttributeKind.choices, help_text="It stays as it is.")

    class Meta:
        model = AttributeDefinition
        fields = ["id", "key", "name", "kind", "created_at"]
        read_only_fields = ["id", "created_at"]


class AttributeNameSerializer(serializers.ModelSerializer[AttributeDefinition]):
    class Meta:
        model = AttributeDefinition
        fields = ["name"]


class SegmentSerializer(serializers.ModelSerializer[Segment]):
    filters = serializers.ListField(child=serializers.DictField(), help_text=FILTERS_HELP)

    class Meta:
        model = Segment
        fields = ["id", "name", "filters", "created_at"]
        read_only_fields = ["id", "created_at"]


class SegmentPreviewRequestSerializer(serializers.Serializer[Any]):
    filters = serializers.ListField(child=serializers.DictField(), help_text=FILTERS_HELP)


class SegmentPreviewSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField(help_text="People for whom all filters hold now.")
    contacts = ContactDetailSerializer(many=True, help_text="Up to ten of them.")
