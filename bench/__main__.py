"""`make bench ARGS="accept scale"`: measures, prints a table, writes JSON beside it. Status 1: a figure was missed."""

import argparse
import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import django

from bench.installation import Installation
from bench.report import say, table, write, write_paper

RESULTS = Path(__file__).parent / "results.json"
PAPER = Path(__file__).parent.parent / "docs/figures.md"
PARTS = {
    "accept": "durable 200s a second, against a bare view",
    "end_to_end": "from posted to visible: rate and memory",
    "latency": "from 200 to visible at a third of that rate, with and without the broker",
    "scale": "pages and searches of a unit with a million messages",
    "pages": "every page of the console with a million messages: queries, time, weight, and until a message is seen",
    "claims": "claims and records a second with thousands of lanes, and past empty ones",
    "dispatch": "sends a second of one worker process, against a bare loop of requests",
    "pace": "how many numbers keep one message in two seconds, and never less than two seconds",
    "waiting": "a reply while another unit has a million waiting",
    "audience": "a campaign to a million contacts is started, against a plain INSERT … SELECT",
    "fuzz": "bodies that nobody should send: none lost, none that stops the drain",
    "events": "a thousand open streams of live events on one process: memory, and from committed to received",
    "imports": "a million contacts from a file: time and memory of the process, and against a plain COPY",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the parts that were asked for, or all. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="make bench", description="; ".join(f"{name}: {what}" for name, what in PARTS.items())
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement (%(default)s)")
    parser.add_argument("--posts", type=int, default=6000, help="of a round of accept (%(default)s)")
    parser.add_argument("--messages", type=int, default=10_000, help="of a round of end_to_end (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="of a round of latency (%(default)s)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="messages of scale (%(default)s)")
    parser.add_argument("--contacts", type=int, default=100_000, help="contacts of scale (%(default)s)")
    parser.add_argument("--chats", type=int, default=10_000, help="conversations of pages (%(default)s)")
    parser.add_argument("--page-rate", type=int, default=50, help="messages a second of pages (%(default)s)")
    parser.add_argument("--page-seconds", type=float, default=30, help="of pages (%(default)s)")
    parser.add_argument("--lanes", type=int, default=5000, help="of claims (%(default)s)")
    parser.add_argument("--sends", type=int, default=3000, help="of a round of dispatch (%(default)s)")
    parser.add_argument("--numbers", type=int, default=500, help="of pace, and further (%(default)s)")
    parser.add_argument("--pace-seconds", type=float, default=25, help="of a run of pace (%(default)s)")
    parser.add_argument("--pending", type=int, default=1_000_000, help="messages of waiting (%(default)s)")
    parser.add_argument("--people", type=int, default=1_000_000, help="contacts of audience (%(default)s)")
    parser.add_argument("--bodies", type=int, default=100_000, help="of fuzz (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of fuzz: other bodies with another one (%(default)s)")
    parser.add_argument("--imported", type=int, default=1_000_000, help="contacts of imports (%(default)s)")
    parser.add_argument("--streams", type=int, default=1000, help="of events (%(default)s)")
    parser.add_argument("--event-rate", type=int, default=100, help="events a second of events (%(default)s)")
    parser.add_argument("--event-seconds", type=float, default=60, help="of events (%(default)s)")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where to write (%(default)s)")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, to see that it runs; figures are not judged")
    options = parser.parse_args(arguments)
    if options.smoke and options.json == RESULTS:
        parser.error("--smoke writes over no figures that count: name another file by --json")
    if options.smoke:
        options.rounds, options.posts, options.messages = 1, 100, 100
        options.seconds, options.rows, options.contacts, options.bodies = 1, 2000, 200, 200
        options.lanes, options.sends, options.numbers, options.pace_seconds, options.pending = 40, 20, 10, 2, 500
        options.imported, options.chats, options.page_rate, options.page_seconds = 500, 50, 20, 2
        options.streams, options.event_rate, options.event_seconds = 20, 20, 1
        options.people = 1000
    parts = options.parts or list(PARTS)
    sizes: dict[str, dict[str, Any]] = {
        "accept": {"rounds": options.rounds, "posts": options.posts},
        "end_to_end": {"rounds": options.rounds, "messages": options.messages},
        "latency": {"rounds": options.rounds, "messages": options.messages, "seconds": options.seconds},
        "scale": {"rounds": options.rounds, "rows": options.rows, "contacts": options.contacts},
        "pages": {
            "rounds": options.rounds,
            "rows": options.rows,
            "contacts": options.contacts,
            "chats": options.chats,
            "rate": options.page_rate,
            "seconds": options.page_seconds,
        },
        "claims": {"rounds": options.rounds, "lanes": options.lanes},
        "dispatch": {"rounds": options.rounds, "sends": options.sends},
        "pace": {"numbers": options.numbers, "seconds": options.pace_seconds},
        "waiting": {"rounds": options.rounds, "pending": options.pending},
        "audience": {"rounds": min(options.rounds, 3), "people": options.people},
        "fuzz": {"bodies": options.bodies, "seed": options.seed},
        "events": {"streams": options.streams, "rate": options.event_rate, "seconds": options.event_seconds},
        "imports": {"imported": options.imported},
    }
    # However it ends, servers and files go with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    missed = 0
    with Installation() as installation:
        _become_the_product(installation)
        for name in parts:
            say(f"{name}: {PARTS[name]}")
            figures = importlib.import_module(f"bench.{name}").run(installation, **sizes[name])
            table(figures)
            say()
            write(options.json, name, figures, sizes[name])
            missed += sum(not figure.is_good for figure in figures)
    if options.json == RESULTS:
        write_paper(PAPER, RESULTS)
    if options.smoke:
        return 0
    say(f"{missed} figures missed." if missed else "Every figure is met.")
    return 1 if missed else 0


def _become_the_product(installation: Installation) -> None:
    """Settings are read from the environment when Django starts, so parts are imported after this."""
    os.environ.update(installation.environment)
    # Static files from where they lie: nothing is collected for a bench.
    os.environ["DEBUG"] = "true"
    # What this process asks as somebody's browser is no news.
    os.environ["LOG_LEVEL"] = "WARNING"
    os.environ["DJANGO_SETTINGS_MODULE"] = "crm_whatsapp.settings"
    django.setup()


if __name__ == "__main__":
    sys.exit(main())
