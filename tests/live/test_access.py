"""Who may listen, and how long: asked at the door, and every two seconds after it."""

from collections.abc import Callable
from contextlib import ExitStack

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from crm_whatsapp.db import ClockNow
from tests.live.conftest import bearer, logged_in
from tests.live.process import LiveProcess
from tests.live.test_feed import publish
from units.crypto import sha256
from units.models import ApiToken, Membership, Unit, User
from units.roles import Action, Role
from units.services import create_unit, delete_unit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("live")]

Headers = dict[str, str]


def member(unit: Unit, name: str, role: Role = Role.AGENT) -> User:
    user = User.objects.create_user(f"{name}@example.com", "correct horse battery")
    Membership.objects.create(unit=unit, user=user, role=role)
    return user


# At the door


def test_a_browser_listens_with_its_session_and_a_program_with_its_token(
    live: LiveProcess, unit: Unit, cookie: Headers, token: Headers
) -> None:
    with live.listen(unit.id, **cookie) as browser, live.listen(unit.id, **token) as program:
        [told] = publish(unit)
        assert browser.next().data["id"] == program.next().data["id"] == told


def test_nobody_and_wrong_tokens_are_401(live: LiveProcess, unit: Unit) -> None:
    for headers in ({}, {"Authorization": "Bearer crm_nonsense"}, {"Cookie": "sessionid=nonsense"}):
        answer = live.ask(unit.id, Accept="text/event-stream", **headers)
        assert answer.status_code == 401
        assert answer.headers["Content-Type"] == "application/json"


def test_a_stranger_and_a_token_of_another_unit_find_nothing(  # I7
    live: LiveProcess, unit: Unit, ana: User, stranger: User
) -> None:
    other = create_unit("Ótica Poente", owner=ana)
    for headers in (bearer(stranger), logged_in(stranger), bearer(ana, unit=other)):
        assert live.ask(unit.id, **headers).status_code == 404


def test_a_token_needs_the_scope_of_the_inbox(live: LiveProcess, unit: Unit, ana: User) -> None:
    answer = live.ask(unit.id, **bearer(ana, scopes=[Action.READ_CAMPAIGNS]))
    assert answer.status_code == 403
    assert Action.READ_INBOX in answer.json()["errors"][0]["detail"]
    with live.listen(unit.id, **bearer(ana, scopes=[Action.READ_INBOX], unit=unit)):
        pass


def test_an_integration_listens_to_its_unit(live: LiveProcess, unit: Unit) -> None:
    program = User.objects.create_integration("ERP")
    Membership.objects.create(unit=unit, user=program, role=Role.AGENT)
    with live.listen(unit.id, **bearer(program, unit=unit)) as stream:
        publish(unit)
        assert stream.next().seq == 1


# While it is open


def _log_out(user: User, headers: Headers) -> None:
    other_tab = Client()
    other_tab.cookies["sessionid"] = session_key(headers)
    other_tab.logout()


def _change_password(user: User, headers: Headers) -> None:
    user.set_password("another one")
    user.save()


def session_key(headers: Headers) -> str:
    return headers["Cookie"].partition("=")[2]


type Loss = Callable[[User, Headers], object]
LOSSES: dict[str, tuple[Callable[[User], Headers], Loss]] = {
    "membership, by session": (logged_in, lambda user, _: Membership.objects.filter(user=user).delete()),
    "membership, by token": (bearer, lambda user, _: Membership.objects.filter(user=user).delete()),
    "deactivated, by session": (logged_in, lambda user, _: User.objects.filter(pk=user.pk).update(is_active=False)),
    "deactivated, by token": (bearer, lambda user, _: User.objects.filter(pk=user.pk).update(is_active=False)),
    "deleted": (bearer, lambda user, _: User.objects.filter(pk=user.pk).delete()),
    "logged out": (logged_in, _log_out),
    "password changed": (logged_in, _change_password),
    "session over": (
        logged_in,
        lambda _, headers: Session.objects.filter(session_key=session_key(headers)).update(expire_date=ClockNow()),
    ),
    "token revoked": (bearer, lambda user, _: user.api_tokens.update(revoked_at=ClockNow())),
    "token expired": (bearer, lambda user, _: user.api_tokens.update(expires_at=ClockNow())),
    "token deleted": (bearer, lambda user, _: user.api_tokens.all().delete()),
    "scope taken": (bearer, lambda user, _: user.api_tokens.update(scopes=[Action.READ_CONTACTS])),
    "token of another unit now": (
        bearer,
        lambda user, _: user.api_tokens.update(unit=create_unit("Ótica Poente", owner=user)),
    ),
}


def test_whoever_loses_access_hears_nothing_more(live: LiveProcess, unit: Unit, token: Headers) -> None:  # I7
    """All losses at once: each is noticed within two seconds."""
    with ExitStack() as stack:
        losers = {}
        for number, (name, (prove, lose)) in enumerate(LOSSES.items()):
            user = member(unit, f"m{number}")
            headers = prove(user)
            losers[name] = (user, headers, lose, stack.enter_context(live.listen(unit.id, **headers)))
        witness = stack.enter_context(live.listen(unit.id, **token))
        publish(unit)
        for user, headers, lose, _stream in losers.values():
            lose(user, headers)
        for name, (_user, headers, _lose, stream) in losers.items():
            assert [event.kind for event in stream.rest()] == ["message", "gone"], name
            assert live.ask(unit.id, **headers).status_code in (401, 403, 404), name
        publish(unit)
        assert [event.seq for event in witness.take(2)] == [1, 2]


def test_what_takes_nothing_away_ends_nothing(live: LiveProcess, unit: Unit, ana: User) -> None:
    user, leaving = member(unit, "bia"), member(unit, "caio")
    other_session, other_token = logged_in(user), bearer(user)
    with ExitStack() as stack:
        kept = [stack.enter_context(live.listen(unit.id, **headers)) for headers in (logged_in(user), bearer(user))]
        Membership.objects.filter(user=user).update(role=Role.MANAGER)
        User.objects.filter(pk=user.pk).update(first_name="Beatriz")
        _log_out(user, other_session)
        ApiToken.objects.filter(sha256=sha256(other_token["Authorization"].removeprefix("Bearer "))).delete()
        with live.listen(unit.id, **bearer(leaving)) as stream:
            Membership.objects.filter(user=leaving).delete()
            # Whoever would have had to go has gone when this one has.
            assert [event.kind for event in stream.rest()] == ["gone"]
        publish(unit)
        assert [stream.next().seq for stream in kept] == [1, 1]


def test_a_token_outlives_a_new_password_of_its_person(live: LiveProcess, unit: Unit) -> None:
    user, leaving = member(unit, "bia"), member(unit, "caio")
    with live.listen(unit.id, **bearer(user)) as stream, live.listen(unit.id, **logged_in(leaving)) as other:
        for each in (user, leaving):
            _change_password(each, {})
        assert [event.kind for event in other.rest()] == ["gone"]
        publish(unit)
        assert stream.next().seq == 1


def test_the_streams_of_a_deleted_unit_end(live: LiveProcess, unit: Unit, token: Headers) -> None:
    with live.listen(unit.id, **token) as stream:
        delete_unit(unit)
        assert stream.rest()[-1].kind == "gone"
