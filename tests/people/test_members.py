"""Who works in a unit: added, given another role, removed."""

import re
import threading
from typing import Any

import pytest
from django.core import mail
from django.db import connections
from django.test import Client
from rest_framework.test import APIClient

from tests.people.helpers import actions, as_user, colleague, token_for
from units.models import Action, ApiToken, Membership, Role, Unit, User

pytestmark = pytest.mark.django_db


def at(unit: Unit, path: str = "") -> str:
    return f"/units/{unit.id}/members{path}"


def add(api: APIClient, unit: Unit, commit: Any, **told: str) -> Any:
    with commit(execute=True):
        return api.post(at(unit), {"email": "novo@example.com", "role": "agent"} | told, format="json")


def test_a_new_person_gets_an_account_and_a_letter(
    api: APIClient, unit: Unit, django_capture_on_commit_callbacks: Any
) -> None:
    answer = add(api, unit, django_capture_on_commit_callbacks, email="Novo@Example.com", name="Nora")
    assert answer.status_code == 201
    user = User.objects.get(email="novo@example.com")
    assert (user.first_name, user.has_usable_password()) == ("Nora", False)
    assert user.memberships.get().role == Role.AGENT
    assert mail.outbox[0].to == ["novo@example.com"]
    assert "http://testserver/app/password/" in mail.outbox[0].body


def test_the_answer_is_the_same_for_who_has_an_account_and_who_has_none(
    api: APIClient, unit: Unit, stranger: User, django_capture_on_commit_callbacks: Any
) -> None:
    known = add(api, unit, django_capture_on_commit_callbacks, email=stranger.email, name="Outro")
    new = add(api, unit, django_capture_on_commit_callbacks, name="Outro")
    assert known.status_code == new.status_code == 201
    assert known.json().keys() == new.json().keys()
    assert "name" not in known.json()
    assert [letter.to for letter in mail.outbox] == [[stranger.email], ["novo@example.com"]]
    stranger.refresh_from_db()
    assert stranger.first_name == ""


def test_who_works_here_already_is_not_added_again(
    api: APIClient, unit: Unit, django_capture_on_commit_callbacks: Any
) -> None:
    colleague(unit)
    answer = add(api, unit, django_capture_on_commit_callbacks, email="BIA@example.com", role="owner")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "works_here_already")
    assert Membership.objects.get(unit=unit, user__email="bia@example.com").role == Role.AGENT
    assert not mail.outbox


def test_the_program_of_another_unit_cannot_be_added_by_its_address(api: APIClient, unit: Unit) -> None:
    program = User.objects.create_integration("ERP")
    assert api.post(at(unit), {"email": program.email, "role": "agent"}, format="json").status_code == 400
    assert not program.memberships.exists()


def test_the_letter_can_be_sent_again(api: APIClient, unit: Unit) -> None:
    bia = colleague(unit)
    assert api.post(at(unit, f"/{bia.id}/invite")).status_code == 202
    assert mail.outbox[0].to == ["bia@example.com"]


def test_an_agent_sees_names_and_roles_but_no_addresses(unit: Unit) -> None:
    bia = colleague(unit)
    people = as_user(bia.user).get(at(unit)).json()["results"]
    assert [(person["name"], person["role"], person["email"]) for person in people] == [
        ("Bia", "agent", None),
        ("Ana", "owner", None),
    ]


def test_an_owner_sees_addresses(api: APIClient, unit: Unit) -> None:
    assert [person["email"] for person in api.get(at(unit)).json()["results"]] == ["ana@example.com"]


def test_a_page_of_people_asks_the_database_as_often_for_many_as_for_one(
    api: APIClient, unit: Unit, django_assert_max_num_queries: Any
) -> None:
    for number in range(5):
        colleague(unit, name=f"p{number}")
    with django_assert_max_num_queries(4):
        assert len(api.get(at(unit)).json()["results"]) == 6


@pytest.mark.parametrize("role", [Role.MANAGER, Role.AGENT])
def test_only_owners_decide_who_works_here(unit: Unit, role: Role) -> None:
    bia = colleague(unit, role)
    api = as_user(bia.user)
    assert api.post(at(unit), {"email": "x@example.com", "role": "agent"}, format="json").status_code == 403
    assert api.patch(at(unit, f"/{bia.id}"), {"role": "owner"}, format="json").status_code == 403
    assert api.delete(at(unit, f"/{bia.id}")).status_code == 403
    bia.refresh_from_db()
    assert bia.role == role
    assert unit.memberships.count() == 2


def test_a_member_of_another_unit_is_not_there(api: APIClient, unit: Unit, stranger: User) -> None:  # I7
    theirs = stranger.memberships.get()
    assert api.get(at(unit, f"/{theirs.id}")).status_code == 404
    assert api.patch(at(unit, f"/{theirs.id}"), {"role": "agent"}, format="json").status_code == 404
    assert api.delete(at(unit, f"/{theirs.id}")).status_code == 404
    theirs.refresh_from_db()
    assert theirs.role == Role.OWNER


