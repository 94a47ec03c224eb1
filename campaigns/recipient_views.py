"""Over HTTP: who gets a campaign, before it starts and while it is sent, and what has come of it."""

from typing import Any
from uuid import uuid4

import django_filters
from django.db import transaction
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import audience
from campaigns.bodies import checked, create, plain, read, refusing
from campaigns.exports import recipient_rows
from campaigns.models import Campaign, CampaignRecipient, RecipientStatus
from campaigns.rehearsal import rehearse
from campaigns.results import results
from campaigns.serializers import (
    AudienceSerializer,
    FinishBySerializer,
    NewRehearsalSerializer,
    RecipientSerializer,
    RehearsalSerializer,
    ResultsSerializer,
    TallySerializer,
)
from campaigns.views import CampaignScope
from crm_whatsapp.csv_export import csv_response
from units.access import UnitScope
from units.roles import Action


class NewRehearsalView(UnitScope, APIView):
    """What a campaign would do that is not kept: the body is that of creating one, and `finish_by`."""

    reads, writes = Action.READ_CAMPAIGNS, Action.READ_CAMPAIGNS

    @extend_schema(operation_id="campaigns_rehearse_new", request=NewRehearsalSerializer, responses=RehearsalSerializer)
    def post(self, request: Request, unit_id: str) -> Response:
        form = NewRehearsalSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        wanted = dict(form.validated_data)
        finish_by = wanted.pop("finish_by", None)
        with transaction.atomic():
            campaign = create(self.unit, wanted, request.user)
            told = RehearsalSerializer(checked(lambda: rehearse(campaign, finish_by=finish_by))).data
            # Made as it would be, and taken back: so it is rehearsed by the rules by which it would be kept.
            transaction.set_rollback(True)
        return Response(told)


class NewAudienceView(UnitScope, APIView):
    """How many people an audience is, and who would be left out for what reason."""

    reads, writes = Action.READ_CAMPAIGNS, Action.READ_CAMPAIGNS

    @extend_schema(request=AudienceSerializer, responses=TallySerializer)
    def post(self, request: Request, unit_id: str) -> Response:
        chosen = checked(lambda: audience.validate(self.unit, plain(read(AudienceSerializer, request))))
        tally = checked(lambda: audience.count(Campaign(id=uuid4(), unit=self.unit, audience=chosen)))
        return Response(TallySerializer(tally).data)


class AudienceView(CampaignScope, APIView):
    """How many get it if it starts now, and who is left out for what reason."""

    @extend_schema(responses=TallySerializer)
    def get(self, request: Request, unit_id: str, campaign_id: str) -> Response:
        return Response(TallySerializer(refusing(lambda: audience.count(self.campaign))).data)


class RehearsalView(CampaignScope, APIView):
    """What the campaign will do, or what is left of it: samples, who is left out, from when to when."""

    reads, writes = Action.READ_CAMPAIGNS, Action.READ_CAMPAIGNS

    @extend_schema(request=FinishBySerializer, responses=RehearsalSerializer)
    def post(self, request: Request, unit_id: str, campaign_id: str) -> Response:
        finish_by = read(FinishBySerializer, request).get("finish_by")
        told = refusing(lambda: rehearse(self.campaign, finish_by=finish_by))
        return Response(RehearsalSerializer(told).data)


class ResultsView(CampaignScope, APIView):
    """What has come of it: in people, by variant, over time, and why not."""

    @extend_schema(responses=ResultsSerializer)
    def get(self, request: Request, unit_id: str, campaign_id: str) -> Response:
        return Response(ResultsSerializer(results(self.campaign)).data)


class RecipientFilter(django_filters.FilterSet):
    status = django_filters.MultipleChoiceFilter(choices=RecipientStatus.choices)
    error = django_filters.CharFilter(field_name="error_message", help_text="The code, as results have it.")
    replied = django_filters.BooleanFilter(field_name="replied_at", lookup_expr="isnull", exclude=True)
    opted_out = django_filters.BooleanFilter(field_name="opted_out_at", lookup_expr="isnull", exclude=True)

    class Meta:
        model = CampaignRecipient
        fields = ["status", "variant"]


class RecipientListView(CampaignScope, generics.ListAPIView):
    """Who gets a campaign, and what became of it."""

    serializer_class = RecipientSerializer
    queryset = CampaignRecipient.objects.none()
    filterset_class = RecipientFilter

    def get_queryset(self) -> Any:
        rows = CampaignRecipient.objects.filter(campaign=self.campaign)
        return rows.select_related("contact").prefetch_related("contact__addresses")


class RecipientExportView(CampaignScope, generics.GenericAPIView):
    """The same as a CSV file, with the same filters; the whole of it, however long."""

    # Names and numbers of a whole audience leave the house.
    reads = Action.MOVE_CONTACTS

    serializer_class = RecipientSerializer
    queryset = CampaignRecipient.objects.none()
    filterset_class = RecipientFilter
    pagination_class = None

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.BINARY})
    def get(self, request: Request, unit_id: str, campaign_id: str) -> StreamingHttpResponse:
        rows = self.filter_queryset(CampaignRecipient.objects.filter(campaign=self.campaign))
        return csv_response(f"{self.campaign.name}.csv", recipient_rows(self.campaign, rows))
