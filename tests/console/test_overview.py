"""The overview: how much was said, how soon people were answered, how the numbers are."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.core.cache import CacheHandler, caches
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from messaging import figures
from messaging.models import Conversation, MessageStatus, Origin
from tests import factories
from tests.console.helpers import at
from units.models import Unit, User, WhatsAppConnection
from units.services import create_unit

pytestmark = pytest.mark.django_db
ZONE = ZoneInfo("America/Sao_Paulo")


def forget() -> None:
    """As if nothing had been counted yet; the cache is one for all processes, so it is not emptied."""
    caches["shared"].key_prefix = uuid4().hex


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    forget()


def said(row: Conversation, when: datetime, *, out: bool = False, **fields: Any) -> None:
    factories.message(row, out=out, happened_at=when, **fields)


def day_of(unit: Unit, when: datetime) -> figures.Day:
    day = when.astimezone(ZONE).date()
    forget()
    return figures.by_day([unit], day, day)[day]


NOON = datetime(2026, 3, 10, 12, tzinfo=ZONE)


def test_a_message_counts_on_the_units_own_day(unit: Unit) -> None:
    chat = factories.conversation(unit)
    # 23:30 in São Paulo is the next day in London.
    said(chat, datetime(2026, 3, 11, 2, 30, tzinfo=UTC))
    assert day_of(unit, NOON).received == 1
    assert day_of(unit, NOON + timedelta(days=1)).received == 0


def test_the_wait_is_from_the_first_question_to_the_first_answer(unit: Unit) -> None:
    chat = factories.conversation(unit)
    said(chat, NOON)
    said(chat, NOON + timedelta(minutes=4))
    said(chat, NOON + timedelta(minutes=10), out=True)
    said(chat, NOON + timedelta(minutes=11), out=True)
    said(chat, NOON + timedelta(minutes=60))
    said(chat, NOON + timedelta(minutes=62), out=True)
    day = day_of(unit, NOON)
    assert day.answers == {(12, 10): 1, (13, 2): 1}
    assert day.answer_minutes == 2


def test_an_answer_on_the_next_day_counts_there(unit: Unit) -> None:
    chat = factories.conversation(unit)
    said(chat, NOON + timedelta(hours=11))
    said(chat, NOON + timedelta(hours=20), out=True)
    assert day_of(unit, NOON).answers == {}
    assert day_of(unit, NOON + timedelta(days=1)).answers == {(23, 540): 1}


def test_campaigns_groups_and_what_was_not_sent_answer_nobody(unit: Unit) -> None:
    chat, group = factories.conversation(unit), factories.group(unit)
    said(chat, NOON)
    said(chat, NOON + timedelta(minutes=1), out=True, origin=Origin.CAMPAIGN)
    said(chat, NOON + timedelta(minutes=2), out=True, status=MessageStatus.FAILED)
    said(group, NOON)
    said(group, NOON + timedelta(minutes=3), out=True)
    day = day_of(unit, NOON)
    assert (day.received, day.team, day.campaigns, day.answers) == (2, 1, 1, {})


def test_rates_are_of_what_left(unit: Unit) -> None:
    chat = factories.conversation(unit)
    for status in (MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ, MessageStatus.READ):
        said(chat, NOON, out=True, status=status)
    said(chat, NOON, out=True, status=MessageStatus.QUEUED)
    day = day_of(unit, NOON)
    assert (day.sent, day.delivery_rate, day.read_rate) == (4, 0.75, 0.5)


def test_half_and_nine_in_ten_are_what_they_say() -> None:
    day = figures.Day()
    day.answers.update({(8, minutes): 1 for minutes in range(1, 11)})
    assert (day.minutes_until(0.5), day.minutes_until(0.9), day.minutes_until(0.5, hour=9)) == (5, 9, None)


def test_days_that_are_over_are_not_counted_again(unit: Unit) -> None:
    today = timezone.localdate()
    first = today - timedelta(days=30)
    figures.by_day([unit], first, today)
    with CaptureQueriesContext(database) as captured:
        figures.by_day([unit], first, today)
    assert len(captured) == 0


def test_what_was_counted_is_known_to_every_process(unit: Unit) -> None:
    said(factories.conversation(unit), NOON)
    figures.by_day([unit], NOON.date(), NOON.date())
    elsewhere = CacheHandler(settings.CACHES)["shared"]
    elsewhere.key_prefix = caches["shared"].key_prefix
    (kept,) = elsewhere.get_many([f"figures:1:{unit.pk}:{unit.time_zone}:{NOON.date()}"]).values()
    assert figures.Day.told(kept).received == 1


def test_days_are_counted_each_time_while_valkey_is_away(browser_client: Client, unit: Unit, settings: Any) -> None:
    shared = settings.CACHES["shared"] | {"LOCATION": "redis://127.0.0.1:9/0"}
    settings.CACHES = settings.CACHES | {"shared": shared}
    for count in (1, 2):
        said(factories.conversation(unit), timezone.now() - timedelta(minutes=5))
        page = browser_client.get(at(unit, "overview")).text
        assert re.findall(r'<p class="figure">(\d+)</p>', page)[0] == str(count)


# --- The page ---------------------------------------------------------------------------------------


def test_numbers_and_table_tell_the_same(browser_client: Client, unit: Unit) -> None:
    chat, now = factories.conversation(unit), timezone.now()
    for _ in range(3):
        said(chat, now - timedelta(minutes=5))
    said(chat, now - timedelta(minutes=1), out=True)
    page = browser_client.get(at(unit, "overview")).text
    assert re.search(r'role="img" aria-label="[^"]*\b3\b[^"]*\b1\b', page)
    assert page.count('<tr><th scope="row"') == 30
    today = re.findall(r'<tr><th scope="row" class="num">[^<]*</th>(.*?)</tr>', page)[-1]
    assert re.findall(r">([\d.]+)</td>", today)[:2] == ["3", "1"]
    assert re.findall(r'<span class="num \w*">([^<]*)</span>', page)[-1] == "hoje"


@pytest.mark.parametrize(
    "query", ["days=7", "days=9999", "first=2026-01-01&last=2026-02-01", "first=2026-02-01&last=2026-01-01", "first=x"]
)
def test_any_span_is_answered(browser_client: Client, unit: Unit, query: str) -> None:
    assert browser_client.get(at(unit, f"overview?{query}")).status_code == 200


def test_a_span_that_cannot_be_is_told(browser_client: Client, unit: Unit) -> None:
    page = browser_client.get(at(unit, "overview?first=2026-02-01&last=2026-01-01")).text
    assert 'role="alert"' in page
    assert 'value="2026-02-01"' in page


def test_all_units_of_a_person_count_together_and_no_others(
    browser_client: Client, unit: Unit, ana: User, stranger: User
) -> None:  # I7
    other, theirs = create_unit("Ótica Centro", owner=ana), Unit.objects.get(memberships__user=stranger)
    for each in (unit, other, theirs):
        said(factories.conversation(each), timezone.now() - timedelta(minutes=5))
    alone, together = (browser_client.get(at(unit, f"overview{query}")).text for query in ("", "?units=all"))
    figure = re.compile(r'<p class="figure">(\d+)</p>')
    assert (figure.findall(alone)[0], figure.findall(together)[0]) == ("1", "2")
    assert theirs.name not in together


def test_more_units_and_campaigns_ask_no_more_of_the_database(browser_client: Client, unit: Unit, ana: User) -> None:
    def queries() -> int:
        forget()
        with CaptureQueriesContext(database) as captured:
            browser_client.get(at(unit, "overview?units=all"))
        return len(captured)

    create_unit("Ótica Centro", owner=ana)
    factories.campaign(unit, people=2)
    before = queries()
    for name in ("Um", "Dois"):
        create_unit(name, owner=ana)
        factories.campaign(unit, people=2)
    assert queries() == before


def test_a_number_that_is_away_is_seen(browser_client: Client, unit: Unit) -> None:
    WhatsAppConnection.objects.update(status="disconnected")
    health = browser_client.get(at(unit, "overview")).text.partition('id="health"')[2]
    assert "Desconectado" in health


def test_days_are_downloaded_as_a_file(browser_client: Client, unit: Unit) -> None:
    said(factories.conversation(unit), timezone.now() - timedelta(minutes=5))
    answer = browser_client.get(at(unit, "overview?days=7&format=csv"))
    lines = b"".join(answer).decode().strip().splitlines()
    assert len(lines) == 8
    assert lines[-1].startswith(f'"{timezone.localdate().isoformat()}";"1";"0"')
