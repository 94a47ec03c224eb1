"""The OpenAPI schema is true: it has every route, and what is answered is what it says."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from django.urls import resolve
from schemathesis.checks import CHECKS, load_all_checks

from crm_whatsapp.wsgi import application
from tests.access.routes import Route, every_route, is_api, schema, unit_routes
from tests.access.world import Populated
from tests.api.asks import ASKS, Ask, name_of, path_of, posts
from units.models import ApiToken, Role

load_all_checks()
TRUTHS = CHECKS.get_by_names(
    [
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "not_a_server_error",
    ]
)
# Schema and documentation say nothing of themselves.
OF_ITSELF = {"api/schema", "api/docs"}
VERBS = ("get", "post", "put", "patch", "delete")


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, verb, told) for path, each in schema()["paths"].items() for verb, told in each.items() if verb in VERBS
    ]


def test_it_is_valid_and_made_without_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "schema.yml"
    call_command("spectacular", file=str(file), validate=True, fail_on_warn=True)
    assert file.stat().st_size


def test_it_has_every_route_and_method_and_no_other() -> None:
    answered = {
        (route.at({name: f"{{{name}}}" for name in route.names}), method)
        for route in every_route()
        if is_api(route) and route.path not in OF_ITSELF
        for method in route.methods
    }
    assert {(path, verb) for path, verb, _told in operations()} == answered


def test_every_operation_has_a_name_of_its_own_a_summary_and_a_description() -> None:
    names = [told["operationId"] for _path, _verb, told in operations()]
    assert sorted(set(names)) == sorted(names)
    assert [name for name in names if not name.replace("_", "").isalnum()] == []
    for *_, told in operations():
        assert told.get("summary"), told["operationId"]
        assert told.get("description"), told["operationId"]


def test_every_operation_says_how_to_log_in_and_what_errors_there_are() -> None:
    for path, _verb, told in operations():
        assert {"token": []} in told["security"]
        expected = {"401", "429"} | ({"403", "404"} if "{unit_id}" in path else set())
        assert expected <= set(told["responses"]), told["operationId"]
        for status, response in told["responses"].items():
            if status >= "400":
                assert response["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Errors"}


def test_keys_are_where_they_are_honoured() -> None:
    for route in posts():
        told = schema()["paths"][route.at({name: f"{{{name}}}" for name in route.names})]["post"]
        has_key = "Idempotency-Key" in {parameter["name"] for parameter in told["parameters"]}
        assert has_key == (route.view.answers_once or name_of(route) == "send-message"), route


def test_a_refusal_for_being_too_fast_says_when_to_come_back() -> None:
    for *_, told in operations():
        if told["operationId"] != "events":
            assert "Retry-After" in told["responses"]["429"]["headers"], told["operationId"]


def test_the_token_is_described() -> None:
    scheme = schema()["components"]["securitySchemes"]["token"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert scheme["description"]


@pytest.mark.django_db
def test_the_documentation_page_needs_nothing_from_elsewhere(client: Client) -> None:
    page = client.get("/api/docs")
    assert page.status_code == 200
    assert "https://" not in page.content.decode().replace("https://github.com", "")
    assert "unsafe-eval" not in page["Content-Security-Policy"]


# What is answered


@cache
def _described() -> Any:
    """The schema as it is served; made once, since that takes two seconds."""
    return schemathesis.openapi.from_wsgi("/api/schema", application)


@pytest.fixture
def asked(populated: Populated) -> Any:
    """The schema as it is served, and who asks: an owner with a token."""
    _row, token = ApiToken.mint(populated.people[Role.OWNER], "schema")
    # The tests' transaction is on this connection: as Django's own test client, nobody closes it.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield _described(), {"Authorization": f"Bearer {token}"}
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def ids(route: Route, whose: Populated, ask: Ask | None = None) -> dict[str, str]:
    found = resolve(path_of(route, whose, ask)).kwargs
    return {name: str(value) for name, value in found.items()}


# The live process alone answers it.
STREAM = "units/<uuid:unit_id>/events"
READ = [route for route in unit_routes() if "get" in route.methods and route.path != STREAM]


@pytest.mark.django_db
@pytest.mark.parametrize("route", READ, ids=str)
def test_what_is_read_is_as_described(asked: Any, populated: Populated, route: Route) -> None:
    described, headers = asked
    operation = described[route.at({name: f"{{{name}}}" for name in route.names})]["GET"]
    answer = operation.Case(path_parameters=ids(route, populated), headers=headers).call_and_validate(checks=TRUTHS)
    assert answer.status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("route", [route for route in posts() if name_of(route) in ASKS], ids=str)
def test_what_is_answered_to_a_post_is_as_described(asked: Any, populated: Populated, route: Route) -> None:
    described, headers = asked
    ask = ASKS[name_of(route)](populated)
    operation = described[route.at({name: f"{{{name}}}" for name in route.names})]["POST"]
    kind = "multipart/form-data" if ask.files else "application/json"
    body = ask.body | {name: content for name, (_file, content) in ask.files.items()}
    sent = {"body": body, "media_type": kind} if body else {}
    case = operation.Case(path_parameters=ids(route, populated, ask), headers=headers, **sent)
    assert case.call_and_validate(checks=TRUTHS).status_code < 300
