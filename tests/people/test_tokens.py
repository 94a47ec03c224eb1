"""Tokens of people, and programs of a unit with theirs."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from tests.people.helpers import actions, as_token, as_user, colleague, token_for
from units.models import Action, ApiToken, AuditEntry, Membership, Role, Unit, User

pytestmark = pytest.mark.django_db

OWN = "/api/tokens"


def make(api: APIClient, **told: Any) -> Any:
    return api.post(OWN, {"name": "CRM"} | told, format="json")


def integrations(unit: Unit, path: str = "") -> str:
    return f"/units/{unit.id}/integrations{path}"


def make_program(api: APIClient, unit: Unit, **told: Any) -> Any:
    return api.post(integrations(unit), {"name": "ERP", "role": "agent"} | told, format="json")


def test_a_token_is_shown_once_and_works(api: APIClient, unit: Unit) -> None:
    answer = make(api, unit_id=str(unit.id), scopes=["contacts:read"])
    token = answer.json()["token"]
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    assert as_token(token).get(f"/units/{unit.id}/contacts").status_code == 200
    assert as_token(token).get(f"/units/{unit.id}/conversations").status_code == 403
    (listed,) = api.get(OWN).json()["results"]
    assert "token" not in listed
    assert token.startswith(listed["begins_with"])
    assert listed["last_used_at"]


def test_a_token_without_scopes_may_what_its_person_may(unit: Unit) -> None:
    bia = colleague(unit)
    scopes = make(as_user(bia.user)).json()["scopes"]
    assert "inbox:write" in scopes
    assert "access:manage" not in scopes


def test_nobody_makes_a_token_that_may_more_than_himself(unit: Unit) -> None:
    bia = colleague(unit)
    answer = make(as_user(bia.user), scopes=["inbox:read", "access:manage"])
    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "scopes")
    assert not ApiToken.objects.exists()


def test_a_token_for_a_unit_of_others_is_refused(api: APIClient, unit: Unit, stranger: User) -> None:  # I7
    theirs = Unit.objects.of_member(stranger).get()
    answer = make(api, unit_id=str(theirs.id))
    nowhere = make(api, unit_id="00000000-0000-7000-8000-000000000000")
    assert answer.status_code == 400
    assert answer.json() == nowhere.json()


def test_a_token_makes_only_tokens_that_reach_no_further(ana: User, unit: Unit) -> None:
    ends = timezone.now() + timedelta(hours=1)
    scopes = [Action.MANAGE_ACCESS, Action.READ_INBOX]
    api = token_for(ana, unit=unit, scopes=scopes, expires_at=ends)
    assert make(api).status_code == 403
    assert make(api, unit_id=str(unit.id), scopes=["contacts:read"]).status_code == 400
    later = (ends + timedelta(days=9)).isoformat()
    made = make(api, unit_id=str(unit.id), expires_at=later).json()
    assert made["scopes"] == ["access:manage", "inbox:read"]
    assert ApiToken.objects.get(pk=made["id"]).expires_at == ends


def test_a_token_without_the_scope_sees_no_tokens(ana: User, unit: Unit) -> None:
    api = token_for(ana, scopes=[Action.READ_INBOX])
    assert api.get(OWN).status_code == make(api).status_code == 403


def test_a_token_of_one_unit_sees_no_tokens_of_others(ana: User, unit: Unit) -> None:
    ApiToken.mint(ana, "everywhere")
    api = token_for(ana, unit=unit, scopes=[Action.MANAGE_ACCESS])
    assert [token["name"] for token in api.get(OWN).json()["results"]] == ["CRM"]


def test_a_revoked_token_opens_nothing_from_the_next_request_on(api: APIClient, unit: Unit) -> None:
    made = make(api).json()
    program = as_token(made["token"])
    assert program.get("/units").status_code == 200
    assert api.delete(f"{OWN}/{made['id']}").status_code == 204
    assert program.get("/units").status_code == 401
    assert api.delete(f"{OWN}/{made['id']}").status_code == 404
    assert api.get(OWN).json()["results"] == []
    assert actions(unit) == ["token.made", "token.revoked"]


def test_a_token_of_somebody_else_is_not_there(api: APIClient, unit: Unit) -> None:
    token, _secret = ApiToken.mint(colleague(unit).user, "theirs")
    assert api.delete(f"{OWN}/{token.id}").status_code == 404
    assert ApiToken.objects.valid().filter(pk=token.pk).exists()


def test_a_token_that_is_over_opens_nothing(ana: User, unit: Unit) -> None:
    api = token_for(ana, expires_at=timezone.now() - timedelta(seconds=1))
    assert api.get("/units").status_code == 401


def test_a_time_that_has_passed_is_refused(api: APIClient, unit: Unit) -> None:
    assert make(api, expires_at="2020-01-01T00:00:00Z").status_code == 400


def test_who_may_not_log_in_any_more_has_no_token_that_opens(ana: User, unit: Unit) -> None:
    api = token_for(ana)
    User.objects.filter(pk=ana.pk).update(is_active=False)
    assert api.get("/units").status_code == 401


def test_a_token_for_all_units_is_in_the_log_of_each(api: APIClient, unit: Unit, ana: User, stranger: User) -> None:
    theirs = Unit.objects.of_member(stranger).get()
    Membership.objects.create(unit=theirs, user=ana, role=Role.AGENT)
    make(api)
    entries = AuditEntry.objects.filter(action="token.made")
    assert {entry.unit_id for entry in entries} == {unit.id, theirs.id}


def test_the_same_request_twice_makes_one_token_and_shows_it_again(api: APIClient, unit: Unit) -> None:
    api.credentials(HTTP_IDEMPOTENCY_KEY="k1")
    assert make(api).json()["token"] == make(api).json()["token"]
    assert ApiToken.objects.count() == 1


def test_a_token_is_not_told_what_a_wider_one_was_answered(ana: User, unit: Unit) -> None:
    """Else whoever may only make tokens reads one that may everything, from the answer to the same request."""
    wide, narrow = token_for(ana), token_for(ana, scopes=["access:manage"], unit=unit)
    for path, body in (
        ("/api/tokens", {"name": "ERP"}),
        (f"/units/{unit.id}/integrations", {"name": "ERP", "role": "agent", "scopes": ["inbox:read"]}),
    ):
        assert wide.post(path, body, format="json", headers={"Idempotency-Key": path}).status_code == 201
        again = narrow.post(path, body, format="json", headers={"Idempotency-Key": path})
        assert again.status_code in (403, 409), path
        assert "crm_" not in again.content.decode()


def test_a_program_works_under_its_own_name(api: APIClient, unit: Unit) -> None:
    made = make_program(api, unit).json()
    program = as_token(made["token"])
    assert program.get(f"/units/{unit.id}").status_code == 200
    user = User.objects.get(pk=made["user_id"])
    assert (user.is_integration, str(user), user.has_usable_password()) == (True, "ERP", False)
    assert [person["name"] for person in api.get(f"/units/{unit.id}/members").json()["results"]] == ["Ana"]
    assert actions(unit) == ["member.added", "token.made"]


def test_a_program_stays_when_who_made_it_goes(api: APIClient, unit: Unit) -> None:
    bia = colleague(unit, Role.OWNER)
    program = as_token(make_program(as_user(bia.user), unit).json()["token"])
    api.delete(f"/units/{unit.id}/members/{bia.id}")
    assert program.get(f"/units/{unit.id}").status_code == 200


def test_programs_are_listed_with_their_last_use(
    api: APIClient, unit: Unit, django_assert_max_num_queries: Any
) -> None:
    token = make_program(api, unit).json()["token"]
    for _number in range(3):
        make_program(api, unit)
    as_token(token).get(f"/units/{unit.id}")
    with django_assert_max_num_queries(4):
        listed = api.get(integrations(unit)).json()["results"]
    assert [bool(program["last_used_at"]) for program in listed] == [False, False, False, True]
    assert "token" not in str(listed[0]["tokens"][0].keys())


def test_a_program_gets_a_second_token_and_loses_the_first(api: APIClient, unit: Unit) -> None:
    made = make_program(api, unit).json()
    (first,) = made["tokens"]
    path = integrations(unit, f"/{made['id']}/tokens")
    second = api.post(path, {"name": "2027", "scopes": ["inbox:read"]}, format="json").json()
    assert api.delete(f"{path}/{first['id']}").status_code == 204
    assert as_token(made["token"]).get(f"/units/{unit.id}").status_code == 401
    assert as_token(second["token"]).get(f"/units/{unit.id}").status_code == 200


def test_a_deleted_program_opens_nothing_from_the_next_request_on(api: APIClient, unit: Unit) -> None:
    made = make_program(api, unit).json()
    assert api.delete(integrations(unit, f"/{made['id']}")).status_code == 204
    assert as_token(made["token"]).get(f"/units/{unit.id}").status_code == 401
    assert api.get(integrations(unit)).json()["results"] == []
    assert str(User.objects.get(pk=made["user_id"])) == "ERP"


def test_a_program_may_no_more_than_its_role(api: APIClient, unit: Unit) -> None:
    assert make_program(api, unit, scopes=["campaigns:write"]).status_code == 400
    assert not User.objects.filter(is_integration=True).exists()


def test_a_token_makes_no_program_with_more_than_its_own_scopes(ana: User, unit: Unit) -> None:
    api = token_for(ana, scopes=[Action.MANAGE_ACCESS])
    assert make_program(api, unit).status_code == 403
    assert not User.objects.filter(is_integration=True).exists()


@pytest.mark.parametrize("role", [Role.MANAGER, Role.AGENT])
def test_only_owners_see_and_make_programs(unit: Unit, role: Role) -> None:
    api = as_user(colleague(unit, role).user)
    assert api.get(integrations(unit)).status_code == make_program(api, unit).status_code == 403


def test_a_program_of_another_unit_is_not_there(api: APIClient, unit: Unit, stranger: User) -> None:  # I7
    theirs = Unit.objects.of_member(stranger).get()
    made = make_program(as_user(stranger), theirs).json()
    path = integrations(unit, f"/{made['id']}")
    assert api.get(path).status_code == api.delete(path).status_code == 404
    assert api.post(f"{path}/tokens", {"name": "x"}, format="json").status_code == 404
    assert api.delete(f"{path}/tokens/{made['tokens'][0]['id']}").status_code == 404
    assert as_token(made["token"]).get(f"/units/{theirs.id}").status_code == 200


def test_a_person_is_no_program(api: APIClient, unit: Unit) -> None:
    bia = colleague(unit)
    assert api.delete(integrations(unit, f"/{bia.id}")).status_code == 404
    assert unit.memberships.filter(pk=bia.pk).exists()
