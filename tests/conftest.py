"""People and places that tests share. The database is real: PostgreSQL, one for each xdist worker."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection as database
from django.test import Client
from django.utils import translation
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer
from pytest_httpserver import HTTPServer
from rest_framework.test import APIClient

from tests.browser import Watched, chromium, log_in, open_page, what_is_wrong
from tests.factories import CONNECTED
from units.models import Unit, User, WhatsAppConnection
from units.services import create_unit


@pytest.fixture
def ana(db: None) -> User:
    """Owns the unit of most tests."""
    return User.objects.create_user("ana@example.com", "correct horse battery", first_name="Ana")


@pytest.fixture
def unit(ana: User) -> Unit:
    """A unit whose number is connected, and where Ana works."""
    unit = create_unit("Ótica Aurora", owner=ana)
    WhatsAppConnection.objects.filter(unit=unit).update(**CONNECTED)
    return unit


@pytest.fixture
def stranger(db: None) -> User:
    """Owns another unit. Whatever he tries in ours is not there."""
    user = User.objects.create_user("saulo@example.com", "correct horse battery")
    create_unit("Clínica do Saulo", owner=user)
    return user


@pytest.fixture
def connection(unit: Unit) -> WhatsAppConnection:
    return WhatsAppConnection.objects.select_related("unit").get(unit=unit)


@pytest.fixture
def api(ana: User) -> APIClient:
    """The API as Ana's program sees it."""
    client = APIClient()
    client.force_authenticate(ana)
    return client


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, with a microphone that beeps."""
    with (
        pytest.MonkeyPatch.context() as patch,
        chromium("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream") as running,
    ):
        # Playwright has an event loop in this thread; the rows are made between its steps.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield running


@pytest.fixture
def screen() -> dict[str, Any]:
    """How large, or otherwise special, the page is (options of Browser.new_context)."""
    return {}


@pytest.fixture
def server(live_server: LiveServer, ana: User) -> Iterator[LiveServer]:
    """Answers to the end what pages have asked for: the tables are emptied after that."""
    yield live_server
    at_work = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state IN (%s, %s)"
    for _ in range(100):
        with database.cursor() as cursor:
            cursor.execute(f"{at_work} AND pid <> pg_backend_pid()", ["active", "idle in transaction"])
            if cursor.fetchone() is None:
                return
        time.sleep(0.05)


@pytest.fixture
def watched(
    browser: Browser, server: LiveServer, ana: User, settings: Any, screen: dict[str, Any]
) -> Iterator[Watched]:
    """Ana's page, logged in; in the end nothing may have gone wrong in it."""
    # The stream is another process's, which does not run here: this one says so.
    settings.LIVE_URL = ""
    found = open_page(browser, base_url=server.url, **screen)
    log_in(found.page, server.url, ana)
    yield found
    assert what_is_wrong(found) == []
    found.page.context.close()


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page


@pytest.fixture
def browser_client(ana: User) -> Client:
    """The console as Ana sees it, logged in."""
    client = Client()
    client.force_login(ana)
    return client


@pytest.fixture(scope="session")
def http_server() -> Iterator[HTTPServer]:
    with HTTPServer("127.0.0.1", threaded=True) as server:
        yield server


@pytest.fixture
def http(http_server: HTTPServer, settings: Any) -> Iterator[HTTPServer]:
    """The gateway as the test makes it up: it answers what it was told to (tests.units.recordings), and nothing else.

    It closes each connection. What a line does besides is in tests/units/test_evolution_service_wire.py.
    """
    http_server.clear()
    settings.EVOLUTION_URL = http_server.url_for("").rstrip("/")
    yield http_server
    http_server.check()
    assert not http_server.oneshot_handlers, "nobody asked for these"


@pytest.fixture(autouse=True)
def language() -> Iterator[None]:
    """Each test starts in the default language: LocaleMiddleware leaves the last request's active in the thread."""
    with translation.override(settings.LANGUAGE_CODE):
        yield


def pytest_configure() -> None:
    """Hashing a password is slow on purpose; tests make many people."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
