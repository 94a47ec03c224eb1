"""The header of a thread: whose a conversation is, where it stands, what it is about, who is answering."""

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from messaging.inbox import steering
from messaging.models import Conversation, ConversationStatus, Label
from tests import factories
from tests.console.helpers import HTMX, at, colleague, message
from units.models import LiveEvent, Membership, Unit, User
from units.roles import Role

S = ConversationStatus


@pytest.fixture
def chat(unit: Unit) -> Conversation:
    return factories.conversation(unit, name="Marina")


@pytest.fixture
def bia(unit: Unit) -> User:
    return colleague(unit)


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_a_conversation_is_given_to_a_colleague_and_back(
    browser_client: Client, unit: Unit, chat: Conversation, bia: User
) -> None:
    answer = browser_client.post(at(unit, f"conversations/{chat.id}/assign"), {"to": bia.pk}, headers=HTMX)
    chat.refresh_from_db()
    assert chat.assigned_to == bia
    # The word on it takes it back.
    assert 'id="toast"' in answer.text
    assert '<input type="hidden" name="to" value="">' in answer.text
    browser_client.post(at(unit, f"conversations/{chat.id}/assign"), {"to": ""})
    chat.refresh_from_db()
    assert chat.assigned_to is None


def test_a_stranger_cannot_be_given_it(browser_client: Client, unit: Unit, chat: Conversation, stranger: User) -> None:
    answer = browser_client.post(at(unit, f"conversations/{chat.id}/assign"), {"to": stranger.pk}, headers=HTMX)
    chat.refresh_from_db()
    assert chat.assigned_to is None
    assert "#circle-alert" in answer.text


@pytest.mark.parametrize("status", [S.OPEN, S.PENDING, S.RESOLVED])
def test_the_status_is_set_and_undone(
    browser_client: Client, unit: Unit, chat: Conversation, status: ConversationStatus
) -> None:
    until = timezone.now().replace(second=0, microsecond=0) + timedelta(days=2)
    steering.set_status(chat, S.SNOOZED, until)
    url = at(unit, f"conversations/{chat.id}/status")
    answer = browser_client.post(url, {"status": status}, headers=HTMX)
    chat.refresh_from_db()
    assert (chat.status, chat.snoozed_until) == (status, None)
    local = until.astimezone(ZoneInfo(str(unit.time_zone))).strftime("%Y-%m-%dT%H:%M")
    assert f'<input type="hidden" name="until" value="{local}">' in answer.text
    browser_client.post(url, {"status": S.SNOOZED, "until": local})
    chat.refresh_from_db()
    assert (chat.status, chat.snoozed_until) == (S.SNOOZED, until)


# A Wednesday, in São Paulo still the Tuesday before.
@time_machine.travel("2030-01-09T01:30:00Z", tick=True)
@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("hour", "2030-01-08T23:30"),
        ("tomorrow", "2030-01-09T08:00"),
        ("monday", "2030-01-14T08:00"),
        ("2030-02-01T14:30", "2030-02-01T14:30"),
    ],
)
def test_it_is_put_off_to_a_time_of_the_unit(
    unit: Unit, ana: User, chat: Conversation, choice: str, expected: str
) -> None:
    logged_in(ana).post(at(unit, f"conversations/{chat.id}/status"), {"status": S.SNOOZED, "until": choice})
    chat.refresh_from_db()
    assert chat.snoozed_until is not None
    assert chat.snoozed_until.astimezone(ZoneInfo("America/Sao_Paulo")).strftime("%Y-%m-%dT%H:%M") == expected


@pytest.mark.parametrize("until", ["2020-01-01T08:00", "amanhã"])
def test_a_time_that_cannot_be_is_told_beside_its_field(
    browser_client: Client, unit: Unit, chat: Conversation, until: str
) -> None:
    answer = browser_client.post(at(unit, f"conversations/{chat.id}/snooze"), {"until": until}, headers=HTMX)
    chat.refresh_from_db()
    assert chat.status == S.OPEN
    assert "field-error" in answer.text
    assert f'value="{until}"' in answer.text


