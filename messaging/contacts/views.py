"""Contacts over HTTP: what a unit keeps of them, and who wants no campaigns."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

import django_filters
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from messaging import people
from messaging.contacts import consent, segments
from messaging.contacts.attributes import InvalidAttribute
from messaging.contacts.editing import edit
from messaging.contacts.segments import InvalidFilter
from messaging.contacts.serializers import (
    ContactDetailSerializer,
    EditContactSerializer,
    GivenReasonSerializer,
    NewContactDetailSerializer,
    OptOutSerializer,
)
from messaging.contacts.tags import InvalidTag
from messaging.models import Contact, ContactAddress, ContactTag, OptOut, OptOutSource, Segment
from messaging.phones import InvalidPhone
from units.access import UnitScope
from units.models import Unit
from units.roles import Action

# A body with DELETE does not pass everywhere.
_REASON_IN_QUERY = OpenApiParameter(
    "reason", str, required=True, description="Why; shown in the contact's history. Also taken from a JSON body."
)


def shown(contacts: QuerySet[Contact]) -> QuerySet[Contact]:
    """With what ContactDetailSerializer reads of other tables."""
    opted_out = Exists(ContactAddress.objects.filter(contact=OuterRef("pk")).opted_out())
    return contacts.prefetch_related("addresses", "tags").annotate(opted_out=opted_out)


def refused_filter(error: InvalidFilter) -> ValidationError:
    """The error with its place: `filters.1.value`."""
    return ValidationError({"filters": {str(error.position): {error.part: [error.message]}}})


class ContactFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(method="matching", label="Words of the name, or digits of the number")
    tag = django_filters.CharFilter(method="tagged", label="Id or name of a tag")
    segment = django_filters.UUIDFilter(method="of_segment", label="Those for whom the filters of a segment hold now")
    opted_out = django_filters.BooleanFilter(field_name="opted_out", label="Who wants no campaigns, or the others")
    blocked = django_filters.BooleanFilter(field_name="blocked_at", lookup_expr="isnull", exclude=True)

    @property
    def unit(self) -> Unit:
        unit: Unit = self.request.parser_context["view"].unit
        return unit

    def matching(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.matching(self.unit.pk, value)

    def tagged(self, queryset: Any, name: str, value: str) -> Any:
        tag = Q(tag__name__iexact=value)
        with suppress(ValueError):
            tag |= Q(tag=UUID(value))
        return queryset.filter(Exists(ContactTag.objects.filter(tag, contact=OuterRef("pk"), unit=self.unit)))

    def of_segment(self, queryset: Any, name: str, value: UUID) -> Any:
        return queryset.filter(id__in=of_segment(self.unit, value).values("id"))


def of_segment(unit: Unit, segment_id: UUID) -> QuerySet[Contact]:
    """Whom a saved segment names now. Raises Http404, and ValidationError when what it asks for is no more."""
    segment = Segment.objects.filter(unit=unit, id=segment_id).first()
    if segment is None:
        raise Http404
    try:
        return segments.queryset(unit, segment.filters)
    except InvalidFilter as error:
        raise refused_filter(error) from error


class ContactScope(UnitScope):
    """Below `/units/{unit_id}/contacts/{contact_id}`: `self.contact`, checked before anything else is read."""

    reads, writes = Action.READ_CONTACTS, Action.WRITE_CONTACTS

    contact: Contact

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        contact = Contact.objects.filter(unit=self.unit, id=kwargs["contact_id"]).first()
        if contact is None:
            raise Http404
        # What it is edited by asks for the unit.
        contact.unit = self.unit
        self.contact = contact

    def answer(self, code: int = status.HTTP_200_OK) -> Response:
        """The contact as it is now."""
        row = shown(Contact.objects.filter(pk=self.contact.pk)).first()
        if row is None:
            raise Http404
        return Response(ContactDetailSerializer(row).data, status=code)


def edited(contact: Contact, told: dict[str, Any]) -> None:
    """Apply `name`, `tags` and `attributes` of a request. Raises ValidationError."""
    try:
        edit(contact, name=told.get("name"), tag_names=told.get("tags"), values=told.get("attributes"))
    except InvalidAttribute as error:
        raise ValidationError({"attributes": {error.key: [error.message]}}) from error
    except InvalidTag as error:
        raise ValidationError({"tags": [error.message]}) from error
    except Contact.DoesNotExist as error:
        raise Http404 from error


class ContactListView(UnitScope, generics.ListAPIView):
    """The unit's contacts, newest first."""

    reads, writes = Action.READ_CONTACTS, Action.WRITE_CONTACTS

    serializer_class = ContactDetailSerializer
    queryset = Contact.objects.none()
    filterset_class = ContactFilter

    def get_queryset(self) -> Any:
        return shown(Contact.objects.filter(unit=self.unit))

    @extend_schema(request=NewContactDetailSerializer, responses={201: ContactDetailSerializer})
    def post(self, request: Request, unit_id: str) -> Response:
        """Add a contact by phone number; a known number is the contact that has it, with what is told besides."""
        form = NewContactDetailSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        told = form.validated_data
        try:
            contact = people.contact_by_phone(self.unit, told["phone"], told["name"])
        except InvalidPhone as error:
            raise ValidationError({"phone": [error.message]}) from error
        if "tags" in told or "attributes" in told:
            edited(contact, {key: told[key] for key in ("tags", "attributes") if key in told})
        row = shown(Contact.objects.filter(pk=contact.pk)).get()
        return Response(ContactDetailSerializer(row).data, status=status.HTTP_201_CREATED)


