"""`docs/access.md` shows the table by which everything is decided."""

import re
from pathlib import Path

from django.utils import translation

from units.roles import ALLOWED, Action, Role

PAPER = (Path(__file__).resolve().parents[2] / "docs/access.md").read_text()


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
