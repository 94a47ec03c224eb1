"""Campaigns over HTTP."""

from typing import Any

import django_filters
from django.db import transaction
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns.models import Campaign, CampaignRecipient
from campaigns.serializers import (
    CampaignDetailSerializer,
    CampaignSerializer,
    NewCampaignSerializer,
    RecipientSerializer,
    ScheduleSerializer,
)
from campaigns.services import CampaignService, NotPossible
from crm_whatsapp.api import Conflict
from messaging import people
from messaging.models import Contact
from messaging.phones import InvalidPhone, parse_phone
from units.access import UnitScope
from units.models import Unit


class CampaignFilter(django_filters.FilterSet):
    class Meta:
        model = Campaign
        fields = ["status"]


class CampaignListView(UnitScope, generics.ListAPIView):
    """The unit's campaigns, newest first."""

    serializer_class = CampaignSerializer
    queryset = Campaign.objects.none()
    filterset_class = CampaignFilter

    def get_queryset(self) -> Any:
        return Campaign.objects.filter(unit=self.unit)

    @extend_schema(request=NewCampaignSerializer, responses={201: CampaignDetailSerializer})
    def post(self, request: Request, unit_id: str) -> Response:
        """Create a campaign: a draft, or scheduled when `scheduled_at` is given."""
        form = NewCampaignSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        wanted = form.validated_data
        with transaction.atomic():
            try:
                campaign = CampaignService.create(
                    unit=self.unit,
                    name=wanted["name"],
                    content=wanted["content"],
                    contacts=recipients(self.unit, wanted),
                    created_by=request.user,  # type: ignore[arg-type]
                    scheduled_at=wanted.get("scheduled_at"),
                )
            except NotPossible as error:
                raise ValidationError({"content": [error.message]}) from error
        return Response(CampaignDetailSerializer(campaign).data, status=status.HTTP_201_CREATED)


class CampaignScope(UnitScope):
    """Mixin: `self.campaign`, of the unit."""

    campaign: Campaign

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        campaign = Campaign.objects.filter(unit=self.unit, id=kwargs["campaign_id"]).first()
        if campaign is None:
            raise Http404
        self.campaign = campaign


class CampaignView(CampaignScope, APIView):
    """One campaign, and how far it has come."""

    @extend_schema(responses=CampaignDetailSerializer)
    def get(self, request: Request, unit_id: str, campaign_id: str) -> Response:
        return Response(CampaignDetailSerializer(self.campaign).data)


class CampaignActionView(CampaignScope, APIView):
    """409 when the campaign is not in a state for it; nothing has changed then."""

    def act(self, campaign: CampaignService) -> Campaign:
        """What the view is for. Raises NotPossible."""
        raise NotImplementedError

    @extend_schema(request=None, responses=CampaignDetailSerializer)
    def post(self, request: Request, unit_id: str, campaign_id: str) -> Response:
        try:
            campaign = self.act(CampaignService(self.campaign))
        except NotPossible as error:
            raise Conflict(error.message) from error
        return Response(CampaignDetailSerializer(campaign).data)


class StartView(CampaignActionView):
    """Start sending now."""

    def act(self, campaign: CampaignService) -> Campaign:
        return campaign.dispatch()


class PauseView(CampaignActionView):
    """Stop before the next message."""

    def act(self, campaign: CampaignService) -> Campaign:
        return campaign.pause()


class ResumeView(CampaignActionView):
    """Go on with whoever has not got it yet."""

    def act(self, campaign: CampaignService) -> Campaign:
        return campaign.resume()


class CancelView(CampaignActionView):
    """End it for whoever has not got it yet."""

    def act(self, campaign: CampaignService) -> Campaign:
        return campaign.cancel()


class ScheduleView(CampaignScope, APIView):
    """Start at a given time. 409 when it is no draft any more."""

    @extend_schema(request=ScheduleSerializer, responses=CampaignDetailSerializer)
    def post(self, request: Request, unit_id: str, campaign_id: str) -> Response:
        form = ScheduleSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            campaign = CampaignService(self.campaign).schedule(form.validated_data["scheduled_at"])
        except NotPossible as error:
            raise Conflict(error.message) from error
        return Response(CampaignDetailSerializer(campaign).data)


class RecipientFilter(django_filters.FilterSet):
    class Meta:
        model = CampaignRecipient
        fields = ["status"]


class RecipientListView(CampaignScope, generics.ListAPIView):
    """Who gets a campaign, and what became of it."""

    serializer_class = RecipientSerializer
    queryset = CampaignRecipient.objects.none()
    filterset_class = RecipientFilter

    def get_queryset(self) -> Any:
        rows = CampaignRecipient.objects.filter(campaign=self.campaign)
        return rows.select_related("contact").prefetch_related("contact__addresses")


def recipients(unit: Unit, wanted: dict[str, Any]) -> Any:
    """The contacts of `unit` that a new campaign is for. Raises ValidationError, with the place in the list."""
    if wanted["everyone"]:
        return Contact.objects.people().filter(unit=unit)
    ids = wanted.get("contact_ids", [])
    contacts = list(Contact.objects.filter(unit=unit, id__in=ids))
    if missing := set(ids) - {contact.id for contact in contacts}:
        raise ValidationError({"contact_ids": [f"{next(iter(missing))}"]}, "not_found")
    for place, phone in enumerate(phones := wanted.get("phones", [])):
        try:
            parse_phone(phone)
        except InvalidPhone as error:
            raise ValidationError({"phones": {str(place): [error.message]}}) from error
    return contacts + people.contacts_by_phone(unit, phones)