class ContactView(ContactScope, APIView):
    """One contact."""

    @extend_schema(responses=ContactDetailSerializer)
    def get(self, request: Request, unit_id: str, contact_id: str) -> Response:
        return self.answer()

    @extend_schema(request=EditContactSerializer, responses=ContactDetailSerializer)
    def patch(self, request: Request, unit_id: str, contact_id: str) -> Response:
        """Change the name, the tags or attributes."""
        form = EditContactSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        edited(self.contact, form.validated_data)
        return self.answer()


class _WithReason(ContactScope, APIView):
    """Something that staff set and lift with a reason."""

    def reason(self, request: Request) -> str:
        """Raises ValidationError."""
        is_in_body = isinstance(request.data, Mapping) and "reason" in request.data
        told = request.data if is_in_body else request.query_params
        form = GivenReasonSerializer(data=told)
        form.is_valid(raise_exception=True)
        return str(form.validated_data["reason"])


class OptOutView(_WithReason):
    """Whether campaigns go to a contact."""

    @extend_schema(request=GivenReasonSerializer, responses=ContactDetailSerializer)
    def post(self, request: Request, unit_id: str, contact_id: str) -> Response:
        """No campaign goes to any address of this contact from now on. Replies do; see `block`."""
        consent.opt_out(
            self.contact,
            source=OptOutSource.API,
            reason=self.reason(request),
            by=request.user,  # type: ignore[arg-type]
        )
        return self.answer()

    @extend_schema(parameters=[_REASON_IN_QUERY], responses={200: ContactDetailSerializer})
    def delete(self, request: Request, unit_id: str, contact_id: str) -> Response:
        """Campaigns may go to this contact again, because it said so."""
        consent.lift(self.contact, reason=self.reason(request), by=request.user)  # type: ignore[arg-type]
        return self.answer()


class BlockView(_WithReason):
    """Whether anybody writes to a contact."""

    @extend_schema(request=GivenReasonSerializer, responses=ContactDetailSerializer)
    def post(self, request: Request, unit_id: str, contact_id: str) -> Response:
        """Nothing is sent to this contact any more, neither campaigns nor replies. What it writes still comes in."""
        consent.block(self.contact, reason=self.reason(request), by=request.user)  # type: ignore[arg-type]
        return self.answer()

    @extend_schema(parameters=[_REASON_IN_QUERY], responses={200: ContactDetailSerializer})
    def delete(self, request: Request, unit_id: str, contact_id: str) -> Response:
        """This contact may be written to again."""
        consent.unblock(self.contact, reason=self.reason(request), by=request.user)  # type: ignore[arg-type]
        return self.answer()


class OptOutHistoryView(ContactScope, generics.ListAPIView):
    """What was noted under the contact's addresses, newest first; also what has been lifted."""

    serializer_class = OptOutSerializer
    queryset = OptOut.objects.none()

    def get_queryset(self) -> Any:
        return consent.history(self.contact)
