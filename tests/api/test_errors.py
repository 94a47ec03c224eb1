"""What is answered when something is wrong: one shape, a code, a sentence in the caller's language, a request id."""

from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from units.models import Membership, Role, Unit, User

pytestmark = pytest.mark.django_db
NAME = "pedido-0001.tentativa_2"


def only_error(answer: Any, status: int, kind: str = "client_error") -> dict[str, Any]:
    """Its one error. Every error has this shape and a request id."""
    told = answer.json()
    assert (answer.status_code, told["type"], answer["Content-Type"]) == (status, kind, "application/json"), told
    assert answer["X-Request-ID"]
    (error,) = told["errors"]
    assert set(error) == {"code", "detail", "attr"}
    return error


TAGS = "/units/{unit}/tags"


def sends(data: str | bytes, kind: str = "application/json") -> dict[str, Any]:
    return {"data": data, "content_type": kind}


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("get", "/units/{unit}/nothing", {}, 404, "not_found"),
        ("get", "/units/not-an-id/contacts", {}, 404, "not_found"),
        ("get", "/units/{unit}/", {}, 404, "not_found"),
        ("get", "/units/00000000-0000-7000-8000-000000000000", {}, 404, "not_found"),
        ("get", "/api/nothing", {}, 404, "not_found"),
        ("put", "/units/{unit}/contacts", {}, 405, "method_not_allowed"),
        ("get", "/units/{unit}/contacts", {"headers": {"Accept": "text/html"}}, 406, "not_acceptable"),
        ("post", TAGS, sends("name=a", "text/plain"), 415, "unsupported_media_type"),
        ("post", TAGS, sends("<a/>", "application/xml"), 415, "unsupported_media_type"),
        ("post", TAGS, sends("{"), 400, "parse_error"),
        ("post", TAGS, sends(b'{"name": "\xff"}'), 400, "parse_error"),
        ("post", TAGS, sends("[" * 100_000), 400, "parse_error"),
        ("post", TAGS, sends('{"name": NaN}'), 400, "parse_error"),
        ("post", "/units/{unit}/attachments", sends(b"x", "multipart/form-data"), 400, "parse_error"),
    ],
)
def test_what_is_wrong_with_a_request_has_a_code(
    api: APIClient, unit: Unit, method: str, path: str, options: dict[str, Any], status: int, code: str
) -> None:
    assert only_error(getattr(api, method)(path.format(unit=unit.pk), **options), status)["code"] == code


@pytest.mark.parametrize("raw", [b'{"name": "a\\u0000b"}', b'{"name": "\\ud800"}', b"[]", b"null"])
def test_a_body_that_no_row_could_hold_is_400(api: APIClient, unit: Unit, raw: bytes) -> None:
    answer = api.post(f"/units/{unit.pk}/tags", raw, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["errors"]


def test_a_field_that_is_wrong_is_named(api: APIClient, unit: Unit) -> None:
    answer = api.post(f"/units/{unit.pk}/tags", {"name": "a\x00b"}, format="json")
    error = only_error(answer, 400, "validation_error")
    assert (error["code"], error["attr"]) == ("null_characters_not_allowed", "name")


def test_a_body_beyond_the_limit_is_413_and_not_read(api: APIClient, unit: Unit, settings: Any) -> None:
    settings.API_MAX_BODY_BYTES = 100
    answer = api.post(f"/units/{unit.pk}/tags", {"name": "a" * 100}, format="json")
    assert only_error(answer, 413)["code"] == "too_large"
    assert not unit.tags.exists()


def test_a_form_of_too_many_fields_is_413(api: APIClient, unit: Unit, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 5
    form = {f"field{number}": "x" for number in range(10)}
    assert only_error(api.post(f"/units/{unit.pk}/attachments", form, format="multipart"), 413)["code"] == "too_large"


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "This field is required."),
        ("pt-BR,pt;q=0.9", "Este campo é obrigatório."),
        ("de", "Este campo é obrigatório."),
    ],
)
def test_sentences_are_in_the_language_of_the_request(api: APIClient, unit: Unit, language: str, sentence: str) -> None:
    answer = api.post(f"/units/{unit.pk}/tags", {}, headers={"Accept-Language": language}, format="json")
    assert only_error(answer, 400, "validation_error")["detail"] == sentence


