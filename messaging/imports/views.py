"""Contacts from and to CSV files, over HTTP."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.http import Http404, StreamingHttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm_whatsapp.api import Conflict
from crm_whatsapp.csv_export import csv_response
from messaging import exports
from messaging.contacts.tags import InvalidTag
from messaging.contacts.views import ContactListView
from messaging.imports import files, services
from messaging.imports.columns import BadMapping, reason_of
from messaging.imports.reading import BadFile
from messaging.imports.serializers import (
    ImportRequestSerializer,
    ImportSerializer,
    PreviewRequestSerializer,
    PreviewSerializer,
)
from messaging.models import ContactImport
from units.access import UnitScope
from units.models import Unit
from units.roles import Action

_CSV = {(200, "text/csv"): OpenApiTypes.STR}


class ImportListView(UnitScope, generics.ListAPIView):
    """The unit's imports of contacts, newest first."""

    reads, writes = Action.MOVE_CONTACTS, Action.MOVE_CONTACTS

    serializer_class = ImportSerializer
    queryset = ContactImport.objects.none()
    parser_classes = [MultiPartParser]

    def get_queryset(self) -> Any:
        return ContactImport.objects.filter(unit=self.unit)

    @extend_schema(request={"multipart/form-data": ImportRequestSerializer}, responses={202: ImportSerializer})
    def post(self, request: Request, unit_id: str) -> Response:
        """Import a CSV file in the background; follow it by its `id`.

        People are known by their number. Who is new becomes a contact. Of who is not, attributes are added and
        replaced, tags added, and a name that staff typed stays. Nobody who opted out is brought back.
        """
        form = ImportRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        try:
            row = services.start(
                self.unit,
                asked["file"],
                by=request.user,  # type: ignore[arg-type]
                mapping=asked["mapping"],
                region=asked["default_region"],
                tags=asked["tags"],
                encoding=asked["encoding"],
                delimiter=asked["delimiter"],
            )
        except BadFile as error:
            raise ValidationError({"file": [error.message]}, code=error.code) from error
        except BadMapping as error:
            raise ValidationError({"mapping": [error.message]}) from error
        except InvalidTag as error:
            raise ValidationError({"tags": [error.message]}) from error
        return Response(ImportSerializer(row).data, status=status.HTTP_202_ACCEPTED)


class ImportPreviewView(UnitScope, APIView):
    """What is in a CSV file, before it is imported."""

    reads, writes = Action.MOVE_CONTACTS, Action.MOVE_CONTACTS

    parser_classes = [MultiPartParser]

    @extend_schema(request={"multipart/form-data": PreviewRequestSerializer}, responses={200: PreviewSerializer})
    def post(self, request: Request, unit_id: str) -> Response:
        """Columns, first rows, and what the columns seem to be. Nothing is kept."""
        form = PreviewRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        try:
            seen = services.preview(self.unit, asked["file"], encoding=asked["encoding"], delimiter=asked["delimiter"])
        except BadFile as error:
            raise ValidationError({"file": [error.message]}, code=error.code) from error
        found = seen.found
        columns = [
            {
                "name": name,
                "samples": [row[place] if place < len(row) else "" for row in found.rows],
                "guess": seen.mapping.get(name),
            }
            for place, name in enumerate(found.columns)
        ]
        told = {"encoding": found.layout.encoding, "delimiter": found.layout.delimiter, "columns": columns}
        return Response(PreviewSerializer(told | {"mapping": seen.mapping}).data)


class ImportView(UnitScope, APIView):
    """One import, and how far it is."""

    reads, writes = Action.MOVE_CONTACTS, Action.MOVE_CONTACTS

    @extend_schema(responses=ImportSerializer)
    def get(self, request: Request, unit_id: str, import_id: str) -> Response:
        return Response(ImportSerializer(import_of(self.unit, import_id)).data)


class CancelImportView(UnitScope, APIView):
    """Stop an import. What was imported before stays."""

    reads, writes = Action.MOVE_CONTACTS, Action.MOVE_CONTACTS

    @extend_schema(request=None, responses=ImportSerializer)
    def post(self, request: Request, unit_id: str, import_id: str) -> Response:
        row = import_of(self.unit, import_id)
        if not services.cancel(row):
            raise Conflict(_("This import has ended."))
        row.refresh_from_db()
        return Response(ImportSerializer(row).data)


class RefusedRowsView(UnitScope, APIView):
    """The rows of an import that were refused, as they were in the file, each after the reason. Once it has ended."""

    reads, writes = Action.MOVE_CONTACTS, Action.MOVE_CONTACTS

    @extend_schema(responses=_CSV)
    def get(self, request: Request, unit_id: str, import_id: str) -> StreamingHttpResponse:
        return refused_response(import_of(self.unit, import_id))


class ExportContactsView(UnitScope, generics.GenericAPIView):
    """The unit's contacts as a CSV file, filtered as their list is."""

    reads, writes = Action.MOVE_CONTACTS, Action.MOVE_CONTACTS

    queryset = ContactListView.queryset
    filterset_class = ContactListView.filterset_class

    @extend_schema(operation_id="contacts_export", responses=_CSV)
    def get(self, request: Request, unit_id: str) -> StreamingHttpResponse:
        """UTF-8 with a byte order mark; with `;` between the cells in Portuguese, else `,`. No groups.

        Text that a spreadsheet would take for a formula, also a number that begins with +, has an apostrophe in front.
        An import takes it away, so that the file can be imported again as it is.
        """
        contacts = self.filter_queryset(self.queryset.model.objects.filter(unit=self.unit))
        return csv_response(export_name(), exports.rows_of(self.unit, contacts))


def import_of(unit: Unit, import_id: UUID | str) -> ContactImport:
    """Raises Http404 for another unit's as for none."""
    row = ContactImport.objects.filter(unit=unit, id=import_id).first()
    if row is None:
        raise Http404
    return row


def refused_response(row: ContactImport) -> StreamingHttpResponse:
    """The refused rows to download, with the reasons in the language of the request. Raises Http404 without any."""
    if not row.refused_file:
        raise Http404
    stem = row.file_name.rpartition(".")[0] or row.file_name
    return csv_response(f"{stem} - {_('refused')}.csv", _with_reasons(row))


def export_name() -> str:
    """Of the file with a unit's contacts."""
    return f"{_('contacts')}.csv"


def _with_reasons(row: ContactImport) -> Iterator[list[str]]:
    rows = files.refused_rows(row)
    yield [_("Reason"), *next(rows, [""])[1:]]
    for code, *cells in rows:
        yield [reason_of(code)[2], *cells]
