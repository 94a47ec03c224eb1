"""Imports of contacts, as the API shows and takes them."""

from typing import Any

import phonenumbers
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from messaging.imports.columns import LONGEST_TAG, MOST_TAGS, REASONS, reason_of
from messaging.imports.reading import DELIMITERS, ENCODINGS, MOST_COLUMNS
from messaging.imports.running import ERRORS
from messaging.models import ContactImport, ImportStatus
from messaging.phones import DEFAULT_REGION

TARGETS = (
    "Column → what it is: phone, name, tags, opted_out, attributes.<key> of an attribute that there is, or attribute "
    "for one that is called like the column, made when there is none. Columns that are left out are not read."
)


class RefusedCountSerializer(serializers.Serializer[Any]):
    reason = serializers.ChoiceField(choices=list(REASONS))
    column = serializers.CharField(allow_blank=True, help_text="Where it is one column; else empty.")
    message = serializers.CharField()
    count = serializers.IntegerField()


class ImportCountsSerializer(serializers.Serializer[Any]):
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    refused = serializers.IntegerField()
    refused_by_reason = RefusedCountSerializer(many=True)


class ImportErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()


class ImportSerializer(serializers.ModelSerializer[ContactImport]):
    status = serializers.ChoiceField(choices=ImportStatus.choices, read_only=True)
    status_label = serializers.CharField(source="get_status_display", read_only=True)
    percent = serializers.SerializerMethodField(help_text="Of the file's bytes, 0 to 100.")
    counts = serializers.SerializerMethodField()
    has_refused_file = serializers.SerializerMethodField(help_text="Whether there are refused rows to download.")
    error = serializers.SerializerMethodField(help_text="Why it failed; null otherwise.")

    class Meta:
        model = ContactImport
        fields = [
            "id",
            "file_name",
            "size",
            "status",
            "status_label",
            "rows_done",
            "bytes_done",
            "percent",
            "counts",
            "has_refused_file",
            "error",
            "mapping",
            "default_region",
            "tags",
            "encoding",
            "delimiter",
            "created_at",
            "started_at",
            "finished_at",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.IntegerField())
    def get_percent(self, row: ContactImport) -> int:
        return percent_of(row)

    @extend_schema_field(ImportCountsSerializer())
    def get_counts(self, row: ContactImport) -> dict[str, Any]:
        return counts_of(row)

    @extend_schema_field(serializers.BooleanField())
    def get_has_refused_file(self, row: ContactImport) -> bool:
        return bool(row.refused_file)

    @extend_schema_field(ImportErrorSerializer(allow_null=True))
    def get_error(self, row: ContactImport) -> dict[str, Any] | None:
        return {"code": row.error_code, "message": ERRORS[row.error_code]} if row.error_code else None


def percent_of(row: ContactImport) -> int:
    """How much of the file has been read; 100 only for all of it."""
    return 100 if row.status == ImportStatus.DONE else min(99, row.bytes_done * 100 // max(1, row.size))


def counts_of(row: ContactImport) -> dict[str, Any]:
    """What came of the rows so far; refusals with the most frequent reason first."""
    by_reason: dict[str, int] = row.counts.get("refused", {})
    return {
        **{name: row.counts.get(name, 0) for name in ("created", "updated", "unchanged")},
        "refused": sum(by_reason.values()),
        "refused_by_reason": [
            dict(zip(("reason", "column", "message"), reason_of(code), strict=True)) | {"count": count}
            for code, count in sorted(by_reason.items(), key=lambda each: (-each[1], each[0]))
        ],
    }


class PreviewRequestSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(allow_empty_file=True, max_length=200, help_text="CSV, the first line names columns.")
    encoding = serializers.ChoiceField(choices=ENCODINGS, required=False, default="", help_text="Found out by default.")
    delimiter = serializers.ChoiceField(
        choices=list(DELIMITERS), required=False, default="", help_text="Found out by default."
    )


class ImportRequestSerializer(PreviewRequestSerializer):
    mapping = serializers.JSONField(
        required=False, default=None, help_text=f"{TARGETS} Without it, what a preview answers."
    )
    default_region = serializers.ChoiceField(
        choices=sorted(phonenumbers.SUPPORTED_REGIONS),
        default=DEFAULT_REGION,
        help_text="Of numbers without a country code.",
    )
    tags = serializers.ListField(
        child=serializers.CharField(max_length=LONGEST_TAG),
        default=list,
        max_length=MOST_TAGS,
        help_text="For everybody in the file.",
    )

    def validate_mapping(self, mapping: Any) -> dict[str, str] | None:
        """Raises ValidationError for anything but an object of texts."""
        if mapping is None:
            return None
        texts = isinstance(mapping, dict) and all(isinstance(value, str) for value in mapping.values())
        if not texts or len(mapping) > MOST_COLUMNS:
            raise serializers.ValidationError(_("An object: the name of each column, and what it is."))
        return mapping


class PreviewColumnSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    samples = serializers.ListField(child=serializers.CharField(allow_blank=True))
    guess = serializers.CharField(allow_null=True, help_text="What it seems to be; null: nothing that is imported.")


class PreviewSerializer(serializers.Serializer[Any]):
    encoding = serializers.CharField()
    delimiter = serializers.CharField()
    columns = PreviewColumnSerializer(many=True)
    mapping = serializers.DictField(child=serializers.CharField(), help_text="To send back, changed or not.")
