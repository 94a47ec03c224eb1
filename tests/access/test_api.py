"""I7, for every route and method of the API, as resolver and schema have them: a new one is walked by itself."""

from itertools import combinations
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from pytest_httpserver import HTTPServer
from rest_framework.test import APIClient

from messaging.models import Note
from tests.access.answers import alike, told
from tests.access.conftest import taken_back
from tests.access.routes import (
    METHODS,
    Route,
    attempts,
    every_route,
    is_api,
    least,
    model_of,
    named,
    operation,
    questions,
    unit_routes,
)
from tests.access.world import World, checksum, tables_of_no_unit, tenant_models
from units.access import UnitScope
from units.models import ApiToken, Role, User
from units.roles import ALLOWED, Action
from units.services import delete_unit

pytestmark = pytest.mark.django_db

# Of no unit, and open to all: what they show is the same for everybody.
OPEN = {"healthz", "", "favicon.ico", "api/schema", "api/docs", "admin", "app"}
ELSEWHERE = ("admin/", "app/", "webhooks/", "static/")
ROUTES = unit_routes()
# What a person has in no unit: the list of his units, his tokens.
PERSONAL = [route for route in every_route() if is_api(route) and route not in ROUTES and route.path not in OPEN]


class Caller:
    """Somebody who asks: `name` for the report, and what role and token let him do in a unit of his own."""

    def __init__(self, name: str, user: User | None, allowed: frozenset[Action] = frozenset(), **token: Any) -> None:
        self.name, self.user, self.allowed = name, user, allowed
        self.client = APIClient(raise_request_exception=False)
        if user and token:
            _row, secret = ApiToken.mint(user, name, **token)
            self.client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
            self.allowed &= {Action(scope) for scope in token.get("scopes", Action.values)}
        elif user:
            self.client.force_login(user)

    def ask(self, method: str, path: str, body: Any = None, *, multipart: bool = False) -> Any:
        return getattr(self.client, method)(path, body, format="multipart" if multipart else "json")


class Callers:
    """Those who work in our unit. In theirs nobody of them works, or not with this token."""

    def __init__(self, world: World) -> None:
        owner, agent = world.ours.people[Role.OWNER], world.ours.people[Role.AGENT]
        all_of_it = ALLOWED[Role.OWNER]
        self.roles = [Caller(role, world.ours.people[role], ALLOWED[role]) for role in Role]
        self.owner = next(caller for caller in self.roles if caller.name == Role.OWNER)
        self.tokens = [
            Caller("token, all scopes", owner, all_of_it, scopes=list(Action.values)),
            Caller("token, no scope", owner, all_of_it, scopes=[]),
            Caller("agent's token, all scopes", agent, ALLOWED[Role.AGENT], scopes=list(Action.values)),
            Caller("token of our unit, works in both", world.both, all_of_it, unit=world.ours.unit),
        ]
        self.with_one = {
            action: Caller("token, this scope alone", owner, all_of_it, scopes=[action]) for action in Action
        }
        self.without_one = {
            action: Caller("token, all scopes but this", owner, all_of_it, scopes=[*{*Action} - {action}])
            for action in Action
        }
        # Who works in neither.
        nowhere = User.objects.create_user("nenhures@example.com")
        self.outsiders = [Caller("works nowhere", nowhere), Caller("staff of the installation", world.staff)]

    def for_action(self, action: Action | None) -> list[Caller]:
        """All who tell whether a view asks for `action`."""
        by_scope = [self.with_one[action], self.without_one[action]] if action else []
        return [*self.roles, *self.tokens, *by_scope]


@pytest.fixture(scope="module")
def callers(world: World) -> Callers:
    return Callers(world)


# Nothing is left out


def test_every_table_belongs_to_a_unit_or_is_known_not_to(world: World) -> None:
    assert tables_of_no_unit() == set()


def test_every_table_of_a_unit_has_rows_in_both_units(world: World) -> None:
    for populated in (world.ours, world.theirs):
        counted = checksum(populated.unit.pk)
        assert {table for table, (_sum, number) in counted.items() if not number} == set()
        assert [model.__name__ for model in tenant_models() if model not in populated.ids] == []


def test_every_id_in_a_route_is_known() -> None:
    names = {name for route in every_route() for name in route.names}
    assert {name for name in names if model_of(name) is None} == set()


