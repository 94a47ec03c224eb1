"""`docs/access.md` shows the table by which everything is decided, and each address asks for what it says."""

import re
from pathlib import Path

import pytest
from django.test import Client
from django.utils import translation

from tests.access.routes import SAFE, Route, every_route, is_api, unit_routes
from units.roles import ALLOWED, Action, Role

PAPER = (Path(__file__).resolve().parents[2] / "docs/access.md").read_text()
PAGES = [route for route in every_route() if route.path.startswith("app/u/<uuid:unit_id>/")]

# What is read and written at an address, by the words in it, without ids; the first that fits. The walk sees whether a
# view keeps to what it asks for; here it is seen that it asks for enough.
ABOUT: list[tuple[str, Action | None, Action | None]] = [
    ("/members", None, Action.MANAGE_ACCESS),
    (
        "/integrations|/audit$|/rotate-secret|^/webhooks|^/settings/(webhooks|tokens|secret|unit)",
        Action.MANAGE_ACCESS,
        Action.MANAGE_ACCESS,
    ),
    ("/webhook-events|/attention/events", Action.REPLAY_EVENTS, Action.REPLAY_EVENTS),
    (
        r"/contacts/(chosen/)?(export|imports|merges)|^/contacts/delete|\.csv$|/contact/merge",
        Action.MOVE_CONTACTS,
        Action.MOVE_CONTACTS,
    ),
    ("^/contacts/segments", Action.READ_CONTACTS, Action.WRITE_SETTINGS),
    ("^/settings/(labels|replies)", Action.READ_INBOX, Action.WRITE_SETTINGS),
    ("^/settings", Action.READ_NUMBER, Action.WRITE_NUMBER),
    ("^/conversations/contact", Action.READ_CONTACTS, Action.WRITE_CONTACTS),
    # E-mails of one's own, and one's own profile.
    ("^/(attention/mail|profile)", Action.READ_INBOX, Action.READ_INBOX),
    ("^/(attention|overview|search|units)", Action.READ_INBOX, Action.WRITE_INBOX),
    ("^/(tags|attributes|segments)", Action.READ_CONTACTS, Action.WRITE_SETTINGS),
    ("^/(labels|canned-replies)", Action.READ_INBOX, Action.WRITE_SETTINGS),
    ("/campaigns/new/contacts", Action.READ_CONTACTS, Action.WRITE_CONTACTS),
    ("^/whatsapp/waiting", Action.READ_INBOX, Action.WRITE_NUMBER),
    ("conversation|/messages|/attachments|/inbox|^/(changes|events)?$", Action.READ_INBOX, Action.WRITE_INBOX),
    ("^/(whatsapp|number)", Action.READ_NUMBER, Action.WRITE_NUMBER),
    ("^/contacts", Action.READ_CONTACTS, Action.WRITE_CONTACTS),
    ("^/campaigns", Action.READ_CAMPAIGNS, Action.WRITE_CAMPAIGNS),
]
# What is sent there is a question: nothing is written.
QUESTIONS = "/(audience|rehearsal|preview|check)$"


def test_the_paper_shows_what_each_role_may() -> None:
    rows = re.findall(r"^\| ([^|]+) \| `(\w+:\w+)` \| (\w+) \| (\w+) \| (\w+) \|$", PAPER, re.M)
    with translation.override("en"):
        expected = [
            (
                str(action.label),
                action.value,
                *("yes" if action in ALLOWED[role] else "no" for role in (Role.AGENT, Role.MANAGER, Role.OWNER)),
            )
            for action in Action
        ]
    assert rows == expected


def test_a_higher_role_may_all_that_a_lower_one_may() -> None:
    assert ALLOWED[Role.AGENT] < ALLOWED[Role.MANAGER] < ALLOWED[Role.OWNER] == set(Action)


@pytest.mark.parametrize("route", [route for route in unit_routes() + PAGES if len(route.path) > 24], ids=str)
def test_each_address_asks_for_what_it_is_about(route: Route) -> None:
    words = re.sub("/<[^>]+>", "", "/" + route.path.partition("<uuid:unit_id>/")[2])
    reads, writes = next((reads, writes) for about, reads, writes in ABOUT if re.search(about, words))
    for method in methods_of(route):
        may_ask = {writes}
        if method in SAFE or re.search(QUESTIONS, words):
            may_ask.add(reads)
        assert route.asks(method) in may_ask, method


def methods_of(route: Route) -> list[str]:
    if is_api(route):
        return route.methods
    # Before it asks who it is, a page says which methods it has.
    path = route.at(dict.fromkeys(route.names, "00000000-0000-0000-0000-000000000000"))
    return [method for method in ("get", "post") if getattr(Client(), method)(path).status_code != 405]
