"""Pages of lists: capped, stable while rows come in, filtered by names that are known, at a constant price."""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.mixins import ListModelMixin
from rest_framework.test import APIClient

from attention.models import Episode, Kind
from campaigns.models import Campaign, CampaignStatus
from crm_whatsapp.api import NewestFirstPagination
from messaging.contacts import consent
from messaging.models import (
    AttributeDefinition,
    CannedReply,
    Contact,
    ContactImport,
    ContactMerge,
    Conversation,
    ConversationEvent,
    Label,
    MessageStatus,
    Note,
    OptOutSource,
    Segment,
    Tag,
)
from outgoing_webhooks.models import OutgoingWebhook
from tests import factories
from tests.access.routes import Route, every_route, is_api
from tests.access.world import Populated
from tests.api.asks import name_of, path_of
from units.audit import record
from units.models import ApiToken, AuditAction, Membership, Role, Unit, User
from webhooks.models import EventStatus, WebhookEvent

pytestmark = pytest.mark.django_db

LISTS = [
    route
    for route in every_route()
    if is_api(route) and "get" in route.methods and issubclass(route.view, ListModelMixin)
]


def walk(api: APIClient, page: str | None, link: str = "next") -> list[str]:
    """The ids of all pages from `page` on."""
    seen: list[str] = []
    while page:
        answer = api.get(page).json()
        rows = answer["results"]
        seen += [row["id"] for row in (rows if link == "next" else rows[::-1])]
        page = answer[link]
    return seen


# Whatever a list is of, one more of it.


def _person(whose: Populated, number: int) -> None:
    user = User.objects.create_user(f"{number}@example.com", first_name="Bia")
    Membership.objects.create(unit=whose.unit, user=user, role=Role.AGENT)


def _program(whose: Populated, number: int) -> None:
    user = User.objects.create_integration(f"Loja {number}")
    Membership.objects.create(unit=whose.unit, user=user, role=Role.AGENT)
    ApiToken.mint(user, "teste", unit=whose.unit)


def _uncertain(whose: Populated, _number: int) -> None:
    chat = factories.conversation(whose.unit)
    factories.message(chat, out=True, status=MessageStatus.UNCERTAIN, external_id=None, dispatched_at=timezone.now())


def _waiting(whose: Populated, _number: int) -> None:
    message = factories.reply(whose.unit)
    type(message).objects.filter(pk=message.pk).update(due_at=None)


def _dead(whose: Populated, _number: int) -> None:
    WebhookEvent.objects.create(
        connection=whose.unit.connection,
        event="messages.upsert",
        body="{}",
        fingerprint=uuid4().bytes * 2,
        status=EventStatus.DEAD,
        reason="x",
        settled_at=timezone.now(),
    )


def _optout(whose: Populated, _number: int) -> None:
    person = Contact.objects.get(pk=whose.ids[Contact])
    consent.opt_out(person, source=OptOutSource.STAFF)
    consent.lift(person, reason="x", by=None)


def _need(whose: Populated, _number: int) -> None:
    held = factories.campaign(whose.unit, people=1, start=False)
    Campaign.objects.filter(pk=held.pk).update(status=CampaignStatus.PAUSED, status_reason="it was stopped")
    Episode.objects.create(unit=whose.unit, kind=Kind.HELD, object_id=held.pk)


def _unit(whose: Populated, number: int) -> None:
    Membership.objects.create(unit=Unit.objects.create(name=f"{number}"), user=whose.people[Role.OWNER], role="owner")


MORE: dict[str, Callable[[Populated, int], Any]] = {
    "units": _unit,
    "members": _person,
    "integrations": _program,
    "attention": _need,
    "webhooks": lambda whose, number: OutgoingWebhook.objects.create(
        unit=whose.unit, url=f"https://example.com/{number}", secret="whsec_", after_seq=0
    ),
    "audit": lambda whose, number: record(whose.unit.pk, AuditAction.TOKEN_MADE, number=number),
    "tokens": lambda whose, number: ApiToken.mint(whose.people[Role.OWNER], str(number), unit=whose.unit),
    "contacts": lambda whose, number: factories.contact(whose.unit, name=str(number)),
    "contact-opt-outs": _optout,
    "tags": lambda whose, number: Tag.objects.create(unit=whose.unit, name=str(number)),
    "attributes": lambda whose, number: AttributeDefinition.objects.create(
        unit=whose.unit, key=f"a{number}", name=str(number)
    ),
    "segments": lambda whose, number: Segment.objects.create(unit=whose.unit, name=str(number), filters=[]),
    "imports": lambda whose, number: ContactImport.objects.create(
        unit=whose.unit, file_name=f"{number}.csv", file="x.csv", size=1
    ),
    "merges": lambda whose, number: ContactMerge.objects.create(
        unit=whose.unit,
        kept_id=whose.ids[Contact],
        absorbed_id=factories.contact(whose.unit).pk,
        absorbed_name=str(number),
        before={},
    ),
    "conversations": lambda whose, number: factories.message(factories.conversation(whose.unit), str(number)),
    "thread": lambda whose, number: factories.message(_chat(whose), str(number)),
    "notes": lambda whose, number: Note.objects.create(
        unit=whose.unit, conversation=_chat(whose), author=whose.people[Role.OWNER], body=str(number)
    ),
    "conversation-events": lambda whose, number: ConversationEvent.objects.create(
        unit=whose.unit, conversation=_chat(whose), kind="resolved", author=whose.people[Role.OWNER]
    ),
    "labels": lambda whose, number: Label.objects.create(unit=whose.unit, name=str(number)),
    "canned-replies": lambda whose, number: CannedReply.objects.create(
        unit=whose.unit, shortcut=f"s{number}", body=str(number)
    ),
    "uncertain-messages": _uncertain,
    "webhook-events": _dead,
    "waiting": _waiting,
    "campaigns": lambda whose, number: factories.campaign(whose.unit, people=1, start=False),
    "recipients": lambda whose, number: _campaign(whose).recipients.create(
        unit=whose.unit, contact=factories.contact(whose.unit)
    ),
}


