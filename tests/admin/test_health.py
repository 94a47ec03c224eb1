"""The front page: the health of the system in numbers and words, each for who may see it."""

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from campaigns.models import Campaign
from crm_whatsapp import admin_health, heartbeat
from crm_whatsapp.admin_health import Tile
from messaging.holds import HoldCode
from messaging.models import Message
from tests.admin.conftest import Rows, make_rows
from units.models import User, WhatsAppConnection
from webhooks.models import WebhookEvent


def front(page: Client) -> dict[str, Tile]:
    response = page.get(reverse("admin:index"))
    assert response.status_code == 200
    return {tile.key: tile for _key, _title, tiles in response.context["sections"] for tile in tiles}


def staff_with(*rights: str) -> Client:
    user = User.objects.create_user("desk@example.com", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


def test_what_is_wrong_is_counted_with_its_age_and_leads_to_the_rows(page: Client, rows: Rows) -> None:
    WhatsAppConnection.objects.update(status="disconnected", phone_number="+5511912000001")
    Message.objects.update(status="uncertain", dispatched_at=timezone.now() - timedelta(minutes=42))
    told = front(page)
    assert [told[key].figure for key in ("disconnected", "uncertain", "dead", "attention")] == ["1"] * 4
    assert {told[key].tone for key in ("disconnected", "uncertain", "dead", "attention")} == {"danger"}
    assert "42" in told["uncertain"].note
    for key in ("disconnected", "uncertain", "dead", "attention"):
        response = page.get(told[key].url)
        assert response.context["cl"].result_count == 1, key


def test_what_waits_too_long_stands_out(page: Client, rows: Rows) -> None:
    Message.objects.update(status="queued", due_at=timezone.now() + timedelta(hours=1))
    WebhookEvent.objects.update(status="received", created_at=timezone.now() - timedelta(minutes=10))
    told = front(page)
    # Its time has not come.
    assert (told["queued"].figure, told["queued"].tone, told["queued"].note) == ("1", "default", "")
    assert (told["webhooks-waiting"].figure, told["webhooks-waiting"].tone) == ("1", "warning")
    assert told["webhooks"].figure == "0"


def test_a_process_without_a_sign_of_life_is_silent_and_an_unknown_one_is_not_accused(
    page: Client, rows: Rows, settings: Any, tmp_path: Path
) -> None:
    settings.HEARTBEAT_DIR = tmp_path
    heartbeat.beat("worker")
    heartbeat.beat("beat")
    long_ago = time.time() - 600
    os.utime(tmp_path / "beat", (long_ago, long_ago))
    told = front(page)
    assert [told[name].tone for name in ("worker", "beat", "pump")] == ["success", "danger", "default"]


def test_a_campaign_that_sends_stands_there_with_what_holds_it(page: Client, rows: Rows) -> None:
    Campaign.objects.update(status="processing", started_at=timezone.now())
    content = page.get(reverse("admin:index")).content.decode()
    assert reverse("admin:campaigns_campaign_change", args=[rows.campaign.pk]) in content
    assert str(HoldCode.DISCONNECTED.label) in content


def test_each_figure_is_for_who_may_see_its_rows(rows: Rows) -> None:
    told = front(staff_with("view_webhookevent"))
    assert {"dead", "webhooks", "worker"} <= set(told)
    assert not {"uncertain", "connected", "messages", "contacts", "attention"} & set(told)


def test_who_may_see_no_campaign_reads_of_none(rows: Rows) -> None:
    Campaign.objects.update(status="processing", started_at=timezone.now())
    assert rows.campaign.name not in staff_with().get(reverse("admin:index")).content.decode()


def test_of_a_large_table_an_estimate_is_told(page: Client, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_health, "MOST", 2)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE messages")
    for number in range(2, 6):
        make_rows(f"Loja {number}", number)
    assert front(page)["messages"].figure in {"more than 2", "mais de 2"}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE messages")
    assert front(page)["messages"].figure.split()[-1] == "5"


def test_the_front_page_takes_as_many_queries_for_thirty_units(page: Client, rows: Rows) -> None:
    Campaign.objects.update(status="processing", started_at=timezone.now())

    def asked() -> int:
        page.get(reverse("admin:index"))
        with CaptureQueriesContext(connection) as queries:
            page.get(reverse("admin:index"))
        return len(queries)

    one = asked()
    for number in range(2, 31):
        make_rows(f"Loja {number}", number)
    Campaign.objects.update(status="processing", started_at=timezone.now())
    # Once there are more than are shown, all of them are counted.
    assert asked() <= one + 1


def test_support_staff_see_the_operation_but_no_people_secrets_or_chats(rows: Rows) -> None:
    call_command("support_group", name="Support", verbosity=0)
    call_command("support_group", name="Support", verbosity=0)
    user = User.objects.create_user("support@example.com", is_staff=True)
    user.groups.set(user.groups.model.objects.filter(name="Support"))
    client = Client()
    client.force_login(user)
    shown = {"units_unit", "units_whatsappconnection", "webhooks_webhookevent", "campaigns_campaign"}
    hidden = {
        "units_user",
        "units_apitoken",
        "units_auditentry",
        "messaging_contact",
        "messaging_message",
        "auth_group",
    }
    answers = {name: client.get(reverse(f"admin:{name}_changelist")).status_code for name in shown | hidden}
    assert answers == dict.fromkeys(shown, 200) | dict.fromkeys(hidden, 403)
    assert (
        "agent1@example.com" not in client.get(reverse("admin:units_unit_change", args=[rows.unit.pk])).content.decode()
    )
    replay = reverse("admin:webhooks_webhookevent_replay_this", args=[rows.event.pk])
    assert client.post(replay, {"_form_submitted": "on"}).status_code == 302
    connect = reverse("admin:units_whatsappconnection_connect", args=[rows.unit.connection.pk])
    assert client.post(connect, {"_form_submitted": "on"}).status_code == 403
