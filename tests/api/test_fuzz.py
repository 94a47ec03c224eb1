"""Requests that nobody would write, made from the OpenAPI schema: no answer is a 5xx, or other than the schema says.

A short run with all tests; `make fuzz` is a long one (FUZZ_EXAMPLES: how many for each operation and mode).
"""

import os
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig

from crm_whatsapp.wsgi import application
from tests.access.conftest import taken_back
from tests.access.routes import model_of
from tests.access.world import Populated
from units.models import ApiToken, Role

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("long")]
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "1"))
PLAN: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}
load_all_checks()
# What a schema cannot say (a number of no country, a campaign that has ended) is refused nevertheless; and what it says
# of forms and queries is text before it is anything else. A 502 is right where it is described: nobody listens at the
# gateway's address. `ignored_auth` asks again without the token it knows of, and ours is in every request; who may ask
# for what, with and without a login, is in tests/access.
EXCLUDED = CHECKS.get_by_names(
    ["positive_data_acceptance", "negative_data_rejection", "unsupported_method", "not_a_server_error", "ignored_auth"]
)
MAY_BE = {*range(200, 500), 502}


@pytest.fixture
def described(populated: Populated, settings: Any) -> Iterator[Any]:
    settings.EVOLUTION_URL = "http://127.0.0.1:9"  # the discard port: nobody listens
    # The tests' transaction is on this connection: as Django's own test client, nobody closes it.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    _row, token = ApiToken.mint(populated.people[Role.OWNER], "fuzz")
    config = SchemathesisConfig.from_dict({"headers": {"Authorization": f"Bearer {token}"}})
    yield schemathesis.openapi.from_wsgi("/api/schema", application, config=config)
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def test_no_request_breaks_the_contract(described: Any, populated: Populated, subtests: Any) -> None:
    for result in described.get_all_operations():
        operation = result.ok()
        if operation.path.endswith("/events"):
            continue
        known = {
            parameter.name: str(found)
            for parameter in operation.path_parameters
            if (
                found := populated.ids.get(parameter.name)
                or populated.ids.get(model_of(parameter.name) or parameter.name)
            )
        }
        with subtests.test(operation.label):
            _fuzz(operation, known)


def _fuzz(operation: Any, known: dict[str, str]) -> None:
    """With the ids of what is there, since what is not there is 404, whatever is sent."""
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @settings(max_examples=EXAMPLES, **PLAN)
        @given(case=operation.as_strategy(generation_mode=mode, path_parameters=known or None))
        def ask(case: Any) -> None:
            # The same world for every request, also after a DELETE.
            with taken_back():
                assert case.call_and_validate(excluded_checks=EXCLUDED).status_code in MAY_BE

        # Where ids are all that is sent, nothing is left to be wrong.
        with suppress(Unsatisfiable) if mode is GenerationMode.NEGATIVE else nullcontext():
            ask()


def test_no_sequence_of_requests_breaks_the_contract(described: Any) -> None:
    machine = described.as_state_machine()

    class Workflow(machine):  # type: ignore[misc, valid-type]
        def setup(self) -> None:
            self._atomic = transaction.atomic()
            self._atomic.__enter__()

        def teardown(self) -> None:
            transaction.set_rollback(True)
            self._atomic.__exit__(None, None, None)

        def validate_response(self, response: Any, case: Any, **more: Any) -> None:
            case.validate_response(response, excluded_checks=EXCLUDED)
            assert response.status_code in MAY_BE

    run_state_machine_as_test(Workflow, settings=settings(max_examples=EXAMPLES, stateful_step_count=8, **PLAN))
