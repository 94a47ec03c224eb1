"""I7 and the roles, for every page of the console, as the resolver has them."""

import re
import sys
from collections.abc import Iterator
from copy import deepcopy
from html import unescape
from itertools import combinations
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import Resolver404, resolve

from campaigns.models import Campaign, CampaignStatus
from crm_whatsapp.db import ClockNow
from messaging.models import Contact, ContactImport, Conversation, Message, MessageStatus, Segment, Tag
from tests.access.answers import alike, told
from tests.access.conftest import taken_back
from tests.access.routes import Route, every_route, named
from tests.access.world import World, checksum
from units.models import ConnectionStatus, Role, User, WhatsAppConnection
from units.roles import ALLOWED, Action
from units.services import delete_unit

pytestmark = pytest.mark.django_db

METHODS = ("get", "post")
PAGES = [route for route in every_route() if route.path.startswith("app/u/<uuid:unit_id>/")]
ALONE = [route for route in every_route() if route.path.startswith("app/") and route not in PAGES]
HTMX = {"HX-Request": "true"}
# Fields of the console's forms and of its addresses that name something, and of what.
FIELDS = {
    "contacts": Contact,
    "tags": Tag,
    "segments": Segment,
    "ids": Message,
    "import": ContactImport,
    "conversation": Conversation,
    "after": Contact,
    "before": Message,
    "person": Contact,
}
# What its forms want besides.
FORM = {
    "name": "Nova",
    "content": "Olá",
    "text": "Olá",
    "phone": "+5511912345678",
    "phone_number": "",
    "reason": "Porque sim",
    "arrived": "yes",
    "action": "send",
    "when": "now",
    "texts-TOTAL_FORMS": "0",
    "texts-INITIAL_FORMS": "0",
    "at": "2031-01-15T12:00",
}


def logged_in(user: User | None) -> Client:
    client = Client()
    if user:
        client.force_login(user)
    return client


@pytest.fixture(scope="module")
def members(world: World) -> dict[Role, Client]:
    return {role: logged_in(world.ours.people[role]) for role in Role}


@pytest.fixture(scope="module")
def strangers(world: World, members: dict[Role, Client]) -> list[Client]:
    nowhere = User.objects.create_user("lugar-nenhum@example.com")
    return [*members.values(), logged_in(nowhere), logged_in(world.staff)]


def at(route: Route, ids: dict[str, Any]) -> list[str]:
    """The page's addresses: one, or one for each of its steps."""
    steps = sys.modules[route.view.__module__].STEPS if "<slug:action>" in route.path else [""]
    return [route.at(ids | {"action": step}) for step in steps]


def test_every_page_says_what_it_asks_of_a_person() -> None:
    for route in PAGES:
        assert {type(getattr(route.view, each, None)) for each in ("reads", "writes")} == {Action}, route


@pytest.mark.parametrize("route", PAGES, ids=str)
def test_nobody_gets_in_without_a_login(world: World, route: Route) -> None:
    before = checksum(world.theirs.unit.pk)
    for path in at(route, named(world.theirs, route)):
        for method in METHODS:
            answer = getattr(Client(), method)(path)
            assert answer.status_code == 405 or answer.headers["Location"].startswith("/app/login?"), method
            assert not world.seen(told(answer), *named(world.theirs, route).values())
    assert checksum(world.theirs.unit.pk) == before


@pytest.mark.parametrize("route", PAGES, ids=str)
def test_not_yours_and_not_there_answer_alike(world: World, strangers: list[Client], route: Route) -> None:  # I7
    theirs = named(world.theirs, route)
    nowhere = {name: uuid4() for name in theirs}
    before = checksum(world.theirs.unit.pk)
    for path, other in zip(at(route, theirs), at(route, nowhere), strict=True):
        for method in METHODS:
            for headers, clients in (({}, strangers), (HTMX, strangers[:1])):
                not_there = alike(told(getattr(strangers[0], method)(other, FORM, headers=headers)))
                for client in clients:
                    answer = getattr(client, method)(path, FORM, headers=headers)
                    assert answer.status_code in (404, 405), method
                    assert alike(told(answer)) == not_there, method
                    assert not world.seen(told(answer), *theirs.values()), method
    assert checksum(world.theirs.unit.pk) == before


