"""Campaigns over HTTP."""

from collections.abc import Callable
from typing import Any, cast
from uuid import uuid4

import django_filters
from django.db import transaction
from django.http import Http404, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import audience, content
from campaigns.exports import recipient_rows
from campaigns.models import Campaign, CampaignRecipient, RecipientStatus
from campaigns.rehearsal import rehearse
from campaigns.results import results
from campaigns.serializers import (
    AudienceSerializer,
    CampaignDetailSerializer,
    CampaignSerializer,
    EditCampaignSerializer,
    FinishBySerializer,
    NewCampaignSerializer,
    NewRehearsalSerializer,
    RecipientSerializer,
    RehearsalSerializer,
    ResultsSerializer,
    ScheduleSerializer,
    TallySerializer,
    TestSendSerializer,
)
from campaigns.services import CampaignService, NotPossible
from crm_whatsapp.api import Conflict
from crm_whatsapp.csv_export import csv_response
from messaging import people
from messaging.contacts.segments import InvalidFilter
from messaging.models import Attachment, Contact
from messaging.phones import InvalidPhone, parse_phone
from messaging.serializers import MessageSerializer
from messaging.threads import look_around
from units.access import UnitScope
from units.models import Unit, User
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
                lambda: CampaignService(self.campaign).test_send(
                    wanted["phone"], variant=wanted["variant"], author=cast(User, request.user)
                )
            )
        except InvalidPhone as error:
            raise ValidationError({"phone": [error.message]}) from error
        look_around([message])
        return Response(MessageSerializer(message).data, status=status.HTTP_202_ACCEPTED)


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


# What views share


def read(form: type[Any], request: Request) -> dict[str, Any]:
    """The body, as `form` takes it. Raises ValidationError."""
    serializer = form(data=request.data)
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


def refusing[T](do: Callable[[], T]) -> T:
    """The result of `do`, whose NotPossible is a 400 when a field is at fault, and else a 409."""
    try:
        return do()
    except NotPossible as error:
        if error.field:
            raise ValidationError({error.field: [error.message]}) from error
        raise Conflict(error.message) from error
    except InvalidFilter as error:
        # A segment that asks for an attribute which has been deleted since.
        raise Conflict(error.message) from error


def checked[T](do: Callable[[], T]) -> T:
    """The result of `do`, whose NotPossible is a 400: of something that does not exist yet nothing is in the way."""
    try:
        return do()
    except NotPossible as error:
        raise ValidationError({error.field or "content": [error.message]}) from error
    except InvalidFilter as error:
        raise ValidationError({"audience": [error.message]}) from error


def plain(chosen: dict[str, Any]) -> dict[str, Any]:
    """An audience as JSON has it."""
    return {
        name: [str(one) for one in value] if isinstance(value, list) else str(value) if name == "import" else value
        for name, value in chosen.items()
    }


def columns(unit: Unit, wanted: dict[str, Any]) -> dict[str, Any]:
    """What was sent, as CampaignService takes it. Raises ValidationError for a file that is not of the unit."""
    changes = dict(wanted)
    if "attachment_id" in changes:
        changes["attachment"] = attachment(unit, changes.pop("attachment_id"), {"attachment_id": []})
    if "audience" in changes:
        changes["audience"] = plain(changes["audience"])
    if "variants" in changes:
        changes["variants"] = [
            {
                "content": variant["content"],
                "weight": variant["weight"],
                "attachment": attachment(unit, variant["attachment_id"], {"variants": {place: {"attachment_id": []}}}),
            }
            for place, variant in enumerate(changes["variants"])
        ]
    return changes


def attachment(unit: Unit, wanted: Any, place: dict[str, Any]) -> Attachment | None:
    if wanted is None:
        return None
    found = Attachment.objects.filter(unit=unit, id=wanted).first()
    if found is None:
        raise ValidationError(_at(place, [ErrorDetail(str(wanted), "not_found")]))
    return found


def _at(place: Any, errors: list[ErrorDetail]) -> Any:
    """`errors` in the innermost list of `place`."""
    return errors if isinstance(place, list) else {key: _at(value, errors) for key, value in place.items()}


def check_texts(unit: Unit, wanted: dict[str, Any], campaign: Campaign | None = None) -> None:
    """Raise ValidationError with everything that is wrong with the texts: the field, the code, and the character."""
    line = wanted.get("opt_out_line", campaign.opt_out_line if campaign else "")
    errors: dict[str, Any] = {}
    if "content" in wanted or campaign is None:
        file = wanted.get("attachment", campaign and campaign.attachment_id)
        if found := _problems(unit, wanted["content"], file, line):
            errors["content"] = found
    for place, variant in enumerate(wanted.get("variants", [])):
        if found := _problems(unit, variant["content"], variant["attachment"], line):
            errors.setdefault("variants", {})[place] = {"content": found}
    if errors:
        raise ValidationError(errors)


def _problems(unit: Unit, text: str, file: Any, line: str) -> list[ErrorDetail]:
    problems = content.check(unit, text, caption=file is not None, opt_out_line=line)
    return [ErrorDetail(str(problem.message), problem.code) for problem in problems]


def create(unit: Unit, wanted: dict[str, Any], by: Any) -> Campaign:
    """Make the campaign of a body that was read; within a transaction. Raises ValidationError."""
    changes = columns(unit, wanted)
    check_texts(unit, changes)
    ids, phones = changes.pop("contact_ids", []), changes.pop("phones", [])
    if changes.pop("everyone", False):
        changes["audience"] = changes.get("audience", {}) | {"everyone": True}
    contacts = recipients(unit, ids, phones)
    return checked(lambda: CampaignService.create(unit=unit, contacts=contacts, created_by=by, **changes))


def recipients(unit: Unit, ids: list[Any], phones: list[str]) -> list[Contact]:
    """The contacts of `unit` that were named one by one. Raises ValidationError, with the place in the list."""
    contacts = list(Contact.objects.filter(unit=unit, id__in=ids))
    if missing := set(ids) - {contact.id for contact in contacts}:
        raise ValidationError({"contact_ids": [f"{next(iter(missing))}"]}, "not_found")
    for place, phone in enumerate(phones):
        try:
            parse_phone(phone)
        except InvalidPhone as error:
            raise ValidationError({"phones": {str(place): [error.message]}}) from error
    return contacts + people.contacts_by_phone(unit, phones)
