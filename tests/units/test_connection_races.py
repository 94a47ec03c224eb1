"""What is true of a connection when answers are late, old, or lost. The gateway's answers are made by the test."""

import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections, transaction
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from crm_whatsapp.db import ClockNow
from units import live
from units.models import ConnectionStatus, DisconnectCause, Unit, WhatsAppConnection
from units.services import ConnectionService, create_unit, reconcile_due
from units.tasks import reconcile_connections

pytestmark = pytest.mark.django_db(transaction=True)

St = ConnectionStatus
Cause = DisconnectCause

GONE = {"status": 404, "error": "Not Found", "response": {"message": ['The "unit_1" instance does not exist']}}


class Gateway:
    """Answers `state` (None: there is no such instance) and what is `stored`; `meanwhile` happens once before it."""

    def __init__(self, http: HTTPServer) -> None:
        self.state: str | None = "open"
        self.stored: dict[str, Any] = {}
        self.meanwhile: Callable[[], object] = lambda: None
        # What connect answers, one after the other.
        self.codes: list[dict[str, Any]] = []
        for method, path, answer in (
            ("GET", "/instance/connectionState/", self._state),
            ("GET", "/instance/fetchInstances", lambda request: Response(json.dumps([self.stored]))),
            ("GET", "/instance/connect/", lambda request: Response(json.dumps(self.codes.pop(0)))),
            ("GET", "/webhook/find/", lambda request: Response("null")),
            ("POST", "/webhook/set/", lambda request: Response(json.dumps(request.get_json()["webhook"]), 201)),
            ("GET", "/settings/find/", lambda request: Response('{"groupsIgnore": true}')),
            ("DELETE", "/instance/delete/", lambda request: Response('{"status": "SUCCESS"}')),
        ):
            http.expect_request(re.compile(re.escape(path)), method=method).respond_with_handler(answer)

    def _state(self, request: Request) -> Response:
        state, happens, self.meanwhile = self.state, self.meanwhile, lambda: None
        try:
            happens()
        finally:
            connections.close_all()  # those of the server's thread
        return Response(json.dumps({"instance": {"state": state}})) if state else Response(json.dumps(GONE), 404)


@pytest.fixture
def gateway(http: HTTPServer) -> Gateway:
    return Gateway(http)


def now_is(status: St, cause: Cause = Cause.NONE, *, since: timedelta = timedelta(0), **fields: Any) -> None:
    changed = ClockNow() - since
    fields = {"check_due_at": ClockNow()} | fields
    WhatsAppConnection.objects.update(status=status, cause=cause, status_changed_at=changed, **fields)


def check(unit: Unit) -> tuple[str, str]:
    ConnectionService(unit).refresh()
    return WhatsAppConnection.objects.values_list("status", "cause").get(unit=unit)


def is_checked_again() -> bool:
    return WhatsAppConnection.objects.get().check_due_at is not None


def test_a_number_out_of_reach_is_looked_for_until_it_is_back(gateway: Gateway, unit: Unit) -> None:
    now_is(St.DISCONNECTED, Cause.UNREACHABLE)
    for gateway.state in ("close", "connecting"):
        assert check(unit) == (St.DISCONNECTED, Cause.UNREACHABLE)
        assert is_checked_again()
    gateway.state = "open"
    assert check(unit) == (St.CONNECTED, "")


@pytest.mark.parametrize(
    ("reason", "ago", "cause"),
    [
        (428, timedelta(0), Cause.UNREACHABLE),
        (401, timedelta(0), Cause.LOGGED_OUT),
        (401, timedelta(days=2), Cause.UNREACHABLE),
    ],
)
def test_only_a_reason_that_ended_this_session_is_a_logout(
    gateway: Gateway, unit: Unit, connection: WhatsAppConnection, reason: int, ago: timedelta, cause: str
) -> None:
    now_is(St.CONNECTED, since=timedelta(days=1))
    at = (datetime.now(UTC) - ago).isoformat()
    gateway.state = "close"
    gateway.stored = {"name": connection.instance_name, "disconnectionReasonCode": reason, "disconnectionAt": at}
    assert check(unit) == (St.DISCONNECTED, cause)


def test_a_logout_that_is_told_later_says_why(unit: Unit) -> None:
    now_is(St.DISCONNECTED, Cause.UNREACHABLE)
    with transaction.atomic():
        ConnectionService(unit).hint_closed(logged_out=True)
    assert WhatsAppConnection.objects.get().cause == Cause.LOGGED_OUT