@pytest.mark.parametrize("route", [route for route in PAGES if len(route.names) > 1], ids=str)
def test_their_things_are_not_there_in_our_unit(world: World, members: dict[Role, Client], route: Route) -> None:  # I7
    ours, theirs = named(world.ours, route), named(world.theirs, route)
    things = [name for name in route.names if name != "unit_id"]
    before = checksum(world.theirs.unit.pk)
    for names in [each for number in range(1, len(things) + 1) for each in combinations(things, number)]:
        foreign = at(route, ours | {name: theirs[name] for name in names})
        nowhere = at(route, ours | {name: uuid4() for name in names})
        for path, other in zip(foreign, nowhere, strict=True):
            for method in METHODS:
                with taken_back():
                    answer = told(getattr(members[Role.OWNER], method)(path, FORM))
                    # While it is not taken back yet.
                    assert checksum(world.theirs.unit.pk) == before, method
                with taken_back():
                    not_there = told(getattr(members[Role.OWNER], method)(other, FORM))
                assert answer[:3] in ("404", "405"), method
                assert alike(answer) == alike(not_there), method
                assert not world.seen(answer, *theirs.values()), method


@pytest.mark.parametrize("route", PAGES, ids=str)
def test_a_role_opens_what_the_table_says(world: World, members: dict[Role, Client], route: Route) -> None:
    before = checksum(world.theirs.unit.pk)
    for path in at(route, named(world.ours, route)):
        for role, client in members.items():
            for method in ("get", "post"):
                with taken_back():
                    answer = getattr(client, method)(path, FORM)
                    seen = world.seen(told(answer))
                asked = route.view.reads if method == "get" else route.view.writes
                if answer.status_code != 405:
                    assert (answer.status_code != 403) == (asked in ALLOWED[role]), (role, method)
                assert not seen, (role, method)
    assert checksum(world.theirs.unit.pk) == before


@pytest.mark.parametrize("role", Role)
def test_no_page_offers_what_a_role_forbids(world: World, members: dict[Role, Client], role: Role) -> None:
    assert_offers_what_is_allowed(world, members, role, PAGES, at_least=50)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("status", ConnectionStatus)
def test_no_state_of_the_number_offers_what_a_role_forbids(
    world: World, members: dict[Role, Client], role: Role, status: ConnectionStatus
) -> None:
    with taken_back():
        rows = WhatsAppConnection.objects.filter(unit=world.ours.unit)
        rows.update(status=status, campaigns_held_at=ClockNow(), campaigns_held_for="failures")
        Message.objects.filter(unit=world.ours.unit, status=MessageStatus.QUEUED).update(due_at=None)
        about = [page for page in PAGES if "/number" in page.path]
        assert_offers_what_is_allowed(world, members, role, about, at_least=5)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("status", CampaignStatus)
def test_no_state_of_a_campaign_offers_what_a_role_forbids(
    world: World, members: dict[Role, Client], role: Role, status: CampaignStatus
) -> None:
    with taken_back():
        Campaign.objects.filter(unit=world.ours.unit).update(status=status, scheduled_at=ClockNow())
        about = [page for page in PAGES if "/campaigns" in page.path]
        assert_offers_what_is_allowed(world, members, role, about, at_least=5)


def assert_offers_what_is_allowed(
    world: World, members: dict[Role, Client], role: Role, pages: list[Route], *, at_least: int
) -> None:
    offered = 0
    for page in pages:
        if page.view.reads in ALLOWED[role]:
            for path in at(page, named(world.ours, page)):
                for asked, address in addresses(members[role].get(path)):
                    offered += 1
                    assert asked in ALLOWED[role], f"{path} leads to {address}"
    assert offered > at_least


