"""What is done to many people at once, and to one for good."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from campaigns.models import CampaignRecipient
from console import contact_forms
from messaging import merging
from messaging.contacts import consent, tags
from messaging.models import Contact, ContactTag, Conversation, Message, OptOut, OptOutSource, Tag
from tests import factories
from tests.console.helpers import HTMX, at
from units.models import AuditEntry, Role, Unit, User
from units.services import create_unit


def chosen(client: Client, unit: Unit, action: str, **told: Any) -> Any:
    """The dialog as it is now, and a yes to it."""
    path = at(unit, f"contacts/chosen/{action}")
    stated = re.search(r'name="people" value="(\d+)"', client.post(path, told, headers=HTMX).text)
    people = {"people": stated[1]} if stated else {}
    return client.post(path, {"confirmed": "1"} | people | told)


def tagged(name: str) -> set[str]:
    return set(ContactTag.objects.filter(tag__name=name).values_list("contact__name", flat=True))


def test_those_who_were_chosen_get_a_tag(browser_client: Client, unit: Unit) -> None:
    ana, bia = factories.contact(unit, name="Ana"), factories.contact(unit, name="Bia")
    factories.contact(unit, name="Caio")
    asked = browser_client.post(at(unit, "contacts/chosen/add-tag"), {"contact": [ana.pk, bia.pk]}, headers=HTMX).text
    assert '<p class="figure num">2 ' in asked
    assert not Tag.objects.exists()
    chosen(browser_client, unit, "add-tag", contact=[ana.pk, bia.pk], tag_name="VIP")
    assert tagged("VIP") == {"Ana", "Bia"}


def test_everybody_whom_the_filter_finds_gets_it_and_nobody_else(browser_client: Client, unit: Unit) -> None:
    for number in range(60):
        tags.replace(factories.contact(unit, name=f"Ana {number}"), ["Loja"])
    factories.contact(unit, name="Ana")
    chosen(browser_client, unit, "add-tag", everybody="1", q="ana", tag=Tag.objects.get().pk, tag_name="VIP")
    assert len(tagged("VIP")) == 60


def test_many_are_changed_in_as_many_statements_as_few(
    browser_client: Client, unit: Unit, django_assert_max_num_queries: Any
) -> None:
    for _ in range(60):
        factories.contact(unit)
    with django_assert_max_num_queries(40):
        chosen(browser_client, unit, "add-tag", everybody="1", tag_name="VIP")
    with django_assert_max_num_queries(40):
        chosen(browser_client, unit, "opt-out", everybody="1", reason="Lista comprada")
    assert (ContactTag.objects.count(), OptOut.objects.count()) == (60, 60)


def test_a_tag_is_taken_off_again_from_those_alone_who_got_it(browser_client: Client, unit: Unit) -> None:
    ana, bia = factories.contact(unit, name="Ana"), factories.contact(unit, name="Bia")
    tags.replace(ana, ["VIP"])
    chosen(browser_client, unit, "add-tag", contact=[ana.pk, bia.pk], tag_name="vip")
    page = browser_client.get(at(unit, "contacts")).text
    undo = re.search(r'name="undo" value="([^"]+)"', page)
    assert undo
    browser_client.post(at(unit, "contacts/chosen/undo"), {"undo": undo[1]})
    assert tagged("VIP") == {"Ana"}
    # A token that nobody gave out, or of another unit, undoes nothing.
    other = create_unit("Outra", owner=User.objects.get())
    for path, token in ((at(other, "contacts/chosen/undo"), undo[1]), (at(unit, "contacts/chosen/undo"), "x")):
        assert browser_client.post(path, {"undo": token}).status_code == 303


def test_a_tag_is_taken_off_many(browser_client: Client, unit: Unit) -> None:
    people = [factories.contact(unit, name=name) for name in ("Ana", "Bia")]
    for one in people:
        tags.replace(one, ["VIP"])
    chosen(browser_client, unit, "remove-tag", contact=people[0].pk, tag_name="VIP")
    assert tagged("VIP") == {"Bia"}


def test_an_opt_out_of_many_wants_a_reason_and_is_noted(browser_client: Client, ana: User, unit: Unit) -> None:
    people = [factories.contact(unit) for _ in range(3)]
    consent.opt_out(people[0], source=OptOutSource.STAFF, reason="Antes")
    assert "id_reason_error" in chosen(browser_client, unit, "opt-out", everybody="1").text
    chosen(browser_client, unit, "opt-out", everybody="1", reason="Pediram na loja")
    assert OptOut.objects.filter(by=ana, reason="Pediram na loja").count() == 2
    assert AuditEntry.objects.latest("created_at").details == {"contacts": 2}


def test_very_many_ask_for_their_number(browser_client: Client, unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact_forms, "ASK_TO_TYPE", 1)
    for _ in range(2):
        factories.contact(unit)
    assert "id_typed_error" in chosen(browser_client, unit, "add-tag", everybody="1", tag_name="VIP", typed="3").text
    assert not ContactTag.objects.exists()
    chosen(browser_client, unit, "add-tag", everybody="1", tag_name="VIP", typed="2")
    assert ContactTag.objects.count() == 2


def test_only_the_chosen_are_exported(browser_client: Client, unit: Unit) -> None:
    ana = factories.contact(unit, name="Ana")
    factories.contact(unit, name="Bia")
    text = browser_client.post(at(unit, "contacts/chosen/export"), {"contact": ana.pk}).getvalue().decode()
    assert "Ana" in text
    assert "Bia" not in text


def test_people_of_another_unit_are_nobody(browser_client: Client, unit: Unit) -> None:  # I7
    theirs = factories.contact(create_unit("Outra"))
    chosen(browser_client, unit, "add-tag", contact=theirs.pk, tag_name="VIP")
    assert not ContactTag.objects.exists()
    assert browser_client.post(at(unit, f"contacts/{theirs.id}/delete")).status_code == 404


def test_a_contact_is_deleted_with_what_was_told(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=1)
    contact = CampaignRecipient.objects.get(campaign=campaign).contact
    chat, _new = Conversation.objects.get_or_create(unit=unit, contact=contact)
    factories.message(chat)
    factories.opt_out(contact)
    page = at(unit, f"contacts/{contact.id}/delete")
    dialog = browser_client.get(page, headers=HTMX).text
    assert dialog.count("<li>") == 3
    browser_client.post(page)
    assert not Contact.objects.exists()
    assert not Message.objects.filter(conversation=chat).exists()
    assert OptOut.objects.exists()


def test_a_merge_is_undone_from_the_contact(browser_client: Client, unit: Unit) -> None:
    kept, absorbed = factories.contact(unit, name="Marina"), factories.contact(unit, name="Marina A.")
    made = merging.merge(kept, absorbed)
    undo = at(unit, f"contacts/merges/{made.id}/undo")
    assert undo in browser_client.get(at(unit, f"contacts/{kept.id}")).text
    assert "Marina A." in browser_client.get(undo, headers=HTMX).text
    answer = browser_client.post(undo)
    assert answer.headers["Location"] == at(unit, f"contacts/{absorbed.id}")
    # Once more does no harm.
    assert browser_client.post(undo).status_code == 303
    assert Contact.objects.count() == 2


def test_an_agent_tags_and_neither_exports_nor_deletes(client: Client, unit: Unit) -> None:
    agent = User.objects.create_user("bia@example.com", "x")
    unit.memberships.create(user=agent, role=Role.AGENT)
    client.force_login(agent)
    ana = factories.contact(unit, name="Ana")
    chosen(client, unit, "add-tag", contact=ana.pk, tag_name="VIP")
    assert tagged("VIP") == {"Ana"}
    for path in ("contacts/chosen/export", f"contacts/{ana.id}/delete"):
        assert client.post(at(unit, path)).status_code == 403
    page = client.get(at(unit, "contacts")).text
    assert "contacts/chosen/export" not in page


def test_what_a_colleague_tagged_at_the_same_time_is_not_undone(browser_client: Client, unit: Unit) -> None:
    ana, bia = factories.contact(unit, name="Ana"), factories.contact(unit, name="Bia")
    chosen(browser_client, unit, "add-tag", contact=ana.pk, tag_name="VIP")
    undo = re.search(r'name="undo" value="([^"]+)"', browser_client.get(at(unit, "contacts")).text)
    assert undo
    tags.replace(bia, ["VIP"])
    # While the tag was being put on many: a moment of its own all the same.
    mine = ContactTag.objects.get(contact=ana)
    ContactTag.objects.filter(contact=bia).update(created_at=mine.created_at + timedelta(microseconds=1))
    browser_client.post(at(unit, "contacts/chosen/undo"), {"undo": undo[1]})
    assert tagged("VIP") == {"Bia"}


def test_more_people_than_were_stated_are_asked_about_again(browser_client: Client, unit: Unit) -> None:
    for _ in range(2):
        factories.contact(unit)
    asked = browser_client.post(at(unit, "contacts/chosen/opt-out"), {"everybody": "1"}, headers=HTMX).text
    stated = re.search(r'name="people" value="(\d+)"', asked)
    assert stated
    factories.contact(unit)
    told = {"everybody": "1", "reason": "Pediram", "people": stated[1]}
    again = chosen(browser_client, unit, "opt-out", **told).text
    assert not OptOut.objects.exists()
    assert '<p class="figure num">3 ' in again
    assert 'value="Pediram"' in again
    chosen(browser_client, unit, "opt-out", **told | {"people": "3"})
    assert OptOut.objects.count() == 3
