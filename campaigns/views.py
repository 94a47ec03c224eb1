"""Campaigns over HTTP: written, and steered."""

from typing import Any, cast

import django_filters
from django.db import transaction
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns.bodies import check_texts, columns, create, read, refusing
from campaigns.models import Campaign
from campaigns.serializers import (
    CampaignDetailSerializer,
    CampaignSerializer,
    EditCampaignSerializer,
    NewCampaignSerializer,
    ScheduleSerializer,
    TestSendSerializer,
)
from campaigns.services import CampaignService
from campaigns.testing import send_test
from messaging.phones import InvalidPhone
from messaging.serializers import MessageSerializer
from messaging.threads import look_around
from units.access import UnitScope
from units.models import User
from units.roles import Action


class CampaignFilter(django_filters.FilterSet):
    archived = django_filters.BooleanFilter(field_name="archived_at", lookup_expr="isnull", exclude=True)

    class Meta:
        model = Campaign
        fields = ["status"]


class CampaignListView(UnitScope, generics.ListAPIView):
    """The unit's campaigns, newest first; `archived` false: without those that were put away."""

    reads, writes = Action.READ_CAMPAIGNS, Action.WRITE_CAMPAIGNS

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
        with transaction.atomic():
            campaign = create(self.unit, form.validated_data, request.user)
        return Response(CampaignDetailSerializer(campaign).data, status=status.HTTP_201_CREATED)


class CampaignScope(UnitScope):
    """Mixin: `self.campaign`, of the unit."""

    reads, writes = Action.READ_CAMPAIGNS, Action.WRITE_CAMPAIGNS

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

    @extend_schema(request=EditCampaignSerializer, responses=CampaignDetailSerializer)
    def patch(self, request: Request, unit_id: str, campaign_id: str) -> Response:
        """Change it, while it is no more than a draft or scheduled; paused, for whoever has not got it. Else 409."""
        form = EditCampaignSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        changes = columns(self.unit, form.validated_data)
        check_texts(self.unit, changes, self.campaign)
        campaign = refusing(lambda: CampaignService(self.campaign).edit(**changes))
        return Response(CampaignDetailSerializer(campaign).data)


class CampaignActionView(CampaignScope, APIView):
    """409 when the campaign is not in a state for it; nothing has changed then."""

    def act(self, campaign: CampaignService) -> Campaign:
        """What the view is for. Raises NotPossible."""
        raise NotImplementedError

    @extend_schema(request=None, responses=CampaignDetailSerializer)
    def post(self, request: Request, unit_id: str, campaign_id: str) -> Response:
        campaign = refusing(lambda: self.act(CampaignService(self.campaign)))
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


class UnscheduleView(CampaignActionView):
    """Make a scheduled campaign a draft again."""

    def act(self, campaign: CampaignService) -> Campaign:
        return campaign.unschedule()


class RetryFailedView(CampaignActionView):
    """Try those again who did not get it, and nobody else: not whoever may have got it."""

    def act(self, campaign: CampaignService) -> Campaign:
        campaign.retry_failed()
        return campaign.campaign


class ArchiveView(CampaignActionView):
    """Put a campaign away that is over, or was never started."""

    def act(self, campaign: CampaignService) -> Campaign:
        return campaign.archive()


class UnarchiveView(CampaignActionView):
    """Bring it back to the list."""

    def act(self, campaign: CampaignService) -> Campaign:
        return campaign.unarchive()


class ScheduleView(CampaignScope, APIView):
    """Start at a given time. 409 when it is no draft any more."""

    @extend_schema(request=ScheduleSerializer, responses=CampaignDetailSerializer)
    def post(self, request: Request, unit_id: str, campaign_id: str) -> Response:
        at = read(ScheduleSerializer, request)["scheduled_at"]
        campaign = refusing(lambda: CampaignService(self.campaign).schedule(at))
        return Response(CampaignDetailSerializer(campaign).data)


class CloneView(CampaignScope, APIView):
    """A draft with the same texts, files and audience, and nobody's results."""

    @extend_schema(request=None, responses={201: CampaignDetailSerializer})
    def post(self, request: Request, unit_id: str, campaign_id: str) -> Response:
        made = refusing(lambda: CampaignService(self.campaign).clone(created_by=cast(User, request.user)))
        return Response(CampaignDetailSerializer(made).data, status=status.HTTP_201_CREATED)


class TestSendView(CampaignScope, APIView):
    """Send one text of the campaign to a number, before anybody else; it counts nowhere."""

    @extend_schema(request=TestSendSerializer, responses={202: MessageSerializer})
    def post(self, request: Request, unit_id: str, campaign_id: str) -> Response:
        wanted = read(TestSendSerializer, request)
        try:
            message = refusing(
                lambda: send_test(
                    self.campaign, wanted["phone"], variant=wanted["variant"], author=cast(User, request.user)
                )
            )
        except InvalidPhone as error:
            raise ValidationError({"phone": [error.message]}) from error
        look_around([message])
        return Response(MessageSerializer(message).data, status=status.HTTP_202_ACCEPTED)