def addresses(answer: Any) -> Iterator[tuple[Action, str]]:
    """What a page leads to, and what that asks of the person."""
    if not answer.headers.get("Content-Type", "").startswith("text/html"):
        return
    for kind, told_as in re.findall(r'\b(href|action|hx-get|hx-post)="([^"]*)"', answer.text):
        address = urlsplit(unescape(told_as)).path
        try:
            view: Any = resolve(address).func
        except Resolver404:
            continue
        if hasattr(view, "reads"):
            # Of the forms of these pages all but searches are sent by POST.
            is_search = kind == "action" and view.reads == view.writes
            yield (view.writes if kind in ("action", "hx-post") and not is_search else view.reads), address


def test_what_a_role_forbids_is_told_in_a_sentence(world: World, members: dict[Role, Client]) -> None:
    path = f"/app/u/{world.ours.unit.pk}/campaigns/new"
    page, part = members[Role.AGENT].get(path), members[Role.AGENT].get(path, headers=HTMX)
    for answer in (page, part):
        assert answer.status_code == 403
        assert "Sua função nesta unidade" in answer.text or "Your role in this unit" in answer.text
    assert "<!doctype html>" in page.text.lower()
    assert part.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("route", PAGES, ids=str)
def test_their_ids_in_query_and_form_are_as_good_as_none(
    world: World, members: dict[Role, Client], route: Route
) -> None:  # I7
    before = checksum(world.theirs.unit.pk)
    owner, sent = members[Role.OWNER], [world.theirs.ids[model] for model in FIELDS.values()]
    for path in at(route, named(world.ours, route)):
        for choice in ("groups", "chosen"):
            answers = []
            for named_so in (
                {field: str(world.theirs.ids[model]) for field, model in FIELDS.items()},
                {field: str(uuid4()) for field in FIELDS},
            ):
                # What the request before had to say would be told here.
                owner.cookies.pop("messages", None)
                with taken_back():
                    shown = owner.get(f"{path}?{urlencode(named_so)}", headers=HTMX)
                    done = owner.post(path, FORM | {"to": choice} | named_so)
                    answers.append(told(shown) + told(done))
                    assert checksum(world.theirs.unit.pk) == before, choice
            assert alike(answers[0]) == alike(answers[1]), choice
            assert not world.seen(answers[0], *sent), choice


@pytest.mark.parametrize("route", PAGES, ids=str)
def test_our_pages_are_the_same_without_the_other_unit(
    world: World, members: dict[Role, Client], route: Route
) -> None:  # I7
    """Numbers, too, which no canary is in, and what is found by words of theirs."""
    owner, queries = members[Role.OWNER], ["", f"?{urlencode({'q': world.theirs.word})}"]

    def ask_all() -> list[str]:
        paths = at(route, named(world.ours, route))
        return [told(owner.get(f"{path}{query}")) for path in paths for query in queries]

    # What a request before had to say would be told here.
    owner.cookies.pop("messages", None)
    with_them = ask_all()
    with taken_back():
        delete_unit(world.theirs.unit)
        without = ask_all()
    assert [alike(each) for each in with_them] == [alike(each) for each in without]
    assert not [seen for each in with_them for seen in world.seen(each, world.theirs.word)]


@pytest.mark.parametrize("route", ALONE, ids=str)
def test_a_page_of_no_unit_shows_nothing_of_theirs(world: World, strangers: list[Client], route: Route) -> None:
    before = checksum(world.theirs.unit.pk)
    path = re.sub(r"<[^>]+>", "x", f"/{route.path}")
    for each in [*strangers, Client()]:
        for method in METHODS:
            # One of these pages logs out.
            client = Client()
            client.cookies = deepcopy(each.cookies)
            with taken_back():
                assert not world.seen(told(getattr(client, method)(path, {})))
    assert checksum(world.theirs.unit.pk) == before