def test_a_role_holds_from_the_next_request_on(api: APIClient, unit: Unit) -> None:
    bia = colleague(unit, Role.MANAGER)
    theirs = as_user(bia.user)
    assert theirs.post(f"/units/{unit.id}/canned-replies", {}, format="json").status_code != 403
    assert api.patch(at(unit, f"/{bia.id}"), {"role": "agent"}, format="json").json()["role"] == "agent"
    assert theirs.post(f"/units/{unit.id}/canned-replies", {}, format="json").status_code == 403
    assert actions(unit) == ["member.changed"]


def test_the_last_owner_cannot_be_lowered_or_removed(api: APIClient, unit: Unit) -> None:
    ana = unit.memberships.get()
    for answer in (
        api.patch(at(unit, f"/{ana.id}"), {"role": "manager"}, format="json"),
        api.delete(at(unit, f"/{ana.id}")),
    ):
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "last_owner")
    assert unit.memberships.get().role == Role.OWNER
    assert actions(unit) == []


def test_neither_a_program_nor_who_may_not_log_in_counts_as_an_owner(api: APIClient, unit: Unit) -> None:
    colleague(unit, Role.OWNER)
    User.objects.filter(email="bia@example.com").update(is_active=False)
    Membership.objects.create(unit=unit, user=User.objects.create_integration("ERP"), role=Role.OWNER)
    ana = unit.memberships.get(user__email="ana@example.com")
    assert api.delete(at(unit, f"/{ana.id}")).status_code == 409


def test_an_owner_may_leave_when_there_is_another(api: APIClient, unit: Unit) -> None:
    colleague(unit, Role.OWNER)
    ana = unit.memberships.get(user__email="ana@example.com")
    assert api.delete(at(unit, f"/{ana.id}")).status_code == 204
    assert api.get(at(unit)).status_code == 404


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", ["remove", "lower"])
def test_of_two_owners_who_remove_or_lower_each_other_at_once_one_stays(unit: Unit, how: str) -> None:
    bia = colleague(unit, Role.OWNER)
    ana = unit.memberships.get(user__email="ana@example.com")
    start, answers = threading.Barrier(2), []

    def act(who: Membership, whom: Membership) -> None:
        api, path = as_user(who.user), at(unit, f"/{whom.id}")
        start.wait()
        answer = api.delete(path) if how == "remove" else api.patch(path, {"role": "agent"}, format="json")
        answers.append(answer.status_code)
        connections.close_all()

    threads = [threading.Thread(target=act, args=pair) for pair in ((ana, bia), (bia, ana))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The second was refused as the last owner (409), or came when he had been removed (404) or lowered (403).
    assert {200, 204} & {*answers}
    assert unit.memberships.filter(role=Role.OWNER).count() == 1


def test_whoever_is_removed_sees_nothing_from_the_next_request_on(api: APIClient, unit: Unit) -> None:
    bia = colleague(unit)
    here, everywhere = token_for(bia.user, unit=unit), token_for(bia.user)
    assert here.get(f"/units/{unit.id}").status_code == everywhere.get(f"/units/{unit.id}").status_code == 200
    assert api.delete(at(unit, f"/{bia.id}")).status_code == 204
    assert here.get(f"/units/{unit.id}").status_code == 401
    assert everywhere.get(f"/units/{unit.id}").status_code == 404
    assert ApiToken.objects.filter(user=bia.user, revoked_at=None).count() == 1
    assert actions(unit) == ["member.removed"]


def test_a_token_gives_no_role_that_may_do_more_than_itself(unit: Unit, ana: User) -> None:
    api = token_for(ana, unit=unit, scopes=[Action.MANAGE_ACCESS])
    assert api.post(at(unit), {"email": "novo@example.com", "role": "agent"}, format="json").status_code == 403
    bia = colleague(unit)
    assert api.patch(at(unit, f"/{bia.id}"), {"role": "owner"}, format="json").status_code == 403
    assert not User.objects.filter(email="novo@example.com").exists()


def test_the_link_of_the_letter_sets_a_password_once(
    api: APIClient, unit: Unit, client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    add(api, unit, django_capture_on_commit_callbacks)
    (link,) = re.findall(r"http://testserver(/app/password/\S+)", str(mail.outbox[0].body))
    form = client.get(link, follow=True).request["PATH_INFO"]
    client.post(form, {"new_password1": "um cavalo azul e manso", "new_password2": "um cavalo azul e manso"})
    assert User.objects.get(email="novo@example.com").check_password("um cavalo azul e manso")
    assert "new_password1" not in Client().get(link, follow=True).text


def test_the_same_request_twice_adds_once(api: APIClient, unit: Unit, django_capture_on_commit_callbacks: Any) -> None:
    api.credentials(HTTP_IDEMPOTENCY_KEY="k1")
    first = add(api, unit, django_capture_on_commit_callbacks)
    assert add(api, unit, django_capture_on_commit_callbacks).json() == first.json()
    assert len(mail.outbox) == 1


def test_a_letter_that_cannot_be_sent_does_not_undo_what_was_done(
    api: APIClient, unit: Unit, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    # A port at which nobody listens.
    nowhere = {"host": "127.0.0.1", "port": 9}
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": nowhere}}
    assert add(api, unit, django_capture_on_commit_callbacks).status_code == 201
    assert unit.memberships.count() == 2
