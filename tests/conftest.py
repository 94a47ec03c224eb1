"""People and places that tests share. The database is real: PostgreSQL, one for each xdist worker."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, TransactionTestCase
from django.utils import translation
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer
from pytest_httpserver import HTTPServer
from rest_framework.test import APIClient

from tests.browser import FORGIVEN, Watched, chromium, log_in, open_page, what_is_wrong
from tests.emptying import empty_tables
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
    with chromium() as running:
        yield running


@pytest.fixture
def screen() -> dict[str, Any]:
    """How large, or otherwise special, the page is (options of Browser.new_context)."""
    return {}


@pytest.fixture
def live_url() -> str:
    """The origin of the streams. They are another process's, which does not run in most tests: this one says so."""
    return ""


@pytest.fixture
def forgiven() -> tuple[str, ...]:
    """What a page may complain of."""
    return FORGIVEN


@pytest.fixture
def watched(
    browser: Browser,
    live_server: LiveServer,
    ana: User,
    settings: Any,
    screen: dict[str, Any],
    live_url: str,
    forgiven: tuple[str, ...],
) -> Iterator[Watched]:
    """Ana's page, logged in; in the end nothing may have gone wrong in it."""
    settings.LIVE_URL = live_url
    found = open_page(browser, base_url=live_server.url, **screen)
    log_in(found.page, live_server.url, ana)
    yield found
    wrong = what_is_wrong(found, forgiven)
    found.page.context.close()
    assert wrong == []


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
    """Hashing is slow on purpose, and a flush for the sake of other databases: here both are quick."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    TransactionTestCase._fixture_teardown = lambda _: empty_tables()  # type: ignore[attr-defined]
