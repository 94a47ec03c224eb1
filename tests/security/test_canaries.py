"""I8: no secret is in what any process writes or shows, and nothing of a customer in what others than his unit read."""

import pytest

from tests.security.world import PROCESSES, TEXT, Heard, everything, production

pytestmark = pytest.mark.xdist_group("canaries")


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Heard:
    """Of processes that have ended: what they said last counts, too."""
    stack = production(tmp_path_factory.mktemp("canaries"))
    with stack:
        heard = everything(stack)
    heard.logs = {name: stack.supervisor.log(name) for name in PROCESSES}
    return heard


def found_in(said: dict[str, str], canaries: dict[str, str]) -> list[str]:
    return [f"{sort} in {where}" for where, text in said.items() for sort, canary in canaries.items() if canary in text]


@pytest.mark.parametrize("process", PROCESSES)
def test_no_log_has_a_canary(heard: Heard, process: str) -> None:  # I8
    log = {process: heard.logs[process]}
    assert found_in(log, heard.secrets | heard.contents) == []


@pytest.mark.parametrize("process", PROCESSES)
def test_each_process_had_something_to_complain_of(heard: Heard, process: str) -> None:
    """Else the test above would prove little."""
    assert "Traceback" in heard.logs[process]


def test_no_error_tells_more_than_that_it_is_one(heard: Heard) -> None:
    assert found_in(heard.errors, heard.secrets | heard.contents) == []


def test_pages_and_the_admin_show_no_secret(heard: Heard) -> None:
    assert found_in(heard.pages | heard.admin, heard.secrets) == []
    assert any(TEXT in page for page in heard.pages.values())


def test_strangers_hear_nothing(heard: Heard) -> None:  # I7
    assert found_in(heard.strangers, heard.secrets | heard.contents) == []


def test_a_stranger_who_drips_a_body_is_sent_away_at_once(heard: Heard) -> None:
    assert heard.drips["a stranger"] == ["HTTP/1.1 404 Not Found"] * 20


def test_a_gateway_that_drips_a_body_holds_up_nobody_else(heard: Heard) -> None:
    assert heard.drips["the gateway"] == ["200"]
