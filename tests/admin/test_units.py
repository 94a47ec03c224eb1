"""People, units, their numbers and tokens."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from tests.admin.conftest import Rows
from units.crypto import sha256
from units.models import ApiToken, Membership, Role, Unit, User, WhatsAppConnection
from units.services import create_unit

ANSWER = {"_form_submitted": "on"}
NO_MEMBERS = {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}


def act(page: Client, row: Any, action: str, **fields: Any) -> Any:
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{action}", args=[row.pk])
    return page.post(address, ANSWER | fields)


def test_a_new_unit_has_its_connection_and_its_people(page: Client, rows: Rows) -> None:
    agent = User.objects.get(email="agent1@example.com")
    members = {"memberships-TOTAL_FORMS": 1, "memberships-0-user": agent.pk, "memberships-0-role": "manager"}
    form = NO_MEMBERS | members | {"name": "Loja Norte", "time_zone": "America/Manaus"}
    assert page.post(reverse("admin:units_unit_add"), form).status_code == 302
    unit = Unit.objects.get(name="Loja Norte")
    assert unit.connection.instance_name == f"unit_{unit.pk}"
    assert Membership.objects.get(unit=unit).role == Role.MANAGER


def test_a_unit_is_deleted_with_all_its_rows_when_its_name_is_typed(page: Client, rows: Rows) -> None:
    act(page, rows.unit, "delete_for_good", name=" Loja Centro ")
    assert not Unit.objects.exists()
    assert not type(rows.message).objects.exists()


def test_another_name_deletes_nothing(page: Client, rows: Rows) -> None:
    assert act(page, rows.unit, "delete_for_good", name="Loja Norte").status_code == 200
    assert Unit.objects.exists()


def test_saving_the_pace_leaves_the_status_alone(page: Client, rows: Rows) -> None:
    connection = rows.unit.connection
    address = reverse("admin:units_whatsappconnection_change", args=[connection.pk])
    form = page.get(address).context["adminform"].form
    assert set(form.fields) == {
        "interval_seconds",
        "jitter_seconds",
        "daily_cap",
        "in_use_since",
        "window_start",
        "window_end",
        "window_days",
        "groups_enabled",
    }
    fields = {
        "interval_seconds": "5",
        "jitter_seconds": "1",
        "daily_cap": "",
        "in_use_since": "",
        "window_start": "",
        "window_end": "",
        "window_days": ["1", "2", "5"],
    }
    page.post(address, fields | {"status": "connected"})
    connection.refresh_from_db()
    assert float(connection.interval_seconds) == 5.0
    assert connection.window_days == [1, 2, 5]
    assert connection.status == "disconnected"


def test_the_qr_code_is_an_image_only_when_it_is_one(page: Client, rows: Rows) -> None:
    address = reverse("admin:units_whatsappconnection_change", args=[rows.unit.connection.pk])
    WhatsAppConnection.objects.update(qr_code="data:image/png;base64,AAAA")
    assert 'src="data:image/png;base64,AAAA"' in page.get(address).content.decode()
    WhatsAppConnection.objects.update(qr_code="javascript:alert(1)")
    assert "javascript:alert" not in page.get(address).content.decode()


@pytest.mark.parametrize("name", ["connect", "disconnect"])
def test_a_gateway_that_does_not_answer_is_a_sentence(page: Client, rows: Rows, settings: Any, name: str) -> None:
    settings.EVOLUTION_URL = "http://127.0.0.1:9"  # the discard port: nobody listens
    response = act(page, rows.unit.connection, name)
    assert response.status_code == 302
    assert [message.level_tag for message in get_messages(response.wsgi_request)] == ["error"]


def test_refreshing_says_that_the_gateway_is_down(page: Client, rows: Rows, settings: Any) -> None:
    settings.EVOLUTION_URL = "http://127.0.0.1:9"
    act(page, rows.unit.connection, "refresh")
    assert WhatsAppConnection.objects.get().cause == "gateway_down"


def test_a_token_is_shown_once(page: Client, rows: Rows, staff: User) -> None:
    agent = User.objects.get(email="agent1@example.com")
    form = {"user": agent.pk, "name": "ERP", "scopes": ["inbox:read"]}
    response = page.post(reverse("admin:units_apitoken_add"), form)
    shown = next(str(message) for message in get_messages(response.wsgi_request) if "crm_" in str(message))
    token = shown[shown.index("crm_") :]
    row = ApiToken.objects.get(name="ERP")
    assert (row.sha256, row.scopes, row.created_by) == (sha256(token), ["inbox:read"], staff)
    assert token in page.get(response["Location"]).content.decode()
    assert token not in page.get(response["Location"]).content.decode()


def test_a_token_can_be_revoked(page: Client, rows: Rows) -> None:
    token = ApiToken.objects.get()
    act(page, token, "revoke")
    assert ApiToken.objects.get(revoked_at__isnull=False) == token
    assert not ApiToken.objects.valid().exists()


def test_a_token_is_for_a_unit_in_which_its_person_works(page: Client, rows: Rows) -> None:
    agent, other = User.objects.get(email="agent1@example.com"), create_unit("Loja Sul")
    form = {"user": agent.pk, "unit": other.pk, "name": "ERP", "scopes": ["inbox:read"]}
    assert page.post(reverse("admin:units_apitoken_add"), form).status_code == 200
    assert not ApiToken.objects.filter(name="ERP").exists()


def test_a_unit_keeps_an_owner(page: Client, rows: Rows) -> None:
    membership = rows.unit.memberships.get()
    Membership.objects.filter(pk=membership.pk).update(role=Role.OWNER)
    form = {
        "name": "Loja Centro",
        "time_zone": "America/Sao_Paulo",
        "memberships-TOTAL_FORMS": 1,
        "memberships-INITIAL_FORMS": 1,
        "memberships-0-id": membership.pk,
        "memberships-0-unit": rows.unit.pk,
        "memberships-0-role": "agent",
    }
    address = reverse("admin:units_unit_change", args=[rows.unit.pk])
    assert page.post(address, form).status_code == 200
    membership.refresh_from_db()
    assert membership.role == Role.OWNER
    assert page.post(address, form | {"memberships-0-DELETE": "on"}).status_code == 200
    assert rows.unit.memberships.exists()


def test_a_person_is_made_with_an_e_mail_in_lower_case(page: Client) -> None:
    form = {"email": "Bia@Example.com", "usable_password": "true"}
    passwords = {"password1": "correct horse 7", "password2": "correct horse 7"}
    assert page.post(reverse("admin:units_user_add"), form | passwords).status_code == 302
    assert User.objects.get(email="bia@example.com").check_password("correct horse 7")


def test_only_a_superuser_hands_out_rights(client: Client, rows: Rows) -> None:
    helper = User.objects.create_user("desk@example.com", is_staff=True)
    helper.user_permissions.add(*Permission.objects.filter(codename__in=["change_user", "view_user"]))
    client.force_login(helper)
    address = reverse("admin:units_user_change", args=[helper.pk])
    form = {"email": "desk@example.com", "first_name": "Desk", "is_active": "on", "is_superuser": "on"}
    assert client.post(address, form).status_code == 302
    helper.refresh_from_db()
    assert (helper.first_name, helper.is_superuser) == ("Desk", False)


def test_a_superusers_password_is_changed_by_superusers_alone(client: Client, staff: User) -> None:
    helper = User.objects.create_user("desk@example.com", is_staff=True)
    helper.user_permissions.add(*Permission.objects.filter(codename__in=["change_user", "view_user"]))
    client.force_login(helper)
    response = client.post(reverse("admin:auth_user_password_change", args=[staff.pk]), {})
    assert response.status_code == 403