def test_every_route_is_walked_by_some_test() -> None:
    left = [route for route in every_route() if not is_api(route) and not route.path.startswith(ELSEWHERE)]
    assert {route.path for route in left} - OPEN == set()


def test_every_view_of_a_unit_says_what_it_asks_of_the_caller() -> None:
    for route in ROUTES:
        assert issubclass(route.view, UnitScope), route
        assert {type(route.view.reads), type(route.view.writes)} <= {Action, type(None)}, route


def test_nobody_who_may_only_read_writes() -> None:
    """A view whose `writes` is a right to read changes nothing: it counts, or rehearses."""
    reading = {Action.READ_INBOX, Action.READ_CONTACTS, Action.READ_CAMPAIGNS, Action.READ_NUMBER, None}
    found = {str(route) for route in ROUTES if route.view.writes in reading and {*route.methods} & {*METHODS} - {"get"}}
    assert found == {
        "/units/<uuid:unit_id>/campaigns/audience",
        "/units/<uuid:unit_id>/campaigns/rehearsal",
        "/units/<uuid:unit_id>/campaigns/<uuid:campaign_id>/rehearsal",
        "/units/<uuid:unit_id>/segments/preview",
    }


def test_schema_and_resolver_know_the_same_routes_and_methods() -> None:
    for route in every_route():
        if is_api(route) and route.path not in OPEN:
            for method in route.methods:
                assert operation(route, method), f"{method} {route} is not in the schema"


# The walk. Whoever is refused has changed nothing, so the sums are compared once for a route.


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_nobody_gets_in_without_a_login(world: World, route: Route) -> None:
    nobody, path = Caller("nobody", None), route.at(named(world.theirs, route))
    before = checksum(world.theirs.unit.pk)
    for method in METHODS:
        answer = nobody.ask(method, path, {})
        assert answer.status_code == 401, method
        assert not world.seen(told(answer)), method
    assert checksum(world.theirs.unit.pk) == before


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_not_yours_and_not_there_answer_alike(world: World, callers: Callers, route: Route) -> None:  # I7
    theirs = named(world.theirs, route)
    nowhere = {name: uuid4() for name in theirs}
    before = checksum(world.theirs.unit.pk)
    for method in METHODS:
        not_there = alike(told(callers.owner.ask(method, route.at(nowhere), {})))
        everybody = [*callers.roles, *callers.tokens, *callers.outsiders]
        # What no view does is asked by one.
        for caller in everybody if method in route.methods else [callers.owner]:
            answer = caller.ask(method, route.at(theirs), {})
            assert answer.status_code == 404, (caller.name, method)
            assert alike(told(answer)) == not_there, (caller.name, method)
            assert not world.seen(told(answer), *theirs.values()), (caller.name, method)
    assert checksum(world.theirs.unit.pk) == before


@pytest.mark.parametrize("route", [route for route in ROUTES if len(route.names) > 1], ids=str)
def test_their_things_are_not_there_in_our_unit(world: World, callers: Callers, route: Route) -> None:  # I7
    """With one, and with several, of the other unit's ids in the path behind our unit's."""
    ours, theirs = named(world.ours, route), named(world.theirs, route)
    things = [name for name in route.names if name != "unit_id"]
    before = checksum(world.theirs.unit.pk)
    for names in [each for number in range(1, len(things) + 1) for each in combinations(things, number)]:
        foreign = ours | {name: theirs[name] for name in names}
        nowhere = ours | {name: uuid4() for name in names}
        for method in METHODS:
            answers = []
            for ids in (foreign, nowhere):
                with taken_back():
                    answer = callers.owner.ask(method, route.at(ids), least(route, method))
                    answers.append(told(answer))
                    # While it is not taken back yet.
                    assert checksum(world.theirs.unit.pk) == before, (names, method)
                assert answer.status_code in ((404, 405) if method != "options" else (200, 404)), (names, method)
            assert alike(answers[0]) == alike(answers[1]), (names, method)
            assert not world.seen(answers[0], *foreign.values()), (names, method)


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_role_and_a_scope_open_what_the_table_says(world: World, callers: Callers, route: Route) -> None:
    """403 without the action that the view asks for, and never with it."""
    path = route.at(named(world.ours, route))
    before = checksum(world.theirs.unit.pk)
    for method in route.methods:
        asked = route.asks(method)
        for caller in callers.for_action(asked):
            with taken_back():
                # A note is its author's.
                Note.objects.filter(unit=world.ours.unit).update(author=caller.user)
                answer = caller.ask(method, path, {})
                seen = world.seen(told(answer))
            expected = asked is None or asked in caller.allowed
            assert (answer.status_code not in (401, 403)) == expected, (caller.name, method, answer.status_code)
            assert not seen, (caller.name, method)
    assert checksum(world.theirs.unit.pk) == before