def test_a_role_that_does_not_suffice_is_told_so(api: APIClient, ana: User, unit: Unit) -> None:
    Membership.objects.filter(user=ana).update(role=Role.AGENT)
    answer = api.post(f"/units/{unit.pk}/tags", {"name": "VIP"}, headers={"Accept-Language": "en"})
    assert "role" in only_error(answer, 403)["detail"]


def test_without_a_login_it_is_401_and_says_how(unit: Unit) -> None:
    answer = APIClient().get(f"/units/{unit.pk}")
    assert only_error(answer, 401)["code"] == "not_authenticated"
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.urls("tests.api.broken")
@pytest.mark.parametrize("path", ["/units/broken", "/units/broken-outside"])
def test_an_error_of_ours_says_nothing_of_the_inside(api: APIClient, path: str) -> None:  # I8
    api.raise_request_exception = False
    answer = api.get(path)
    assert only_error(answer, 500, "server_error")["code"] == "error"
    assert "secret" not in answer.content.decode()


@pytest.mark.parametrize("path", ["/units", "/units/nothing", "/healthz", "/app/", "/nothing", "/static/nothing"])
def test_every_answer_has_a_request_id(api: APIClient, path: str) -> None:
    names = {api.get(path)["X-Request-ID"] for _ in range(2)}
    assert len(names) == 2


def test_a_request_may_bring_its_name(api: APIClient) -> None:
    assert api.get("/units", headers={"X-Request-ID": NAME})["X-Request-ID"] == NAME


@pytest.mark.parametrize("name", ["", "short", "a" * 65, "pedido 0001", "pedido-0001\n", 'pedido-"0001"'])
def test_what_is_no_name_is_replaced(api: APIClient, name: str) -> None:
    assert api.get("/units", headers={"X-Request-ID": name})["X-Request-ID"] not in ("", name)


# Pages of other origins

FRONT_END = "https://frente.example.com"


@pytest.fixture
def listed(settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = [FRONT_END]


def preflight(api: APIClient, path: str, origin: str = FRONT_END) -> Any:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,idempotency-key"}
    return api.options(path, headers={"Origin": origin} | asked)


def test_a_listed_origin_may_ask_with_a_token_and_read_our_headers(listed: None, api: APIClient, unit: Unit) -> None:
    allowed = preflight(api, f"/units/{unit.pk}/tags")
    assert (allowed.status_code, allowed["Access-Control-Allow-Origin"]) == (200, FRONT_END)
    assert {"authorization", "idempotency-key"} <= set(allowed["Access-Control-Allow-Headers"].split(", "))
    answer = api.get(f"/units/{unit.pk}", headers={"Origin": FRONT_END})
    assert answer["Access-Control-Allow-Origin"] == FRONT_END
    assert {"X-Request-ID", "Retry-After"} <= set(answer["Access-Control-Expose-Headers"].split(", "))


def test_errors_are_for_listed_origins_too(listed: None, api: APIClient) -> None:
    for path in ("/units/nothing", f"/units/{uuid4()}"):
        assert api.get(path, headers={"Origin": FRONT_END})["Access-Control-Allow-Origin"] == FRONT_END


def test_no_origin_may_use_a_session(listed: None, api: APIClient, unit: Unit) -> None:
    for answer in (preflight(api, f"/units/{unit.pk}"), api.get("/units", headers={"Origin": FRONT_END})):
        assert "Access-Control-Allow-Credentials" not in answer


@pytest.mark.parametrize(
    "origin", ["https://evil.example.com", "http://frente.example.com", f"{FRONT_END}.evil.com", "null"]
)
def test_other_origins_may_not(listed: None, api: APIClient, unit: Unit, origin: str) -> None:
    assert "Access-Control-Allow-Origin" not in preflight(api, f"/units/{unit.pk}/tags", origin)
    assert "Access-Control-Allow-Origin" not in api.get("/units", headers={"Origin": origin})


@pytest.mark.parametrize("path", ["/app/", "/admin/", "/healthz", "/webhooks/whatsapp/evolution/x"])
def test_pages_are_for_no_other_origin(listed: None, api: APIClient, path: str) -> None:
    assert "Access-Control-Allow-Origin" not in api.get(path, headers={"Origin": FRONT_END})
