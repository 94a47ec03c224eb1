"""Every page of the console and every list of the admin with years of messages behind it: what it asks, how long it
takes; and what the console's weigh.

Pages are found as the resolver has them, so a new one is measured by itself. Times are told against the log-in page,
which asks the database for nothing and is made by the same templates, in turns with it.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from bench import watching
from bench.installation import Installation
from bench.loader import load
from bench.people import targets
from bench.report import Figure, percentile, say
from campaigns.services import CampaignService
from console.urls import unit_urls
from messaging.models import Contact, Conversation
from units.models import Membership, Unit, User, WhatsAppConnection
from units.services import create_unit

# Reading is never more than this: a page, whatever it shows.
MOST_QUERIES = 25
# Times the log-in page: some 200 ms where that takes 4.
SLOWEST = 50
# Of the admin, which shows all units at once: a name is looked for in all contacts.
SLOWEST_LIST = 120
# Of all that the inbox needs the first time, as it goes over the wire.
HEAVIEST = 150  # kB
LOGIN = "/app/login"
# Of the overview: as many days, and as many before them, are counted then, and never all of them again.
FIRST_LOOK = "overview?days=90"
# Pages that the browser opens, too: the heaviest, and those that are looked at all day.
WEIGHED = ("inbox", "conversation", "campaigns", "contacts", "overview", "attention")


@dataclass(frozen=True, slots=True)
class Page:
    """A page by the name of its route, and where it is."""

    name: str
    path: str


def run(
    installation: Installation, *, rounds: int, rows: int, contacts: int, chats: int, rate: float, seconds: float
) -> list[Figure]:
    """Made by this process first; then over the wire, by every process of the product, in Chromium."""
    owner = User.objects.create_user("pages@example.com", "a password for a minute")
    unit = create_unit("Ótica Aurora", owner=owner)
    begin = time.monotonic()
    load(unit, rows=rows, contacts=contacts, chats=chats)
    ids = _things(unit, owner)
    say(f"  {rows:,} messages, {contacts:,} contacts, {chats:,} chats in {time.monotonic() - begin:.0f} s")
    browser = Client(SERVER_NAME="127.0.0.1")
    browser.force_login(owner)
    first_look = _milliseconds(browser, f"/app/u/{unit.pk}/{FIRST_LOOK}")
    pages = list(_pages(browser, ids))
    figures = [Figure("overview: 90 days, seen for the first time", first_look, "ms"), *_times(browser, pages, rounds)]
    staff = Client(SERVER_NAME="127.0.0.1")
    staff.force_login(User.objects.create_superuser("staff@example.com"))
    figures += _times(staff, list(_lists()), rounds, slowest=SLOWEST_LIST)[1:]
    if not watching.is_possible():
        say("  No Chromium here: weights and what a person sees are not measured.")
        return figures
    installation.collect_static()
    session = browser.cookies["sessionid"].value
    target = targets(1)[0]
    heard = WhatsAppConnection.objects.get(instance_name=target.instance).unit
    Membership.objects.create(unit=heard, user=owner)
    with installation.processes():
        for page in pages:
            if page.name in WEIGHED:
                figures += _weight(page, watching.weigh(installation, session, page.path, rounds))
        delays = watching.until_seen(installation, session, heard.pk, target, rate=rate, seconds=seconds)
    return [
        *figures,
        Figure("messages posted", rate, "/s"),
        Figure("of them in the open thread", len(delays)),
        Figure("from posted to seen in the browser, p50", percentile(delays, 50), "s"),
        Figure("from posted to seen in the browser, p95", percentile(delays, 95), "s", limit=1, at_least=False),
        Figure("from posted to seen in the browser, the slowest", max(delays), "s"),
    ]


def _things(unit: Unit, owner: User) -> dict[str, UUID]:
    """By the name of an id in a route: the busiest conversation, its contact, and a campaign to a thousand people."""
    chat = Conversation.objects.filter(unit=unit).order_by("id")[0]
    people = list(Contact.objects.filter(unit=unit).order_by("id")[:1000])
    campaign = CampaignService.create(
        unit=unit, name="Volta às aulas", content="Lentes com 30%", contacts=people, created_by=owner
    )
    return {
        "unit_id": unit.pk,
        "conversation_id": chat.pk,
        "contact_id": chat.contact_id,
        "campaign_id": campaign.pk,
    }


def _pages(browser: Client, ids: dict[str, UUID]) -> Iterator[Page]:
    """The routes that answer with a whole page, of what there is."""
    for route in unit_urls:
        path = f"/app/u/<uuid:unit_id>/{route.pattern}"
        for name, pk in ids.items():
            path = path.replace(f"<uuid:{name}>", str(pk))
        if "<" not in path and _is_page(browser.get(path)):
            yield Page(str(route.name), path)


def _lists() -> Iterator[Page]:
    """The lists of the admin, each as it opens, and searched for somebody."""
    for model, shown in admin.site._registry.items():
        name = model._meta.model_name
        path = reverse(f"admin:{model._meta.app_label}_{name}_changelist")
        yield Page(f"admin, {name}", path)
        if shown.search_fields:
            yield Page(f"admin, {name} searched", f"{path}?q=Marina")


def _is_page(answer: Any) -> bool:
    is_html = answer.headers.get("Content-Type", "").startswith("text/html")
    return answer.status_code == 200 and is_html and not answer.streaming and b"<!doctype html>" in answer.content


def _times(browser: Client, pages: list[Page], rounds: int, *, slowest: float = SLOWEST) -> list[Figure]:
    """Milliseconds of each page, in turns with the log-in page; and its statements."""
    stranger = Client(SERVER_NAME="127.0.0.1")
    login = [_milliseconds(stranger, LOGIN) for _ in range(2 * rounds)]
    figures = []
    for page in pages:
        took = []
        for _ in range(2 * rounds + 1):
            login.append(_milliseconds(stranger, LOGIN))
            took.append(_milliseconds(browser, page.path))
        del took[0]  # it warmed up
        with CaptureQueriesContext(connection) as captured:
            browser.get(page.path)
        figures += [
            Figure(f"{page.name}: queries", len(captured), limit=MOST_QUERIES, at_least=False),
            Figure(f"{page.name}: time / log-in page", median(took) / median(login), limit=slowest, at_least=False),
            Figure(f"{page.name}: time", median(took), "ms", rounds=[round(each, 1) for each in took]),
            Figure(f"{page.name}: time, p95", percentile(took, 95), "ms"),
        ]
    return [Figure("log-in page: time", median(login), "ms"), *figures]


def _milliseconds(browser: Client, path: str) -> float:
    begin = time.perf_counter()
    answer = browser.get(path)
    took = (time.perf_counter() - begin) * 1000
    if answer.status_code != 200:
        raise RuntimeError(f"{path} was answered {answer.status_code}.")
    return took


def _weight(page: Page, seen: watching.Seen) -> Iterator[Figure]:
    limit = HEAVIEST if page.name == "inbox" else None
    for kind, kilobytes in seen.kilobytes.items():
        yield Figure(f"{page.name}: {kind} over the wire", kilobytes, "kB")
    yield Figure(f"{page.name}: in all over the wire", sum(seen.kilobytes.values()), "kB", limit, at_least=False)
    yield Figure(f"{page.name}: largest contentful paint", median(seen.painted), "s", rounds=seen.painted)
