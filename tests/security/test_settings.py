"""Settings as a server has them, read by a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVER = {
    "CRM_ENV_FILE": os.devnull,
    "ALLOWED_HOSTS": "crm.example.com",
    "PUBLIC_URL": "https://crm.example.com",
    "LIVE_URL": "",
    # No key of anybody: of the right form.
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "ENCRYPTION_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "DATABASE_URL": "postgres://crm@localhost/crm",
    "REDIS_URL": "redis://localhost",
    "EMAIL_URL": "smtp+tls://crm:secret@mail.example.com:587",
}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in ("DEBUG", "HTTPS")}
    environ = {**inherited, **SERVER, **environment}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )


def setting(name: str, **environment: str) -> str:
    done = run("-c", f"from crm_whatsapp import settings; print(settings.{name})", **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_deployment_check_has_nothing_to_say() -> None:
    done = run("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "False"),
        ("SESSION_COOKIE_SECURE", "True"),
        ("CSRF_COOKIE_SECURE", "True"),
        ("SECURE_SSL_REDIRECT", "True"),
        ("SECURE_HSTS_SECONDS", "31536000"),
    ],
)
def test_what_nobody_sets_is_the_safe_value(name: str, value: str) -> None:
    assert setting(name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "short"),
        ("EVOLUTION_WEBHOOK_HEADER_SECRETS", "short"),
        ("EVOLUTION_WEBHOOK_HEADER_SECRETS", "ç" * 40),
        ("WEBHOOK_RATE", "often"),
        ("WEBHOOK_RATE", "10/fortnight"),
    ],
)
def test_nonsense_is_refused_at_the_start(name: str, value: str) -> None:
    done = run("-c", "import crm_whatsapp.settings", **{name: value})
    assert done.returncode != 0
    assert "ImproperlyConfigured" in done.stderr
    assert name in done.stderr


def test_the_rate_can_be_switched_off() -> None:
    assert setting("WEBHOOK_RATE", WEBHOOK_RATE="") == ""
