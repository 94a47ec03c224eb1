"""What can be known of the containers without a container engine."""

import re
from typing import Any

import pytest
import yaml

from crm_whatsapp.launcher.embedded import CHECKOUT
from crm_whatsapp.launcher.processes import product_processes

COMPOSE = (CHECKOUT / "docker-compose.yml").read_text()
ENV_EXAMPLE = (CHECKOUT / ".env.example").read_text()
IGNORED = (CHECKOUT / ".dockerignore").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
PROCESSES = ("web", "live", "worker", "beat", "pump")
EXPLAINED = set(re.findall(r"^#?([A-Z][A-Z_]+)=", ENV_EXAMPLE, re.MULTILINE))


@pytest.mark.parametrize("name", [*PROCESSES, "postgres", "valkey", "evolution"])
def test_every_service_is_watched_and_restarted(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert SERVICES[name]["healthcheck"]["test"]


def test_the_containers_are_the_processes_of_make_run() -> None:
    environment = dict.fromkeys(("WEB_PORT", "LIVE_PORT", "SANDBOX_PORT", "EVOLUTION_URL"), "")
    assert set(PROCESSES) == {process.name for process in product_processes(CHECKOUT, CHECKOUT, environment)}


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_waits_for_the_schema(name: str) -> None:
    assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_services_wait_only_for_services_that_exist_and_can_answer() -> None:
    for service in SERVICES.values():
        for name, wait in service.get("depends_on", {}).items():
            assert wait["condition"] == "service_completed_successfully" or "healthcheck" in SERVICES[name]


def test_what_sends_has_time_to_finish() -> None:
    # A send may last 75 s.
    assert SERVICES["worker"]["stop_grace_period"] == SERVICES["pump"]["stop_grace_period"] == "95s"


def test_nothing_but_the_two_web_ports_is_reachable_and_only_from_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_variable_that_compose_wants_is_explained() -> None:
    wanted = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", COMPOSE))
    assert wanted <= EXPLAINED


def test_every_variable_that_the_settings_read_is_explained() -> None:
    settings = (CHECKOUT / "crm_whatsapp" / "settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', settings))
    assert read
    assert read <= EXPLAINED


def test_passwords_have_no_default() -> None:
    secrets = re.findall(r"\$\{([A-Z_]*(?:PASSWORD|KEY)[A-Z_]*)([^}]*)\}", COMPOSE)
    assert secrets
    assert all(rest.startswith(":?") for _, rest in secrets)


def test_the_image_gets_every_application_and_nothing_else() -> None:
    from django.conf import settings

    local = {app for app in settings.INSTALLED_APPS if (CHECKOUT / app / "__init__.py").exists()}
    copied = set(re.findall(r"^!([a-z_]+)/$", IGNORED, re.MULTILINE))
    assert local | {"crm_whatsapp"} == copied - {"locale"}
