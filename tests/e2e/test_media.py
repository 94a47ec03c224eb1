"""A file on its way from the customer's phone to the screen, with every process running."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import chromium, needs_chromium, open_page
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("media"), needs_chromium]

SAMPLES = Path(__file__).parents[2] / "sandbox" / "static" / "samples"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("media")) as running:
        running.connect()
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def chat_of(stack: Stack) -> str | None:
    """The customer's conversation, once it is there."""
    chats = stack.get("/conversations")["results"]
    return next((chat["id"] for chat in chats if chat["contact"]["phone"] == "+5511977776666"), None)


def test_a_picture_and_a_voice_come_to_the_open_page_and_play(stack: Stack, browser: Browser) -> None:
    def send(kind: str, sample: str, text: str = "") -> None:
        content = b64encode((SAMPLES / sample).read_bytes()).decode()
        media = {"mediatype": kind, "base64": content}
        stack.sandbox.inbound(stack.instance, "5511977776666", text, media=media)

    stack.sandbox.inbound(stack.instance, "5511977776666", "Bom dia!")
    chat = wait_for(lambda: chat_of(stack), what="the conversation")
    watched = open_page(browser)
    page = watched.page
    page.goto(f"{stack.url}/app/")
    page.get_by_label("E-mail").fill(stack.email)
    page.get_by_label("Senha").fill(stack.password)
    page.get_by_role("button", name="Entrar").click()
    expect(page.get_by_role("link", name="Conversas").first).to_be_visible()
    page.goto(f"{stack.url}/app/u/{stack.unit}/conversations/{chat}")
    send("image", "foto.jpg", "Essa armação?")
    picture = page.locator("#messages img")
    expect(picture).to_be_visible()
    page.wait_for_function("document.querySelector('#messages img').naturalWidth === 480")
    send("audio", "voz.ogg")
    expect(page.locator("#messages audio")).to_be_visible()
    seconds = page.evaluate(
        "async () => { const voice = document.querySelector('#messages audio'); voice.muted = true;"
        " await voice.play(); return voice.duration; }"
    )
    assert round(seconds) == 3
    page.context.close()
    assert watched.complaints == []
