"""Every registered model: its pages open, its list costs a constant number of queries."""

from pathlib import Path
from typing import Any

import pytest
import unfold
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from crm_whatsapp.admin_navigation import GROUPS
from crm_whatsapp.admin_words import WORDS
from tests.admin.conftest import Rows, make_rows

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)


def url(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


# Shown on the page of another row, or nothing for people: counters, hashes, answers to repeat.
WITHOUT_PAGES = {
    "Membership",
    "ContactAddress",
    "ContactTag",
    "ConversationLabel",
    "ConversationEvent",
    "CampaignVariant",
    "WebhookSecret",
    "UnitFeed",
    "LiveEvent",
    "AnsweredRequest",
}


def test_all_models_of_the_product_have_pages_and_a_place_in_the_sidebar() -> None:
    ours = {"units", "messaging", "campaigns", "webhooks", "attention", "outgoing_webhooks"}
    models = [model for model in apps.get_models() if model._meta.app_label in ours]
    assert {model.__name__ for model in models if model not in MODELS} == WITHOUT_PAGES
    listed = [label for _title, items in GROUPS for label, _icon in items]
    assert sorted(listed) == sorted(model._meta.label for model in MODELS)


def first(model: type[Model]) -> Model:
    """Any row of the model."""
    return model._default_manager.all()[:1].get()


@every_model
def test_the_list_opens(page: Client, rows: Rows, model: type[Model]) -> None:
    response = page.get(url(model, "changelist"))
    assert response.status_code == 200
    assert response.context["cl"].result_list


@every_model
def test_the_list_can_be_searched(page: Client, rows: Rows, model: type[Model]) -> None:
    assert page.get(url(model, "changelist"), {"q": "11912000001"}).status_code == 200


@every_model
def test_a_row_opens(page: Client, rows: Rows, model: type[Model]) -> None:
    response = page.get(url(model, "change", first(model).pk))
    assert response.status_code == 200


@every_model
def test_the_form_for_a_new_row_opens_where_rows_are_made_by_hand(page: Client, rows: Rows, model: type[Model]) -> None:
    response = page.get(url(model, "add"))
    allowed = admin.site._registry[model].has_add_permission(response.wsgi_request)
    assert response.status_code == (200 if allowed else 403)


@every_model
def test_an_id_that_is_none_is_no_error(page: Client, rows: Rows, model: type[Model]) -> None:
    assert page.get(url(model, "change", "not-an-id")).status_code == 302


def queries(page: Client, address: str) -> int:
    page.get(address)  # content types are looked up once
    with CaptureQueriesContext(connection) as asked:
        page.get(address)
    return len(asked)


def test_thirty_rows_take_as_many_queries_as_one(page: Client, rows: Rows) -> None:
    """Every list, and every page of a row: also where the row could be chosen from others."""
    pages = {f"{model._meta.label} list": url(model, "changelist") for model in MODELS}
    pages |= {f"{model._meta.label} row": url(model, "change", first(model).pk) for model in MODELS}
    one = {name: queries(page, address) for name, address in pages.items()}
    for number in range(2, 31):
        make_rows(f"Loja {number}", number)
    assert {name: queries(page, address) for name, address in pages.items()} == one


def test_a_list_of_millions_is_not_sorted_whole(page: Client, rows: Rows) -> None:
    """Neither by a column without an index, nor only to be counted."""
    names = {"Contact", "Conversation", "Message", "CampaignRecipient", "OptOut", "WebhookEvent", "AuditEntry"}
    for model in (model for model in MODELS if model.__name__ in names):
        with CaptureQueriesContext(connection) as asked:
            assert "?o=" not in page.get(url(model, "changelist")).text
        counts = [query["sql"] for query in asked if "COUNT(*)" in query["sql"]]
        assert counts
        assert not [sql for sql in counts if "ORDER BY" in sql]
    assert "?o=" in page.get(url(type(rows.unit), "changelist")).text


@pytest.mark.parametrize(
    "name", ["Unit", "User", "Contact", "Conversation", "Message", "Campaign", "WhatsAppConnection"]
)
def test_what_carries_history_is_not_deleted_by_django(page: Client, rows: Rows, name: str) -> None:
    model = next(model for model in MODELS if model.__name__ == name)
    row = first(model)
    assert page.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model._default_manager.filter(pk=row.pk).exists()


def test_no_form_offers_all_contacts_in_a_select(page: Client, rows: Rows) -> None:
    for model in MODELS:
        for address in (url(model, "add"), url(model, "change", first(model).pk)):
            content = page.get(address).content.decode()
            assert f'<option value="{rows.contact.pk}">' not in content


def test_the_history_of_a_row_opens(page: Client, rows: Rows) -> None:
    page.post(url(type(rows.contact), "change", rows.contact.pk), {"name": "Ana Maria"})
    assert page.get(url(type(rows.contact), "history", rows.contact.pk)).status_code == 200


def test_what_is_translated_for_unfold_is_what_it_says() -> None:
    folder = Path(unfold.__file__).parent
    said = "".join(file.read_text() for kind in ("*.py", "*.html") for file in folder.rglob(kind))
    assert [word for word in WORDS if word not in said] == []
