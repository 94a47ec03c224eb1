"""What the composer and the menu of a message ask of the server."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from messaging import merging
from messaging.models import ActionKind, CannedReply, ChatAction, Conversation, Message, MessageStatus
from messaging.outgoing import attachments
from tests import factories
from tests.console.helpers import HTMX, at, message
from tests.files import picture
from units.models import Unit, User


@pytest.fixture
def chat(unit: Unit) -> Conversation:
    return factories.conversation(unit, name="Marina Alves")


def send(client: Client, chat: Conversation, **fields: str) -> tuple[int, str]:
    """What the composer sends."""
    answer = client.post(at(chat.unit, f"conversations/{chat.id}/messages"), fields, headers=HTMX)
    return answer.status_code, answer.text


def sent(chat: Conversation) -> list[Message]:
    return list(chat.messages.filter(direction="outbound").order_by("created_at", "id"))


def test_the_same_key_is_the_same_message_however_often_it_is_sent(browser_client: Client, chat: Conversation) -> None:
    key = str(uuid4())
    first, again = (send(browser_client, chat, text="Está pronto", key=key) for _ in range(2))
    (made,) = sent(chat)
    assert first[0] == again[0] == 200
    assert f"message-{made.id}" in again[1]


def test_a_key_that_stands_for_another_text_is_refused(browser_client: Client, chat: Conversation) -> None:
    key = str(uuid4())
    send(browser_client, chat, text="Está pronto", key=key)
    status, sentence = send(browser_client, chat, text="Não está pronto", key=key)
    assert status == 422
    assert sentence
    assert len(sent(chat)) == 1


def test_an_answer_quotes_a_message_of_its_chat(browser_client: Client, chat: Conversation) -> None:
    asked = message(chat, "Qual o valor?")
    assert send(browser_client, chat, text="R$ 300", reply_to=str(asked.id))[0] == 200
    assert sent(chat)[0].reply_to_external_id == asked.external_id


def test_nothing_of_another_chat_is_quoted(browser_client: Client, unit: Unit, chat: Conversation) -> None:
    elsewhere = message(factories.conversation(unit), "Segredo")
    assert send(browser_client, chat, text="Oi", reply_to=str(elsewhere.id))[0] == 422
    assert sent(chat) == []


def test_a_file_goes_with_its_caption(browser_client: Client, unit: Unit, chat: Conversation) -> None:
    file = attachments.attach(unit, picture("PNG"), name="armacao.png")
    assert send(browser_client, chat, text="Esta aqui", attachment=str(file.id))[0] == 200
    (made,) = sent(chat)
    assert (made.kind, made.body) == ("image", "Esta aqui")


def test_a_file_of_another_unit_is_not_there(browser_client: Client, stranger: User, chat: Conversation) -> None:
    theirs = attachments.attach(Unit.objects.get(memberships__user=stranger), picture("PNG"), name="armacao.png")
    assert send(browser_client, chat, text="", attachment=str(theirs.id))[0] == 422
    assert sent(chat) == []


def test_a_form_without_a_script_brings_its_file_along(browser_client: Client, unit: Unit, chat: Conversation) -> None:
    where = at(unit, f"conversations/{chat.id}/messages")
    answer = browser_client.post(where, {"text": "", "file": SimpleUploadedFile("armacao.png", picture("PNG"))})
    assert answer.status_code == 302
    assert sent(chat)[0].kind == "image"


def test_a_reaction_hangs_and_is_taken_back(browser_client: Client, unit: Unit, chat: Conversation) -> None:
    said = message(chat, "Obrigada")
    where = at(unit, f"messages/{said.id}/reaction")
    assert "❤️" in browser_client.post(where, {"emoji": "❤️"}, headers=HTMX).text
    assert "❤️" not in browser_client.post(where, {"emoji": ""}, headers=HTMX).text


def test_what_is_no_emoji_is_refused_in_a_sentence(browser_client: Client, unit: Unit, chat: Conversation) -> None:
    where = at(unit, f"messages/{message(chat).id}/reaction")
    assert browser_client.post(where, {"emoji": "oi"}, headers=HTMX).status_code == 422


def test_a_fresh_text_of_ours_can_be_edited(browser_client: Client, unit: Unit, chat: Conversation) -> None:
    ours = message(chat, "Quinta às 15", out=True, sent_at=timezone.now())
    where = at(unit, f"messages/{ours.id}/edit")
    assert "Quinta às 15" in browser_client.get(where, headers=HTMX).text
    answer = browser_client.post(where, {"text": "Quinta às 16"}, headers=HTMX)
    assert "close-dialog" in answer.headers["HX-Trigger"]
    assert ChatAction.objects.get(kind=ActionKind.EDIT, message=ours).details == {"text": "Quinta às 16"}


@pytest.mark.parametrize("what", ["edit", "delete"])
def test_what_is_too_old_says_so_in_its_dialog(
    browser_client: Client, unit: Unit, chat: Conversation, what: str
) -> None:
    old = message(chat, "Antes", out=True, sent_at=timezone.now() - timedelta(days=3))
    answer = browser_client.post(at(unit, f"messages/{old.id}/{what}"), {"text": "Depois"}, headers=HTMX)
    assert "HX-Trigger" not in answer.headers
    assert "<dialog" in answer.text
    assert not ChatAction.objects.exists()


def test_a_message_of_ours_is_deleted_once_it_is_confirmed(
    browser_client: Client, unit: Unit, chat: Conversation
) -> None:
    ours = message(chat, "Errado", out=True, sent_at=timezone.now())
    where = at(unit, f"messages/{ours.id}/delete")
    browser_client.get(where, headers=HTMX)
    assert not ChatAction.objects.exists()
    browser_client.post(where, headers=HTMX)
    assert ChatAction.objects.get().kind == ActionKind.DELETE


@pytest.mark.parametrize(
    ("fields", "offered"),
    [
        ({}, "copy quote react"),
        ({"out": True, "sent_at": timezone.now()}, "copy quote react edit delete"),
        ({"out": True, "sent_at": timezone.now() - timedelta(hours=1)}, "copy quote react delete"),
        ({"out": True, "status": MessageStatus.QUEUED, "external_id": None}, "copy"),
        ({"deleted_at": timezone.now()}, ""),
    ],
)
def test_the_menu_offers_what_can_be_done(
    browser_client: Client, unit: Unit, chat: Conversation, fields: dict[str, object], offered: str
) -> None:
    row = message(chat, "Oi", **fields)  # type: ignore[arg-type]
    html = browser_client.get(at(unit, f"conversations/{chat.id}/messages?ids={row.id}")).text
    assert f'data-may="{offered}"' in html


def test_the_details_tell_each_step(browser_client: Client, unit: Unit, chat: Conversation) -> None:
    now = timezone.now()
    ours = message(chat, "Oi", out=True, status="read", sent_at=now, delivered_at=now, read_at=now)
    html = browser_client.get(at(unit, f"messages/{ours.id}/details"), headers=HTMX).text
    for word in ("Na fila", "Enviada", "Entregue", "Lida"):
        assert word in html


def test_canned_replies_are_found_and_filled_in(browser_client: Client, unit: Unit, chat: Conversation) -> None:
    CannedReply.objects.create(unit=unit, shortcut="entrega", body="Oi, {{ primeiro_nome }}! Fica {{ algo }}.")
    CannedReply.objects.create(unit=unit, shortcut="endereco", body="Av. das Jabuticabeiras")
    where = at(unit, f"conversations/{chat.id}/canned-replies")
    html = browser_client.get(where, {"q": "entr"}, headers=HTMX).text
    assert "Oi, Marina! Fica {{ algo }}." in html
    assert "/endereco" not in html


@pytest.mark.parametrize("path", ["reaction", "edit", "delete", "details"])
def test_a_message_of_another_unit_is_not_there(browser_client: Client, unit: Unit, stranger: User, path: str) -> None:
    theirs = message(factories.conversation(Unit.objects.get(memberships__user=stranger)), out=True)
    where = at(unit, f"messages/{theirs.id}/{path}")
    answer = browser_client.get(where) if path == "details" else browser_client.post(where, {"emoji": "👍"})
    assert answer.status_code == 404


def test_what_was_on_its_way_as_two_became_one_arrives(browser_client: Client, chat: Conversation) -> None:
    other = factories.conversation(chat.unit, name="Marina (trabalho)")
    kept, absorbed = merging.in_order(chat.contact, other.contact)
    was, is_now = (other, chat) if kept == chat.contact else (chat, other)
    merging.merge(kept, absorbed)
    key = str(uuid4())
    assert [send(browser_client, was, text="Está pronto", key=key)[0] for _ in range(2)] == [200, 200]
    note = browser_client.post(at(was.unit, f"conversations/{was.id}/notes"), {"text": "Mesma pessoa"}, headers=HTMX)
    assert note.status_code == 200
    assert len(sent(is_now)) == 1


def test_pressed_twice_without_a_script_it_is_sent_once(browser_client: Client, chat: Conversation) -> None:
    page = browser_client.get(at(chat.unit, f"conversations/{chat.id}")).text
    key = re.search(r'name="key" value="([0-9a-f-]{36})"', page)
    assert key
    for _press in range(2):
        form = {"text": "Está pronto", "key": key[1]}
        browser_client.post(at(chat.unit, f"conversations/{chat.id}/messages"), form)
    assert len(sent(chat)) == 1
