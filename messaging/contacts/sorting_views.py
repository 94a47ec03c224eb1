"""Tags, attributes and segments over HTTP."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet
from django.http import Http404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from crm_whatsapp.api import Conflict
from messaging.contacts import segments, tags
from messaging.contacts.changes import many_changed
from messaging.contacts.segments import InvalidFilter
from messaging.contacts.serializers import (
    AttributeNameSerializer,
    AttributeSerializer,
    ContactDetailSerializer,
    SegmentPreviewRequestSerializer,
    SegmentPreviewSerializer,
    SegmentSerializer,
    TagContactsSerializer,
    TaggedSerializer,
    TagSerializer,
)
from messaging.contacts.views import of_segment, refused_filter, shown
from messaging.models import AttributeDefinition, Contact, Segment, Tag
from units import live
from units.access import UnitScope
from units.roles import Action

# Of those for whom the filters hold, so many are shown.
SAMPLE = 10


class OnceByName(UnitScope):
    """Saves what has one name in a unit."""

    reads, writes = Action.READ_CONTACTS, Action.WRITE_SETTINGS
    # What it is told by when the name is taken.
    name_field = "name"

    def save(self, form: BaseSerializer[Any], **fields: Any) -> None:
        """Raises ValidationError when the name is taken."""
        try:
            with transaction.atomic():
                form.save(**fields)
        except IntegrityError as error:
            raise ValidationError({self.name_field: [_("This is taken already.")]}, "unique") from error

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        self.save(serializer, unit=self.unit)

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        with transaction.atomic():
            _hold(serializer)
            self.save(serializer)


def _hold(form: BaseSerializer[Any]) -> None:
    """Raises DoesNotExist for what was removed meanwhile: saved, it would come back."""
    row: Any = form.instance
    type(row).objects.select_for_update(no_key=True).get(pk=row.pk)


class TagListView(OnceByName, generics.ListCreateAPIView):
    """The unit's tags, newest first."""

    serializer_class = TagSerializer
    queryset = Tag.objects.none()

    def get_queryset(self) -> Any:
        return _counted(Tag.objects.filter(unit=self.unit))


class TagView(OnceByName, generics.RetrieveUpdateDestroyAPIView):
    """One tag."""

    serializer_class = TagSerializer
    http_method_names = ["get", "patch", "delete", "head", "options"]
    queryset = Tag.objects.none()
    lookup_url_kwarg = "tag_id"

    def get_queryset(self) -> Any:
        return _counted(Tag.objects.filter(unit=self.unit))

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        """Whoever has it, has it under its new name."""
        with transaction.atomic():
            super().perform_update(serializer)
            live.publish([many_changed(self.unit.pk)])

    def perform_destroy(self, instance: Tag) -> None:
        """Take it off everybody, and delete it. 409 while a segment asks for it."""
        try:
            tags.delete_tag(instance)
        except tags.InUse as error:
            raise Conflict(error.message, "in_use") from error


def _counted(rows: QuerySet[Tag]) -> QuerySet[Tag]:
    return rows.annotate(contact_count=Count("contact_tags"))


class TagContactsView(UnitScope, APIView):
    """Tags on many contacts."""

    reads, writes = Action.READ_CONTACTS, Action.WRITE_CONTACTS

    @extend_schema(request=TagContactsSerializer, responses=TaggedSerializer)
    def post(self, request: Request, unit_id: str) -> Response:
        """Put tags on many contacts, and take tags off them."""
        form = TagContactsSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        told = form.validated_data
        whom = self._contacts(told)
        try:
            with transaction.atomic():
                changes: list[live.Change] = []
                added = removed = 0
                if told["add"]:
                    added = tags.add(self.unit, whom, tags.named(self.unit, told["add"]), changes=changes)
                gone = tags.found(self.unit, told["remove"])
                if gone:
                    removed = tags.remove(self.unit, whom, gone, changes=changes)
                live.publish(changes)
        except tags.InvalidTag as error:
            raise ValidationError({"add": [error.message]}) from error
        return Response({"added": added, "removed": removed})

    def _contacts(self, told: dict[str, Any]) -> QuerySet[Contact]:
        if "segment" in told:
            return of_segment(self.unit, told["segment"])
        if "contacts" in told:
            return Contact.objects.filter(unit=self.unit, id__in=told["contacts"])
        try:
            return segments.queryset(self.unit, told["filters"])
        except InvalidFilter as error:
            raise refused_filter(error) from error


