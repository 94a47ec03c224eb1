"""Numbers are asked about before a first contact: few at once, seldom, and what is known stays."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from crm_whatsapp.db import ClockNow
from messaging import number_checks, people
from messaging.models import ContactAddress, SendLane
from tests.factories import recording
from tests.sandbox_process import Sandbox
from tests.units.recordings import answer_to
from units.models import Unit, WhatsAppConnection
from units.services import create_unit

pytestmark = pytest.mark.django_db(transaction=True)


def new(unit: Unit, *phones: str) -> list[ContactAddress]:
    """The addresses of people whom nobody has asked about yet."""
    return [people.contact_by_phone(unit, phone).addresses.get() for phone in phones]


def numbers(count: int) -> list[str]:
    return [f"+5511977{place:06d}" for place in range(count)]


def want_all() -> int:
    return number_checks.want(ContactAddress.objects.all())


def its_turn() -> None:
    SendLane.objects.update(next_check_at=ClockNow())


def in_need() -> int:
    return ContactAddress.objects.filter(number_checks.needs_check()).count()


def answer(http: HTTPServer, unit: Unit, name: str) -> None:
    said = recording("requests", name)["response"]
    route = f"/chat/whatsappNumbers/{unit.connection.instance_name}"
    answer_to(http, "POST", route, said["status"], json=said["body"])


def test_what_whatsapp_says_is_kept_on_the_address(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    here, absent = new(unit, "+5531988881111", "+5511988880404")
    sandbox.absent("5511988880404")
    assert want_all() == 2
    assert number_checks.check_due() == 1
    here.refresh_from_db()
    absent.refresh_from_db()
    # The canonical one: WhatsApp files this mobile without its ninth digit.
    assert (here.jid, here.not_on_whatsapp_at) == ("553188881111@s.whatsapp.net", None)
    assert (absent.jid, absent.not_on_whatsapp_at is None) == ("", False)
    assert not ContactAddress.objects.filter(checked_at=None).exists()
    assert in_need() == 0


def test_numbers_are_asked_about_in_small_batches_with_a_pause(
    sandbox: Sandbox, unit: Unit, phone: str, settings: Any
) -> None:
    settings.NUMBER_CHECK_BATCH = 3
    new(unit, *numbers(8))
    want_all()
    assert number_checks.check_due() == 1
    assert number_checks.check_due() == 0
    assert in_need() == 5
    for left in (2, 0):
        its_turn()
        number_checks.check_due()
        assert in_need() == left


def test_two_that_look_at_once_ask_once(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    new(unit, *numbers(30))
    want_all()
    counts: list[int] = []

    def look() -> None:
        counts.append(number_checks.check_due())
        connections.close_all()

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 1
    assert in_need() == 10


def test_one_number_s_pause_is_not_another_s(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    new(unit, *numbers(2))
    other = create_unit("Filial")
    WhatsAppConnection.objects.filter(unit=other).update(status="connected")
    new(other, *numbers(2))
    want_all()
    # The other's instance does not exist at the gateway: it is put off, and ours is asked.
    assert number_checks.check_due() == 2
    assert ContactAddress.objects.filter(unit=unit, checked_at=None).count() == 0
    assert ContactAddress.objects.filter(unit=other, checked_at=None).count() == 2


@pytest.mark.parametrize("status", ["disconnected", "connecting"])
def test_a_number_that_is_away_asks_nothing(unit: Unit, status: str) -> None:
    new(unit, *numbers(1))
    want_all()
    WhatsAppConnection.objects.update(status=status)
    assert number_checks.check_due() == 0


def test_a_number_whose_campaigns_are_held_asks_nothing(unit: Unit) -> None:
    new(unit, *numbers(1))
    want_all()
    WhatsAppConnection.objects.update(campaigns_held_at=ClockNow(), campaigns_held_for="not_on_whatsapp")
    assert number_checks.check_due() == 0


@pytest.mark.parametrize("name", ["evolution-whatsappNumbers", "business-whatsappNumbers"])
def test_where_nobody_can_ask_the_number_is_taken_as_it_is(http: HTTPServer, unit: Unit, name: str) -> None:
    (address,) = new(unit, *numbers(1))
    answer(http, unit, name)
    want_all()
    number_checks.check_due()
    address.refresh_from_db()
    assert (address.checked_at is not None, address.jid, address.not_on_whatsapp_at) == (True, "", None)
    assert in_need() == 0


def test_a_failure_is_asked_again_later(http: HTTPServer, unit: Unit) -> None:
    (address,) = new(unit, *numbers(1))
    answer(http, unit, "baileys-never-connected-whatsappNumbers")
    want_all()
    number_checks.check_due()
    address.refresh_from_db()
    assert (address.checked_at, address.check_due_at is None) == (None, False)
    assert SendLane.objects.get().next_check_at > timezone.now() + timedelta(minutes=1)
    # And somebody asks how the number is.
    assert WhatsAppConnection.objects.filter(check_due_at__lte=ClockNow()).exists()


def test_no_transaction_is_open_while_the_gateway_answers(unit: Unit, http: HTTPServer) -> None:
    new(unit, *numbers(1))
    open_transactions = []
    ours = connections["default"]  # the server has a thread, and a connection, of its own

    def reply(request: Request) -> Response:
        open_transactions.append(ours.in_atomic_block)
        return Response("[]")

    route = f"/chat/whatsappNumbers/{unit.connection.instance_name}"
    http.expect_request(route, method="POST").respond_with_handler(reply)
    want_all()
    number_checks.check_due()
    assert open_transactions == [False]
    # The server said nothing about it.
    assert in_need() == 0


DAYS = timedelta(days=1)


@pytest.mark.parametrize(
    ("known", "needs"),
    [
        ({}, True),
        ({"jid": "5511977000000@s.whatsapp.net"}, False),
        ({"checked": DAYS}, False),
        ({"checked": DAYS, "absent": DAYS}, False),
        ({"absent": DAYS}, False),
        ({"absent": 31 * DAYS}, True),
        ({"checked": 31 * DAYS, "absent": 90 * DAYS}, True),
        ({"checked": DAYS, "absent": 90 * DAYS}, False),
    ],
)
def test_who_needs_a_check(unit: Unit, known: dict[str, Any], needs: bool) -> None:
    new(unit, *numbers(1))
    ContactAddress.objects.update(
        jid=known.get("jid", ""),
        checked_at=ClockNow() - known["checked"] if "checked" in known else None,
        not_on_whatsapp_at=ClockNow() - known["absent"] if "absent" in known else None,
    )
    assert in_need() == int(needs)
    assert want_all() == int(needs)


def test_a_number_that_came_to_whatsapp_is_one_again(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    (address,) = new(unit, *numbers(1))
    ContactAddress.objects.update(not_on_whatsapp_at=ClockNow() - timedelta(days=40))
    want_all()
    number_checks.check_due()
    address.refresh_from_db()
    assert (address.not_on_whatsapp_at, bool(address.jid)) == (None, True)


def test_wanted_twice_it_keeps_its_place(unit: Unit) -> None:
    new(unit, *numbers(1))
    assert want_all() == 1
    before = ContactAddress.objects.get().check_due_at
    assert want_all() == 0
    assert ContactAddress.objects.get().check_due_at == before
