"""Conversations: the list, the thread, and answering."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from campaigns.models import Campaign
from messaging import merging, people
from messaging.models import Contact, ConversationStatus, Message, MessageStatus, Origin
from tests import factories
from tests.console.helpers import HTMX, at, message
from units.models import ConnectionStatus, Unit, User, WhatsAppConnection


def ids(html: str, kind: str) -> list[str]:
    return re.findall(rf'id="{kind}-([0-9a-f-]{{36}})"', html)


def test_the_list_shows_the_newest_first(browser_client: Client, unit: Unit) -> None:
    old, new = factories.conversation(unit, name="Marina"), factories.conversation(unit, name="Osvaldo")
    message(old, "antes", minutes_ago=9)
    message(new, "depois")
    page = browser_client.get(at(unit)).text
    assert ids(page, "row") == [str(new.id), str(old.id)]
    assert "depois" in page


def test_a_unit_that_never_had_a_number_is_led_to_connect_one(browser_client: Client, unit: Unit) -> None:
    WhatsAppConnection.objects.filter(unit=unit).update(status=ConnectionStatus.DISCONNECTED, phone_number="")
    assert browser_client.get(at(unit)).headers["Location"] == at(unit, "number")


def test_resolved_conversations_are_not_in_hand(browser_client: Client, unit: Unit) -> None:
    row = factories.conversation(unit)
    type(row).objects.filter(pk=row.pk).update(status=ConversationStatus.RESOLVED)
    assert ids(browser_client.get(at(unit)).text, "row") == []
    assert ids(browser_client.get(at(unit, "?status=all")).text, "row") == [str(row.id)]


@pytest.mark.parametrize("search", ["marin", "90000-0208", "(11) 90000 0208"])
def test_the_list_is_searched_by_name_and_number(browser_client: Client, unit: Unit, search: str) -> None:
    wanted = factories.conversation(unit, name="Marina Alves", phone="+5511900000208")
    factories.conversation(unit, name="Osvaldo")
    answer = browser_client.get(at(unit, "conversations"), {"q": search})
    assert ids(answer.text, "row") == [str(wanted.id)]


def test_the_list_is_searched_by_what_was_said_and_shows_it(browser_client: Client, unit: Unit) -> None:
    wanted = factories.conversation(unit, name="Marina")
    message(wanted, "A armação azul ainda tem?", minutes_ago=9)
    message(wanted, "Obrigada")
    message(factories.conversation(unit, name="Osvaldo"), "Bom dia")
    answer = browser_client.get(at(unit, "conversations"), {"q": "armacao"}).text
    assert ids(answer, "row") == [str(wanted.id)]
    assert "A armação azul" in answer


def test_an_old_link_leads_to_what_the_conversation_became(browser_client: Client, unit: Unit) -> None:
    kept, absorbed = factories.conversation(unit), factories.conversation(unit)
    merging.merge(kept.contact, absorbed.contact)
    answer = browser_client.get(at(unit, f"conversations/{absorbed.id}"))
    assert answer.headers["Location"] == at(unit, f"conversations/{kept.id}")


def test_who_waits_longer_than_the_goal_shows_the_hourglass(browser_client: Client, unit: Unit) -> None:
    message(factories.conversation(unit), minutes_ago=42)
    page = browser_client.get(at(unit)).text
    assert "#hourglass" in page
    assert "há 42 min" in page


def test_the_list_costs_the_same_for_many(
    browser_client: Client, unit: Unit, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(30):
        message(factories.conversation(unit))
    with django_assert_max_num_queries(12):
        browser_client.get(at(unit))


def test_older_rows_follow_without_a_gap(browser_client: Client, unit: Unit) -> None:
    for number in range(45):
        message(factories.conversation(unit), minutes_ago=number)
    first = browser_client.get(at(unit)).text
    cursor = re.search(r"before=([^\"&]+)\"", first)
    assert cursor
    rest = browser_client.get(at(unit, f"conversations?before={cursor[1]}")).text
    shown = ids(first, "row") + ids(rest, "row")
    assert len(shown) == len(set(shown)) == 45


def test_the_thread_shows_days_and_messages_in_order(browser_client: Client, unit: Unit) -> None:
    row = factories.conversation(unit)
    old = message(row, "ontem", happened_at=timezone.now() - timedelta(days=1))
    new = message(row, "hoje")
    page = browser_client.get(at(unit, f"conversations/{row.id}")).text
    assert ids(page, "message") == [str(old.id), str(new.id)]
    assert page.index("Ontem, ") < page.index("Hoje, ")


def test_the_thread_costs_the_same_for_many(
    browser_client: Client, unit: Unit, ana: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    row = factories.conversation(unit)
    for number in range(30):
        message(row, out=number % 2 == 0, author=ana if number % 2 == 0 else None, reply_to_external_id="X")
    with django_assert_max_num_queries(15):
        browser_client.get(at(unit, f"conversations/{row.id}"), headers=HTMX)


def test_older_messages_follow_without_a_gap(browser_client: Client, unit: Unit) -> None:
    row = factories.conversation(unit)
    for number in range(45):
        message(row, minutes_ago=number)
    first = browser_client.get(at(unit, f"conversations/{row.id}")).text
    cursor = re.search(r"messages\?before=([^\"&]+)\"", first)
    assert cursor
    rest = browser_client.get(at(unit, f"conversations/{row.id}/messages?before={cursor[1]}")).text
    shown = ids(rest, "message") + ids(first, "message")
    assert shown == [str(m.id) for m in Message.objects.order_by("happened_at")]


@pytest.mark.parametrize(
    ("status", "icon", "word"),
    [
        (MessageStatus.QUEUED, "clock", "Na fila"),
        (MessageStatus.CLAIMED, "clock", "Na fila"),
        (MessageStatus.DISPATCHING, "clock", "Enviando"),
        (MessageStatus.SENT, "check", "Enviada"),
        (MessageStatus.DELIVERED, "check-check", "Entregue"),
        (MessageStatus.READ, "check-check", "Lida"),
        (MessageStatus.UNCERTAIN, "circle-question-mark", "Sem confirmação"),
        (MessageStatus.FAILED, "circle-alert", "Não enviada"),
        (MessageStatus.CANCELLED, "ban", "Cancelada"),
        (MessageStatus.EXPIRED, "timer-off", "Vencida"),
    ],
)
def test_each_status_has_its_tick_and_its_word(
    browser_client: Client, unit: Unit, status: str, icon: str, word: str
) -> None:
    row = factories.conversation(unit)
    sent = message(row, out=True, status=status)
    html = browser_client.get(at(unit, f"conversations/{row.id}/messages?ids={sent.id}")).text
    assert f"icons.svg#{icon}" in html
    assert f'<span class="sr-only">{word}</span>' in html


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "image"}, "Foto"),
        ({"kind": "audio", "details": {"media": {"voice": True, "seconds": 41}}}, "Mensagem de voz"),
        ({"kind": "document", "details": {"media": {"file_name": "grau.pdf"}}}, "grau.pdf"),
        ({"kind": "contact", "details": {"contacts": [{"name": "Helena", "phones": ["+5511900000455"]}]}}, "Helena"),
        ({"edited_at": timezone.now()}, "editada"),
        ({"out": True, "origin": Origin.PHONE}, "Enviada pelo celular"),
        ({"out": True, "origin": Origin.CAMPAIGN}, "Campanha"),
        ({"out": True, "status": "failed", "error_code": "not_on_whatsapp"}, "este número não tem WhatsApp"),
    ],
)
def test_each_kind_is_shown_as_what_it_is(
    browser_client: Client, unit: Unit, fields: dict[str, object], words: str
) -> None:
    row = factories.conversation(unit)
    shown = message(row, "", **fields)  # type: ignore[arg-type]
    assert words in browser_client.get(at(unit, f"conversations/{row.id}/messages?ids={shown.id}")).text


def test_a_campaign_message_names_its_campaign(browser_client: Client, unit: Unit) -> None:
    factories.campaign(unit, people=1)
    recipient = Campaign.objects.get().recipients.get()
    row = people.conversation_with(recipient.contact)
    recipient.message = message(row, out=True, origin=Origin.CAMPAIGN)
    recipient.save(update_fields=["message"])
    assert "Campanha · Volta às aulas" in browser_client.get(at(unit, f"conversations/{row.id}")).text


def test_what_a_customer_writes_stays_text(browser_client: Client, unit: Unit) -> None:
    row = factories.conversation(unit, name="<b>Marina</b>")
    message(row, "<script>alert(1)</script>")
    page = browser_client.get(at(unit, f"conversations/{row.id}")).text
    assert "<script>alert" not in page
    assert "<b>Marina" not in page


def test_an_answer_is_queued_and_comes_back_as_a_bubble(browser_client: Client, unit: Unit, ana: User) -> None:
    row = factories.conversation(unit)
    answer = browser_client.post(
        at(unit, f"conversations/{row.id}/messages"), {"text": "Bom dia!\nTudo bem?"}, headers=HTMX
    )
    sent = Message.objects.get()
    assert (sent.body, sent.status, sent.author) == ("Bom dia!\nTudo bem?", MessageStatus.QUEUED, ana)
    assert ids(answer.text, "message") == [str(sent.id)]


def test_an_empty_answer_is_refused_with_a_sentence(browser_client: Client, unit: Unit) -> None:
    row = factories.conversation(unit)
    answer = browser_client.post(at(unit, f"conversations/{row.id}/messages"), {"text": "  "}, headers=HTMX)
    assert (answer.status_code, answer.text) == (422, "Escreva algo antes de enviar.")
    assert not Message.objects.exists()


def test_an_answer_works_without_scripts(browser_client: Client, unit: Unit) -> None:
    row = factories.conversation(unit)
    answer = browser_client.post(at(unit, f"conversations/{row.id}/messages"), {"text": "Oi"}, follow=True)
    assert ids(answer.text, "message") == [str(Message.objects.get().id)]


def test_a_disconnected_number_offers_the_queue(browser_client: Client, unit: Unit) -> None:
    WhatsAppConnection.objects.filter(unit=unit).update(status=ConnectionStatus.DISCONNECTED)
    page = browser_client.get(at(unit, f"conversations/{factories.conversation(unit).id}")).text
    assert "Pôr na fila" in page


def test_seeing_a_conversation_marks_it_read(browser_client: Client, unit: Unit) -> None:
    row = factories.conversation(unit)
    message(row)
    assert browser_client.post(at(unit, f"conversations/{row.id}/read")).status_code == 204
    row.refresh_from_db()
    assert row.unread_count == 0


@pytest.mark.parametrize(("arrived", "status"), [("yes", MessageStatus.SENT), ("no", MessageStatus.FAILED)])
def test_a_person_settles_an_uncertain_message(browser_client: Client, unit: Unit, arrived: str, status: str) -> None:
    row = message(factories.conversation(unit), out=True, status=MessageStatus.UNCERTAIN)
    answer = browser_client.post(at(unit, f"messages/{row.id}/settle"), {"arrived": arrived}, headers=HTMX)
    row.refresh_from_db()
    assert row.status == status
    assert ids(answer.text, "message") == [str(row.id)]


@pytest.mark.parametrize("status", [MessageStatus.UNCERTAIN, MessageStatus.FAILED, MessageStatus.EXPIRED])
def test_a_message_is_sent_again_and_offered_no_second_time(browser_client: Client, unit: Unit, status: str) -> None:
    row = message(factories.conversation(unit), out=True, status=status)
    for _ in range(2):
        answer = browser_client.post(at(unit, f"messages/{row.id}/settle"), {"arrived": "again"}, headers=HTMX)
    copy = Message.objects.get(status=MessageStatus.QUEUED)
    assert str(copy.id) in ids(answer.text, "message")
    assert 'value="again"' not in answer.text


def test_a_message_that_failed_is_discarded_and_shown_as_that(browser_client: Client, unit: Unit) -> None:
    row = message(factories.conversation(unit), "Volte sempre", out=True, status=MessageStatus.FAILED)
    answer = browser_client.post(at(unit, f"messages/{row.id}/settle"), {"arrived": "discarded"}, headers=HTMX)
    row.refresh_from_db()
    assert row.status == MessageStatus.CANCELLED
    assert "Volte sempre" in answer.text
    assert 'value="again"' not in answer.text


def test_what_cannot_be_sent_again_is_told(browser_client: Client, unit: Unit) -> None:
    chat = factories.conversation(unit)
    row = message(chat, out=True, status=MessageStatus.FAILED)
    Contact.objects.filter(pk=chat.contact_id).update(blocked_at=row.created_at)
    answer = browser_client.post(at(unit, f"messages/{row.id}/settle"), {"arrived": "again"}, headers=HTMX)
    assert (answer.status_code, "bloqueado" in answer.text) == (422, True)


def test_a_message_to_a_wrong_number_goes_to_the_right_one_once(browser_client: Client, unit: Unit) -> None:
    chat = factories.conversation(unit, name="Marina")
    row = message(chat, "Seus óculos", out=True, status=MessageStatus.FAILED, error_code="not_on_whatsapp")
    assert at(unit, f"messages/{row.id}/number") in browser_client.get(at(unit, f"conversations/{chat.id}")).text
    for _ in range(2):
        answer = browser_client.post(at(unit, f"messages/{row.id}/number"), {"phone": "(11) 90000-0208"}, headers=HTMX)
    new = Message.objects.get(status=MessageStatus.QUEUED)
    assert answer.headers["HX-Redirect"] == at(unit, f"conversations/{new.conversation_id}")
    assert (new.body, new.recipient) == ("Seus óculos", "5511900000208")
    assert new.conversation.contact.name == "Marina"
    row.refresh_from_db()
    assert row.status == MessageStatus.CANCELLED


@pytest.mark.parametrize("typed", ["banana", "the same"])
def test_a_number_that_cannot_be_the_right_one_is_told(browser_client: Client, unit: Unit, typed: str) -> None:
    chat = factories.conversation(unit)
    row = message(chat, out=True, status=MessageStatus.FAILED, error_code="not_on_whatsapp")
    phone = chat.contact.phone_number if typed == "the same" else typed
    answer = browser_client.post(at(unit, f"messages/{row.id}/number"), {"phone": phone}, headers=HTMX)
    assert 'aria-invalid="true"' in answer.text
    assert Contact.objects.count() == Message.objects.count() == 1


def test_a_message_settled_meanwhile_is_shown_as_it_is(browser_client: Client, unit: Unit) -> None:
    row = message(factories.conversation(unit), out=True, status=MessageStatus.READ)
    answer = browser_client.post(at(unit, f"messages/{row.id}/settle"), {"arrived": "no"}, headers=HTMX)
    assert "Lida" in answer.text


def test_a_conversation_begins_with_a_phone_number(browser_client: Client, unit: Unit) -> None:
    answer = browser_client.post(
        at(unit, "conversations/new"), {"phone": "(11) 90000-0208", "name": "Marina"}, headers=HTMX
    )
    made = Contact.objects.get()
    assert (made.name, made.phone_number) == ("Marina", "+5511900000208")
    assert answer.headers["HX-Redirect"] == at(unit, f"conversations/{made.conversations.get().id}")


def test_a_wrong_number_is_told_beside_its_field(browser_client: Client, unit: Unit) -> None:
    answer = browser_client.post(at(unit, "conversations/new"), {"phone": "banana"}, headers=HTMX)
    assert "Isto não é um telefone" in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert not Contact.objects.exists()
