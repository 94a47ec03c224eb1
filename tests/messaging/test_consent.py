"""Who writes a word to leave by gets no campaigns from then on, and one answer that says so; through the webhook."""

import itertools
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection as database
from django.dispatch import receiver
from django.test import Client
from django.test.utils import CaptureQueriesContext

from messaging import people
from messaging.contacts import consent, keywords
from messaging.models import Contact, ContactAddress, Conversation, Message, MessageStatus, OptOut, OptOutSource, Origin
from messaging.signals import contacts_opted_out, contacts_wrote
from tests.factories import contact, hook, inbound_text, opt_out, webhook
from units.models import Unit, WhatsAppConnection
from webhooks.drain import drain
from webhooks.models import EventStatus, WebhookEvent
from webhooks.replay import replay

pytestmark = pytest.mark.django_db

PHONE = "5511977776666"
HOUR = 3600
_ids = itertools.count(1)


def tell(connection: WhatsAppConnection, *bodies: dict[str, Any]) -> None:
    """Post bodies and drain once; all are understood."""
    url = hook(connection)
    for body in bodies:
        # Each body is another, though it says the same.
        told = json.dumps(body | {"date_time": str(next(_ids))})
        assert Client().post(url, told, content_type="application/json").status_code == 200
    drain(seconds=5)
    assert not WebhookEvent.objects.exclude(status__in=[EventStatus.HANDLED, EventStatus.IGNORED]).exists()


def text(
    connection: WhatsAppConnection, words: str, *, ago: float = 0, phone: str = PHONE, **key: Any
) -> dict[str, Any]:
    """A text of the customer's, written `ago` seconds ago."""
    body = inbound_text(connection, phone=phone, text=words, external_id=f"3A{next(_ids):018d}")
    body["data"]["key"] |= key
    body["data"]["messageTimestamp"] = int(time.time() - ago)
    return body


def answers() -> list[str]:
    """What was queued, in the order of its making."""
    return list(Message.objects.filter(direction="outbound").order_by("id").values_list("body", flat=True))


def is_out() -> bool:
    return consent.has_opted_out(Contact.objects.get(is_group=False))


@pytest.mark.parametrize(
    "said",
    [
        "SAIR",
        "sair",
        " Sair. ",
        "*SAIR*",
        "Sáir!!!",
        "🛑 sair 🙏🏽",
        "s\u200bair",
        "ＳＡＩＲ",
        "Parar",
        "PARE!",
        "cancelar",
        "Descadastrar",
        "stop",
        "Unsubscribe",
        "nao  quero\nreceber",
    ],
)
def test_a_text_that_is_only_the_word_opts_out(connection: WhatsAppConnection, said: str) -> None:  # I9
    tell(connection, text(connection, said))
    out = OptOut.objects.get()
    assert (out.value, out.source, out.reason, out.lifted_at) == (f"+{PHONE}", OptOutSource.WORD, said.strip(), None)


@pytest.mark.parametrize(
    "said",
    [
        "Quero sair com vocês",
        "sair?!? nunca",
        "Não pare",
        "sairei",
        "S A I R",
        "cancelar o pedido",
        "🛑",
        "",
        "para",
        "SAIR " * 30,
    ],
)
def test_a_text_that_merely_contains_the_word_does_not(connection: WhatsAppConnection, said: str) -> None:  # I9
    tell(connection, text(connection, said))
    assert not OptOut.objects.exists()
    assert answers() == []


def test_the_person_is_told_once(connection: WhatsAppConnection) -> None:
    tell(connection, text(connection, "SAIR"))
    tell(connection, text(connection, "SAIR"), text(connection, "parar"))
    message = Message.objects.get(direction="outbound")
    assert "VOLTAR" in message.body
    assert (message.origin, message.status, message.recipient) == (Origin.REPLY, "queued", f"{PHONE}@s.whatsapp.net")
    assert OptOut.objects.count() == 1


def test_twice_in_one_batch_is_once(connection: WhatsAppConnection) -> None:
    tell(connection, text(connection, "SAIR", ago=2), text(connection, "SAIR"))
    assert len(answers()) == OptOut.objects.count() == 1


def test_the_same_webhook_again_answers_nothing(connection: WhatsAppConnection) -> None:  # I2
    body = text(connection, "SAIR")
    tell(connection, body)
    tell(connection, body)
    replay(WebhookEvent.objects.all())
    drain(seconds=5)
    assert len(answers()) == 1


