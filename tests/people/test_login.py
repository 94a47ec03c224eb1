"""Logging in by the console and by the admin: how often it may go wrong, and what is answered then."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt
from django.core import mail
from django.test import Client
from django.utils import timezone

from crm_whatsapp.celery import app
from units.models import Unit, User

pytestmark = pytest.mark.django_db

PASSWORD, WRONG = "correct horse battery", "wrong"
CONSOLE, ADMIN = "/app/login", "/admin/login/?next=/admin/"
DOORS = pytest.mark.parametrize("door", [CONSOLE, ADMIN])


@pytest.fixture(autouse=True)
def ana(ana: User) -> User:
    """Gets in by both doors."""
    User.objects.filter(pk=ana.pk).update(is_staff=True)
    return ana


def log_in(door: str, who: str = "ana@example.com", password: str = WRONG, **meta: Any) -> Any:
    return Client().post(door, {"username": who, "password": password}, **meta)


def fail(times: int, door: str = CONSOLE, who: str = "ana@example.com", **meta: Any) -> Any:
    for _number in range(times):
        answer = log_in(door, who, **meta)
    return answer


@DOORS
def test_the_right_password_lets_in(door: str) -> None:
    assert fail(4, door).status_code == 200
    assert log_in(door, password=PASSWORD).status_code == 302


@DOORS
def test_after_five_failures_the_right_password_does_not_help(door: str) -> None:
    assert fail(5, door).status_code == 429
    answer = log_in(door, password=PASSWORD)
    assert answer.status_code == 429
    assert "sessionid" not in answer.cookies
    assert "15 minut" in answer.text
    assert 60 <= int(answer["Retry-After"]) <= 900


@DOORS
def test_an_address_that_nobody_has_is_answered_like_one_that_somebody_has(door: str) -> None:
    def shown(answer: Any, who: str) -> str:
        # The form carries what was typed and a token of its own.
        return re.sub(r"csrfmiddlewaretoken\S+ value=\S+|nonce=\S+", "", answer.text.replace(who, ""))

    for _number in range(5):
        known, unknown = log_in(door, "ana@example.com"), log_in(door, "nobody@example.com")
        assert known.status_code == unknown.status_code
        assert shown(known, "ana@example.com") == shown(unknown, "nobody@example.com")
    assert known.status_code == 429


def test_who_may_not_log_in_any_more_is_answered_like_nobody(ana: User) -> None:
    User.objects.filter(pk=ana.pk).update(is_active=False)
    assert "E-mail e senha não conferem" in log_in(CONSOLE, password=PASSWORD).text


def test_the_lock_of_the_console_holds_in_the_admin() -> None:
    fail(5, CONSOLE)
    assert log_in(ADMIN, password=PASSWORD).status_code == 429


def test_capitals_and_spaces_give_no_more_attempts() -> None:
    for who in ("ana@example.com", "ANA@example.com", " Ana@Example.com ", "aNa@example.com", "ana@EXAMPLE.com"):
        answer = log_in(CONSOLE, who)
    assert answer.status_code == 429


def test_another_browser_gives_no_more_attempts() -> None:
    for number in range(5):
        answer = log_in(CONSOLE, HTTP_USER_AGENT=f"Browser {number}")
    assert answer.status_code == 429


def test_who_is_locked_here_gets_in_from_elsewhere() -> None:
    fail(5, REMOTE_ADDR="203.0.113.7")
    assert log_in(CONSOLE, password=PASSWORD, REMOTE_ADDR="203.0.113.7").status_code == 429
    assert log_in(CONSOLE, password=PASSWORD, REMOTE_ADDR="203.0.113.8").status_code == 302


def test_an_address_that_tries_many_people_is_locked_for_all(settings: Any) -> None:
    settings.LOGIN_FAILURES_BY_ADDRESS = 6
    for number in range(6):
        answer = log_in(CONSOLE, f"p{number}@example.com")
    assert answer.status_code == 429
    assert log_in(CONSOLE, password=PASSWORD).status_code == 429
    assert log_in(CONSOLE, password=PASSWORD, REMOTE_ADDR="203.0.113.8").status_code == 302


def test_an_own_account_does_not_clear_an_addresss_failures(settings: Any) -> None:
    settings.LOGIN_FAILURES_BY_ADDRESS = 6
    for number in range(5):
        log_in(CONSOLE, f"p{number}@example.com")
    assert log_in(CONSOLE, password=PASSWORD).status_code == 302
    assert log_in(CONSOLE, "p6@example.com").status_code == 429


def test_the_lock_ends_by_itself_and_trying_on_does_not_prolong_it() -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        fail(5)
        clock.shift(timedelta(minutes=14))
        assert re.search(r" 1 minut", log_in(CONSOLE, password=PASSWORD).text)
        clock.shift(timedelta(minutes=1, seconds=1))
        assert log_in(CONSOLE, password=PASSWORD).status_code == 302
    assert not AccessAttempt.objects.exists()


def test_getting_in_forgets_the_failures_before() -> None:
    fail(4)
    log_in(CONSOLE, password=PASSWORD)
    assert fail(4).status_code == 200


def test_a_lock_does_not_touch_who_is_in_already(browser_client: Client) -> None:
    fail(5)
    assert browser_client.get("/app/").status_code == 200


def test_no_password_is_kept_of_a_failure() -> None:
    log_in(CONSOLE, password="geheimnis-42")
    row = AccessAttempt.objects.get()
    assert "geheimnis-42" not in " ".join(str(value) for value in vars(row).values())


# --- Where somebody comes from --------------------------------------------------------------------


def test_nobody_believes_a_header_that_is_not_configured() -> None:
    for number in range(5):
        answer = log_in(CONSOLE, HTTP_X_FORWARDED_FOR=f"203.0.113.{number}")
    assert answer.status_code == 429


def test_behind_a_proxy_the_last_address_in_its_header_counts(settings: Any) -> None:
    settings.CLIENT_ADDRESS_HEADER = "X-Forwarded-For"
    for number in range(5):
        answer = log_in(CONSOLE, HTTP_X_FORWARDED_FOR=f"203.0.113.{number}, 198.51.100.9")
    assert answer.status_code == 429
    assert log_in(CONSOLE, password=PASSWORD, HTTP_X_FORWARDED_FOR="198.51.100.10").status_code == 302
    assert set(AccessAttempt.objects.values_list("ip_address", flat=True)) == {"198.51.100.9"}


def test_behind_two_proxies_the_last_but_one_counts(settings: Any) -> None:
    settings.CLIENT_ADDRESS_HEADER, settings.CLIENT_ADDRESS_PROXIES = "X-Forwarded-For", 2
    log_in(CONSOLE, HTTP_X_FORWARDED_FOR="203.0.113.1, 198.51.100.9, 10.0.0.2")
    assert AccessAttempt.objects.get().ip_address == "198.51.100.9"


def test_a_header_that_says_nothing_is_no_way_out(settings: Any) -> None:
    settings.CLIENT_ADDRESS_HEADER = "X-Real-IP"
    for number in range(5):
        answer = log_in(CONSOLE, HTTP_X_REAL_IP=f"made-up-{number}")
    assert answer.status_code == 429


def test_a_network_of_ipv6_is_one_address() -> None:
    for number in range(1, 6):
        answer = log_in(CONSOLE, REMOTE_ADDR=f"2001:db8:7:1::{number}")
    assert answer.status_code == 429
    assert log_in(CONSOLE, password=PASSWORD, REMOTE_ADDR="2001:db8:7:2::1").status_code == 302


# --- Sessions and passwords -----------------------------------------------------------------------


@pytest.fixture
def worker(settings: Any) -> Iterator[None]:
    """Work that is asked for is done at once, however often."""
    settings.PASSWORD_LINKS_TO = settings.PASSWORD_LINKS_FROM = "1000/second"
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


def test_a_session_gets_another_key_when_somebody_logs_in() -> None:
    client = Client()
    client.get("/app/language")
    session = client.session
    session["seen"] = True
    session.save()
    before = session.session_key
    client.cookies["sessionid"] = str(before)
    client.post(CONSOLE, {"username": "ana@example.com", "password": PASSWORD})
    assert client.session.session_key != before


def test_a_sessions_cookie_is_out_of_reach_of_scripts_and_of_other_sites(settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = True
    cookie = log_in(CONSOLE, password=PASSWORD).cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "Lax", True)
    assert cookie["max-age"] == 14 * 24 * 3600


def test_a_new_password_logs_out_everywhere(browser_client: Client, ana: User) -> None:
    assert browser_client.get("/app/").status_code == 200
    user = User.objects.get(pk=ana.pk)
    user.set_password("um cavalo azul e manso")
    user.save()
    assert browser_client.get("/app/").status_code == 302


def test_who_may_not_log_in_any_more_is_out_with_the_next_request(
    browser_client: Client, ana: User, unit: Unit
) -> None:
    User.objects.filter(pk=ana.pk).update(is_active=False)
    assert browser_client.get(f"/app/u/{unit.id}/").headers["Location"].startswith("/app/login")
    assert browser_client.get(f"/units/{unit.id}").status_code == 401
    assert browser_client.get("/admin/").headers["Location"].startswith("/admin/login")


def test_a_link_is_good_once(worker: None, ana: User) -> None:
    ask("ana@example.com")
    (link,) = re.findall(r"http://testserver(/app/password/\S+)", str(mail.outbox[0].body))
    client = Client()
    form = client.get(link, follow=True).request["PATH_INFO"]
    client.post(form, {"new_password1": "um cavalo azul", "new_password2": "um cavalo azul"})
    assert "new_password1" not in Client().get(link, follow=True).text
    client.post(form, {"new_password1": "outro cavalo azul", "new_password2": "outro cavalo azul"})
    assert User.objects.get(pk=ana.pk).check_password("um cavalo azul")


def ask(who: str) -> Any:
    return Client().post("/app/password", {"email": who})


def test_who_has_forgotten_the_password_gets_a_link(worker: None, ana: User) -> None:
    assert ask("ANA@example.com").status_code == 200
    (link,) = re.findall(r"http://testserver(/app/password/\S+)", str(mail.outbox[0].body))
    client = Client()
    form = client.get(link, follow=True).request["PATH_INFO"]
    answer = client.post(form, {"new_password1": "um cavalo azul", "new_password2": "um cavalo azul"})
    assert answer.status_code == 302
    assert User.objects.get(pk=ana.pk).check_password("um cavalo azul")


def test_the_answer_is_the_same_for_an_address_that_nobody_has(worker: None) -> None:
    assert ask("ana@example.com").text == ask("nobody@example.com").text
    assert [letter.to for letter in mail.outbox] == [["ana@example.com"]]


def test_the_broker_sees_no_address(monkeypatch: Any, settings: Any, ana: User) -> None:
    settings.PASSWORD_LINKS_TO = settings.PASSWORD_LINKS_FROM = "1000/second"
    told: list[tuple[Any, ...]] = []
    monkeypatch.setattr("celery.app.task.Task.apply_async", lambda self, args=(), kwargs=None, **_: told.append(args))
    ask("ana@example.com")
    ask("nobody@example.com")
    (known, _site), (unknown, _same) = told
    assert known == str(ana.pk) != unknown
    assert "example.com" not in known + unknown


def test_a_program_gets_no_link(worker: None) -> None:
    ask(User.objects.create_integration("ERP").email)
    assert not mail.outbox


@pytest.mark.parametrize("password", ["kurz", "1234567890", "password123", "ana@example.com"])
def test_a_weak_password_is_refused(worker: None, ana: User, password: str) -> None:
    ask("ana@example.com")
    (link,) = re.findall(r"http://testserver(/app/password/\S+)", str(mail.outbox[0].body))
    client = Client()
    form = client.get(link, follow=True).request["PATH_INFO"]
    assert client.post(form, {"new_password1": password, "new_password2": password}).status_code == 200
    assert User.objects.get(pk=ana.pk).check_password(PASSWORD)


def test_a_link_is_good_for_three_days(worker: None, ana: User) -> None:
    ask("ana@example.com")
    (link,) = re.findall(r"http://testserver(/app/password/\S+)", str(mail.outbox[0].body))
    with time_machine.travel(timezone.now() + timedelta(days=3, minutes=1)):
        assert "new_password1" not in Client().get(link, follow=True).text


def test_the_link_is_not_in_the_address_of_the_form(worker: None, ana: User) -> None:
    ask("ana@example.com")
    (link,) = re.findall(r"http://testserver(/app/password/\S+)", str(mail.outbox[0].body))
    answer = Client().get(link)
    assert answer.status_code == 302
    assert answer["Location"].endswith("/set-password")
