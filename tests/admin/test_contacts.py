"""Staff see and set what a unit keeps of a contact, with their reasons."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from messaging.admin.segment_forms import examples_for
from messaging.contacts import consent, tags
from messaging.models import AttributeDefinition, AttributeKind, Contact, OptOut, Segment, Tag
from tests.admin.conftest import Rows
from units.models import User
from units.services import create_unit

pytestmark = pytest.mark.django_db

ANSWER = {"_form_submitted": "on"}


def act(page: Client, contact: Contact, action: str, **form: Any) -> Any:
    return page.post(reverse(f"admin:messaging_contact_{action}", args=[contact.pk]), ANSWER | form, follow=True)


def change(page: Client, contact: Contact, **form: Any) -> Any:
    """Save the contact's form, with what it shows and `form` over it."""
    url = reverse("admin:messaging_contact_change", args=[contact.pk])
    shown = page.get(url).context
    told: dict[str, Any] = {}
    for part in [shown["adminform"].form, *(inline.formset for inline in shown["inline_admin_formsets"])]:
        forms = [part] if hasattr(part, "fields") else [part.management_form, *part.forms]
        for one in forms:
            told |= {field.html_name: field.value() for field in one if field.value() is not None}
    return page.post(url, told | form, follow=True)


def test_staff_opt_a_contact_out_and_in_again(page: Client, rows: Rows, staff: User) -> None:
    act(page, rows.contact, "opt_out")
    assert not consent.has_opted_out(rows.contact)
    act(page, rows.contact, "opt_out", reason="Pediu na loja")
    out = OptOut.objects.latest("pk")
    assert (out.source, out.reason, out.by) == ("staff", "Pediu na loja", staff)
    shown = act(page, rows.contact, "lift_opt_out", reason="Mudou de ideia")
    assert not consent.has_opted_out(rows.contact)
    assert "Pediu na loja" in shown.text
    assert "Mudou de ideia" in shown.text


def test_staff_block_a_contact_and_the_history_keeps_why(page: Client, rows: Rows) -> None:
    assert "Ofensas" in act(page, rows.contact, "block", reason="Ofensas").text
    act(page, rows.contact, "unblock", reason="Engano nosso")
    rows.contact.refresh_from_db()
    assert rows.contact.blocked_at is None
    history = page.get(reverse("admin:messaging_contact_history", args=[rows.contact.pk])).text
    assert "Ofensas" in history
    assert "Engano nosso" in history


def test_only_what_changes_something_is_offered(page: Client, rows: Rows) -> None:
    url = reverse("admin:messaging_contact_change", args=[rows.contact.pk])

    def offered() -> set[str]:
        text = page.get(url).text
        return {one for one in ("opt_out", "lift_opt_out", "block", "unblock") if f"/{one}" in text}

    assert offered() == {"opt_out", "block"}
    act(page, rows.contact, "opt_out", reason="x")
    act(page, rows.contact, "block", reason="x")
    assert offered() == {"lift_opt_out", "unblock"}


def test_attributes_are_edited_in_the_form_of_their_kind(page: Client, rows: Rows) -> None:
    AttributeDefinition.objects.create(unit=rows.unit, key="born", name="Born", kind="date")
    change(page, rows.contact, attribute_born="28/02/2026", attribute_city1="Olinda")
    rows.contact.refresh_from_db()
    assert rows.contact.attributes == {"born": "2026-02-28", "city1": "Olinda"}
    answer = change(page, rows.contact, attribute_born="30/02/2026", attribute_city1="")
    assert answer.context["adminform"].form.errors.keys() == {"attribute_born"}
    change(page, rows.contact, attribute_city1="")
    rows.contact.refresh_from_db()
    assert rows.contact.attributes == {"born": "2026-02-28"}


def test_a_tag_of_another_unit_is_refused(page: Client, rows: Rows) -> None:
    theirs = Tag.objects.create(unit=create_unit("Outra"), name="VIP")
    total = {"contact_tags-TOTAL_FORMS": "2", "contact_tags-1-tag": str(theirs.pk)}
    answer = change(page, rows.contact, **total)
    assert answer.status_code == 200
    assert not Tag.objects.filter(pk=theirs.pk, contacts=rows.contact).exists()