def test_what_is_told_again_after_a_lift_stays_lifted(connection: WhatsAppConnection) -> None:  # I2
    body = text(connection, "SAIR")
    tell(connection, body)
    consent.lift(Contact.objects.get(), reason="pediu ao telefone", by=None)
    tell(connection, body)
    assert not is_out()


def test_who_opts_out_again_after_a_lift_is_told_again(connection: WhatsAppConnection) -> None:
    tell(connection, text(connection, "SAIR"))
    consent.lift(Contact.objects.get(), reason="pediu ao telefone", by=None)
    tell(connection, text(connection, "SAIR"))
    assert is_out()
    assert len(answers()) == 2


def test_an_old_text_opts_out_without_an_answer(connection: WhatsAppConnection) -> None:
    tell(connection, text(connection, "SAIR", ago=25 * HOUR))
    assert is_out()
    assert answers() == []


def test_a_sync_of_old_messages_opts_nobody_out(connection: WhatsAppConnection) -> None:
    body = text(connection, "SAIR")
    tell(connection, body | {"event": "messages.set", "data": [body["data"]]})
    assert not OptOut.objects.exists()
    # The same, told as it came.
    tell(connection, body)
    assert is_out()


def test_what_comes_in_place_of_a_placeholder_counts(connection: WhatsAppConnection) -> None:
    body = text(connection, "SAIR")
    empty = body | {"data": body["data"] | {"message": {}, "messageType": "unknown"}}
    tell(connection, empty)
    assert not OptOut.objects.exists()
    tell(connection, body)
    assert is_out()


def test_our_own_words_opt_nobody_out(connection: WhatsAppConnection) -> None:
    tell(connection, text(connection, "SAIR", fromMe=True))
    assert not OptOut.objects.exists()


def test_a_word_in_a_group_is_said_to_the_group(connection: WhatsAppConnection) -> None:
    WhatsAppConnection.objects.update(groups_enabled=True)
    body = webhook("baileys-messages.upsert-in-group-text", connection, message={"conversation": "SAIR"})
    tell(connection, body)
    assert Message.objects.get().body == "SAIR"
    assert not OptOut.objects.exists()


def test_an_edit_is_no_word(connection: WhatsAppConnection) -> None:
    body = text(connection, "SAIREI")
    edit = webhook("baileys-messages.edited-in-edit", connection, editedMessage={"conversation": "SAIR"})
    edit["data"]["key"]["id"] = body["data"]["key"]["id"]
    tell(connection, body)
    tell(connection, edit)
    assert Message.objects.get().body == "SAIR"
    assert not OptOut.objects.exists()


def test_every_address_of_the_person_is_opted_out(connection: WhatsAppConnection) -> None:
    tell(connection, text(connection, "SAIR", remoteJidAlt="234567890123456@lid"))
    assert OptOut.objects.count() == ContactAddress.objects.count() == 2
    assert len(answers()) == 1


def test_whom_staff_opted_out_is_told_nothing_new(connection: WhatsAppConnection) -> None:
    opt_out(contact(connection.unit, phone=f"+{PHONE}"))
    tell(connection, text(connection, "SAIR"))
    assert answers() == []
    assert OptOut.objects.get().source == OptOutSource.STAFF


def test_whoever_is_blocked_opts_out_unanswered(connection: WhatsAppConnection) -> None:
    consent.block(contact(connection.unit, phone=f"+{PHONE}"), reason="ofensas", by=None)
    tell(connection, text(connection, "SAIR"))
    assert is_out()
    assert answers() == []


def test_the_word_back_lifts_what_a_word_has_done(connection: WhatsAppConnection) -> None:
    tell(connection, text(connection, "SAIR", ago=60))
    tell(connection, text(connection, "voltar 😊"))
    assert not is_out()
    assert OptOut.objects.get().lifted_reason == "voltar 😊"
    assert "SAIR" in answers()[1]


def test_the_word_back_lifts_nothing_else(connection: WhatsAppConnection) -> None:
    opt_out(contact(connection.unit, phone=f"+{PHONE}"))
    tell(connection, text(connection, "VOLTAR"))
    assert is_out()
    assert answers() == []