def test_an_answer_that_a_webhook_has_overtaken_changes_nothing(gateway: Gateway, unit: Unit) -> None:
    def opened() -> None:
        service = ConnectionService(unit)
        with transaction.atomic():
            service.hint_open(phone="+5511900000009", profile_name="Ótica", profile_picture_url=None)
            live.publish(service.changes)

    now_is(St.AWAITING_SCAN)
    gateway.state, gateway.meanwhile = "close", opened
    assert check(unit) == (St.CONNECTED, "")
    assert is_checked_again()


def test_a_disconnect_during_a_check_is_not_forgotten(gateway: Gateway, unit: Unit) -> None:
    gateway.state, gateway.meanwhile = "connecting", lambda: now_is(St.DISCONNECTING, Cause.BY_US, check_due_at=None)
    assert check(unit)[0] == St.DISCONNECTING
    assert is_checked_again()


def test_a_deletion_does_not_undo_a_connect_that_came_after_it(gateway: Gateway, unit: Unit) -> None:
    gateway.state, gateway.meanwhile = None, lambda: now_is(St.PREPARING)
    assert ConnectionService(unit).disconnect().status == St.PREPARING


@pytest.mark.parametrize(("since", "status"), [(0, St.PREPARING), (61, St.DISCONNECTED)])
def test_preparing_without_an_instance_ends_after_a_minute(
    gateway: Gateway, unit: Unit, since: int, status: str
) -> None:
    now_is(St.PREPARING, since=timedelta(seconds=since))
    gateway.state = None
    assert check(unit)[0] == status
    assert is_checked_again() is (status == St.PREPARING)


@pytest.mark.parametrize("state", ["connecting", "close", None])
def test_any_answer_takes_back_that_the_gateway_is_silent(gateway: Gateway, unit: Unit, state: str | None) -> None:
    now_is(St.DISCONNECTED, Cause.GATEWAY_DOWN)
    gateway.state = state
    assert check(unit) == (St.DISCONNECTED, "")


def test_a_silent_gateway_does_not_hide_why_a_number_is_disconnected(unit: Unit, settings: Any) -> None:
    settings.EVOLUTION_URL = "http://127.0.0.1:9"  # the discard port: nobody listens
    now_is(St.DISCONNECTED, Cause.LOGGED_OUT)
    assert check(unit) == (St.DISCONNECTED, Cause.LOGGED_OUT)


def test_a_gateway_that_hangs_takes_no_more_than_two_threads(gateway: Gateway, unit: Unit) -> None:
    def run() -> None:
        reconcile_connections()
        connections.close_all()

    create_unit("Segunda"), create_unit("Terceira")
    now_is(St.CONNECTED)
    inside, go_on = threading.Barrier(3), threading.Event()

    def hang() -> None:
        gateway.meanwhile = hang
        if not go_on.is_set():
            inside.wait(5)
            go_on.wait(5)

    gateway.meanwhile = hang
    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    inside.wait(5)
    reconcile_connections()
    assert WhatsAppConnection.objects.filter(check_due_at__lte=ClockNow()).count() == 1
    go_on.set()
    for thread in threads:
        thread.join()


def test_what_no_column_could_hold_does_not_stop_the_checks(
    gateway: Gateway, unit: Unit, connection: WhatsAppConnection
) -> None:
    gateway.stored = {
        "name": connection.instance_name,
        "ownerJid": "9" * 100,
        "profileName": "Ó\0" * 300,
        "profilePicUrl": "https://p\ud800",
        "disconnectionAt": "2026-01-01T00:00:00",
    }
    now_is(St.AWAITING_SCAN, phone_number="")
    assert reconcile_due() == 1
    connection.refresh_from_db()
    assert (connection.status, connection.phone_number, connection.profile_name) == (St.CONNECTED, "", "Ó" * 200)


def test_a_code_that_takes_longer_than_the_gateway_waits_is_asked_for_again(gateway: Gateway, unit: Unit) -> None:
    now_is(St.DISCONNECTED)
    gateway.state = "close"
    gateway.codes = [{"count": 0}, {"count": 0}, {"base64": "data:image/png;base64,AAAA", "code": "2@A", "count": 1}]
    assert ConnectionService(unit).connect().qr_code == "data:image/png;base64,AAAA"
