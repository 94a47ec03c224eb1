"""Notes: in the thread for the team, in no message to the customer."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from messaging.inbox import steering
from messaging.models import Conversation, Message, Note
from tests import factories
from tests.console.helpers import HTMX, at, colleague, message
from units.models import LiveEvent, Unit, User


@pytest.fixture
def chat(unit: Unit) -> Conversation:
    return factories.conversation(unit, name="Marina")


def test_a_note_is_written_shown_and_never_sent(
    browser_client: Client, unit: Unit, chat: Conversation, ana: User
) -> None:
    answer = browser_client.post(at(unit, f"conversations/{chat.id}/notes"), {"text": "Só à vista"}, headers=HTMX)
    note = Note.objects.get()
    assert (note.author, note.body) == (ana, "Só à vista")
    assert f'id="note-{note.id}"' in answer.text
    assert not Message.objects.exists()
    told = LiveEvent.objects.filter(unit=unit).latest("seq")
    assert (told.kind, told.data) == ("conversation", {"note_id": str(note.id)})


def test_an_empty_note_is_refused_with_a_sentence(browser_client: Client, unit: Unit, chat: Conversation) -> None:
    answer = browser_client.post(at(unit, f"conversations/{chat.id}/notes"), {"text": " "}, headers=HTMX)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_notes_stand_between_the_messages_of_their_time(
    browser_client: Client, unit: Unit, chat: Conversation, ana: User
) -> None:
    message(chat, "primeira", minutes_ago=30)
    note = steering.write_note(chat, ana, "no meio")
    Note.objects.filter(pk=note.pk).update(created_at=timezone.now() - timedelta(minutes=20))
    message(chat, "segunda", minutes_ago=10)
    page = browser_client.get(at(unit, f"conversations/{chat.id}")).text
    thread = page[page.index('id="messages"') :]
    assert thread.index("primeira") < thread.index("no meio") < thread.index("segunda")


def test_each_page_of_a_long_thread_has_the_notes_of_its_time(
    browser_client: Client, unit: Unit, chat: Conversation, ana: User
) -> None:
    for number in range(60):
        message(chat, f"linha {number}", minutes_ago=100 - number)
    old, new = steering.write_note(chat, ana, "antiga"), steering.write_note(chat, ana, "recente")
    Note.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(minutes=95))
    first = browser_client.get(at(unit, f"conversations/{chat.id}/messages")).text
    assert "recente" in first
    assert "antiga" not in first
    cursor = first.split("?before=")[1].split('"')[0]
    older = browser_client.get(at(unit, f"conversations/{chat.id}/messages?before={cursor}")).text
    assert "antiga" in older
    assert "recente" not in older
    assert str(new.id) in first


def test_ones_own_note_is_edited_and_deleted(browser_client: Client, unit: Unit, chat: Conversation, ana: User) -> None:
    note = steering.write_note(chat, ana, "antes")
    url = at(unit, f"conversations/{chat.id}/notes/{note.id}")
    assert "antes" in browser_client.get(url, headers=HTMX).text
    assert "depois" in browser_client.post(url, {"text": "depois"}, headers=HTMX).text
    gone = browser_client.post(f"{url}/delete", headers=HTMX).text
    assert f'id="note-{note.id}" data-gone' in gone
    assert not Note.objects.exists()


def test_a_colleagues_note_is_theirs(browser_client: Client, unit: Unit, chat: Conversation) -> None:
    note = steering.write_note(chat, colleague(unit), "da Bia")
    assert f"edit-{note.id}" not in browser_client.get(at(unit, f"conversations/{chat.id}")).text
    for path in ("", "/delete"):
        url = at(unit, f"conversations/{chat.id}/notes/{note.id}{path}")
        assert browser_client.post(url, {"text": "minha"}, headers=HTMX).status_code == 404
    note.refresh_from_db()
    assert note.body == "da Bia"


def test_a_line_stands_above_what_is_unread(browser_client: Client, unit: Unit, chat: Conversation) -> None:
    message(chat, "vista", minutes_ago=9)
    browser_client.post(at(unit, f"conversations/{chat.id}/read"))
    for body in ("nova um", "nova dois"):
        message(chat, body)
    page = browser_client.get(at(unit, f"conversations/{chat.id}")).text
    thread = page[page.index('id="messages"') :]
    assert thread.index("vista") < thread.index('id="unread-line"') < thread.index("nova um")
    browser_client.post(at(unit, f"conversations/{chat.id}/read"))
    assert "unread-line" not in browser_client.get(at(unit, f"conversations/{chat.id}")).text
