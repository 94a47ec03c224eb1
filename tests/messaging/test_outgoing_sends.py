"""Each kind, from the API over the lane and the wire to the customer's phone, and back as an echo: one row."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from rest_framework.test import APIClient

from crm_whatsapp.db import ClockNow
from messaging.models import Conversation, Message, MessageMedia, MessageStatus, SendLane
from tests import factories, files
from tests.factories import conversation, hook, message
from tests.messaging.on_the_wire import deliver
from tests.sandbox.conftest import Receiver
from tests.sandbox_process import Sandbox
from units.gateways.evolution import EvolutionService
from units.models import Unit, WhatsAppConnection
from webhooks.drain import drain

pytestmark = pytest.mark.django_db(transaction=True)

S = MessageStatus
STICKER = files.picture("WEBP", (512, 512))


@pytest.fixture(autouse=True)
def place(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def echoes(phone: str) -> Iterator[Receiver]:
    """What the gateway posts of our sends."""
    receiver = Receiver()
    EvolutionService(phone).set_webhook(url=receiver.url, events=["SEND_MESSAGE", "MESSAGES_DELETE"])
    yield receiver
    receiver.stop()


@pytest.fixture
def chat(unit: Unit) -> Conversation:
    return conversation(unit, phone="+5511977776666")


def upload(api: APIClient, chat: Conversation, content: bytes, name: str = "", **more: Any) -> Any:
    file = BytesIO(content)
    file.name = name or "file"
    answer = api.post(f"/units/{chat.unit_id}/attachments", {"file": file, **more}, format="multipart")
    assert answer.status_code == 201, answer.data
    return answer.json()


def send(api: APIClient, chat: Conversation, **body: Any) -> Message:
    body = {"conversation_id": str(chat.id), **body}
    answer = api.post(f"/units/{chat.unit_id}/whatsapp/messages", body, format="json")
    assert answer.status_code == 202, answer.data
    return Message.objects.get(id=answer.data["id"])


def come_back(connection: WhatsAppConnection, echoes: Receiver) -> None:
    """Post the echo to our own endpoint, and understand it."""
    body = echoes.event(connection.instance_name, "send.message")
    assert Client().post(hook(connection), body, content_type="application/json").status_code == 200
    drain(seconds=5)


def asked(chat: Conversation) -> Message:
    return message(chat, "Tem em azul?", external_id="3A00000000000000AA01")


# What is asked of the API, and what the customer's phone shows of it.
WORDS: list[tuple[dict[str, Any], str]] = [
    ({"text": "Bom dia!"}, "Bom dia!"),
    (
        {"location": {"latitude": -23.5613, "longitude": -46.6565, "name": "Loja", "address": "Av. Paulista, 1000"}},
        "📍 Localização: Loja",
    ),
    ({"location": {"latitude": -23.5613, "longitude": -46.6565}}, "📍 Localização"),
    ({"contact_card": {"name": "Zé", "phone": "(11) 91111-2222"}}, "👤 Contato: Zé"),
    ({"poll": {"question": "Quando?", "options": ["Hoje", "Amanhã"], "selectable": 0}}, "📊 Enquete: Quando?"),
]
FILES: list[tuple[str, bytes, dict[str, Any], dict[str, Any], str]] = [
    ("a.jpg", files.picture(), {}, {"caption": "a armação"}, "image"),
    ("a.mp4", files.FILM, {}, {"caption": "veja"}, "video"),
    ("tabela.pdf", files.PDF, {}, {"caption": "a tabela"}, "document"),
    ("b.jpg", files.picture(), {"kind": "document"}, {}, "document"),
    ("a.ogg", files.VOICE, {}, {"voice": True}, "audio"),
    ("a.ogg", files.VOICE, {}, {}, "audio"),
    ("a.webp", STICKER, {"kind": "sticker"}, {}, "sticker"),
]


@pytest.mark.parametrize(("content", "shown"), WORDS, ids=[next(iter(content)) for content, _ in WORDS])
def test_it_arrives_and_its_echo_is_no_second_message(
    api: APIClient,
    sandbox: Sandbox,
    phone: str,
    chat: Conversation,
    connection: WhatsAppConnection,
    echoes: Receiver,
    content: dict[str, Any],
    shown: str,
) -> None:  # I2
    row = send(api, chat, **content)
    deliver()
    (arrived,) = sandbox.sent(phone)
    assert arrived["text"] == shown
    come_back(connection, echoes)
    (row,) = Message.objects.all()
    assert (row.status, row.external_id) == (S.SENT, arrived["id"])


@pytest.mark.parametrize(("content", "shown"), WORDS, ids=[next(iter(content)) for content, _ in WORDS])
def test_an_echo_settles_an_uncertain_one_by_its_content(
    api: APIClient,
    sandbox: Sandbox,
    phone: str,
    chat: Conversation,
    connection: WhatsAppConnection,
    echoes: Receiver,
    content: dict[str, Any],
    shown: str,
) -> None:  # I3
    sandbox.fail(phone, "reset_after_send")
    send(api, chat, **content)
    deliver()
    assert Message.objects.get().status == S.UNCERTAIN
    come_back(connection, echoes)
    (row,) = Message.objects.all()
    assert (row.status, row.external_id) == (S.SENT, sandbox.sent(phone)[0]["id"])


@pytest.mark.parametrize(("name", "content", "upload_as", "more", "kind"), FILES)
def test_a_file_arrives_whole_and_its_echo_settles_an_uncertain_one(
    api: APIClient,
    sandbox: Sandbox,
    phone: str,
    chat: Conversation,
    connection: WhatsAppConnection,
    echoes: Receiver,
    name: str,
    content: bytes,
    upload_as: dict[str, Any],
    more: dict[str, Any],
    kind: str,
) -> None:
    sandbox.fail(phone, "error_500_after_send")
    attachment = upload(api, chat, content, name, **upload_as)
    assert attachment["kind"] == kind
    row = send(api, chat, media={"attachment_id": attachment["id"], **more})
    deliver()
    row.refresh_from_db()
    assert row.status == S.UNCERTAIN
    come_back(connection, echoes)
    (row,) = Message.objects.all()
    assert (row.status, row.kind) == (S.SENT, kind)
    assert sandbox.sent(phone)[0]["kind"] == f"{kind}Message"
    assert MessageMedia.objects.get(message=row).status == "stored"


def test_the_customer_gets_the_very_bytes(api: APIClient, sandbox: Sandbox, phone: str, chat: Conversation) -> None:
    # Longer than a piece, and not a multiple of three.
    content = files.PDF + bytes(range(256)) * 2_000 + b"x"
    send(api, chat, media={"attachment_id": upload(api, chat, content, "a.pdf")["id"]})
    deliver()
    row = Message.objects.get()
    body = {"message": {"key": {"id": row.external_id}}}
    answer = sandbox.evolution("POST", f"/chat/getBase64FromMediaMessage/{phone}", body).json()
    assert (answer["fileName"], answer["base64"]) == ("a.pdf", b64encode(content).decode())


def test_a_reaction_hangs_on_its_message_and_can_be_taken_back(
    api: APIClient, sandbox: Sandbox, phone: str, chat: Conversation
) -> None:
    target = asked(chat)
    send(api, chat, reaction={"message_id": str(target.id), "emoji": "👍"})
    deliver()
    answer = api.get(f"/units/{chat.unit_id}/messages/{target.id}").json()
    assert [(one["emoji"], one["from_me"]) for one in answer["reactions"]] == [("👍", True)]
    send(api, chat, reaction={"message_id": str(target.id), "emoji": ""})
    deliver()
    assert api.get(f"/units/{chat.unit_id}/messages/{target.id}").json()["reactions"] == []
    assert [one["kind"] for one in sandbox.sent(phone)] == ["reactionMessage"] * 2


def test_a_reaction_that_is_tried_again_does_not_replace_a_later_one(
    api: APIClient, sandbox: Sandbox, phone: str, chat: Conversation
) -> None:
    target = asked(chat)
    first = send(api, chat, reaction={"message_id": str(target.id), "emoji": "👍"})
    Message.objects.filter(pk=first.pk).update(due_at=ClockNow() + timedelta(minutes=1), attempts=1)
    send(api, chat, reaction={"message_id": str(target.id), "emoji": "❤️"})
    deliver()
    Message.objects.filter(status=S.QUEUED).update(due_at=ClockNow())
    SendLane.objects.update(due_at=ClockNow())
    deliver()
    first.refresh_from_db()
    assert (first.status, first.error_code) == (S.CANCELLED, "replaced")
    assert len(sandbox.sent(phone)) == 1
    answer = api.get(f"/units/{chat.unit_id}/messages/{target.id}").json()
    assert [one["emoji"] for one in answer["reactions"]] == ["❤️"]


@pytest.mark.parametrize("by", ["id", "external_id"])
def test_a_quote_is_there_though_the_gateway_does_not_know_the_message(
    api: APIClient, phone: str, chat: Conversation, echoes: Receiver, by: str
) -> None:
    target = asked(chat)
    row = send(api, chat, text="Tem!", reply_to=str(getattr(target, by)))
    deliver()
    context = echoes.event(phone, "send.message")["data"]["contextInfo"]
    assert (context["stanzaId"], context["quotedMessage"]) == (target.external_id, {"conversation": "Tem em azul?"})
    assert context["participant"] == "5511977776666@s.whatsapp.net"
    shown = api.get(f"/units/{chat.unit_id}/messages/{row.id}").json()["quoted"]
    assert (shown["id"], shown["body"]) == (str(target.id), "Tem em azul?")


def test_a_file_that_is_gone_is_refused_and_holds_nothing_up(
    api: APIClient, sandbox: Sandbox, phone: str, chat: Conversation
) -> None:
    send(api, chat, media={"attachment_id": upload(api, chat, files.PDF, "a.pdf")["id"]})
    default_storage.delete(str(MessageMedia.objects.get().file))
    send(api, chat, text="Recebeu?")
    deliver()
    gone, after = Message.objects.order_by("created_at")
    assert (gone.status, gone.error_code, after.status) == (S.FAILED, "media_unreadable", S.SENT)
    assert [one["text"] for one in sandbox.sent(phone)] == ["Recebeu?"]


def test_our_file_is_shown_as_theirs_are(api: APIClient, chat: Conversation) -> None:
    attachment = upload(api, chat, files.picture(size=(600, 400)), "armação.jpg")
    row = send(api, chat, media={"attachment_id": attachment["id"], "caption": "Esta?"})
    shown = api.get(f"/units/{chat.unit_id}/messages/{row.id}").json()
    media = shown["media"]
    assert (shown["kind"], shown["body"], shown["direction"]) == ("image", "Esta?", "outbound")
    assert (media["status"], media["file_name"], media["width"]) == ("stored", "armação.jpg", 600)
    assert api.get(media["url"]).getvalue() == api.get(attachment["url"]).getvalue()
    assert api.get(media["thumbnail_url"]).status_code == 200


def test_in_the_thread_our_file_looks_as_theirs_do(
    api: APIClient, browser_client: Client, unit: Unit, chat: Conversation
) -> None:
    row = send(api, chat, media={"attachment_id": upload(api, chat, files.picture(), "a.jpg")["id"]})
    page = browser_client.get(f"/app/u/{unit.id}/conversations/{chat.id}").content.decode()
    assert f"/messages/{row.id}/media" in page


@pytest.mark.parametrize("shown", ["Av. Paulista, 1000", "Zé", "Amanhã"])
def test_in_the_thread_our_places_cards_and_polls_are_told(
    api: APIClient, browser_client: Client, unit: Unit, chat: Conversation, shown: str
) -> None:
    for content, _ in WORDS:
        send(api, chat, **content)
    assert shown in browser_client.get(f"/app/u/{unit.id}/conversations/{chat.id}").content.decode()


def test_the_same_request_again_is_the_same_message_of_any_kind(api: APIClient, chat: Conversation) -> None:
    body = {"conversation_id": str(chat.id), "poll": {"question": "Quando?", "options": ["Hoje", "Amanhã"]}}
    url = f"/units/{chat.unit_id}/whatsapp/messages"
    again = [api.post(url, body, format="json", headers={"Idempotency-Key": "k1"}) for _ in range(2)]
    assert again[0].data["id"] == again[1].data["id"]
    body["poll"] = {"question": "Quando?", "options": ["Hoje", "Depois"]}
    assert api.post(url, body, format="json", headers={"Idempotency-Key": "k1"}).status_code == 409
    assert Message.objects.count() == 1


def test_an_edited_message_is_still_the_answer_to_its_key(api: APIClient, chat: Conversation) -> None:
    body = {"conversation_id": str(chat.id), "text": "Oi"}
    url = f"/units/{chat.unit_id}/whatsapp/messages"
    first = api.post(url, body, format="json", headers={"Idempotency-Key": "k1"})
    Message.objects.update(body="Olá")
    assert api.post(url, body, format="json", headers={"Idempotency-Key": "k1"}).data["id"] == first.data["id"]


def test_in_a_group_a_quote_names_who_wrote(api: APIClient, unit: Unit) -> None:
    group = factories.group(unit)
    ana = factories.contact(unit, phone="+5511911112222")
    row = send(api, group, text="Tem!", reply_to=str(message(group, "Tem?", sender=ana).id))
    assert row.details["quoted"]["participant"] == "5511911112222@s.whatsapp.net"
