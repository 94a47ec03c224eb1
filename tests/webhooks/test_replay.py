"""A second try: of one event, of a unit and a time, of everything."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection as database

from campaigns.models import Campaign, CampaignRecipient
from crm_whatsapp.db import ClockNow
from messaging.models import Contact, ContactAddress, Conversation, Message
from tests.factories import RECORDINGS, hook, inbound_text, webhook
from tests.webhooks.conftest import post
from units.models import ConnectionStatus, WhatsAppConnection
from units.services import create_unit
from webhooks.drain import drain
from webhooks.models import EventStatus, WebhookEvent
from webhooks.replay import replay

pytestmark = pytest.mark.django_db

FILES = sorted((RECORDINGS / "webhooks").glob("*.json")) + sorted((RECORDINGS / "payloads").glob("*.json"))


def drain_all() -> None:
    """Also what waits for something that never comes, which is tried for some minutes."""
    while WebhookEvent.objects.filter(status=EventStatus.RECEIVED).update(due_at=ClockNow()):
        drain(seconds=20)


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("replay_webhooks", *arguments, stdout=out)
    return out.getvalue()


def everything() -> dict[str, list[dict[str, Any]]]:
    models: tuple[Any, ...] = (Contact, ContactAddress, Conversation, Message, Campaign, CampaignRecipient)
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


def test_a_replay_of_everything_changes_nothing(connection: WhatsAppConnection) -> None:  # I2
    for file in FILES:
        content = json.loads(file.read_text())
        body = content.get("body", content.get("payload", content))
        if isinstance(body, dict) and "instance" in body:
            body["instance"] = connection.instance_name
        post(hook(connection), body)
    drain_all()
    before = everything()
    assert replay(WebhookEvent.objects.all()) > 100
    drain_all()
    assert everything() == before
    assert not WebhookEvent.objects.filter(status=EventStatus.DEAD).exists()


def test_what_was_no_json_stays_as_it_is(connection: WhatsAppConnection) -> None:
    post(hook(connection), {"event": "messages.upsert"})
    WebhookEvent.objects.update(status=EventStatus.IGNORED, reason="The body is not JSON.", body="<xml/>")
    assert replay(WebhookEvent.objects.all()) == 0


@pytest.mark.parametrize("name", ["connection.update", "QRCODE_UPDATED", "status-instance"])
def test_hints_about_the_line_are_not_told_again(connection: WhatsAppConnection, name: str) -> None:
    post(hook(connection), {"event": name, "instance": connection.instance_name, "data": {"state": "close"}})
    WebhookEvent.objects.update(status=EventStatus.HANDLED)
    assert replay(WebhookEvent.objects.all()) == 0
    assert WhatsAppConnection.objects.get().status == ConnectionStatus.CONNECTED


def dead(connection: WhatsAppConnection, external_id: str = "A1") -> WebhookEvent:
    post(hook(connection), inbound_text(connection, phone="5511977776666", text="Oi", external_id=external_id))
    event = WebhookEvent.objects.latest("id")
    WebhookEvent.objects.filter(pk=event.pk).update(status=EventStatus.DEAD, reason="DataError", attempts=8)
    return event


def test_the_command_replays_what_could_not_be_handled(connection: WhatsAppConnection) -> None:
    dead(connection)
    assert run() == "1 events are handled again.\n"
    drain(seconds=5)
    assert Message.objects.get().body == "Oi"
    assert run() == "0 events are handled again.\n"


def test_a_dry_run_says_what_it_would_do(connection: WhatsAppConnection) -> None:
    dead(connection)
    assert run("--dry-run").split() == [
        *("1", "dead", "messages.upsert"),
        *("1", "events", "would", "be", "handled", "again."),
    ]
    assert WebhookEvent.objects.get().status == EventStatus.DEAD


def test_the_command_chooses_by_id_whatever_became_of_it(connection: WhatsAppConnection) -> None:
    event, _other = dead(connection), dead(connection, "A2")
    WebhookEvent.objects.update(status=EventStatus.HANDLED)
    assert run(str(event.id)) == "1 events are handled again.\n"
    assert list(WebhookEvent.objects.filter(status=EventStatus.RECEIVED)) == [event]


def test_the_command_chooses_by_unit(connection: WhatsAppConnection) -> None:  # I7
    other = create_unit("Clínica do Saulo")
    dead(other.connection)
    assert run("--unit", str(connection.unit_id)) == "0 events are handled again.\n"
    assert run("--unit", str(other.id)) == "1 events are handled again.\n"


def test_a_unit_s_are_those_too_that_came_by_the_installation_s_secret(connection: WhatsAppConnection) -> None:  # I7
    event = dead(connection)
    WebhookEvent.objects.filter(pk=event.pk).update(connection=None)
    assert run("--unit", str(create_unit("Clínica do Saulo").id)) == "0 events are handled again.\n"
    assert run("--unit", str(connection.unit_id)) == "1 events are handled again.\n"


def test_the_command_chooses_by_time(connection: WhatsAppConnection) -> None:
    event = dead(connection)
    before = (event.created_at - timedelta(minutes=1)).isoformat()
    after = (event.created_at + timedelta(minutes=1)).isoformat()
    assert run("--until", before) == "0 events are handled again.\n"
    assert run("--since", after) == "0 events are handled again.\n"
    assert run("--since", before, "--until", after) == "1 events are handled again.\n"


def test_the_command_refuses_what_is_no_time() -> None:
    with pytest.raises(CommandError, match="is not a time"):
        run("--since", "yesterday")


@pytest.mark.parametrize("status", ["ignored", "handled", "all"])
def test_the_command_chooses_by_status(connection: WhatsAppConnection, status: str) -> None:
    dead(connection)
    WebhookEvent.objects.update(status=EventStatus.IGNORED if status == "all" else status)
    assert run() == "0 events are handled again.\n"
    assert run("--status", status) == "1 events are handled again.\n"


def test_a_poison_event_delays_only_itself(connection: WhatsAppConnection) -> None:  # I1
    with database.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.body = 'poison' THEN RAISE 'cannot be stored'; END IF; RETURN NEW; END $$;"
            " CREATE TRIGGER refuse BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    for number in range(40):
        text = "poison" if number == 17 else f"Mensagem {number}"
        post(hook(connection), inbound_text(connection, phone="5511977776666", text=text, external_id=f"A{number}"))
    drain(seconds=10)
    assert Message.objects.count() == 39
    drain_all()
    event = WebhookEvent.objects.get(status=EventStatus.DEAD)
    assert "cannot be stored" in event.reason
    with database.cursor() as cursor:
        cursor.execute("DROP TRIGGER refuse ON messages")
    assert replay(WebhookEvent.objects.filter(pk=event.pk)) == 1
    drain(seconds=5)
    assert Message.objects.filter(body="poison").exists()


def test_a_replayed_echo_sends_nothing(connection: WhatsAppConnection) -> None:  # I3
    post(hook(connection), webhook("baileys-send.message-sendText", connection))
    drain_all()
    replay(WebhookEvent.objects.all())
    drain_all()
    assert not Message.objects.filter(status__in=["queued", "claimed", "dispatching"]).exists()
    assert Message.objects.count() == 1
