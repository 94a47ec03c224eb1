"""`manage.py backfill`: what is missing, by hand."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from messaging.models import Message
from tests.sandbox_process import Sandbox
from units.models import WhatsAppConnection
from webhooks.drain import drain
from webhooks.models import WebhookEvent

pytestmark = pytest.mark.django_db(transaction=True)

CUSTOMER = "5511977776666"


def backfill(*arguments: str) -> str:
    out = io.StringIO()
    call_command("backfill", *arguments, stdout=out)
    return out.getvalue().partition(": ")[2].strip()


def test_it_fills_in_what_is_missing_and_says_so(sandbox: Sandbox, paired: WhatsAppConnection) -> None:
    sandbox.inbound(paired.instance_name, CUSTOMER, "Oi")
    assert backfill("--unit", str(paired.unit_id)) == "1 messages and 0 receipts filled in."
    drain(seconds=5)
    assert Message.objects.get().body == "Oi"
    assert backfill("--connection", paired.instance_name) == "0 messages and 0 receipts filled in."


def test_a_dry_run_changes_nothing(sandbox: Sandbox, paired: WhatsAppConnection) -> None:
    sandbox.inbound(paired.instance_name, CUSTOMER, "Oi")
    said = backfill("--unit", str(paired.unit_id), "--dry-run")
    assert said == "1 messages and 0 receipts would be filled in."
    assert not WebhookEvent.objects.exists()


def test_it_looks_as_far_back_as_it_is_told(sandbox: Sandbox, paired: WhatsAppConnection) -> None:
    old = int((datetime.now(UTC) - timedelta(days=3)).timestamp())
    sandbox.inbound(paired.instance_name, CUSTOMER, "Segunda-feira", timestamp=old)
    unit = ("--unit", str(paired.unit_id))
    assert backfill(*unit).startswith("0 messages")
    assert backfill(*unit, "--hours", "80", "--dry-run").startswith("1 messages")
    since = (datetime.now(UTC) - timedelta(days=4)).isoformat()
    assert backfill(*unit, "--since", since).startswith("1 messages")


def test_a_gateway_that_is_away_is_told(sandbox: Sandbox, paired: WhatsAppConnection) -> None:
    sandbox.server("down")
    with pytest.raises(CommandError):
        backfill("--unit", str(paired.unit_id))


def test_a_number_that_is_not_there_is_told(connection: WhatsAppConnection) -> None:
    with pytest.raises(CommandError, match="no such number"):
        backfill("--connection", "unit_unknown")