class AttributeListView(OnceByName, generics.ListCreateAPIView):
    """What the unit keeps of its contacts besides name and number, newest first."""

    name_field = "key"
    serializer_class = AttributeSerializer
    queryset = AttributeDefinition.objects.none()

    def get_queryset(self) -> Any:
        return AttributeDefinition.objects.filter(unit=self.unit)


class AttributeView(UnitScope, APIView):
    """One attribute."""

    reads, writes = Action.READ_CONTACTS, Action.WRITE_SETTINGS

    def _row(self, attribute_id: str) -> AttributeDefinition:
        row = AttributeDefinition.objects.select_related("unit").filter(unit=self.unit, id=attribute_id).first()
        if row is None:
            raise Http404
        return row

    @extend_schema(request=AttributeNameSerializer, responses=AttributeSerializer)
    def patch(self, request: Request, unit_id: str, attribute_id: str) -> Response:
        """Call it otherwise. Its key and kind stay: texts and values are written with them."""
        form = AttributeNameSerializer(self._row(attribute_id), data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        with transaction.atomic():
            _hold(form)
            row = form.save()
            live.publish([many_changed(self.unit.pk)])
        return Response(AttributeSerializer(row).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, unit_id: str, attribute_id: str) -> Response:
        """Delete it with its values. 409 while a segment asks for it."""
        try:
            tags.delete_attribute(self._row(attribute_id))
        except tags.InUse as error:
            raise Conflict(error.message, "in_use") from error
        return Response(status=status.HTTP_204_NO_CONTENT)


class _ValidFilters(OnceByName):
    def save(self, form: BaseSerializer[Any], **fields: Any) -> None:
        """Raises ValidationError for filters that say nothing, with their place."""
        if "filters" in form.validated_data:
            try:
                fields["filters"] = segments.validate(self.unit, form.validated_data["filters"])
            except InvalidFilter as error:
                raise refused_filter(error) from error
        super().save(form, **fields)


class SegmentListView(_ValidFilters, generics.ListCreateAPIView):
    """The unit's saved segments, newest first. Whom one names is asked anew each time: `GET …/contacts?segment=`."""

    serializer_class = SegmentSerializer
    queryset = Segment.objects.none()

    def get_queryset(self) -> Any:
        return Segment.objects.filter(unit=self.unit)


class SegmentView(_ValidFilters, generics.RetrieveUpdateDestroyAPIView):
    """One saved segment."""

    serializer_class = SegmentSerializer
    http_method_names = ["get", "patch", "delete", "head", "options"]
    queryset = Segment.objects.none()
    lookup_url_kwarg = "segment_id"

    def get_queryset(self) -> Any:
        return Segment.objects.filter(unit=self.unit)


class SegmentPreviewView(UnitScope, APIView):
    """Whom filters would name."""

    reads, writes = Action.READ_CONTACTS, Action.READ_CONTACTS

    @extend_schema(request=SegmentPreviewRequestSerializer, responses=SegmentPreviewSerializer)
    def post(self, request: Request, unit_id: str) -> Response:
        """Count the people for whom all filters hold now, and show some. Nothing is saved."""
        form = SegmentPreviewRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            found = segments.queryset(self.unit, form.validated_data["filters"])
        except InvalidFilter as error:
            raise refused_filter(error) from error
        some = shown(found).order_by("-id")[:SAMPLE]
        return Response({"count": found.count(), "contacts": ContactDetailSerializer(some, many=True).data})
