"""EvolutionService against a live server: the sandbox, or a real Evolution API.

With EVOLUTION_URL and EVOLUTION_API_KEY in the environment it is the server there, and what takes a phone is
skipped; each test makes its own instances and deletes them.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.sandbox_process import Sandbox
from units.gateways.errors import (
    AlreadyClosed,
    Disconnected,
    GatewayError,
    InstanceExists,
    InstanceMissing,
    LicenseRequired,
    NotOnWhatsApp,
    NotSent,
    OutcomeUnknown,
    Rejected,
    ServerUnavailable,
    WrongKey,
)
from units.gateways.evolution import WEBHOOK_EVENTS, EvolutionService

# Nobody listens there; what a webhook carries is another test's business.
HOOK = "http://127.0.0.1:9/webhooks/whatsapp/evolution/contract"
OWNER = "5511900000009"
CUSTOMER = "5511977776666"


@dataclass(frozen=True)
class Gateway:
    """A live server; `sandbox` has the phones, and is None for a real server."""

    url: str
    api_key: str
    sandbox: Sandbox | None

    def service(self, name: str | None = None, **options: Any) -> EvolutionService:
        name = name or f"contract_{uuid.uuid4()}"
        return EvolutionService(name, **{"base_url": self.url, "api_key": self.api_key} | options)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    if named_in_environment("EVOLUTION_URL") and os.environ.get("EVOLUTION_API_KEY"):
        yield Gateway(os.environ["EVOLUTION_URL"], os.environ["EVOLUTION_API_KEY"], None)
    else:
        with Sandbox() as sandbox:
            yield Gateway(sandbox.url, sandbox.api_key, sandbox)


def named_in_environment(variable: str) -> bool:
    """Whether a person set the variable; the settings add those of the launcher's file to the environment.

    The server in that file is that of `make run`, perhaps with somebody's number on it.
    """
    file = Path(os.environ.get("CRM_ENV_FILE", settings.BASE_DIR / ".local" / "env"))
    lines = file.read_text().splitlines() if file.exists() else []
    return variable in os.environ and f"{variable}={os.environ[variable]}" not in lines


@pytest.fixture
def created(gateway: Gateway) -> Iterator[EvolutionService]:
    service = gateway.service()
    service.create_instance(webhook_url=HOOK)
    yield service
    remove(service)


@pytest.fixture
def sandbox(gateway: Gateway) -> Sandbox:
    if gateway.sandbox is None:
        pytest.skip("takes a phone, and the server is a real one")
    return gateway.sandbox


@pytest.fixture
def paired(created: EvolutionService, sandbox: Sandbox) -> EvolutionService:
    assert eventually(lambda: created.connect().qr)
    sandbox.scan(created.instance_name, OWNER, "Loja Teste")
    assert eventually(lambda: created.connection_state() == "open")
    return created


def eventually[T](look: Callable[[], T], seconds: float = 10.0) -> T:
    """What `look` gives as soon as it is true, or its last word."""
    deadline = time.monotonic() + seconds
    while not (value := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return value


def is_missing(service: EvolutionService) -> bool:
    try:
        service.connection_state()
    except InstanceMissing:
        return True
    return False


def remove(service: EvolutionService) -> None:
    if not is_missing(service):
        service.delete()
        assert eventually(lambda: is_missing(service))


# Instances


def test_a_new_instance_is_closed_and_has_no_owner(created: EvolutionService) -> None:
    assert created.connection_state() == "close"
    info = created.fetch_instance()
    assert info is not None
    assert (info.name, info.state, info.owner_phone) == (created.instance_name, "close", None)


def test_creating_twice_says_that_the_name_is_taken(created: EvolutionService) -> None:
    with pytest.raises(InstanceExists):
        created.create_instance(webhook_url=HOOK)


def test_a_missing_instance_is_named(gateway: Gateway) -> None:
    service = gateway.service()
    assert service.fetch_instance() is None
    now = datetime.now(UTC)
    for call in (
        service.connect,
        service.connection_state,
        service.restart,
        service.logout,
        service.delete,
        service.find_webhook,
        lambda: service.set_webhook(url=HOOK),
        lambda: service.check_numbers([CUSTOMER]),
        lambda: service.find_messages(since=now, until=now),
        lambda: service.send_message(CUSTOMER, "oi"),
    ):
        with pytest.raises(InstanceMissing):
            call()


def test_a_wrong_key_is_named(gateway: Gateway, created: EvolutionService) -> None:
    stranger = gateway.service(created.instance_name, api_key="not-the-key")
    for call in (
        stranger.connect,
        stranger.fetch_instance,
        lambda: gateway.service(api_key="not-the-key").create_instance(webhook_url=HOOK),
        lambda: stranger.send_message(CUSTOMER, "oi"),
    ):
        with pytest.raises(WrongKey):
            call()


def test_a_deleted_instance_is_gone_and_its_name_is_free(created: EvolutionService) -> None:
    remove(created)
    assert created.fetch_instance() is None
    assert eventually(lambda: recreated(created))


def recreated(service: EvolutionService) -> bool:
    try:
        service.create_instance(webhook_url=HOOK)
    except InstanceExists:
        return False
    return True


def test_a_name_is_one_segment_of_the_path(gateway: Gateway) -> None:
    service = gateway.service(f"loja são paulo/{uuid.uuid4()}?x=1#y")
    service.create_instance(webhook_url=HOOK)
    assert service.connection_state() == "close"
    remove(service)


def test_a_closed_instance_neither_restarts_nor_logs_out(created: EvolutionService) -> None:
    with pytest.raises(Disconnected):
        created.restart()
    with pytest.raises(AlreadyClosed):
        created.logout()


# Webhook


def test_create_sets_the_webhook(created: EvolutionService) -> None:
    hook = created.find_webhook()
    assert hook is not None
    assert (hook.url, hook.enabled, hook.by_events, hook.base64) == (HOOK, True, False, False)
    assert set(hook.events) == set(WEBHOOK_EVENTS)


def test_a_webhook_is_replaced(created: EvolutionService) -> None:
    changed = created.set_webhook(url=HOOK + "2", events=["CONNECTION_UPDATE"], headers={"X-Test": "1"})
    assert changed == created.find_webhook()
    assert (changed.url, changed.events, changed.headers) == (
        HOOK + "2",
        ("CONNECTION_UPDATE",),
        {"X-Test": "1"},
    )


def test_an_unknown_event_is_rejected(created: EvolutionService) -> None:
    with pytest.raises(Rejected):
        created.set_webhook(url=HOOK, events=["NOT_AN_EVENT"])


# Connecting


def test_connect_starts_connecting(created: EvolutionService) -> None:
    answer = created.connect()
    assert answer.state == "connecting"
    assert answer.qr is None or answer.qr.startswith("data:image/png;base64,")


def test_a_phone_number_gets_a_pairing_code(created: EvolutionService, sandbox: Sandbox) -> None:
    # The first answer may come before there is a code: then with a count alone.
    code = created.connect(phone_number="+55 (11) 90000-0009").pairing_code
    code = code or eventually(lambda: created.connect().pairing_code)
    assert code is not None
    assert len(code) == 8


def test_a_scanned_code_opens_the_connection(paired: EvolutionService) -> None:
    assert paired.connect().state == "open"
    info = paired.fetch_instance()
    assert info is not None
    assert (info.state, info.owner_phone, info.profile_name) == ("open", OWNER, "Loja Teste")


def test_an_open_instance_restarts(paired: EvolutionService) -> None:
    paired.restart()
    assert eventually(lambda: paired.connection_state() == "open")


def test_logging_out_closes_once(paired: EvolutionService) -> None:
    paired.logout()
    assert eventually(lambda: paired.connection_state() == "close")
    with pytest.raises(AlreadyClosed):
        paired.logout()


def test_a_logout_on_the_phone_leaves_its_reason(paired: EvolutionService, sandbox: Sandbox) -> None:
    sandbox.logout(paired.instance_name)
    assert eventually(lambda: paired.connection_state() == "close")
    info = paired.fetch_instance()
    assert info is not None
    assert info.disconnection_reason == 401
    with pytest.raises(Disconnected):
        paired.send_message(CUSTOMER, "oi")


# Messages


def test_nothing_is_sent_before_pairing(created: EvolutionService) -> None:
    with pytest.raises(Disconnected) as raised:
        created.send_message(CUSTOMER, "oi")
    assert raised.value.code == "never_connected"
    with pytest.raises(Disconnected):
        created.check_numbers([CUSTOMER])
    now = datetime.now(UTC)
    assert created.find_messages(since=now - timedelta(days=1), until=now).messages == ()


def test_a_message_reaches_the_phone_and_is_found_again(paired: EvolutionService, sandbox: Sandbox) -> None:
    started = datetime.now(UTC) - timedelta(seconds=2)
    sent = paired.send_message(CUSTOMER, "Olá, tudo bem?", delay_ms=50, link_preview=False)
    assert sent.timestamp is not None
    assert sent.jid == f"{CUSTOMER}@s.whatsapp.net"
    wire = sandbox.sent(paired.instance_name)
    assert [(row["id"], row["text"]) for row in wire] == [(sent.external_id, "Olá, tudo bem?")]
    until = datetime.now(UTC) + timedelta(seconds=2)
    found = paired.find_messages(since=started, until=until, from_me=True)
    assert [(row.external_id, row.jid, row.from_me, row.text) for row in found.messages] == [
        (sent.external_id, sent.jid, True, "Olá, tudo bem?")
    ]
    assert paired.find_messages(since=started - timedelta(days=2), until=started).messages == ()


def test_found_messages_come_newest_first_in_pages(paired: EvolutionService, sandbox: Sandbox) -> None:
    since = datetime.now(UTC) - timedelta(seconds=2)
    first = paired.send_message(CUSTOMER, "um").external_id
    time.sleep(1.1)  # the order is by whole seconds
    second = paired.send_message(CUSTOMER, "dois", quoted_id=first).external_id
    sandbox.receipt(paired.instance_name, second, "READ")
    until = datetime.now(UTC) + timedelta(seconds=2)
    pages = [paired.find_messages(since=since, until=until, from_me=True, page=page, page_size=1) for page in (1, 2, 3)]
    assert [[row.external_id for row in page.messages] for page in pages] == [[second], [first], []]
    assert [page.pages for page in pages] == [2, 2, 2]
    assert "READ" in pages[0].messages[0].statuses


def test_numbers_are_checked(paired: EvolutionService, sandbox: Sandbox) -> None:
    sandbox.absent("5511988880404")
    checks = paired.check_numbers([CUSTOMER, "5511988880404", "+55 (31) 99999-1234", "abc"])
    assert {number: check.exists for number, check in checks.items()} == {
        CUSTOMER: True,
        "5511988880404": False,
        "+55 (31) 99999-1234": True,
        "abc": False,
    }
    assert checks["+55 (31) 99999-1234"].jid == "553199991234@s.whatsapp.net"


def test_a_number_without_whatsapp_is_named(paired: EvolutionService, sandbox: Sandbox) -> None:
    sandbox.absent("5511988880404")
    with pytest.raises(NotOnWhatsApp):
        paired.send_message("5511988880404", "oi")


def test_a_blank_text_is_rejected(paired: EvolutionService) -> None:
    with pytest.raises(Rejected) as raised:
        paired.send_message(CUSTOMER, " \n")
    assert raised.value.code == "text_required"


@pytest.mark.parametrize(
    ("fault", "error", "reaches_whatsapp"),
    [
        ("not_on_whatsapp", NotOnWhatsApp, 0),
        ("number_check_timeout", NotSent, 0),
        ("license_required", LicenseRequired, 0),
        ("error_500", OutcomeUnknown, 0),
        ("error_500_after_send", OutcomeUnknown, 1),
        ("timeout_after_send", OutcomeUnknown, 1),
        ("reset_before_send", OutcomeUnknown, 0),
        ("reset_after_send", OutcomeUnknown, 1),
    ],
)
def test_a_send_that_fails_is_not_repeated(
    gateway: Gateway,
    paired: EvolutionService,
    sandbox: Sandbox,
    fault: str,
    error: type[GatewayError],
    reaches_whatsapp: int,
) -> None:  # I3
    sandbox.fail(paired.instance_name, fault, seconds=0.1 if fault == "number_check_timeout" else None)
    with pytest.raises(GatewayError) as raised:
        gateway.service(paired.instance_name, send_timeout=1.0).send_message(CUSTOMER, "oi")
    assert type(raised.value) is error
    assert len(sandbox.sent(paired.instance_name)) == reaches_whatsapp


@pytest.mark.parametrize(
    ("mode", "managing", "sending"),
    [
        ("down", ServerUnavailable, OutcomeUnknown),
        ("license_required", LicenseRequired, LicenseRequired),
    ],
)
def test_a_server_that_does_not_serve_is_named(
    gateway: Gateway,
    sandbox: Sandbox,
    mode: str,
    managing: type[GatewayError],
    sending: type[GatewayError],
) -> None:
    sandbox.server(mode)
    try:
        with pytest.raises(managing):
            gateway.service().create_instance(webhook_url=HOOK)
        with pytest.raises(sending):
            gateway.service().send_message(CUSTOMER, "oi")
    finally:
        sandbox.server("up")
