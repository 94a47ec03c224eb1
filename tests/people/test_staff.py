"""Staff of the installation who are no superusers: nobody takes more rights than he was given."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from units.models import AuditEntry, Membership, Role, Unit, User
from units.services import create_unit

pytestmark = pytest.mark.django_db

NEW = {"password1": "um cavalo azul e manso", "password2": "um cavalo azul e manso", "usable_password": "true"}


@pytest.fixture
def clerk() -> User:
    """May edit people, groups and units; no tokens, no log."""
    user = User.objects.create_user("balcao@example.com", "correct horse battery", is_staff=True)
    models = ("user", "group", "unit", "membership")
    names = [f"{right}_{model}" for model in models for right in ("view", "add", "change")]
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    return user


@pytest.fixture
def desk(client: Client, clerk: User) -> Client:
    client.force_login(clerk)
    return client


def set_password(desk: Client, user: User) -> Any:
    return desk.post(reverse("admin:auth_user_password_change", args=[user.pk]), NEW)


def edit(desk: Client, user: User, **fields: Any) -> Any:
    form = {"email": user.email, "is_active": "on"} | fields
    return desk.post(reverse("admin:units_user_change", args=[user.pk]), form)


@pytest.mark.parametrize("is_superuser", [True, False])
def test_the_account_of_other_staff_is_not_theirs_to_take(desk: Client, is_superuser: bool) -> None:
    other = User.objects.create_user("chefe@example.com", is_staff=True, is_superuser=is_superuser)
    assert set_password(desk, other).status_code == 403
    assert edit(desk, other, email="balcao2@example.com").status_code == 403
    other.refresh_from_db()
    assert (other.email, other.has_usable_password()) == ("chefe@example.com", False)


def test_people_of_units_are_theirs_to_help(desk: Client, ana: User) -> None:
    assert set_password(desk, ana).status_code == 302
    ana.refresh_from_db()
    assert ana.check_password(NEW["password1"])


def test_nobody_makes_himself_or_others_staff(desk: Client, clerk: User, ana: User) -> None:
    for user in (clerk, ana):
        edit(desk, user, is_superuser="on", is_staff="on")
    new = NEW | {"email": "novo@example.com", "is_staff": "on", "is_superuser": "on"}
    assert desk.post(reverse("admin:units_user_add"), new).status_code == 302
    assert not User.objects.filter(is_superuser=True).exists()
    assert list(User.objects.filter(is_staff=True)) == [clerk]


def test_nobody_gives_his_group_more_rights(desk: Client, clerk: User) -> None:
    group = Group.objects.create(name="Balcão")
    clerk.groups.add(group)
    form = {"name": "Balcão", "permissions": [Permission.objects.get(codename="add_apitoken").pk]}
    assert desk.post(reverse("admin:auth_group_change", args=[group.pk]), form).status_code == 403
    assert desk.post(reverse("admin:auth_group_add"), form | {"name": "Outro"}).status_code == 403
    assert not clerk.has_perm("units.add_apitoken")


def test_tokens_and_the_log_need_a_permission_of_their_own(desk: Client, unit: Unit) -> None:
    for page in ("units_apitoken_changelist", "units_apitoken_add", "units_auditentry_changelist"):
        assert desk.get(reverse(f"admin:{page}")).status_code == 403
    entry = AuditEntry.objects.first()
    assert entry
    assert desk.get(reverse("admin:units_auditentry_change", args=[entry.pk])).status_code == 403


def test_a_program_gets_no_password(client: Client) -> None:
    client.force_login(User.objects.create_superuser("chefe@example.com"))
    program = User.objects.create_integration("ERP")
    assert set_password(client, program).status_code == 403
    assert edit(client, program, is_staff="on").status_code == 403


def test_a_program_of_another_unit_is_not_taken_in(desk: Client, unit: Unit) -> None:
    """To remove it there would end it for its own unit."""
    program = User.objects.create_integration("ERP")
    Membership.objects.create(unit=create_unit("Loja Norte"), user=program, role=Role.AGENT)
    ana = unit.memberships.get()
    form = {
        "name": unit.name,
        "time_zone": unit.time_zone,
        "memberships-TOTAL_FORMS": 2,
        "memberships-INITIAL_FORMS": 1,
        "memberships-0-id": ana.pk,
        "memberships-0-unit": unit.pk,
        "memberships-0-role": "owner",
        "memberships-1-unit": unit.pk,
        "memberships-1-user": program.pk,
        "memberships-1-role": "agent",
    }
    assert desk.post(reverse("admin:units_unit_change", args=[unit.pk]), form).status_code == 200
    assert list(unit.memberships.all()) == [ana]