def test_a_label_is_put_on_and_taken_off(browser_client: Client, unit: Unit, chat: Conversation) -> None:
    label = Label.objects.create(unit=unit, name="Solar")
    url = at(unit, f"conversations/{chat.id}/labels/{label.id}")
    answer = browser_client.post(url, {"on": "1"}, headers=HTMX).text
    assert list(chat.labels.all()) == [label]
    assert 'aria-pressed="true"' in answer
    browser_client.post(url, {"on": ""}, headers=HTMX)
    assert not chat.labels.exists()


def test_a_new_label_is_made_once(browser_client: Client, unit: Unit, chat: Conversation) -> None:
    for name in ("Garantia", "garantia"):
        browser_client.post(at(unit, f"conversations/{chat.id}/labels"), {"name": name}, headers=HTMX)
    assert [label.name for label in chat.labels.all()] == ["Garantia"]
    assert Label.objects.filter(unit=unit).count() == 1


def test_who_may_not_make_labels_uses_those_there_are(unit: Unit, chat: Conversation, bia: User) -> None:
    Membership.objects.filter(unit=unit, user=bia).update(role=Role.AGENT)
    client, url = logged_in(bia), at(unit, f"conversations/{chat.id}/labels")
    assert "field-error" in client.post(url, {"name": "Garantia"}, headers=HTMX).text
    assert not Label.objects.exists()
    Label.objects.create(unit=unit, name="Garantia")
    client.post(url, {"name": "garantia"}, headers=HTMX)
    assert chat.labels.count() == 1


def test_a_conversation_is_marked_unread(browser_client: Client, unit: Unit, chat: Conversation) -> None:
    message(chat)
    browser_client.post(at(unit, f"conversations/{chat.id}/read"))
    browser_client.post(at(unit, f"conversations/{chat.id}/unread"), headers=HTMX)
    chat.refresh_from_db()
    assert chat.unread_count == 1


def test_what_was_answered_cannot_be_unread(browser_client: Client, unit: Unit, chat: Conversation) -> None:
    message(chat, out=True)
    answer = browser_client.post(at(unit, f"conversations/{chat.id}/unread"), headers=HTMX)
    assert "#circle-alert" in answer.text
    assert "toast-box" not in answer.text


def test_a_colleague_who_answers_is_seen_until_it_is_sent(
    browser_client: Client, unit: Unit, chat: Conversation, bia: User
) -> None:
    url, other = at(unit, f"conversations/{chat.id}/answering"), logged_in(bia)
    before = LiveEvent.objects.filter(unit=unit, kind="answering").count()
    for _ in range(2):
        assert other.post(url).status_code == 204
    # Told once; whoever sees it asks again.
    assert LiveEvent.objects.filter(unit=unit, kind="answering").count() == before + 1
    assert "<b>Bia</b>" in browser_client.get(url).text
    assert "<b>Bia</b>" in browser_client.get(at(unit, f"conversations/{chat.id}")).text
    # Not to herself.
    assert "<b>" not in other.get(url).text
    other.post(at(unit, f"conversations/{chat.id}/messages"), {"text": "Pronto"}, headers=HTMX)
    assert "<b>" not in browser_client.get(url).text


def test_without_redis_nobody_is_seen_and_nothing_fails(
    browser_client: Client, unit: Unit, chat: Conversation, settings: object
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"  # type: ignore[attr-defined]
    url = at(unit, f"conversations/{chat.id}/answering")
    assert browser_client.post(url).status_code == 204
    assert browser_client.get(url).status_code == 200


def test_the_thread_tells_who_did_what(browser_client: Client, unit: Unit, ana: User) -> None:
    chat, bia = factories.conversation(unit), colleague(unit)
    browser_client.post(at(unit, f"conversations/{chat.id}/assign"), {"to": ana.pk})
    steering.assign(chat, bia.pk, by=ana)
    steering.set_status(chat, "resolved", by=bia)
    Conversation.objects.filter(pk=chat.pk).update(status="snoozed", snoozed_until=timezone.now())
    steering.wake_snoozed()
    page = browser_client.get(at(unit, f"conversations/{chat.id}")).text
    events = re.findall(r'<li class="event".*?<span class="caption">(.*?) · <time', page)
    assert len(events) == 4
    assert [("Ana" in said, "Bia" in said) for said in events] == [
        (True, False),
        (True, True),
        (False, True),
        (False, False),
    ]
