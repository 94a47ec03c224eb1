"""How often somebody may ask. Counted in the real Redis, under names that no other test has."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as configured
from limits import parse
from rest_framework.test import APIClient

from crm_whatsapp.throttling import Counter
from units.models import ApiToken, Membership, Role, Unit, User, WebhookSecret

TEN = parse("10/minute")


def asks(client: Any, unit: Unit, times: int = 1) -> list[int]:
    return [client.get(f"/units/{unit.pk}").status_code for _ in range(times)]


def by_token(user: User) -> APIClient:
    _row, token = ApiToken.mint(user, "teste")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def logged_in(user: User) -> APIClient:
    client = APIClient()
    client.force_login(user)
    return client


def test_of_fifty_at_once_ten_pass_where_ten_may() -> None:
    counter, who = Counter(configured.REDIS_URL), str(uuid4())
    with ThreadPoolExecutor(50) as threads:
        waits = list(threads.map(lambda _: counter.seconds_to_wait(TEN, who), range(50)))
    assert waits.count(0.0) == 10


@pytest.mark.django_db
def test_who_asks_too_often_is_told_when_to_come_back(ana: User, unit: Unit, settings: Any) -> None:
    settings.API_THROTTLE_CALLER = "2/minute"
    client = by_token(ana)
    assert asks(client, unit, 2) == [200, 200]
    refused = client.get(f"/units/{unit.pk}")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (429, "throttled")
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert refused["X-Request-ID"]


@pytest.mark.django_db
def test_whoever_waits_as_long_as_told_is_answered(ana: User, unit: Unit, settings: Any) -> None:
    settings.API_THROTTLE_CALLER = "3/2 second"
    client = by_token(ana)
    assert asks(client, unit, 3) == [200] * 3
    time.sleep(0.7)
    time.sleep(int(client.get(f"/units/{unit.pk}")["Retry-After"]))
    assert asks(client, unit) == [200]


@pytest.mark.django_db
def test_the_log_in_page_and_webhooks_are_not_the_api_s(ana: User, unit: Unit, settings: Any) -> None:
    settings.API_THROTTLE_CALLER = settings.API_THROTTLE_UNIT = "1/minute"
    client = logged_in(ana)
    assert asks(client, unit, 2) == [200, 429]
    assert 429 not in {client.get("/app/login").status_code for _ in range(3)}
    secret = WebhookSecret.mint(unit.connection)
    path = f"/webhooks/whatsapp/evolution/{secret}"
    told = {"event": "messages.upsert", "data": {}}
    assert [client.post(path, told, format="json").status_code for _ in range(3)] == [200] * 3


@pytest.mark.django_db
def test_tokens_and_their_person_are_counted_apart(ana: User, unit: Unit, settings: Any) -> None:
    settings.API_THROTTLE_CALLER = "1/minute"
    assert [asks(client, unit, 2) for client in (by_token(ana), by_token(ana), logged_in(ana))] == [[200, 429]] * 3


@pytest.mark.django_db
def test_all_callers_of_a_unit_are_counted_together(ana: User, unit: Unit, settings: Any) -> None:
    settings.API_THROTTLE_UNIT = "3/minute"
    bia = User.objects.create_user("bia@example.com")
    Membership.objects.create(unit=unit, user=bia, role=Role.AGENT)
    assert asks(by_token(ana), unit, 2) + asks(logged_in(bia), unit, 2) == [200, 200, 200, 429]


@pytest.mark.django_db
def test_strangers_use_up_nothing_of_a_unit(ana: User, stranger: User, unit: Unit, settings: Any) -> None:  # I7
    settings.API_THROTTLE_UNIT = "2/minute"
    assert asks(by_token(stranger), unit, 5) == [404] * 5
    assert asks(APIClient(), unit, 5) == [401] * 5
    assert asks(by_token(ana), unit, 2) == [200, 200]


@pytest.mark.django_db
def test_without_redis_everybody_is_answered(ana: User, unit: Unit, settings: Any) -> None:
    settings.REDIS_URL, settings.API_THROTTLE_CALLER = "redis://127.0.0.1:9/0", "1/minute"
    assert asks(by_token(ana), unit, 3) == [200, 200, 200]


def test_a_redis_that_does_not_answer_is_asked_once_and_then_left_alone_for_a_while() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        counter = Counter(f"redis://127.0.0.1:{deaf.getsockname()[1]}/0")
        assert [counter.seconds_to_wait(TEN, "a") for _ in range(20)] == [0.0] * 20
        deaf.accept()[0].close()
        deaf.setblocking(False)
        with pytest.raises(BlockingIOError):
            deaf.accept()
