"""One live process for all tests of this folder that do not kill it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from tests.live.process import LiveProcess
from units.models import ApiToken, User


@pytest.fixture(scope="session")
def live(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProcess]:
    with LiveProcess(
        tmp_path_factory.mktemp("live"),
        API_THROTTLE_CALLER="1000000/second",
        API_THROTTLE_UNIT="1000000/second",
        CORS_ALLOWED_ORIGINS="https://crm.example.com",
        LIVE_STREAMS_PER_USER="3",
        LIVE_SEND_TIMEOUT="2",
    ) as process:
        yield process


@pytest.fixture
def token(ana: User) -> dict[str, str]:
    """The header of Ana's program."""
    return bearer(ana)


@pytest.fixture
def cookie(ana: User) -> dict[str, str]:
    """The header of Ana's browser."""
    return logged_in(ana)


def bearer(user: User, **fields: Any) -> dict[str, str]:
    _row, secret = ApiToken.mint(user, "CRM", **fields)
    return {"Authorization": f"Bearer {secret}"}


def logged_in(user: User) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    return {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}
