"""What goes out compressed, and what does not."""

import gzip
from typing import Any

import pytest
from django.test import Client

from tests import factories
from tests.console.helpers import HTMX, at
from units.models import Unit

pytestmark = pytest.mark.django_db
TAKES = {"Accept-Encoding": "gzip, deflate, br, zstd"}


def encoding(answer: Any) -> str | None:
    return answer.headers.get("Content-Encoding")


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "part"])
def test_pages_and_parts_go_out_compressed(browser_client: Client, unit: Unit, headers: dict[str, str]) -> None:
    factories.message(factories.conversation(unit), "Vocês abrem no sábado?")
    plain, packed = (browser_client.get(at(unit), headers=headers | each) for each in ({}, TAKES))
    assert (encoding(plain), encoding(packed)) == (None, "gzip")
    assert "Vocês abrem no sábado?" in gzip.decompress(packed.content).decode()
    assert len(packed.content) < len(plain.content) / 2
    assert int(packed.headers["Content-Length"]) == len(packed.content)
    for answer in (plain, packed):
        assert {"Accept-Encoding", "HX-Request"} <= set(answer.headers["Vary"].split(", "))


def test_a_page_has_no_length_that_tells_what_is_in_it(browser_client: Client, unit: Unit) -> None:
    """Against BREACH: one page, in many lengths."""
    lengths = {len(browser_client.get(at(unit, "contacts"), headers=TAKES).content) for _ in range(5)}
    assert len(lengths) > 1


def test_a_secret_that_is_shown_once_is_not_compressed(browser_client: Client, unit: Unit) -> None:
    answer = browser_client.get(at(unit, "settings/tokens"), headers=TAKES)
    assert answer.headers["Cache-Control"] == "no-store"
    assert encoding(answer) is None


def test_a_file_that_is_downloaded_is_not_compressed(browser_client: Client, unit: Unit) -> None:
    answer = browser_client.get(at(unit, "overview?format=csv"), headers=TAKES)
    assert answer.status_code == 200
    assert encoding(answer) is None
