"""The two units are made once for a file of tests; each test leaves them as they were."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from django.utils import translation
from pytest_httpserver import HTTPServer

from tests.access.world import World, build, prepare_checksums

# Nobody is slowed down who asks thousands of times.
UNTHROTTLED = {"API_THROTTLE_CALLER": "1000000/second", "API_THROTTLE_UNIT": "1000000/second"}


@contextmanager
def taken_back() -> Iterator[None]:
    """What is written within is gone afterwards, also by code that insists on a transaction of its own."""
    atomic = transaction.atomic()
    atomic._from_testcase = True  # type: ignore[attr-defined]
    with atomic:
        yield
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    media = tmp_path_factory.mktemp("media")
    with django_db_blocker.unblock(), override_settings(MEDIA_ROOT=media, **UNTHROTTLED), taken_back():
        with translation.override("pt-br"):
            made = build()
            prepare_checksums()
        yield made


@pytest.fixture(autouse=True)
def gateway(http_server: HTTPServer, settings: Any) -> Iterator[HTTPServer]:
    """A server of Evolution that is ill; who was asked for what is in its `log`."""
    http_server.clear()
    http_server.expect_request(re.compile(".*")).respond_with_data("", status=500)
    settings.EVOLUTION_URL = http_server.url_for("").rstrip("/")
    yield http_server
    http_server.clear()
