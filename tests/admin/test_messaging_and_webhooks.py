"""Contacts, uncertain messages and the webhook inbox."""

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from messaging.models import Contact, ContactAddress, Message
from tests.admin.conftest import Rows, make_rows
from units.models import LiveEvent, Membership, User

ANSWER = {"_form_submitted": "on"}


def addresses(contact: Contact, *new: str) -> dict[str, Any]:
    """The inline of a contact with its one address and `new` ones."""
    form: dict[str, Any] = {
        "name": contact.name,
        "addresses-TOTAL_FORMS": 1 + len(new),
        "addresses-INITIAL_FORMS": 1,
        "addresses-0-id": contact.addresses.get().pk,
        "addresses-0-contact": contact.pk,
        "contact_tags-TOTAL_FORMS": 0,
        "contact_tags-INITIAL_FORMS": 0,
        "attributes": "{}",
    }
    for number, value in enumerate(new, start=1):
        form |= {f"addresses-{number}-value": value, f"addresses-{number}-contact": contact.pk}
    return form


def test_a_new_contact_is_known_by_its_number(page: Client, rows: Rows) -> None:
    form = {"unit": rows.unit.pk, "name": "Bia", "phone": "(21) 8765-4321"}
    assert page.post(reverse("admin:messaging_contact_add"), form).status_code == 302
    contact = Contact.objects.get(name="Bia")
    assert (contact.phone_number, contact.name_is_ours) == ("+5521987654321", True)


def test_a_number_that_the_unit_knows_makes_no_second_contact(page: Client, rows: Rows) -> None:
    form = {"unit": rows.unit.pk, "name": "Bia", "phone": "11 91200-0001"}
    assert page.post(reverse("admin:messaging_contact_add"), form).status_code == 200
    assert Contact.objects.count() == 1


def test_a_further_number_belongs_to_the_contacts_unit(page: Client, rows: Rows) -> None:
    address = reverse("admin:messaging_contact_change", args=[rows.contact.pk])
    assert page.post(address, addresses(rows.contact, "21 98765-4321")).status_code == 302
    assert ContactAddress.objects.get(value="+5521987654321").unit == rows.unit


@pytest.mark.parametrize("typed", ["abc", "11 91200-0001"])
def test_a_number_that_is_none_or_taken_is_refused(page: Client, rows: Rows, typed: str) -> None:
    address = reverse("admin:messaging_contact_change", args=[rows.contact.pk])
    assert page.post(address, addresses(rows.contact, typed)).status_code == 200
    assert ContactAddress.objects.count() == 1


def test_a_name_typed_by_staff_is_ours(page: Client, rows: Rows) -> None:
    form = addresses(rows.contact) | {"name": "Ana Maria"}
    page.post(reverse("admin:messaging_contact_change", args=[rows.contact.pk]), form)
    rows.contact.refresh_from_db()
    assert (rows.contact.name, rows.contact.name_is_ours) == ("Ana Maria", True)


def test_a_contact_is_deleted_with_its_messages(page: Client, rows: Rows) -> None:
    page.post(reverse("admin:messaging_contact_delete_for_good", args=[rows.contact.pk]), ANSWER)
    assert not Contact.objects.exists()
    assert not Message.objects.exists()


def test_messages_are_found_by_the_digits_of_a_number(page: Client, rows: Rows) -> None:
    make_rows("Loja Norte", 2)
    found = page.get(reverse("admin:messaging_message_changelist"), {"q": "91200-0001"}).context["cl"].result_list
    assert list(found) == [rows.message]


@pytest.mark.parametrize(("name", "status"), [("it_arrived", "sent"), ("it_did_not_arrive", "failed")])
def test_a_person_settles_an_uncertain_message(page: Client, rows: Rows, name: str, status: str) -> None:
    Message.objects.update(status="uncertain")
    page.post(reverse(f"admin:messaging_message_{name}", args=[rows.message.pk]), ANSWER)
    assert Message.objects.get().status == status


