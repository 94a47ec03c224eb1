"""The product as processes, shared by the tests of a module: they meet it only over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import Watched, chromium
from tests.e2e.desk import ANA, BIA, seat
from tests.stack import Stack

# Between what happens on a phone and what is to be seen stand five processes, on two cores for everything.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One installation for everything that is looked at in a browser, where Ana owns the unit and Bia manages it.

    After a send without an answer the unit waits until the gateway can no longer act: not for minutes here.
    """
    with Stack(
        tmp_path_factory.mktemp("shop"),
        EVOLUTION_SEND_TIMEOUT="2",
        EVOLUTION_CONNECT_TIMEOUT="1",
        SEND_GRACE_SECONDS="1",
        EMAIL_URL=f"filemail:///{tmp_path_factory.mktemp('letters')}",
        OUTGOING_WEBHOOKS_PRIVATE="true",
    ) as running:
        running.post("/members", {"email": BIA, "name": "Bia Lima", "role": "manager"})
        running.sql("UPDATE users SET password = (SELECT password FROM users WHERE email = %s)", ANA)
        yield running


@pytest.fixture
def letters(shop: Stack) -> Path:
    """Where its e-mails arrive, as files."""
    return Path(shop.environment["EMAIL_URL"].removeprefix("filemail:///"))


@pytest.fixture
def connected(shop: Stack) -> Stack:
    """The shop, its number connected."""
    if shop.get("/whatsapp/status")["status"] != "connected":
        shop.connect()
    return shop


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def watched(shop: Stack, browser: Browser) -> Iterator[Watched]:
    with seat(shop, browser) as watched:
        yield watched


@pytest.fixture
def page(watched: Watched) -> Page:
    """Ana's browser."""
    return watched.page


@pytest.fixture
def other(shop: Stack, browser: Browser) -> Iterator[Page]:
    """Bia's browser, beside Ana's."""
    with seat(shop, browser, BIA) as watched:
        yield watched.page