def test_the_word_back_of_somebody_who_never_left_is_a_text(connection: WhatsAppConnection) -> None:
    tell(connection, text(connection, "start"))
    assert answers() == []


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_of_several_words_the_last_one_said_counts(
    connection: WhatsAppConnection, order: tuple[int, ...]
) -> None:  # I2
    said = [text(connection, word, ago=ago) for word, ago in (("SAIR", 300), ("VOLTAR", 200), ("PARE", 100))]
    for place in order:
        tell(connection, said[place])
    assert is_out()


@pytest.mark.parametrize("together", [True, False])
def test_a_word_to_leave_that_was_taken_back_and_comes_late_changes_nothing(
    connection: WhatsAppConnection, together: bool
) -> None:  # I2
    back, leave = text(connection, "VOLTAR", ago=100), text(connection, "SAIR", ago=200)
    if together:
        tell(connection, back, leave)
    else:
        tell(connection, back)
        tell(connection, leave)
    assert not is_out()


def test_a_word_from_clearly_before_staff_lifted_it_comes_too_late(connection: WhatsAppConnection) -> None:
    opt_out(known := contact(connection.unit, phone=f"+{PHONE}"))
    consent.lift(known, reason="quer de novo", by=None)
    tell(connection, text(connection, "SAIR", ago=3 * HOUR))
    assert not is_out()


def test_a_word_from_about_when_staff_lifted_it_counts(connection: WhatsAppConnection) -> None:
    opt_out(known := contact(connection.unit, phone=f"+{PHONE}"))
    consent.lift(known, reason="quer de novo", by=None)
    tell(connection, text(connection, "SAIR", ago=5 * 60))
    assert is_out()


def test_the_words_are_the_installation_s(connection: WhatsAppConnection, settings: Any) -> None:
    settings.OPT_OUT_WORDS, settings.OPT_IN_WORDS = ["Baja"], ["Volver"]
    tell(connection, text(connection, "SAIR"))
    assert not OptOut.objects.exists()
    tell(connection, text(connection, "¡BAJA!"))
    assert "Volver" in answers()[0]


def test_an_answer_wakes_the_lane_and_shows_in_the_chat(connection: WhatsAppConnection) -> None:
    tell(connection, text(connection, "SAIR"))
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM send_lanes WHERE due_at <= crm_now()")
        assert cursor.fetchone() == (1,)
    assert Conversation.objects.get().last_message_preview == answers()[0]


def test_two_units_are_two_consents(connection: WhatsAppConnection, stranger: Any) -> None:
    other = contact(Unit.objects.of_member(stranger).get(), phone=f"+{PHONE}")
    tell(connection, text(connection, "SAIR"))
    assert not consent.has_opted_out(other)


@pytest.fixture
def told() -> Iterator[list[tuple[str, Any]]]:
    """What others are told of who wrote and who opted out."""
    seen: list[tuple[str, Any]] = []

    @receiver(contacts_wrote)
    def wrote(sender: Any, wrote: Any, **kwargs: Any) -> list[Any]:
        seen.append(("wrote", wrote))
        return []

    @receiver(contacts_opted_out)
    def left(sender: Any, opted_out: Any, **kwargs: Any) -> list[Any]:
        seen.append(("opted out", opted_out))
        return []

    yield seen
    contacts_wrote.disconnect(wrote)
    contacts_opted_out.disconnect(left)


def test_others_hear_once_a_batch_who_wrote_and_who_left(connection: WhatsAppConnection, told: Any) -> None:
    body = text(connection, "Oi")
    tell(
        connection,
        text(connection, "Oi", ago=60),
        text(connection, "SAIR"),
        text(connection, "?", phone="5521988887777"),
    )
    maria, other = Contact.objects.order_by("id")
    said_at = Message.objects.get(body="SAIR").happened_at
    assert told == [
        ("opted out", [(maria.pk, said_at)]),
        ("wrote", [(maria.pk, said_at), (other.pk, Message.objects.get(body="?").happened_at)]),
    ]
    told.clear()
    tell(connection, body | {"event": "messages.set", "data": [body["data"]]})
    assert told == []


def test_others_hear_that_staff_opted_somebody_out_once(unit: Unit, told: Any) -> None:
    known = contact(unit)
    for _ in range(2):
        opt_out(known)
    ((what, ((pk, _at),)),) = told
    assert (what, pk) == ("opted out", known.pk)


