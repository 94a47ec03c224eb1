"""The papers tell the truth, as far as a machine can see it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAPERS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
INVARIANTS = re.findall(r"^\| \*\*(I\d)\*\* \|.*\| ([^|]+) \|$", (ROOT / "docs/architecture.md").read_text(), re.M)


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: str(paper.relative_to(ROOT)))
def test_a_paper_links_to_what_is_there(paper: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", paper.read_text())
    assert [link for link in links if not (paper.parent / link).exists()] == []


def test_all_nine_invariants_are_listed() -> None:
    assert [name for name, _tests in INVARIANTS] == [f"I{number}" for number in range(1, 10)]


@pytest.mark.parametrize(("invariant", "tests"), INVARIANTS)
def test_an_invariant_is_named_by_the_tests_that_the_paper_names(invariant: str, tests: str) -> None:
    files = re.findall(r"`([\w/]+\.py)`", tests)
    assert files
    for name in files:
        assert re.search(rf"#.*\b{invariant}\b", (ROOT / "tests" / name).read_text()), name


def test_the_first_screen_of_the_readme_shows_how_to_run_and_to_test() -> None:
    first_screen = "\n".join((ROOT / "README.md").read_text().splitlines()[:25])
    assert "make run" in first_screen
    assert "make test" in first_screen
