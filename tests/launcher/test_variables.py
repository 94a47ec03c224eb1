import socket
from contextlib import closing

from cryptography.fernet import Fernet

from crm_whatsapp.launcher.embedded import EmbeddedServices, choose_variables, fresh_environment
from crm_whatsapp.launcher.system import free_port


def test_a_first_start_chooses_everything() -> None:
    chosen = choose_variables({}, {}, ephemeral=True)
    assert len(chosen["SECRET_KEY"]) >= 50
    assert Fernet(chosen["ENCRYPTION_KEYS"])
    assert len({chosen["WEB_PORT"], chosen["LIVE_PORT"], chosen["SANDBOX_PORT"]}) == 3
    assert chosen["PUBLIC_URL"] == f"http://127.0.0.1:{chosen['WEB_PORT']}"
    assert chosen["EVOLUTION_URL"] == f"http://127.0.0.1:{chosen['SANDBOX_PORT']}"


def test_what_was_chosen_before_is_kept() -> None:
    kept = choose_variables({}, {}, ephemeral=True)
    assert choose_variables(kept, {}) == kept


def test_a_busy_port_moves_and_its_addresses_with_it() -> None:
    kept = choose_variables({}, {}, ephemeral=True)
    with closing(socket.create_server(("127.0.0.1", int(kept["WEB_PORT"])))):
        chosen = choose_variables(kept, {})
    assert chosen["WEB_PORT"] != kept["WEB_PORT"]
    assert chosen["PUBLIC_URL"] == f"http://127.0.0.1:{chosen['WEB_PORT']}"
    for other in ("LIVE_PORT", "SANDBOX_PORT"):
        assert chosen[other] == kept[other]


def test_an_address_that_somebody_wrote_is_left_alone() -> None:
    kept = choose_variables({}, {}, ephemeral=True) | {"EVOLUTION_URL": "https://evolution.example.com"}
    assert choose_variables(kept, {})["EVOLUTION_URL"] == "https://evolution.example.com"


def test_the_environment_wins() -> None:
    chosen = choose_variables({}, {"WEB_PORT": "9123", "SECRET_KEY": "from the environment"}, ephemeral=True)
    assert not {"WEB_PORT", "SECRET_KEY"} & chosen.keys()
    assert chosen["PUBLIC_URL"] == "http://127.0.0.1:9123"


def test_ports_given_away_but_not_yet_listened_on_are_not_given_twice() -> None:
    first = free_port()
    assert free_port(first, taken=frozenset({first})) != first


def test_services_inside_services_are_their_own() -> None:
    external = {"DATABASE_URL": "postgres://elsewhere/crm", "REDIS_URL": "redis://elsewhere"}
    with EmbeddedServices(ephemeral=True, environ=external) as outer:
        assert fresh_environment(outer.environment()) == {}
