"""The recipients as a file for a spreadsheet."""

import csv
import io
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from campaigns import exports
from campaigns.models import Campaign, RecipientStatus
from messaging.phones import shown
from tests.factories import campaign
from units.models import Unit

pytestmark = pytest.mark.django_db


def lines(api: APIClient, made: Campaign, **query: Any) -> list[list[str]]:
    answer: Any = api.get(f"/units/{made.unit_id}/campaigns/{made.id}/recipients.csv", query)
    assert answer["Content-Type"].startswith("text/csv")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text), delimiter=";"))


def test_a_line_tells_who_what_became_and_when_in_the_units_zone(api: APIClient, unit: Unit) -> None:
    made = campaign(unit, people=1)
    at = timezone.now().replace(microsecond=0)
    made.recipients.update(status=RecipientStatus.SENT, variant=1, sent_at=at)
    _names, (name, phone, status, variant, _error, sent_at, *_rest) = lines(api, made)
    contact = made.recipients.get().contact
    assert (name, phone, status, variant) == ("", shown(contact.phone_number), "Enviada", "B")
    assert sent_at == timezone.localtime(at).strftime("%Y-%m-%d %H:%M:%S")


def test_nothing_in_a_line_is_for_machines_alone(api: APIClient, unit: Unit) -> None:
    made = campaign(unit, people=1)
    names, line = lines(api, made)
    assert names[:5] == ["Nome", "Telefone", "Situação", "Variante", "Erro"]
    assert len(names) == len(line) == 10
    assert str(made.recipients.get().contact_id) not in line


def test_a_name_that_is_a_formula_stays_a_text(api: APIClient, unit: Unit) -> None:
    made = campaign(unit, people=1)
    made.recipients.get().contact.__class__.objects.update(name="=1+1")
    assert lines(api, made)[1][0] == "'=1+1"


def test_the_filters_of_the_list_hold_for_the_file(api: APIClient, unit: Unit) -> None:
    made = campaign(unit, people=3)
    one = made.recipients.order_by("id")[0]
    made.recipients.filter(pk=one.pk).update(status=RecipientStatus.FAILED, error_message="not_on_whatsapp")
    names, failed = lines(api, made, status="failed")
    assert len(names) == len(failed)
    assert "WhatsApp" in failed[4]


def test_it_is_read_in_slices_that_miss_nobody(
    api: APIClient, unit: Unit, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(exports, "SLICE", 10)
    made = campaign(unit, people=25)
    # The entry in the audit log, the unit, a slice each, and the one that finds nobody.
    with django_assert_num_queries(6):
        rows = list(exports.recipient_rows(made, made.recipients.all()))
    assert len({row[1] for row in rows[1:]}) == 25
