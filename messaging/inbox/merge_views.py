"""Contacts that turned out to be one person, over HTTP."""

from typing import Any, cast

from django.http import Http404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm_whatsapp.api import Conflict
from messaging import merging
from messaging.contacts.serializers import ContactDetailSerializer
from messaging.contacts.views import shown
from messaging.inbox.serializers import MergeSerializer, NewMergeSerializer
from messaging.models import Contact, ContactMerge
from units.access import UnitScope
from units.models import User
from units.roles import Action


class MergeListView(UnitScope, generics.ListAPIView):
    """Which contacts became one, the latest first; also those that were parted again."""

    reads, writes = Action.MOVE_CONTACTS, Action.MOVE_CONTACTS

    serializer_class = MergeSerializer
    queryset = ContactMerge.objects.none()

    def get_queryset(self) -> Any:
        return _readable(ContactMerge.objects.filter(unit=self.unit))

    @extend_schema(request=NewMergeSerializer, responses={201: MergeSerializer})
    def post(self, request: Request, unit_id: str) -> Response:
        """Make one contact of two. What the one had is the other's; the merge can be undone."""
        form = NewMergeSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        told = form.validated_data
        found = {row.pk: row for row in Contact.objects.filter(unit=self.unit, id__in=told.values())}
        kept, absorbed = found.get(told["kept_id"]), found.get(told["absorbed_id"])
        if kept is None or absorbed is None:
            raise Http404
        if kept.pk == absorbed.pk:
            raise ValidationError({"absorbed_id": [_("These are two names of the same contact.")]})
        for name, contact in (("kept_id", kept), ("absorbed_id", absorbed)):
            if contact.is_group:
                raise ValidationError({name: [_("A group is no person.")]})
        try:
            made = merging.merge(kept, absorbed)
        except Contact.DoesNotExist as error:
            raise Http404 from error
        row = _readable(ContactMerge.objects.filter(pk=made.pk)).get()
        return Response(MergeSerializer(row).data, status=status.HTTP_201_CREATED)


class UndoMergeView(UnitScope, APIView):
    """Part two contacts again that became one. 409 when that was done already."""

    reads, writes = Action.MOVE_CONTACTS, Action.MOVE_CONTACTS

    @extend_schema(request=None, responses=ContactDetailSerializer)
    def post(self, request: Request, unit_id: str, merge_id: str) -> Response:
        """Answers with the contact that is back. The two are never merged by themselves again."""
        merge = ContactMerge.objects.filter(unit=self.unit, id=merge_id).first()
        if merge is None:
            raise Http404
        try:
            back = merging.undo(merge, cast("User", request.user))
        except merging.CannotUndo as error:
            raise Conflict(error.message, "undone_already") from error
        return Response(ContactDetailSerializer(shown(Contact.objects.filter(pk=back.pk)).get()).data)


def _readable(merges: Any) -> Any:
    """Without what it takes to undo them, which may be large."""
    rows = merges.select_related("kept", "undone_by").defer("before")
    return rows.prefetch_related("kept__addresses")