def _chat(whose: Populated) -> Any:
    return Conversation.objects.get(pk=whose.ids[Conversation])


def _campaign(whose: Populated) -> Any:
    return Campaign.objects.get(pk=whose.ids[Campaign])


def _api_of(whose: Populated) -> APIClient:
    client = APIClient()
    client.force_authenticate(whose.people[Role.OWNER])
    return client


@pytest.mark.parametrize("route", LISTS, ids=str)
def test_a_page_costs_the_same_with_three_rows_and_with_thirty(populated: Populated, route: Route) -> None:
    more, api = MORE[name_of(route)], _api_of(populated)
    path, counts = path_of(route, populated), []
    for begin, end in ((0, 3), (3, 30)):
        for number in range(begin, end):
            more(populated, number)
        with CaptureQueriesContext(database) as queries:
            rows = api.get(path).json()["results"]
        assert len(rows) >= end
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("route", LISTS, ids=str)
def test_no_list_gives_more_than_a_hundred_at_once(populated: Populated, route: Route) -> None:
    assert issubclass(route.view.pagination_class, NewestFirstPagination)
    assert route.view.pagination_class.max_page_size == 100
    answer = _api_of(populated).get(path_of(route, populated), {"page_size": 10_000})
    assert answer.status_code == 200
    assert set(answer.json()) == {"next", "previous", "results"}


@pytest.mark.parametrize("route", LISTS, ids=str)
def test_a_filter_that_is_none_is_refused_by_its_name(populated: Populated, route: Route) -> None:
    answer = _api_of(populated).get(path_of(route, populated), {"stauts": "open"})
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"], error["attr"]) == (400, "unknown_filter", "stauts")


def test_a_page_size_beyond_the_most_is_the_most(api: APIClient, unit: Unit) -> None:
    Contact.objects.bulk_create(Contact(unit=unit, name=str(number)) for number in range(101))
    answer = api.get(f"/units/{unit.pk}/contacts?page_size=10000").json()
    assert (len(answer["results"]), bool(answer["next"])) == (100, True)


@pytest.mark.parametrize("size", ["0", "-1", "abc", "", "1.5", "%00", "٣"])
def test_a_page_size_that_is_none_is_400(api: APIClient, unit: Unit, size: str) -> None:
    answer = api.get(f"/units/{unit.pk}/contacts?page_size={size}")
    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "page_size")


def test_rows_of_one_moment_come_once_each_while_others_are_added(api: APIClient, unit: Unit) -> None:
    made = Contact.objects.bulk_create(Contact(unit=unit, name=str(number)) for number in range(30))
    moment = datetime.fromisoformat("2026-01-01T12:00:00Z")
    Contact.objects.update(created_at=moment)
    page, seen = f"/units/{unit.pk}/contacts?page_size=7", []
    while page:
        answer = api.get(page).json()
        seen += [row["id"] for row in answer["results"]]
        added = factories.contact(unit)
        Contact.objects.filter(pk=added.pk).update(created_at=moment)
        page = answer["next"]
    assert len(seen) == len(set(seen))
    assert {str(row.pk) for row in made} <= set(seen)


def test_a_time_of_an_offset_that_no_row_could_hold_is_a_time(api: APIClient, unit: Unit) -> None:
    far = {"since": "2000-01-01T00:00:00+16:00"}
    assert api.get(f"/units/{unit.pk}/audit", far).status_code == 200
    assert api.get(f"/units/{unit.pk}/webhook-events", far).status_code == 200
    earliest = {"since": "0001-01-01T00:00:00+16:00"}
    assert api.get(f"/units/{unit.pk}/audit", earliest).status_code == 400
    cursor = urlsafe_b64encode(f'[0,"2000-01-01T00:00:00+16:00","{unit.pk}"]'.encode()).decode()
    assert api.get(f"/units/{unit.pk}/contacts", {"cursor": cursor}).status_code == 200


def test_pages_lead_back_as_they_led_on(api: APIClient, unit: Unit) -> None:
    Contact.objects.bulk_create(Contact(unit=unit, name=str(number)) for number in range(20))
    first = f"/units/{unit.pk}/contacts?page_size=6"
    forth, page = walk(api, first), first
    while following := api.get(page).json()["next"]:
        page = following
    assert walk(api, page, "previous") == forth[::-1]


def test_a_filter_goes_on_over_pages(api: APIClient, unit: Unit) -> None:
    for number in range(6):
        factories.conversation(unit, name=f"{number}")
    first = api.get(f"/units/{unit.pk}/conversations?status=open&page_size=2").json()
    assert "status=open" in first["next"]
    assert len(walk(api, f"/units/{unit.pk}/conversations?status=resolved")) == 0
