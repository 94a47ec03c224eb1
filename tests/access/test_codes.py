"""A QR code ties whatever phone scans it to the unit: only who may connect the number sees one, whichever door."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from tests.people.helpers import as_user, colleague, token_for
from units.models import ConnectionStatus, Role, Unit, User, WhatsAppConnection

pytestmark = pytest.mark.django_db

QR, PAIRING = "data:image/png;base64,iVBORw0KGgo=", "K7QM4TXA"
WHO = pytest.mark.parametrize(("role", "may"), [(Role.AGENT, False), (Role.MANAGER, True), (Role.OWNER, True)])


@pytest.fixture(autouse=True)
def _awaiting_scan(unit: Unit) -> None:
    WhatsAppConnection.objects.update(status=ConnectionStatus.AWAITING_SCAN, qr_code=QR, pairing_code=PAIRING)


@WHO
def test_the_api_shows_codes_to_who_may_connect(unit: Unit, role: Role, may: bool) -> None:
    shown = as_user(colleague(unit, role).user).get(f"/units/{unit.id}/whatsapp/status").json()
    assert shown["status"] == "awaiting_scan"
    assert (shown["qr_code"], shown["pairing_code"]) == ((QR, PAIRING) if may else (None, None))


def test_a_token_that_only_reads_the_number_sees_no_codes(unit: Unit, ana: User) -> None:
    shown = token_for(ana, scopes=["number:read"]).get(f"/units/{unit.id}/whatsapp/status").json()
    assert (shown["qr_code"], shown["pairing_code"]) == (None, None)


@WHO
@pytest.mark.parametrize("path", ["number", "number/panel"])
def test_the_console_shows_codes_to_who_may_connect(
    client: Client, unit: Unit, path: str, role: Role, may: bool
) -> None:
    client.force_login(colleague(unit, role).user)
    page = client.get(f"/app/u/{unit.id}/{path}").text
    assert ('data-scene="scan"' in page) == may
    assert (QR in page, "K7QM" in page) == (may, may)


@pytest.mark.parametrize(("rights", "may"), [(["view"], False), (["view", "change"], True)])
def test_the_admin_shows_codes_to_who_may_connect(client: Client, unit: Unit, rights: list[str], may: bool) -> None:
    clerk = User.objects.create_user("balcao@example.com", is_staff=True)
    names = [f"{right}_whatsappconnection" for right in rights]
    clerk.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(clerk)
    page = client.get(reverse("admin:units_whatsappconnection_change", args=[unit.connection.pk])).text
    assert unit.connection.instance_name in page
    assert (QR in page, PAIRING in page) == (may, may)
