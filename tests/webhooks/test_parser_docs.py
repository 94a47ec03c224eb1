"""The tables of docs/evolution.md name what the parser knows, all of it and nothing else."""

import re
from pathlib import Path

from messaging.events import MessageKind
from tests.webhooks.test_parser_kinds import MEMBERS
from units.gateways.evolution import WEBHOOK_EVENTS
from webhooks.parsers.content import WRAPPERS
from webhooks.parsers.events import IgnoreReason
from webhooks.parsers.evolution import EVENTS, normalised_event

PAGE = (Path(__file__).parents[2] / "docs" / "evolution.md").read_text()


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """The cells of the first table in a section."""
    table = re.findall(r"^\| .* \|$", section(title).partition("\n| ---")[2].partition("\n\n")[0], re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_table_of_events_is_complete() -> None:
    events = [name for row in rows("What becomes of each event") for name in named(row[0])]
    assert sorted(events) == sorted(EVENTS)


def test_the_table_of_events_tells_which_are_registered() -> None:
    told = {name for row in rows("What becomes of each event") if row[1] == "yes" for name in named(row[0])}
    assert told == {normalised_event(name) for name in WEBHOOK_EVENTS}


def test_the_table_of_kinds_is_complete() -> None:
    kinds = [named(row[0])[0] for row in rows("What becomes of each kind of message")]
    assert sorted(kinds) == sorted(MessageKind)


def test_the_table_of_kinds_names_each_member_where_it_belongs() -> None:
    table = {named(row[0])[0]: named(row[1]) for row in rows("What becomes of each kind of message")}
    wrappers = named(section("What becomes of each kind of message").partition("| Kind")[0])
    for name, (_, kind, _) in MEMBERS.items():
        assert name in wrappers if name in WRAPPERS or name == "messageContextInfo" else name in table[kind]


def test_the_wrappers_are_named() -> None:
    told = named(section("What becomes of each kind of message"))
    # "message" is no member of its own: it is what the others wrap.
    assert set(WRAPPERS) - {"message"} <= set(told)


def test_each_reason_to_ignore_something_is_explained() -> None:
    for reason in IgnoreReason:
        assert reason in PAGE
