"""From 200 to visible, at a third of the rate that the product can keep up, with the broker and without it."""

from bench.end_to_end import await_messages, delays, visible_rate
from bench.installation import Installation
from bench.people import targets
from bench.report import Figure, of_rounds, percentile, say


def run(installation: Installation, *, rounds: int, messages: int, seconds: float) -> list[Figure]:
    """The rate to keep is measured first, in the same run."""
    units = targets(1)
    with installation.processes():
        visible_rate(installation, units, messages, "w")  # warms up
        rate = visible_rate(installation, units, messages, "r") / 3
        count = max(20, int(rate * seconds))

        def measure(name: str) -> list[float]:
            answers = installation.post(units, count, run=name, rate=rate)
            await_messages(installation, name, count)
            found = delays(installation, answers, name)
            say(
                f"  {name}: {count} messages at {rate:,.0f}/s: median {percentile(found, 50):.3f} s,"
                f" p95 {percentile(found, 95):.3f} s, p99 {percentile(found, 99):.3f} s"
            )
            return found

        with_broker = [measure(f"l{number}") for number in range(rounds)]
        with installation.without_broker():
            measure("v")  # the pool of connections to the broker learns that it is gone
            without = [measure(f"n{number}") for number in range(rounds)]
    return [
        Figure("load", rate, "/s"),
        of_rounds("from 200 to visible, p95", [percentile(d, 95) for d in with_broker], "s", limit=1, at_least=False),
        of_rounds("from 200 to visible, p99", [percentile(d, 99) for d in with_broker], "s", limit=3, at_least=False),
        of_rounds("broker stopped, p95", [percentile(d, 95) for d in without], "s"),
        of_rounds("broker stopped, p99", [percentile(d, 99) for d in without], "s", limit=5, at_least=False),
    ]
