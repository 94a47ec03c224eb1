"""The audit log: each thing that people do, through the door they do it by."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from campaigns.models import Campaign, CampaignStatus, RecipientStatus
from crm_whatsapp.db import ClockNow
from messaging import merging
from messaging.models import Message, MessageStatus
from tests import factories
from tests.admin.conftest import stated
from tests.console.helpers import confirm
from tests.people.helpers import actions, as_user, colleague, token_for
from units.models import ApiToken, AuditEntry, Role, Unit, User, WhatsAppConnection
from units.services import delete_unit
from webhooks.models import WebhookEvent
from webhooks.replay import replay

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def storage(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def draft(unit: Unit, **fields: Any) -> Campaign:
    made = factories.campaign(unit, start=False)
    Campaign.objects.filter(pk=made.pk).update(**fields)
    return made


def campaign_at(unit: Unit, action: str, **fields: Any) -> str:
    return f"/units/{unit.id}/campaigns/{draft(unit, **fields).id}/{action}"


def failed(unit: Unit) -> str:
    made = draft(unit, status=CampaignStatus.COMPLETED)
    made.recipients.update(status=RecipientStatus.FAILED, error_message="not_on_whatsapp")
    return f"/units/{unit.id}/campaigns/{made.id}/retry-failed"


def contact_at(unit: Unit, path: str) -> str:
    return f"/units/{unit.id}/contacts/{factories.contact(unit).id}/{path}"


def uncertain_at(unit: Unit, action: str) -> str:
    row = factories.reply(unit)
    Message.objects.filter(pk=row.pk).update(status=MessageStatus.UNCERTAIN, dispatched_at=ClockNow())
    return f"/units/{unit.id}/messages/{row.id}/{action}"


def waiting_at(unit: Unit) -> str:
    row = factories.reply(unit)
    Message.objects.filter(pk=row.pk).update(due_at=None)
    return f"/units/{unit.id}/whatsapp/waiting"


def held_at(unit: Unit) -> str:
    WhatsAppConnection.objects.filter(unit=unit).update(campaigns_held_at=ClockNow(), campaigns_held_for="failures")
    return f"/units/{unit.id}/whatsapp/campaigns/release"


def merged_at(unit: Unit) -> str:
    merge = merging.merge(factories.contact(unit), factories.contact(unit))
    return f"/units/{unit.id}/contacts/merges/{merge.id}/undo"


DRAFT, PROCESSING, PAUSED = CampaignStatus.DRAFT, CampaignStatus.PROCESSING, CampaignStatus.PAUSED
LATER = {"scheduled_at": "2031-01-01T12:00:00Z"}

# The action, where it is posted, what is posted.
BY_API: list[tuple[str, Callable[[Unit], str], dict[str, Any]]] = [
    ("campaign.scheduled", lambda unit: campaign_at(unit, "schedule"), LATER),
    ("campaign.started", lambda unit: campaign_at(unit, "start"), {}),
    ("campaign.paused", lambda unit: campaign_at(unit, "pause", status=PROCESSING), {}),
    ("campaign.resumed", lambda unit: campaign_at(unit, "resume", status=PAUSED), {}),
    ("campaign.cancelled", lambda unit: campaign_at(unit, "cancel", status=PROCESSING), {}),
    ("campaign.retried", failed, {}),
    ("contact.opted_out", lambda unit: contact_at(unit, "opt-out"), {"reason": "asked"}),
    ("contact.blocked", lambda unit: contact_at(unit, "block"), {"reason": "rude"}),
    ("message.settled", lambda unit: uncertain_at(unit, "settle"), {"sent": True}),
    ("message.settled", lambda unit: uncertain_at(unit, "send-again"), {}),
    ("number.waiting", waiting_at, {"action": "send"}),
    ("number.released", held_at, {}),
    ("contacts.parted", merged_at, {}),
]


@pytest.mark.parametrize(("action", "prepare", "body"), BY_API, ids=lambda value: str(value)[:24])
def test_what_is_done_by_the_api_is_in_the_log(
    ana: User, unit: Unit, action: str, prepare: Callable[[Unit], str], body: dict[str, Any]
) -> None:
    path = prepare(unit)
    answer = token_for(ana).post(path, body, format="json")
    assert answer.status_code < 300, answer.json()
    entry = AuditEntry.objects.latest("created_at", "id")
    assert (entry.action, entry.unit_id, entry.actor, entry.actor_name) == (action, unit.id, ana, "Ana")
    assert entry.token_name.startswith("CRM (crm_")
    assert entry.request_id


@pytest.mark.parametrize(("path", "action"), [("opt-out", "contact.opted_in"), ("block", "contact.unblocked")])
def test_what_is_lifted_is_in_the_log_too(api: APIClient, unit: Unit, path: str, action: str) -> None:
    at = contact_at(unit, path)
    api.post(at, {"reason": "asked"}, format="json")
    api.delete(at, {"reason": "asked again"}, format="json")
    assert actions(unit)[-1] == action
    # Once done there is nothing to do, and nothing to tell.
    api.delete(at, {"reason": "asked again"}, format="json")
    assert len(actions(unit)) == 2


def test_a_change_of_pace_tells_what_was_and_what_is(api: APIClient, unit: Unit) -> None:
    at = f"/units/{unit.id}/whatsapp/pace"
    api.patch(at, {"daily_cap": 80, "interval_seconds": "2.000"}, format="json")
    entry = AuditEntry.objects.get(action="number.pace")
    assert entry.details == {"daily_cap": [None, 80]}
    api.patch(at, {"daily_cap": 80}, format="json")
    assert AuditEntry.objects.filter(action="number.pace").count() == 1


@pytest.mark.parametrize(
    ("path", "action"), [("contacts/export.csv", "contacts.exported"), ("recipients", "campaign.exported")]
)
def test_exports_are_in_the_log(api: APIClient, unit: Unit, path: str, action: str) -> None:
    path = path if "." in path else f"campaigns/{draft(unit).id}/recipients.csv"
    answer = api.get(f"/units/{unit.id}/{path}")
    assert answer.status_code == 200
    assert actions(unit) == [action]
    answer.close()


def test_an_import_is_in_the_log(api: APIClient, unit: Unit) -> None:
    file = SimpleUploadedFile("clientes.csv", b"nome;telefone\nMarina;11900000142\n")
    assert api.post(f"/units/{unit.id}/contacts/imports", {"file": file}, format="multipart").status_code < 300
    assert AuditEntry.objects.get(action="contacts.imported").object_name == "clientes.csv"


def test_a_merge_is_in_the_log(unit: Unit) -> None:
    merging.merge(factories.contact(unit), factories.contact(unit))
    assert actions(unit) == ["contacts.merged"]


def test_what_is_done_in_the_console_is_in_the_log(browser_client: Client, unit: Unit, ana: User) -> None:
    contact = factories.contact(unit)
    path = f"/app/u/{unit.id}/contacts/{contact.id}/consent/opt-out"
    assert browser_client.post(path, {"reason": "asked"}).status_code < 400
    entry = AuditEntry.objects.get(action="contact.opted_out")
    assert (entry.actor, entry.object_id, entry.object_name, entry.token_name) == (ana, contact.id, "", "")


def test_what_is_done_in_the_admin_is_in_the_log(client: Client, unit: Unit) -> None:
    staff = User.objects.create_superuser("staff@example.com")
    client.force_login(staff)
    contact = factories.contact(unit)
    client.post(
        reverse("admin:messaging_contact_block", args=[contact.pk]), {"_form_submitted": "on", "reason": "rude"}
    )
    entry = AuditEntry.objects.get(action="contact.blocked")
    assert (entry.actor, entry.unit_id) == (staff, unit.id)


def test_a_role_that_is_changed_in_the_admin_is_in_the_log(client: Client, unit: Unit) -> None:
    client.force_login(User.objects.create_superuser("staff@example.com"))
    bia = colleague(unit)
    ana = unit.memberships.exclude(pk=bia.pk).get()
    form = {
        "name": unit.name,
        "time_zone": unit.time_zone,
        "memberships-TOTAL_FORMS": 2,
        "memberships-INITIAL_FORMS": 2,
    }
    for number, (row, role) in enumerate([(ana, "owner"), (bia, "manager")]):
        form |= {f"memberships-{number}-id": row.pk, f"memberships-{number}-unit": unit.pk}
        form |= {f"memberships-{number}-role": role}
    assert client.post(reverse("admin:units_unit_change", args=[unit.pk]), form).status_code == 302
    entry = AuditEntry.objects.get(action="member.changed")
    assert entry.details == {"role": ["agent", "manager"]}
    client.post(reverse("admin:units_unit_change", args=[unit.pk]), form | {"memberships-1-DELETE": "on"})
    assert actions(unit) == ["member.changed", "member.removed"]


def test_a_campaign_that_is_started_in_the_console_is_in_the_log(browser_client: Client, unit: Unit) -> None:
    campaign = draft(unit)
    confirm(browser_client, unit, campaign, "start")
    assert AuditEntry.objects.get(action="campaign.started").object_id == campaign.id


def test_a_pace_that_is_changed_in_the_console_is_in_the_log(browser_client: Client, unit: Unit, ana: User) -> None:
    form = {"interval_seconds": "5", "jitter_seconds": "0", "window_days": list(range(1, 8))}
    for _twice in range(2):
        assert browser_client.post(f"/app/u/{unit.id}/settings/number", form).status_code == 302
    entry = AuditEntry.objects.get(action="number.pace")
    assert (entry.actor, entry.details) == (ana, {"interval_seconds": ["2.000", "5"]})


def test_a_pace_that_is_changed_in_the_admin_is_in_the_log(client: Client, unit: Unit) -> None:
    client.force_login(User.objects.create_superuser("staff@example.com"))
    page = reverse("admin:units_whatsappconnection_change", args=[unit.connection.pk])
    form = {"interval_seconds": "5", "jitter_seconds": "0", "window_days": list(range(1, 8))}
    assert client.post(page, form).status_code == 302
    assert AuditEntry.objects.get(action="number.pace").details == {"interval_seconds": ["2.000", "5"]}


def test_a_token_that_is_made_and_revoked_in_the_admin_is_in_the_log(client: Client, unit: Unit, ana: User) -> None:
    client.force_login(User.objects.create_superuser("staff@example.com"))
    form = {"user": ana.pk, "unit": unit.pk, "name": "ERP", "scopes": ["inbox:read"]}
    assert client.post(reverse("admin:units_apitoken_add"), form).status_code == 302
    token = ApiToken.objects.get()
    client.post(reverse("admin:units_apitoken_revoke", args=[token.pk]), {"_form_submitted": "on"})
    assert actions(unit) == ["token.made", "token.revoked"]


@pytest.mark.parametrize(
    ("step", "action", "status"),
    [
        ("pause", "campaign.paused", PROCESSING),
        ("resume", "campaign.resumed", PAUSED),
        ("cancel", "campaign.cancelled", PROCESSING),
    ],
)
@pytest.mark.parametrize("door", ["console", "admin"])
def test_a_campaign_is_in_the_log_by_whichever_door(
    client: Client, unit: Unit, ana: User, door: str, step: str, action: str, status: CampaignStatus
) -> None:
    client.force_login(ana if door == "console" else User.objects.create_superuser("staff@example.com"))
    campaign = draft(unit, status=status)
    if door == "console":
        confirm(client, unit, campaign, step)
    else:
        path = reverse(f"admin:campaigns_campaign_{step}", args=[campaign.pk])
        assert client.post(path, stated(client, path)).status_code < 400
    assert AuditEntry.objects.get(action=action).object_id == campaign.id


@pytest.mark.parametrize("door", ["console", "admin"])
def test_an_export_of_a_campaign_is_in_the_log_by_whichever_door(
    client: Client, unit: Unit, ana: User, door: str
) -> None:
    client.force_login(ana if door == "console" else User.objects.create_superuser("staff@example.com"))
    campaign = draft(unit)
    path = {
        "console": f"/app/u/{unit.id}/campaigns/{campaign.id}/recipients.csv",
        "admin": reverse("admin:campaigns_campaign_export", args=[campaign.pk]),
    }[door]
    answer = client.get(path)
    assert answer.status_code == 200
    assert actions(unit) == ["campaign.exported"]
    answer.close()


def test_an_export_of_contacts_in_the_console_is_in_the_log(browser_client: Client, unit: Unit) -> None:
    answer = browser_client.get(f"/app/u/{unit.id}/contacts/export")
    assert actions(unit) == ["contacts.exported"]
    answer.close()


def test_events_that_are_handled_again_are_in_the_log_of_their_unit(unit: Unit) -> None:
    WebhookEvent.objects.create(
        connection=unit.connection, event="messages.upsert", body="{}", fingerprint=bytes(32), status="dead"
    )
    assert replay(WebhookEvent.objects.all()) == 1
    assert AuditEntry.objects.get(action="events.replayed").details == {"events": 1}


def test_an_action_that_is_rolled_back_leaves_no_entry(api: APIClient, unit: Unit) -> None:
    path = campaign_at(unit, "start")
    with transaction.atomic():
        assert api.post(path).status_code == 200
        transaction.set_rollback(True)
    assert actions(unit) == []


def test_an_action_that_is_refused_leaves_no_entry(api: APIClient, unit: Unit) -> None:
    assert api.post(campaign_at(unit, "pause")).status_code == 409
    assert actions(unit) == []


@pytest.mark.parametrize("statement", ["UPDATE audit_entries SET actor_name = 'x'", "DELETE FROM audit_entries"])
def test_the_database_refuses_to_change_the_log(unit: Unit, statement: str) -> None:
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert AuditEntry.objects.count() == 1


def test_a_unit_is_deleted_with_its_log(unit: Unit) -> None:
    delete_unit(unit)
    assert not AuditEntry.objects.exists()


def test_who_is_gone_keeps_his_name_in_the_log(api: APIClient, unit: Unit, ana: User) -> None:
    api.post(campaign_at(unit, "start"))
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM users WHERE id = %s", [ana.pk])
    entry = AuditEntry.objects.get(action="campaign.started")
    assert (entry.actor_id, entry.actor_name) == (None, "Ana")


# --- Reading it -----------------------------------------------------------------------------------


def at(unit: Unit, query: str = "") -> str:
    return f"/units/{unit.id}/audit{query}"


def test_owners_read_the_log_the_newest_first(api: APIClient, unit: Unit, ana: User) -> None:
    api.post(campaign_at(unit, "start"))
    newest, oldest = api.get(at(unit)).json()["results"]
    assert (newest["action"], newest["actor_name"]) == ("campaign.started", "Ana")
    assert (newest["actor_id"], newest["object_name"]) == (str(ana.id), "Volta às aulas")
    assert oldest["action"] == "member.added"


@pytest.mark.parametrize("role", [Role.MANAGER, Role.AGENT])
def test_nobody_else_reads_the_log(unit: Unit, role: Role) -> None:
    assert as_user(colleague(unit, role).user).get(at(unit)).status_code == 403


def test_the_log_of_another_unit_is_not_there(unit: Unit, stranger: User) -> None:  # I7
    assert as_user(stranger).get(at(unit)).status_code == 404


def test_the_log_is_filtered(api: APIClient, unit: Unit, ana: User) -> None:
    campaign = draft(unit)
    api.post(f"/units/{unit.id}/campaigns/{campaign.id}/start")
    for query in (
        "?action=campaign.started",
        "?action=campaign.started&action=campaign.paused",
        f"?actor={ana.id}&action=campaign.started",
        f"?object={campaign.id}",
    ):
        assert [entry["action"] for entry in api.get(at(unit, query)).json()["results"]] == ["campaign.started"]
    assert api.get(at(unit, "?until=2020-01-01T00:00:00Z")).json()["results"] == []
    assert len(api.get(at(unit, "?since=2020-01-01T00:00:00Z")).json()["results"]) == 2
    assert api.get(at(unit, "?action=nonsense")).status_code == 400


def test_the_log_comes_in_pages(api: APIClient, unit: Unit, django_assert_max_num_queries: Any) -> None:
    for _number in range(3):
        api.post(contact_at(unit, "block"), {"reason": "rude"}, format="json")
    with django_assert_max_num_queries(3):
        page = api.get(at(unit, "?page_size=2")).json()
    assert len(page["results"]) == 2
    rest = api.get(page["next"]).json()["results"]
    assert [entry["action"] for entry in rest] == ["contact.blocked", "member.added"]


def test_the_log_cannot_be_written_by_the_api(api: APIClient, unit: Unit) -> None:
    for method in (api.post, api.put, api.patch, api.delete):
        assert method(at(unit), {}, format="json").status_code == 405


def test_the_log_in_the_admin_is_read_only(client: Client, unit: Unit) -> None:
    client.force_login(User.objects.create_superuser("staff@example.com"))
    entry = AuditEntry.objects.get()
    page = reverse("admin:units_auditentry_change", args=[entry.pk])
    assert client.get(page).status_code == 200
    assert client.post(page, {"actor_name": "x"}).status_code == 403
    assert client.post(reverse("admin:units_auditentry_delete", args=[entry.pk]), {"post": "yes"}).status_code == 403
    assert client.get(reverse("admin:units_auditentry_add")).status_code == 403
