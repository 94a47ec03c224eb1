"""Durable 200s a second: the webhook endpoint against a bare view that does one INSERT, in turns."""

from bench.installation import Installation
from bench.people import targets
from bench.report import Figure, of_rounds, say


def run(installation: Installation, *, rounds: int, posts: int) -> list[Figure]:
    """The web process alone: what the other processes would do with the events is not part of this figure."""
    units = targets(1)
    bare, ours, load = [], [], []
    with installation.processes("web"):
        for number in range(-1, rounds):  # the first warms up
            installation.sql("TRUNCATE webhook_events")
            of_bare = installation.post_bare(posts)
            of_ours = installation.post(units, posts, run=f"a{number + 1}")
            say(f"  round {number + 1}: bare {of_bare.rate:,.0f}/s, endpoint {of_ours.rate:,.0f}/s")
            if number >= 0:
                bare.append(of_bare.rate)
                ours.append(of_ours.rate)
                load.append(of_bare.processor_seconds / of_bare.seconds)
        with installation.without_broker():
            installation.sql("TRUNCATE webhook_events")
            alone = [installation.post(units, posts // 2, run=f"b{number}").rate for number in range(3)]
    return [
        of_rounds("accept / bare INSERT", [o / b for o, b in zip(ours, bare, strict=True)], limit=0.7),
        of_rounds("bare INSERT", bare, "/s"),
        of_rounds("accept", ours, "/s"),
        of_rounds("accept, broker stopped", alone, "/s"),
        of_rounds("load generator, processors used by it", load),
    ]
