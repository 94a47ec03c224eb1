"""Staff see which contacts were merged, and part them again."""

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from messaging import merging
from messaging.models import Contact, ContactMerge
from tests.messaging.test_people import ANA, ANA_LID, group, meet, seen
from units.models import Unit, User

pytestmark = pytest.mark.django_db

ANSWER = {"_form_submitted": "on"}


@pytest.fixture
def merge(unit: Unit) -> ContactMerge:
    (kept,), (absorbed,) = meet(unit, seen(ANA, "Ana", 1)), meet(unit, seen(ANA_LID, "Ana Maria", 2))
    return merging.merge(kept, absorbed)


@pytest.fixture
def staff(client: Client) -> User:
    user = User.objects.create_superuser("staff@example.com")
    client.force_login(user)
    return user


def address(page: str, *args: Any) -> str:
    return reverse(f"admin:messaging_contactmerge_{page}", args=args)


@pytest.mark.parametrize("search", ["", "maria", "99991234"])
def test_merges_are_listed_and_found(client: Client, staff: User, merge: ContactMerge, search: str) -> None:
    page = client.get(address("changelist"), {"q": search})
    assert list(page.context["cl"].result_list) == [merge]


def test_a_merge_is_shown_and_not_changed(client: Client, staff: User, merge: ContactMerge) -> None:
    page = client.get(address("change", merge.pk))
    assert "111222333" in page.text
    assert client.post(address("change", merge.pk), {"absorbed_name": "x"}).status_code == 403


def test_undoing_asks_first_and_tells(client: Client, staff: User, merge: ContactMerge) -> None:
    assert "<form" in client.get(address("undo_merge", merge.pk)).text
    assert Contact.objects.count() == 1
    answer = client.post(address("undo_merge", merge.pk), ANSWER)
    assert Contact.objects.count() == 2
    assert ["Ana Maria" in str(message) for message in get_messages(answer.wsgi_request)] == [True]
    merge.refresh_from_db()
    assert merge.undone_by == staff


def test_what_is_undone_is_not_offered_again(client: Client, staff: User, merge: ContactMerge) -> None:
    assert address("undo_merge", merge.pk) in client.get(address("change", merge.pk)).text
    merging.undo(merge, staff)
    assert address("undo_merge", merge.pk) not in client.get(address("change", merge.pk)).text
    client.post(address("undo_merge", merge.pk), ANSWER)
    assert Contact.objects.count() == 2


def test_who_may_only_look_undoes_nothing(client: Client, merge: ContactMerge) -> None:
    client.force_login(User.objects.create_user("looks@example.com", is_staff=True))
    assert client.post(address("undo_merge", merge.pk), ANSWER).status_code in (302, 403)
    assert Contact.objects.count() == 1


def test_a_group_is_marked_and_gets_no_phone_number(client: Client, staff: User, unit: Unit) -> None:
    (family,) = meet(unit, seen(group("120363000000000001"), "Família", 1))
    page = client.get(reverse("admin:messaging_contact_changelist"), {"is_group__exact": "1"})
    assert list(page.context["cl"].result_list) == [family]
    page = client.get(reverse("admin:messaging_contact_change", args=[family.pk]))
    formset = page.context["inline_admin_formsets"][0]
    assert not formset.has_add_permission
