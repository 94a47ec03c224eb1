"""What every answer says to a browser, asked of each route there is."""

from copy import deepcopy
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from tests.access.conftest import taken_back
from tests.access.routes import Route, every_route
from tests.admin.conftest import Rows, make_rows
from units.models import Role, User
from webhooks.middleware import PREFIX

pytestmark = pytest.mark.django_db

EXACTLY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
}
# Answers to the gateway: no body, and no browser.
ROUTES = [route for route in every_route() if not f"/{route.path}".startswith(PREFIX)]


@pytest.fixture
def rows(settings: Any) -> Rows:
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 31_536_000
    return make_rows("Ótica Aurora", 1)


def client_of(user: User | None) -> Client:
    client = Client(raise_request_exception=False)
    if user:
        client.force_login(user)
    return client


def address(route: Route, rows: Rows) -> str:
    """Of a row that is there, when it is one of these; else of one that nobody has."""
    ids: dict[str, Any] = {name: uuid4() for name in route.names}
    ids |= {"unit_id": rows.unit.pk, "conversation_id": rows.conversation.pk, "campaign_id": rows.campaign.pk}
    return route.at(ids | {"contact_id": rows.contact.pk, "message_id": rows.message.pk})


def wrong_with(answer: Any) -> list[str]:
    wrong = [name for name, value in EXACTLY.items() if answer.get(name) != value]
    policy = answer.get("Content-Security-Policy", "")
    if "default-src 'none'" not in policy or "frame-ancestors" not in policy:
        wrong.append("Content-Security-Policy")
    if "camera=()" not in answer.get("Permissions-Policy", ""):
        wrong.append("Permissions-Policy")
    # One that is taken back says nothing any more.
    for cookie in (each for each in answer.cookies.values() if each.value):
        if not cookie["secure"] or not cookie["samesite"] or (cookie.key == "sessionid" and not cookie["httponly"]):
            wrong.append(f"cookie {cookie.key}")
    return wrong


@pytest.mark.parametrize("who", ["nobody", "a member", "staff"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_every_answer_has_the_headers(rows: Rows, who: str, method: str) -> None:
    staff = User.objects.create_superuser("staff@example.com") if who == "staff" else None
    member = User.objects.get(email="agent1@example.com") if who == "a member" else None
    found, logged_in = {}, client_of(staff or member).cookies
    for route in ROUTES:
        client = client_of(None)
        client.cookies = deepcopy(logged_in)
        # Also a logout.
        with taken_back():
            answer = getattr(client, method)(address(route, rows), secure=True)
        if wrong := wrong_with(answer):
            found[f"{route} {answer.status_code}"] = wrong
    assert found == {}
    assert len(ROUTES) > 200


def test_unsafe_styles_and_scripts_are_the_admin_s_alone(rows: Rows) -> None:
    client = client_of(User.objects.create_superuser("staff@example.com"))
    unsafe = {
        str(route)
        for route in ROUTES
        if "unsafe" in client.get(address(route, rows), secure=True).get("Content-Security-Policy", "")
    }
    # A file stands in a sandbox; the style is that of the page that a browser makes around a film.
    assert {path for path in unsafe if not path.startswith("/admin/") and "/media" not in path} == set()


def test_no_page_of_a_unit_is_kept_by_what_stands_between(rows: Rows) -> None:
    client = client_of(User.objects.get(email="agent1@example.com"))
    kept = {}
    for route in ROUTES:
        if route.path.startswith("app/u/"):
            answer = client.get(address(route, rows), secure=True)
            if answer.status_code == 200 and "private" not in answer.get("Cache-Control", ""):
                kept[str(route)] = answer.get("Cache-Control")
    assert kept == {}


@pytest.mark.parametrize("path", ["number", "number/panel", "settings/tokens"])
def test_what_shows_a_code_or_a_secret_is_not_kept_at_all(rows: Rows, path: str) -> None:
    owner = rows.unit.memberships.create(user=User.objects.create_user("dona@example.com"), role=Role.OWNER).user
    answer = client_of(owner).get(f"/app/u/{rows.unit.pk}/{path}", secure=True)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("path", ["/app/login", "/", "/units", "/admin/login/"])
def test_plain_http_is_sent_to_https(rows: Rows, path: str) -> None:
    assert Client().get(path)["Location"].startswith("https://")


def test_a_form_without_its_token_is_refused(rows: Rows) -> None:
    """Of the console, the admin, and the API with a session; a program's token needs none."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(email="agent1@example.com"))
    unit = rows.unit.pk
    for path in (f"/app/u/{unit}/number/connect", "/app/logout", "/app/login", f"/units/{unit}/whatsapp/messages"):
        assert client.post(path, {}, secure=True).status_code == 403, path


def test_no_view_but_the_webhooks_waives_the_token() -> None:
    """The API's views ask for it themselves, where a session is what lets somebody in."""
    functions = [route for route in every_route() if not isinstance(route.view, type)]
    waived = [str(route) for route in functions if getattr(route.view, "csrf_exempt", False)]
    assert {path for path in waived if not path.startswith("/webhooks/")} == set()