def test_nobody_who_says_no_word_costs_a_statement(
    connection: WhatsAppConnection,
) -> None:
    # Each in a later second than what came before: then the contact's name is written anew, and only then.
    tell(connection, text(connection, "Oi", ago=20))
    tell_one = [text(connection, "Oi", ago=10)]
    tell_many = [text(connection, f"Oi {number}") for number in range(20)]
    counts = []
    for bodies in (tell_one, tell_many):
        url = hook(connection)
        for body in bodies:
            Client().post(url, json.dumps(body), content_type="application/json")
        with CaptureQueriesContext(database) as queries:
            drain(seconds=5)
        assert not [query for query in queries if "opt_outs" in query["sql"]]
        counts.append(len(queries))
    assert counts[0] == counts[1]


# What survives


def test_an_opt_out_survives_deletion_and_another_import(unit: Unit) -> None:  # I9
    opt_out(known := contact(unit, phone=f"+{PHONE}"))
    people.delete_contact(known)
    assert consent.has_opted_out(contact(unit, phone=f"+{PHONE}"))


def test_whoever_was_blocked_gets_no_campaign_after_deletion_and_another_import(unit: Unit) -> None:  # I9
    known = contact(unit, phone=f"+{PHONE}")
    consent.block(known, reason="ofensas", by=None)
    people.delete_contact(known)
    assert consent.has_opted_out(again := contact(unit, phone=f"+{PHONE}"))
    assert [row.reason for row in consent.history(again)] == ["ofensas"]


def test_an_opt_out_under_a_lid_survives_under_the_phone_learnt_since(connection: WhatsAppConnection) -> None:  # I9
    by_lid = webhook("baileys-messages.upsert-in-text-from-lid-no-pn", connection, message={"conversation": "SAIR"})
    tell(connection, by_lid)
    lid = ContactAddress.objects.get()
    lid.contact.addresses.create(unit=connection.unit, kind="phone", value=f"+{PHONE}")
    people.delete_contact(lid.contact)
    assert consent.has_opted_out(contact(connection.unit, phone=f"+{PHONE}"))


def test_who_has_not_opted_out_leaves_nothing_behind(unit: Unit) -> None:
    opt_out(known := contact(unit, phone=f"+{PHONE}"))
    consent.lift(known, reason="engano", by=None)
    people.delete_contact(known)
    assert not consent.has_opted_out(contact(unit, phone=f"+{PHONE}"))


def test_an_address_learnt_of_somebody_who_opted_out_is_opted_out(unit: Unit) -> None:  # I9
    opt_out(known := contact(unit))
    known.addresses.create(unit=unit, kind="lid", value="234567890123456")
    assert consent.has_opted_out(known)


def test_what_was_lifted_stays_in_the_history(unit: Unit) -> None:
    opt_out(known := contact(unit))
    assert consent.lift(known, reason="quer de novo", by=None)
    assert not consent.lift(known, reason="quer de novo", by=None)
    consent.opt_out(known, source=OptOutSource.API, reason="de novo não")
    assert [(row.source, row.lifted_reason) for row in consent.history(known)] == [
        (OptOutSource.API, ""),
        (OptOutSource.STAFF, "quer de novo"),
    ]


def test_blocked_and_opted_out_are_two_things(connection: WhatsAppConnection) -> None:
    known = contact(connection.unit, phone=f"+{PHONE}")
    assert consent.block(known, reason="ofensas", by=None)
    assert not consent.block(known, reason="outra", by=None)
    assert (bool(known.blocked_at), known.blocked_reason) == (True, "ofensas")
    assert not consent.has_opted_out(known)
    tell(connection, text(connection, "Oi"))
    assert Message.objects.get().status == MessageStatus.RECEIVED
    assert consent.unblock(known, reason="pediu desculpas", by=None)
    assert known.blocked_at is None


@pytest.mark.parametrize(
    ("said", "folded"),
    [
        ("¡Não, PARE! 🛑", "nao pare"),
        ("1️⃣", "1"),
        ("Straße", "strasse"),
        ("a\tb\n c", "a b c"),
        ("👍", ""),
        ("ÇÃO", "cao"),
    ],
)
def test_folding(said: str, folded: str) -> None:
    assert keywords.folded(said) == folded