@pytest.mark.parametrize("route", [route for route in ROUTES if "get" in route.methods], ids=str)
def test_the_owner_sees_what_is_the_unit_s(world: World, callers: Callers, route: Route) -> None:
    """Else the walk would prove nothing: what others are refused is there."""
    # 501: live events are for the live process; tests/live asks there.
    seen = 501 if route.path == "units/<uuid:unit_id>/events" else 200
    assert callers.owner.ask("get", route.at(named(world.ours, route))).status_code == seen


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_their_ids_in_query_and_body_are_as_good_as_none(
    world: World, callers: Callers, gateway: HTTPServer, route: Route
) -> None:  # I7
    path = route.at(named(world.ours, route))
    foreign = world.theirs.ids | {"any": world.theirs.unit.pk}
    nowhere = {key: uuid4() for key in foreign}
    before = checksum(world.theirs.unit.pk)
    for method in route.methods:
        own = world.ours.ids
        for pair in zip(attempts(route, method, foreign, own), attempts(route, method, nowhere, own), strict=True):
            answers = []
            for attempt in pair:
                with taken_back():
                    answer = callers.owner.ask(
                        method, f"{path}?{urlencode(attempt.query)}", attempt.body, multipart=attempt.multipart
                    )
                    answers.append(told(answer))
                    # While it is not taken back yet.
                    assert checksum(world.theirs.unit.pk) == before, (method, attempt)
            assert alike(answers[0]) == alike(answers[1]), (method, pair)
            assert not world.seen(answers[0], *foreign.values()), (method, pair[0])
    assert not [asked for asked, _answer in gateway.log if str(world.theirs.unit.pk) in asked.url]


@pytest.mark.parametrize("route", [route for route in ROUTES if "get" in route.methods], ids=str)
def test_our_answers_are_the_same_without_the_other_unit(world: World, callers: Callers, route: Route) -> None:  # I7
    """Whatever is asked for: numbers, too, which no canary is in, and what is found by words of theirs."""
    path = route.at(named(world.ours, route))

    def ask_all() -> list[str]:
        asked = [f"{path}?{urlencode(query)}" for query in questions(route, world.theirs.word)]
        return [told(callers.owner.ask("get", address)) for address in asked]

    with_them = ask_all()
    with taken_back():
        delete_unit(world.theirs.unit)
        without = ask_all()
    assert [alike(each) for each in with_them] == [alike(each) for each in without]
    assert not [seen for each in with_them for seen in world.seen(each, world.theirs.word)]


def test_a_list_of_units_shows_one_s_own(world: World, callers: Callers) -> None:
    for caller in [*callers.roles, *callers.tokens]:
        found = {UUID(row["id"]) for row in caller.ask("get", "/units").json()["results"]}
        assert found == {world.ours.unit.pk}, caller.name


@pytest.mark.parametrize("route", PERSONAL, ids=str)
def test_what_is_a_person_s_own_is_nobody_else_s(world: World, callers: Callers, route: Route) -> None:  # I7
    theirs = named(world.theirs, route)
    nowhere = {name: uuid4() for name in theirs}
    before = checksum(world.theirs.unit.pk)
    for method in METHODS:
        assert Caller("nobody", None).ask(method, route.at(theirs), {}).status_code == 401, method
        for caller in [*callers.roles, *callers.tokens[:3], *callers.outsiders]:
            with taken_back():
                answer = told(caller.ask(method, route.at(theirs), {}))
                assert checksum(world.theirs.unit.pk) == before, (caller.name, method)
            with taken_back():
                assert alike(answer) == alike(told(caller.ask(method, route.at(nowhere), {}))), (caller.name, method)
            assert not theirs or method == "options" or answer[:3] in ("403", "404", "405"), (caller.name, method)
            assert not world.seen(answer, *theirs.values()), (caller.name, method)
    assert checksum(world.theirs.unit.pk) == before
