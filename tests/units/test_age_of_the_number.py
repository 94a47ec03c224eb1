"""Since when a number is in use: its warm-up counts from there."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction

from crm_whatsapp.db import ClockNow
from units.models import Unit, WhatsAppConnection
from units.services import ConnectionService, create_unit

pytestmark = pytest.mark.django_db


def opens(unit: Unit, phone: str | None) -> WhatsAppConnection:
    with transaction.atomic():
        ConnectionService(unit).hint_open(phone=phone, profile_name=None, profile_picture_url=None)
    return WhatsAppConnection.objects.get(unit=unit)


def today(unit: Unit) -> date:
    now: datetime = WhatsAppConnection.objects.annotate(now=ClockNow()).values_list("now", flat=True)[0]
    return now.astimezone(ZoneInfo(unit.time_zone)).date()


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_a_number_is_new_on_the_unit_s_day_of_its_first_connection(db: None, zone: str) -> None:
    unit = create_unit("Loja", time_zone=zone)
    assert opens(unit, "+5511900000009").in_use_since == today(unit)


@pytest.mark.parametrize("phone", ["+5511900000009", None])
def test_the_same_number_keeps_its_age(unit: Unit, phone: str | None) -> None:
    WhatsAppConnection.objects.update(in_use_since=date(2020, 1, 31))
    assert opens(unit, phone).in_use_since == date(2020, 1, 31)


def test_another_number_is_a_new_one(unit: Unit) -> None:
    WhatsAppConnection.objects.update(in_use_since=date(2020, 1, 31))
    assert opens(unit, "+5521988887777").in_use_since == today(unit)
