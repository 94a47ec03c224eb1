"""What a person's browser sees of the product: how heavy a page is, when it is there, and when a message is."""

from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from playwright.sync_api import Browser, Page

from bench.installation import Installation, wait_for
from bench.load import Target
from tests.browser import CHROMIUM, chromium, open_page

# Of those who write, one has his thread open before somebody's eyes.
WRITERS = 10
KINDS = {"Document": "HTML", "Stylesheet": "CSS", "Script": "JS"}
_PAINTED = """new Promise((resolve) => {
  new PerformanceObserver((list) => resolve(list.getEntries().at(-1).startTime / 1000))
    .observe({ type: 'largest-contentful-paint', buffered: true });
})"""
# Of each message the moment at which it stands in the thread, and a frame has been drawn.
_WATCH = """() => {
  globalThis.seen = {};
  const look = () => {
    for (const body of document.querySelectorAll('#messages .body')) {
      seen[body.textContent.match(/pedido (\\d+)/)?.[1]] ??= Date.now() / 1000;
    }
  };
  new MutationObserver(() => requestAnimationFrame(look))
    .observe(document.body, { childList: true, subtree: true });
}"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A page with nothing of it in the cache. `painted`: seconds, of each round."""

    kilobytes: dict[str, float]
    painted: list[float]


def is_possible() -> bool:
    """Whether there is a browser."""
    return CHROMIUM is not None


def weigh(installation: Installation, session: str, path: str, rounds: int) -> Seen:
    """Open a page, as often as that, each time as if for the first."""
    painted = []
    with chromium() as browser:
        for _ in range(rounds):
            page = _page(installation, browser, session)
            sizes = _sizes(page)
            page.goto(path, wait_until="load")
            painted.append(round(float(page.evaluate(_PAINTED)), 3))
            page.context.close()
    return Seen({kind: size / 1000 for kind, size in sizes.items()}, painted)


def _sizes(page: Page) -> Counter[str]:
    """Bytes that come over the wire, headers and all, by kind; filled while the page loads."""
    kinds: dict[str, str] = {}
    sizes: Counter[str] = Counter(dict.fromkeys(KINDS.values(), 0))
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")

    def answered(event: dict[str, Any]) -> None:
        if name := KINDS.get(event["type"]):
            kinds[event["requestId"]] = name

    def ended(event: dict[str, Any]) -> None:
        if name := kinds.get(event["requestId"]):
            sizes[name] += int(event["encodedDataLength"])

    network.on("Network.responseReceived", answered)
    network.on("Network.loadingFinished", ended)
    return sizes


def until_seen(
    installation: Installation, session: str, unit: UUID, target: Target, *, rate: float, seconds: float
) -> list[float]:
    """Seconds from the post of each message of one thread until it stands there. Raises TimeoutError."""
    count = max(2 * WRITERS, int(rate * seconds))
    installation.post([target], WRITERS, run="wa", contacts=WRITERS)
    first = _conversation(installation, unit)
    with chromium() as browser:
        page = _page(installation, browser, session)
        page.goto(f"/app/u/{unit}/conversations/{first}")
        page.evaluate(_WATCH)
        answers = installation.post([target], count, run="wb", contacts=WRITERS, rate=rate)
        # What was there before the page was opened had the first numbers.
        wanted = [str(number) for number in range(WRITERS, count, WRITERS)]
        wait_for(
            lambda: set(wanted) <= set(page.evaluate("Object.keys(seen)")), seconds=30, what="messages in the thread"
        )
        seen = page.evaluate("seen")
        page.context.close()
    return [seen[number] - (answers.started + int(number) / rate) for number in wanted]


def _conversation(installation: Installation, unit: UUID) -> object:
    """The conversation of the first who writes, once it is there."""
    look = (
        "SELECT v.id FROM conversations v JOIN contact_addresses a USING (unit_id, contact_id)"
        " WHERE unit_id = %s AND a.jid LIKE '5511970000000@%%'"
    )
    found: list[object] = []

    def is_there() -> bool:
        found[:] = [row[0] for row in installation.sql(look, unit)]
        return bool(found)

    wait_for(is_there, seconds=30, what="the conversation")
    return found[0]


def _page(installation: Installation, browser: Browser, session: str) -> Page:
    url = f"http://127.0.0.1:{installation.web_port}"
    page = open_page(browser, base_url=url).page
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": url}])
    return page
