"""Files of messages: what the phones send, what the webhook brings of it, and what the gateway hands out."""

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests import files
from tests.browser import chromium, needs_chromium, open_page
from tests.sandbox.conftest import Evolution, Receiver

SAMPLES = Path(__file__).parents[2] / "sandbox" / "static" / "samples"
CUSTOMER = "5511977776666"


def send(evolution: Evolution, name: str, content: bytes, kind: str = "image", **more: Any) -> str:
    assert evolution.sandbox
    return evolution.sandbox.inbound(
        name, CUSTOMER, "olha", media={"mediatype": kind, "base64": b64encode(content).decode(), **more}
    )


def fetch(evolution: Evolution, name: str, message_id: str) -> Any:
    body = {"message": {"key": {"id": message_id}}, "convertToMp4": False}
    return evolution.call("POST", f"/chat/getBase64FromMediaMessage/{name}", body)


@pytest.mark.parametrize("kind", ["image", "video", "audio", "document", "sticker"])
def test_a_file_is_announced_and_handed_out_on_demand(evolution: Evolution, receiver: Receiver, kind: str) -> None:
    name = evolution.open(webhook=receiver.hook("all", "MESSAGES_UPSERT"))
    message_id = send(evolution, name, files.VOICE, kind, fileName="a.pdf" if kind == "document" else None)
    data = receiver.event(name, "messages.upsert")["data"]
    assert data["messageType"] == f"{kind}Message"
    assert "base64" not in data["message"]
    answer = fetch(evolution, name, message_id)
    assert (answer.status_code, answer.json()["base64"]) == (201, b64encode(files.VOICE).decode())


def test_base64_comes_with_the_webhook_that_asked_for_it_and_is_not_stored(
    evolution: Evolution, receiver: Receiver
) -> None:
    name = evolution.open(webhook=receiver.hook("all", "MESSAGES_UPSERT", base64=True))
    send(evolution, name, files.PDF)
    message = receiver.event(name, "messages.upsert")["data"]["message"]
    assert message["base64"] == b64encode(files.PDF).decode()
    (record,) = evolution.call("POST", f"/chat/findMessages/{name}", {}).json()["messages"]["records"]
    assert "base64" not in record["message"]


def test_switching_base64_on_waits_for_the_next_connection(evolution: Evolution, receiver: Receiver) -> None:
    name = evolution.open(webhook=receiver.hook("all", "MESSAGES_UPSERT"))
    hook = receiver.hook("all", "MESSAGES_UPSERT", base64=True, enabled=True)
    evolution.call("POST", f"/webhook/set/{name}", {"webhook": hook})
    send(evolution, name, files.PDF)
    assert "base64" not in receiver.event(name, "messages.upsert")["data"]["message"]


def test_the_unit_s_own_phone_sends_files_too(evolution: Evolution, receiver: Receiver) -> None:
    name = evolution.open(webhook=receiver.hook("all", "MESSAGES_UPSERT"))
    assert evolution.sandbox
    media = {"mediatype": "image", "base64": b64encode(files.picture()).decode()}
    evolution.sandbox.phone("POST", f"instances/{name}/own", {"to": CUSTOMER, "text": "veja", "media": media})
    data = receiver.event(name, "messages.upsert")["data"]
    assert (data["key"]["fromMe"], data["message"]["imageMessage"]["caption"]) == (True, "veja")


def test_a_file_that_whatsapp_no_longer_has_is_400(evolution: Evolution) -> None:
    name = evolution.open()
    message_id = send(evolution, name, files.PDF)
    assert evolution.sandbox
    evolution.sandbox.phone("POST", f"instances/{name}/file", {"id": message_id})
    answer = fetch(evolution, name, message_id)
    assert answer.status_code == 400
    assert answer.json()["response"]["message"][0].startswith("Error: Failed to fetch stream from https://")


@pytest.mark.browser
@needs_chromium
def test_on_the_page_a_sample_goes_along_with_a_message(evolution: Evolution, receiver: Receiver) -> None:
    name = evolution.open(webhook=receiver.hook("all", "MESSAGES_UPSERT"))
    assert evolution.sandbox
    evolution.sandbox.inbound(name, CUSTOMER, "oi")
    with chromium() as browser:
        watched = open_page(browser, viewport={"width": 1366, "height": 800})
        page = watched.page
        page.goto(f"{evolution.sandbox.url}/phone/?instance={name}")
        page.locator("#chats button").click()
        page.get_by_label("Anexar").select_option("foto")
        page.get_by_role("button", name="Enviar", exact=True).click()
        expect(page.locator("#bubbles")).to_contain_text("Foto")
        page.get_by_label("Anexar").select_option("um arquivo…")
        page.get_by_label("Arquivo", exact=True).set_input_files(
            {"name": "receita.pdf", "mimeType": "application/pdf", "buffer": files.PDF}
        )
        page.get_by_role("button", name="Enviar", exact=True).click()
        expect(page.locator("#bubbles")).to_contain_text("receita.pdf")
        assert watched.complaints == []
    receiver.wait("all", 3)


def test_the_samples_are_what_they_are_called() -> None:
    begin = {path.name: path.read_bytes()[:12] for path in SAMPLES.iterdir()}
    assert begin["foto.jpg"].startswith(b"\xff\xd8\xff")
    assert begin["video.mp4"][4:8] == b"ftyp"
    assert begin["voz.ogg"].startswith(b"OggS")
    assert begin["orcamento.pdf"].startswith(b"%PDF-")
    assert begin["figurinha.webp"][8:] == b"WEBP"


@pytest.mark.parametrize(
    ("route", "body", "kind", "shown_as"),
    [
        ("sendMedia", {"mediatype": "image", "fileName": "a.png"}, "media", "image/png"),
        ("sendMedia", {"mediatype": "document", "fileName": "a.html"}, "media", "application/octet-stream"),
        ("sendSticker", {}, "sticker", "image/webp"),
        ("sendWhatsAppAudio", {}, "audio", "audio/ogg"),
    ],
)
def test_the_customer_s_phone_shows_the_file_that_was_sent(
    evolution: Evolution, route: str, body: dict[str, str], kind: str, shown_as: str
) -> None:
    name = evolution.open()
    asked = {"number": CUSTOMER, kind: b64encode(files.VOICE).decode(), **body}
    sent = evolution.call("POST", f"/message/{route}/{name}", asked)
    assert sent.status_code == 201, sent.text
    answer = evolution.http.get(f"/phone/api/instances/{name}/media", params={"id": sent.json()["key"]["id"]})
    assert answer.content == files.VOICE
    assert answer.headers["Content-Type"].partition(";")[0] == shown_as
    assert ("Content-Disposition" in answer.headers) is (shown_as == "application/octet-stream")
