"""What the tests of the console share."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One for all of them: to start it costs as much as a test does."""
    with chromium() as running:
        yield running
