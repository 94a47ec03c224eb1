"""Webhooks are lost; what they would have told is looked up."""

import pytest

from tests.stack import Stack, wait_for

pytestmark = pytest.mark.xdist_group("outage")

CUSTOMER = "5511977770000"


def test_what_was_lost_is_filled_in_by_hand(stack: Stack) -> None:
    stack.post("/whatsapp/connect")
    stack.sandbox.scan(stack.instance)
    wait_for(lambda: stack.get("/whatsapp/status")["complete_since"], what="the beginning of completeness")
    nowhere = {"enabled": True, "url": "http://127.0.0.1:9/", "events": ["MESSAGES_UPSERT"]}
    stack.sandbox.evolution("POST", f"/webhook/set/{stack.instance}", {"webhook": nowhere})
    stack.sandbox.inbound(stack.instance, CUSTOMER, "Vocês receberam?", "Maria")
    assert "1 messages and 0 receipts would be" in stack.manage("backfill", "--unit", stack.unit, "--dry-run")
    assert "1 messages and 0 receipts filled in" in stack.manage("backfill", "--unit", stack.unit)

    def arrived() -> bool:
        rows = stack.get("/conversations")["results"]
        return any(row["contact"]["phone"] == f"+{CUSTOMER}" and row["unread_count"] == 1 for row in rows)

    wait_for(arrived, what="the message")
    assert "0 messages and 0 receipts filled in" in stack.manage("backfill", "--unit", stack.unit)
    assert stack.manage("replay_webhooks", "--status", "all", "--dry-run").count("messages.upsert")