def test_an_uncertain_message_is_sent_again(page: Client, rows: Rows) -> None:
    Message.objects.update(status="uncertain", direction="outbound")
    page.post(reverse("admin:messaging_message_once_more", args=[rows.message.pk]), ANSWER)
    assert sorted(Message.objects.values_list("status", flat=True)) == ["failed", "queued"]


@pytest.mark.parametrize(
    ("action", "statuses"),
    [
        ("all_arrived", ["delivered", "sent"]),
        ("none_arrived", ["delivered", "failed"]),
        ("send_all_again", ["delivered", "failed", "queued"]),
    ],
)
def test_of_the_selected_messages_the_uncertain_ones_are_settled(
    page: Client, rows: Rows, action: str, statuses: list[str]
) -> None:
    other = make_rows("Loja Norte", 2).message
    Message.objects.update(status="delivered", direction="outbound")
    Message.objects.filter(pk=rows.message.pk).update(status="uncertain")
    form = {"action": action, "_selected_action": [rows.message.pk, other.pk], "index": 0}
    page.post(reverse("admin:messaging_message_changelist"), form)
    assert sorted(Message.objects.values_list("status", flat=True)) == statuses


@pytest.mark.parametrize(("status", "offered"), [("uncertain", 3), ("failed", 1), ("delivered", 0)])
def test_only_what_is_open_is_offered(page: Client, rows: Rows, status: str, offered: int) -> None:
    Message.objects.update(status=status, direction="outbound")
    shown = page.get(reverse("admin:messaging_message_change", args=[rows.message.pk])).content.decode()
    names = ("it-arrived", "it-did-not-arrive", "once-more", "it_arrived", "it_did_not_arrive", "once_more")
    assert sum(f"/{name}" in shown for name in names) == offered


def test_a_message_that_is_settled_stays_as_it_is(page: Client, rows: Rows) -> None:
    response = page.post(reverse("admin:messaging_message_it_did_not_arrive", args=[rows.message.pk]), ANSWER)
    assert Message.objects.get().status == "sent"
    assert [message.level_tag for message in get_messages(response.wsgi_request)] == ["error"]


def test_a_dead_event_is_replayed_from_its_page(page: Client, rows: Rows) -> None:
    page.post(reverse("admin:webhooks_webhookevent_replay_this", args=[rows.event.pk]), ANSWER)
    rows.event.refresh_from_db()
    assert rows.event.status == "received"


def test_selected_events_are_replayed(page: Client, rows: Rows) -> None:
    other = make_rows("Loja Norte", 2).event
    form = {"action": "replay_selected", "_selected_action": [rows.event.pk], "index": 0}
    page.post(reverse("admin:webhooks_webhookevent_changelist"), form)
    rows.event.refresh_from_db()
    other.refresh_from_db()
    assert (rows.event.status, other.status) == ("received", "dead")


def test_a_body_is_shown_as_text(page: Client, rows: Rows) -> None:
    content = page.get(reverse("admin:webhooks_webhookevent_change", args=[rows.event.pk])).content.decode()
    assert "&lt;b&gt;" in content


def test_a_conversation_goes_to_somebody_of_its_unit(page: Client, rows: Rows) -> None:
    elsewhere = make_rows("Loja Norte", 2).conversation.assigned_to
    colleague = User.objects.create_user("bia@example.com")
    Membership.objects.create(unit=rows.unit, user=colleague)
    assert elsewhere
    address = reverse("admin:messaging_conversation_change", args=[rows.conversation.pk])
    offered = page.get(address).context["adminform"].form.fields["assigned_to"].queryset
    assert {user.email for user in offered} == {"agent1@example.com", "bia@example.com"}
    assert page.post(address, {"status": "open", "assigned_to": elsewhere.pk}).status_code == 200
    rows.conversation.refresh_from_db()
    assert rows.conversation.assigned_to != elsewhere
    assert page.post(address, {"status": "pending", "assigned_to": colleague.pk}).status_code == 302
    rows.conversation.refresh_from_db()
    assert (rows.conversation.assigned_to, rows.conversation.status) == (colleague, "pending")
    # Open pages are told.
    assert LiveEvent.objects.filter(unit=rows.unit, kind="conversation", object_id=rows.conversation.pk).exists()
