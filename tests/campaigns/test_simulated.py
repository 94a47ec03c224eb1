"""A rehearsal against the campaign that was rehearsed: three days in seconds, by the database's clock alone.

The feeder and the delivery are the real ones, step by step; the gateway is an HTTP server that answers at once, and the
clock is set on by as long as an answer takes, and to when the lane is due. What is asserted is in that clock's time.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from django.db import connection as database

from campaigns.feeder import feed_campaigns, start_due
from campaigns.models import Campaign, CampaignStatus, RecipientStatus
from campaigns.rehearsal import Timing, rehearse
from campaigns.services import CampaignService
from messaging.delivery import Delivery
from messaging.delivery.outcomes import record
from messaging.models import ContactAddress, Message, SendLane
from messaging.pace import standing_of
from tests.factories import campaign
from units.models import Unit, WhatsAppConnection

pytestmark = pytest.mark.django_db

ZONE = ZoneInfo("America/Sao_Paulo")
ANSWER = timedelta(seconds=0.5)
# What an estimate may be wrong by, of the time from first to last: the jitter is random, and turns are not even.
TOLERANCE = 0.02


class Gateway(BaseHTTPRequestHandler):
    """Takes every message, with Evolution's answer (tests/evolution/requests/baileys-sendText-new-phone.json)."""

    protocol_version = "HTTP/1.1"
    numbers: ClassVar[list[str]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.numbers.append(body["number"])
        digits = "".join(char for char in body["number"].partition("@")[0] if char.isdigit())
        key = {"remoteJid": f"{digits}@s.whatsapp.net", "fromMe": True, "id": f"3EB0{len(self.numbers):016X}"}
        answer = json.dumps({"key": key, "status": "PENDING", "messageTimestamp": 1795300000}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def gateway(settings: Any) -> Iterator[list[str]]:
    """The numbers that were written to, in order."""

    class Handler(Gateway):
        numbers: ClassVar[list[str]] = []

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        settings.EVOLUTION_URL, settings.EVOLUTION_API_KEY = f"http://127.0.0.1:{server.server_port}", "key"
        settings.CAMPAIGN_WARM_UP = []
        yield Handler.numbers
        server.shutdown()
        serving.join()


class Clock:
    """The database's, in the test's transaction: with it the setting goes."""

    def __init__(self) -> None:
        self.offset = timedelta(0)

    def now(self) -> datetime:
        with database.cursor() as cursor:
            cursor.execute("SELECT crm_now()")
            return cursor.fetchone()[0]

    def forward(self, by: timedelta) -> None:
        self.offset += by
        with database.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('crm.clock_offset', %s, true)", [f"{self.offset.total_seconds()} seconds"]
            )

    def to(self, moment: datetime) -> None:
        """Set it on to `moment`; never back."""
        self.forward(max(moment - self.now(), timedelta(0)))


@pytest.fixture
def clock(unit: Unit) -> Clock:
    """A quarter past seven on a Monday to come."""
    clock = Clock()
    today = clock.now().astimezone(ZONE).date()
    monday = today + timedelta(days=7 - today.weekday())
    clock.to(datetime.combine(monday, time(7, 15), tzinfo=ZONE))
    return clock


def run(clock: Clock) -> None:
    """Everything that the workers do, until no campaign is left, or a week is over."""
    delivery, until = Delivery(), clock.now() + timedelta(days=7)
    alive = Campaign.objects.filter(status__in=[CampaignStatus.SCHEDULED, CampaignStatus.PROCESSING])
    while alive.exists() and clock.now() < until:
        start_due()
        feed_campaigns()
        if sends := delivery.dispatch(delivery.claim(4)):
            for send in sends:
                send.post()
            clock.forward(ANSWER)
            record(sends)
        else:
            clock.to(next_look(clock))


def next_look(clock: Clock) -> datetime:
    """When there may be something to do: looks in between, once a minute, find nothing."""
    now, pace = standing_of(WhatsAppConnection.objects.get().pk)
    sending = Campaign.objects.filter(status=CampaignStatus.PROCESSING)
    starts = Campaign.objects.filter(status=CampaignStatus.SCHEDULED).values_list("scheduled_at", flat=True)
    ends = list(sending.values_list("ends_at", flat=True))
    lane = SendLane.objects.values_list("due_at", flat=True).first()
    # While the number may not send, nothing but a campaign's start or end comes before it may.
    # The feeder sees the window shut, and takes back what would go stale on the lane.
    if (shuts_at := pace.window_closes_at(now)) is not None:
        ends.append(shuts_at + timedelta(seconds=1))
    own = [pace.opens_at(now)] if pace.opens_at(now) > now else [lane, *sending.values_list("next_send_at", flat=True)]
    return min((at for at in (*starts, *ends, *own) if at and at > now), default=now + timedelta(minutes=1))


def rules(unit: Unit, **columns: Any) -> None:
    WhatsAppConnection.objects.filter(unit=unit).update(**columns)


def a_campaign(unit: Unit, people: int, **columns: Any) -> Campaign:
    made = campaign(unit, people=people, start=False)
    Campaign.objects.filter(pk=made.pk).update(**columns)
    # Known to WhatsApp already: the checks before a first contact have tests of their own.
    ContactAddress.objects.update(checked_at=clock_now(), check_due_at=None)
    made.refresh_from_db()
    return made


def timed(made: Campaign, **options: Any) -> Timing:
    timing = rehearse(made, **options).timing
    assert timing is not None
    return timing


def clock_now() -> datetime:
    return Clock().now()


def sends_of(*campaigns: Campaign) -> list[Message]:
    return list(Message.objects.filter(recipients__campaign__in=campaigns).order_by("dispatched_at"))


def assert_paced(sends: list[Message], interval: float) -> None:  # I5
    for before, after in pairwise(sends):
        assert before.sent_at
        assert after.dispatched_at
        assert (after.dispatched_at - before.sent_at).total_seconds() >= interval


def days_of(sends: list[Message]) -> Counter[date]:
    return Counter(m.dispatched_at.astimezone(ZONE).date() for m in sends if m.dispatched_at)


def assert_near(estimate: datetime | None, real: datetime | None, span: timedelta) -> None:
    assert estimate
    assert real
    assert abs(estimate - real) <= span * TOLERANCE, f"estimated {estimate}, really {real}"


def first_and_last(sends: list[Message]) -> tuple[datetime, datetime]:
    assert sends[0].dispatched_at
    assert sends[-1].dispatched_at
    return sends[0].dispatched_at, sends[-1].dispatched_at


def test_three_days_through_windows_and_caps(unit: Unit, gateway: list[str], clock: Clock) -> None:
    rules(unit, interval_seconds=90, jitter_seconds=30, window_start=time(9), window_end=time(10), daily_cap=24)
    made = a_campaign(unit, 60)
    told = timed(made)
    CampaignService(made).dispatch()
    run(clock)
    sends = sends_of(made)
    assert len(gateway) == len(set(gateway)) == len(sends) == 60  # I3
    assert_paced(sends, 90)
    assert all(time(9) <= m.dispatched_at.astimezone(ZONE).time() < time(10) for m in sends if m.dispatched_at)
    assert list(days_of(sends).values()) == [24, 24, 12] == [day.people for day in told.days]
    first, last = first_and_last(sends)
    assert_near(told.first_at, first, last - first)
    assert_near(told.last_at, last, last - first)


def test_a_window_that_is_too_short_for_the_day_and_a_day_without_one(
    unit: Unit, gateway: list[str], clock: Clock
) -> None:
    rules(unit, interval_seconds=100, jitter_seconds=40, window_start=time(8), window_end=time(9), window_days=[1, 3])
    made = a_campaign(unit, 55)
    told = timed(made)
    CampaignService(made).dispatch()
    run(clock)
    sends = sends_of(made)
    assert_paced(sends, 100)
    assert {day.isoweekday() for day in days_of(sends)} == {1, 3}
    first, last = first_and_last(sends)
    assert_near(told.last_at, last, last - first)


def test_two_campaigns_on_one_number_and_a_third_that_is_scheduled(
    unit: Unit, gateway: list[str], clock: Clock
) -> None:
    rules(unit, interval_seconds=120, window_start=time(8), window_end=time(10))
    other, later, made = a_campaign(unit, 30), a_campaign(unit, 15), a_campaign(unit, 40)
    CampaignService(other).dispatch()
    CampaignService(later).schedule(clock.now() + timedelta(minutes=90))
    told = timed(made)
    CampaignService(made).dispatch()
    run(clock)
    assert_paced(sends_of(other, later, made), 60)
    first, last = first_and_last(sends_of(made))
    assert_near(told.first_at, first, last - first)
    assert_near(told.last_at, last, last - first)


def test_a_campaign_with_a_pace_of_its_own_beside_another(unit: Unit, gateway: list[str], clock: Clock) -> None:
    rules(unit, interval_seconds=30, jitter_seconds=10)
    slow, other = a_campaign(unit, 25, interval_seconds=300), a_campaign(unit, 50)
    CampaignService(other).dispatch()
    told = timed(slow)
    CampaignService(slow).dispatch()
    run(clock)
    assert_paced(sends_of(slow), 300)
    first, last = first_and_last(sends_of(slow))
    assert_near(told.last_at, last, last - first)


def test_the_pace_that_finishes_by_a_time_really_does(unit: Unit, gateway: list[str], clock: Clock) -> None:
    rules(unit, interval_seconds=20, window_start=time(8), window_end=time(10))
    by = clock.now() + timedelta(days=1, hours=2)
    made = a_campaign(unit, 45)
    finish = timed(made, finish_by=by).finish
    assert finish is not None
    assert finish.interval_seconds is not None
    Campaign.objects.filter(pk=made.pk).update(interval_seconds=finish.interval_seconds)
    CampaignService(made).dispatch()
    run(clock)
    first, last = first_and_last(sends_of(made))
    assert by - (by - first) * TOLERANCE <= last + timedelta(minutes=5)
    assert last <= by + (by - first) * TOLERANCE


def test_whoever_the_end_of_a_campaign_leaves_out_was_foretold(unit: Unit, gateway: list[str], clock: Clock) -> None:
    rules(unit, interval_seconds=120)
    made = a_campaign(unit, 40, ends_at=clock.now() + timedelta(hours=1))
    told = timed(made)
    CampaignService(made).dispatch()
    run(clock)
    reached = made.recipients.filter(status=RecipientStatus.SENT).count()
    assert abs((40 - told.left_out) - reached) <= 2