def test_contacts_are_filtered_by_tag(page: Client, rows: Rows) -> None:
    other = Contact.objects.create(unit=rows.unit, name="Bia")
    tags.replace(other, ["Novo"])
    url, tag = reverse("admin:messaging_contact_changelist"), Tag.objects.get(name="Novo")
    shown = page.get(url, {"contact_tags__tag__id__exact": str(tag.pk)}).context["cl"].result_list
    assert list(shown) == [other]


def test_filters_of_a_segment_are_checked_and_its_people_counted(page: Client, rows: Rows) -> None:
    url = reverse("admin:messaging_segment_add")
    form = {"unit": str(rows.unit.pk), "name": "Anas"}
    wrong = page.post(url, form | {"filters": '[{"field": "shoes", "op": "is"}]'})
    assert wrong.context["adminform"].form.errors.keys() == {"filters"}
    page.post(url, form | {"filters": '[{"field": "name", "op": "contains", "value": "ana"}]'})
    shown = page.get(reverse("admin:messaging_segment_change", args=[Segment.objects.get(name="Anas").pk]))
    assert 'readonly">1<' in "".join(shown.text.split()) or ">1<" in "".join(shown.text.split())


@pytest.mark.parametrize("name", ["opt_out", "block"])
def test_a_reason_stands_in_the_history(page: Client, rows: Rows, name: str) -> None:
    url = reverse(f"admin:messaging_contact_{name}", args=[rows.contact.pk])
    page.post(url, ANSWER | {"reason": "Pediu por telefone"})
    assert "Pediu por telefone" in page.get(reverse("admin:messaging_contact_history", args=[rows.contact.pk])).text


@pytest.mark.parametrize(
    ("filters", "place"),
    [
        ('[{"field": "name" "op": "is"}]', "19"),
        ('[{"field": "nome", "op": "is", "value": "Ana"}]', "attribute.city1, blocked"),
        ('[{"field": "name", "op": "soa", "value": "Ana"}]', "contains"),
        ('[{"field": "created", "op": "within_days", "value": "trinta"}]', "1"),
        ('{"field": "name"}', "[ ]"),
    ],
)
def test_what_is_wrong_with_a_filter_is_said_beside_it(page: Client, rows: Rows, filters: str, place: str) -> None:
    posted = {"unit": rows.unit.pk, "name": "Anas", "filters": filters}
    errors = page.post(reverse("admin:messaging_segment_add"), posted).context["adminform"].form.errors
    assert place in str(errors["filters"])
    assert not Segment.objects.filter(name="Anas").exists()


def test_the_form_of_a_segment_names_tags_and_fields_of_its_unit(page: Client, rows: Rows) -> None:
    tag = Tag.objects.get(unit=rows.unit)
    told = [{"field": "tag", "op": "is", "value": [str(tag.pk)]}]
    segment = Segment.objects.create(unit=rows.unit, name="Bons", filters=told)
    shown = page.get(reverse("admin:messaging_segment_change", args=[segment.pk]))
    assert shown.context["adminform"].form.initial["filters"] == [told[0] | {"value": [tag.name]}]
    assert "attribute.city1" in shown.content.decode()


def test_every_example_is_a_filter(page: Client, rows: Rows) -> None:
    for kind in AttributeKind.values:
        AttributeDefinition.objects.create(unit=rows.unit, key=f"of_{kind}", name=kind, kind=kind)
    told = ",".join(one.as_json for one in examples_for(rows.unit))
    page.post(reverse("admin:messaging_segment_add"), {"unit": rows.unit.pk, "name": "All", "filters": f"[{told}]"})
    assert len(Segment.objects.get(name="All").filters) == len(examples_for(rows.unit)) == 14


def test_a_segment_of_everybody_has_no_filters(page: Client, rows: Rows) -> None:
    page.post(reverse("admin:messaging_segment_add"), {"unit": rows.unit.pk, "name": "Todos", "filters": "[]"})
    assert Segment.objects.get(name="Todos").filters == []


def test_a_tag_goes_only_when_no_segment_asks_for_it(page: Client, rows: Rows) -> None:
    tag = Tag.objects.get()
    told = [{"field": "tag", "op": "is", "value": str(tag.pk)}]
    segment = Segment.objects.create(unit=rows.unit, name="Bons", filters=told)
    url = reverse("admin:messaging_tag_delete_for_good", args=[tag.pk])
    assert "Bons" in page.post(url, ANSWER, follow=True).text
    assert Tag.objects.exists()
    segment.delete()
    page.post(url, ANSWER)
    assert not Tag.objects.exists()
