"""The stream of live events, below its server. Over real HTTP it is tested with the whole product."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.test import AsyncClient, Client

from units import live, live_views
from units.models import Membership, Unit, User

# The stream drops what it takes for a broken database connection, and a test's own transaction looks like one.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def browser(ana: User) -> AsyncClient:
    client = AsyncClient()
    client.force_login(ana)
    return client


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats and checks of access that a test can wait for."""
    monkeypatch.setattr(live_views, "HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr(live_views, "RECHECK_SECONDS", 0.0)


def read(browser: AsyncClient, unit: Unit, until: Callable[[str], bool]) -> str:
    """What the stream sends, to its end or to the first chunk of which `until` is true."""

    async def reading() -> str:
        response: Any = await browser.get(f"/units/{unit.id}/events?after=0")
        chunks = []
        async with asyncio.timeout(10):
            async for chunk in response.streaming_content:
                chunks.append(chunk.decode())
                if await sync_to_async(until)(chunks[-1]):
                    break
        return "".join(chunks)

    return async_to_sync(reading)()


def test_a_long_backlog_comes_without_a_pause(browser: AsyncClient, unit: Unit) -> None:
    count = 2 * live_views.PAGE + 1
    live.publish([live.Change(unit_id=unit.id, kind="message", object_id=uuid4()) for _ in range(count)])
    # The next heartbeat, which would come after a pause, ends the reading too.
    text = read(browser, unit, lambda chunk: f"id: {count}\n" in chunk or "still here" in chunk)
    assert text.count("event: message") == count
    assert "still here" not in text


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("loss", ["logout", "password", "membership", "deactivated"])
def test_whoever_loses_access_loses_the_stream(browser: AsyncClient, unit: Unit, ana: User, loss: str) -> None:
    def lose(chunk: str) -> bool:
        if loss == "logout":
            other_tab = Client()
            other_tab.cookies = browser.cookies
            other_tab.logout()
        elif loss == "password":
            ana.set_password("another one")
            ana.save()
        elif loss == "membership":
            Membership.objects.all().delete()
        else:
            User.objects.update(is_active=False)
        return False

    assert read(browser, unit, lose).endswith("event: gone\ndata: {}\n\n")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://127.0.0.1:8000", True),  # PUBLIC_URL
        ("http://testserver:8000", True),
        ("https://testserver", False),
        ("http://elsewhere.example", False),
        ("http://testserver.elsewhere.example", False),
        ("null", False),
    ],
)
def test_pages_of_this_host_may_read_whatever_their_port(
    browser: AsyncClient, unit: Unit, settings: Any, origin: str, allowed: bool
) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:8000"

    async def asking() -> Any:
        return await browser.get(f"/units/{unit.id}/events", headers={"origin": origin})

    response = async_to_sync(asking)()
    assert response.get("Access-Control-Allow-Origin") == (origin if allowed else None)
