"""A unit with a row of everything: made once for a file of tests, and left as it was by each of them."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings

from tests.access.conftest import UNTHROTTLED, taken_back
from tests.access.world import Populated, populate, prepare_checksums


@pytest.fixture(scope="module")
def populated(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Populated]:
    media = tmp_path_factory.mktemp("media")
    with django_db_blocker.unblock(), override_settings(MEDIA_ROOT=media, **UNTHROTTLED), taken_back():
        made = populate("Magnólia", "aqui")
        prepare_checksums()
        yield made
