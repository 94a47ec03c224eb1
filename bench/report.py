"""What a run found: a table to read, and the same as JSON beside it."""

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

# Around the tables of docs/figures.md.
MARKS = ("<!-- figures: written by make bench -->", "<!-- end of figures -->")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, what it must be, and what it was made from.

    `limit`: the least or the most that is good, by `at_least`; None: for information.
    """

    name: str
    value: float
    unit: str = ""
    limit: float | None = None
    at_least: bool = True
    rounds: Sequence[float] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        if self.limit is None:
            return True
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @property
    def wanted(self) -> str:
        return (
            "" if self.limit is None else f"{'≥' if self.at_least else '≤'} {_number(self.limit)} {self.unit}".strip()
        )


def of_rounds(name: str, rounds: Sequence[float], unit: str = "", **limits: Any) -> Figure:
    """The median of some rounds."""
    return Figure(name, median(rounds), unit, rounds=[round(each, 4) for each in rounds], **limits)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` of `values` lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def say(text: str = "") -> None:
    """A line for whoever watches, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def table(figures: Sequence[Figure]) -> None:
    """Print figures, with what they must be and whether they are."""
    width = max((len(figure.name) for figure in figures), default=0)
    for figure in figures:
        verdict = "" if figure.limit is None else ("ok" if figure.is_good else "MISSED")
        rounds = f"  ({min(figure.rounds):.4g} … {max(figure.rounds):.4g})" if len(figure.rounds) > 1 else ""
        value = f"{_number(figure.value)} {figure.unit}".strip()
        say(f"  {figure.name:<{width}}  {value:>12}  {figure.wanted:<12} {verdict:<6}{rounds}")


def write(path: Path, part: str, figures: Sequence[Figure], sizes: dict[str, Any]) -> None:
    """Put a part's figures into the JSON at `path`; the parts of other runs stay."""
    kept = json.loads(path.read_text()) if path.exists() else {}
    kept[part] = {
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
        "machine": f"{os.cpu_count()} CPUs, {platform.system()}, Python {platform.python_version()}",
        "sizes": sizes,
        "figures": [asdict(figure) | {"good": figure.is_good} for figure in figures],
    }
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def write_paper(path: Path, results: Path) -> None:
    """Put the figures of `results` as tables into the Markdown at `path`, between its two marks."""
    lines = []
    for part, found in json.loads(results.read_text()).items():
        sizes = ", ".join(f"{name} {size:,}" for name, size in found["sizes"].items())
        lines += [f"### {part}", "", f"{found['at']}. {found['machine']}. {sizes}.", ""]
        lines += ["| Figure | Value | Wanted | Lowest … highest round |", "| --- | ---: | ---: | ---: |"]
        for values in found["figures"]:
            good = values.pop("good")
            figure = Figure(**values)
            value = f"{_number(figure.value)} {figure.unit}".strip()
            rounds = f"{_number(min(figure.rounds))} … {_number(max(figure.rounds))}" if figure.rounds else ""
            lines.append(f"| {figure.name} | {value} | {figure.wanted}{'' if good else ' **missed**'} | {rounds} |")
        lines.append("")
    before, mark, rest = path.read_text().partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    path.write_text(before + mark + "\n\n" + "\n".join(lines) + "\n" + MARKS[1] + after)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
