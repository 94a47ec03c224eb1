"""Settings, as the people of a unit see and change them."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from messaging.models import CannedReply, Label
from tests import factories
from tests.console.helpers import HTMX, at, colleague
from units.models import ApiToken, AuditAction, AuditEntry, Membership, Unit, User, WhatsAppConnection
from units.roles import Role

pytestmark = pytest.mark.django_db

TABS = ["number", "members", "tokens", "webhooks", "replies", "labels", "secret", "audit", "unit"]


@pytest.fixture
def bia(unit: Unit) -> Client:
    """An agent of the unit."""
    client = Client()
    client.force_login(colleague(unit))
    return client


def test_each_page_has_a_title_of_its_own(browser_client: Client, unit: Unit) -> None:
    def title(tab: str) -> str:
        found = re.search("<title>(.*) · Ajustes · ", browser_client.get(at(unit, f"settings/{tab}")).text)
        return found[1] if found else ""

    tabs = {*re.findall(rf'href="{at(unit, "settings/")}(\w+)"', browser_client.get(at(unit, "settings/number")).text)}
    assert len({title(tab) for tab in tabs} - {""}) == len(tabs) == 9


def test_every_tab_is_there_for_an_owner(browser_client: Client, unit: Unit) -> None:
    page = browser_client.get(at(unit, "settings"), follow=True).text
    assert [tab for tab in TABS if f'href="{at(unit, f"settings/{tab}")}"' in page] == TABS
    for tab in TABS:
        assert browser_client.get(at(unit, f"settings/{tab}")).status_code == 200


def test_an_agent_sees_what_he_may_use(bia: Client, unit: Unit) -> None:
    page = bia.get(at(unit, "settings"), follow=True).text
    assert [tab for tab in TABS if f'href="{at(unit, f"settings/{tab}")}"' in page] == ["number", "replies", "labels"]
    assert "settings/replies/new" not in bia.get(at(unit, "settings/replies")).text
    assert bia.post(at(unit, "settings/replies/new"), {"shortcut": "oi", "body": "Oi"}).status_code == 403
    assert bia.get(at(unit, "settings/members")).status_code == 403


@pytest.mark.parametrize(
    ("pace", "words"),
    [
        ({"daily_cap": 120, "interval_seconds": 30}, ["120", "2"]),
        ({"interval_seconds": 90}, ["90 s"]),
        ({"window_days": [1, 2, 3, 4, 5]}, ["seg", "sex"]),
    ],
)
def test_the_effect_of_a_pace_is_said_in_words(
    browser_client: Client, unit: Unit, pace: dict[str, Any], words: list[str]
) -> None:
    WhatsAppConnection.objects.update(window_start="08:00", window_end="18:00", **pace)
    page = browser_client.get(at(unit, "settings/number")).text
    sentence = re.search(r'class="pace-sentence">([^<]*)<', page)
    assert sentence
    assert all(word in sentence[1] for word in ["08:00", "18:00", *words])


def test_a_saved_pace_is_in_the_audit_log_in_words(browser_client: Client, unit: Unit) -> None:
    kept = {"interval_seconds": "2", "jitter_seconds": "0", "window_days": list("1234567")}
    browser_client.post(at(unit, "settings/number"), {**kept, "daily_cap": "1500"})
    entry = AuditEntry.objects.get(action=AuditAction.NUMBER_PACE)
    assert (entry.actor_name, entry.details) == ("Ana", {"daily_cap": [None, 1500]})
    assert "sem limite → 1.500" in browser_client.get(at(unit, "settings/audit")).text


def test_the_audit_log_has_no_codes(browser_client: Client, unit: Unit) -> None:
    pace = {"interval_seconds": "2.5", "jitter_seconds": "0", "window_days": list("12345")}
    window = {"window_start": "09:00", "window_end": "18:30", "in_use_since": "2025-03-02"}
    browser_client.post(at(unit, "settings/number"), {**pace, **window})
    browser_client.post(
        at(unit, "settings/unit"), {"name": unit.name, "time_zone": "America/Manaus", "answer_goal": "30"}
    )
    # As it was written before numbers without a phone had a name of their own.
    old = f"{unit} · unit_{unit.id}"
    AuditEntry.objects.create(unit=unit, action=AuditAction.NUMBER_CONNECTED, object_name=old)
    hooks: dict[str, Any] = {"url": "https://example.com/a", "kinds": [["message", "campaign"], []]}
    AuditEntry.objects.create(unit=unit, action=AuditAction.WEBHOOK_CHANGED, details=hooks)
    waited = {"choice": "drop", "messages": 3}
    AuditEntry.objects.create(unit=unit, action=AuditAction.NUMBER_WAITING, details=waited)
    page = browser_client.get(at(unit, "settings/audit")).text
    for words in (
        "2 → 2,5",
        "— → 09:00",
        "— → 02/03/2025",
        "seg, ter, qua, qui, sex, sab, dom → seg, ter, qua, qui, sex",
        "Brasília (São Paulo), GMT−3 → Manaus, GMT−4",
        "Mensagens e confirmações, Campanhas → ",
    ):
        assert words in page, words
    assert not re.search(r"unit_[0-9a-f]{8}-|America/|[a-z]+_[a-z]+: |>message<|: drop", page)


def test_a_time_zone_is_chosen_by_its_name(browser_client: Client, unit: Unit) -> None:
    page = browser_client.get(at(unit, "settings/unit")).text
    assert 'value="Brasília (São Paulo), GMT−3"' in page
    assert 'value="Manaus, GMT−4"' in page
    told = {"name": unit.name, "answer_goal": "30"}
    browser_client.post(at(unit, "settings/unit"), {**told, "time_zone": "manaus, gmt−4"})
    assert Unit.objects.get(pk=unit.pk).time_zone == "America/Manaus"
    refused = browser_client.post(at(unit, "settings/unit"), {**told, "time_zone": "Pasárgada"}).text
    assert 'id="id_time_zone_error"' in refused
    assert 'value="Pasárgada"' in refused
    assert "Manaus, GMT−4" in browser_client.get(at(unit, "settings/number")).text


def test_the_page_of_canned_replies_tells_what_fills_itself_in(browser_client: Client, unit: Unit) -> None:
    dialog = browser_client.get(at(unit, "settings/replies/new"), headers=HTMX).text
    assert "{{ primeiro_nome }}" in dialog


# --- People -----------------------------------------------------------------------------------------


def test_somebody_is_invited_and_waits_to_come_in(
    browser_client: Client, unit: Unit, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        page = browser_client.post(
            at(unit, "settings/members/new"),
            {"email": "nova@example.com", "name": "Nova", "role": "agent"},
            follow=True,
        )
    assert mail.outbox[0].to == ["nova@example.com"]
    made = Membership.objects.get(user__email="nova@example.com")
    assert f"members/{made.id}/invite" in page.text
    browser_client.post(at(unit, f"settings/members/{made.id}/invite"))
    assert len(mail.outbox) == 2


def test_who_works_here_already_is_not_invited_again(browser_client: Client, unit: Unit) -> None:
    colleague(unit)
    page = browser_client.post(at(unit, "settings/members/new"), {"email": "BIA@example.com", "role": "agent"})
    assert 'id="id_email_error"' in page.text
    assert 'value="BIA@example.com"' in page.text


def test_another_role_holds_at_once(browser_client: Client, unit: Unit, bia: Client) -> None:
    member = Membership.objects.get(user__email="bia@example.com")
    browser_client.post(at(unit, f"settings/members/{member.id}/role"), {"role": "manager"})
    assert bia.get(at(unit, "settings/replies/new")).status_code == 200


@pytest.mark.parametrize("step", ["role", "remove"])
def test_a_unit_keeps_an_owner(browser_client: Client, unit: Unit, ana: User, step: str) -> None:
    mine = Membership.objects.get(user=ana)
    page = browser_client.post(at(unit, f"settings/members/{mine.id}/{step}"), {"role": "agent"})
    assert 'role="alert"' in page.text
    assert Membership.objects.get(user=ana).role == Role.OWNER


def test_who_was_removed_is_out(browser_client: Client, unit: Unit, bia: Client) -> None:
    member = Membership.objects.get(user__email="bia@example.com")
    browser_client.post(at(unit, f"settings/members/{member.id}/remove"))
    assert bia.get(at(unit)).status_code == 404


# --- Tokens -----------------------------------------------------------------------------------------


def shown_token(page: str) -> str:
    found = re.search(r'id="secret" readonly value="(crm_[^"]+)"', page)
    assert found
    return found[1]


def test_an_integration_gets_a_token_that_is_shown_once(browser_client: Client, unit: Unit) -> None:
    answer = browser_client.post(
        at(unit, "settings/integrations/new"),
        {"name": "ERP", "role": "agent", "lasts": "30", "scopes": ["contacts:read"]},
    )
    api = APIClient(headers={"Authorization": f"Bearer {shown_token(answer.text)}"})
    assert api.get(f"/units/{unit.id}/contacts").status_code == 200
    assert api.get(f"/units/{unit.id}/conversations").status_code == 403
    assert answer.headers["Cache-Control"] == "no-store"
    again = browser_client.get(at(unit, "settings/tokens")).text
    assert "ERP" in again
    assert "<li>Ver contatos</li>" in again
    assert 'id="secret"' not in again
    token = ApiToken.objects.get()
    assert token.expires_at is not None
    assert timedelta(days=29) < token.expires_at - timezone.now() <= timedelta(days=30)


def test_a_role_and_scopes_that_do_not_fit_are_refused(browser_client: Client, unit: Unit) -> None:
    answer = browser_client.post(
        at(unit, "settings/integrations/new"), {"name": "ERP", "role": "agent", "scopes": ["campaigns:write"]}
    )
    assert 'id="id_scopes_error"' in answer.text
    assert not ApiToken.objects.exists()


def test_a_revoked_token_opens_nothing(browser_client: Client, unit: Unit) -> None:
    page = browser_client.post(at(unit, "settings/tokens/new"), {"name": "Meu", "lasts": "", "scopes": ["inbox:read"]})
    api = APIClient(headers={"Authorization": f"Bearer {shown_token(page.text)}"})
    assert api.get(f"/units/{unit.id}/conversations").status_code == 200
    browser_client.post(at(unit, f"settings/tokens/{ApiToken.objects.get().id}/revoke"))
    assert api.get(f"/units/{unit.id}/conversations").status_code == 401


def test_a_removed_integration_is_gone_with_its_tokens(browser_client: Client, unit: Unit) -> None:
    browser_client.post(
        at(unit, "settings/integrations/new"), {"name": "ERP", "role": "agent", "scopes": ["contacts:read"]}
    )
    program = Membership.objects.get(user__is_integration=True)
    page = browser_client.post(at(unit, f"settings/integrations/{program.id}/remove"), follow=True).text
    assert f"integrations/{program.id}" not in page
    assert ApiToken.objects.get().revoked_at is not None


# --- Replies, labels, unit --------------------------------------------------------------------------


def test_a_canned_reply_is_made_changed_and_deleted(browser_client: Client, unit: Unit) -> None:
    page = browser_client.post(
        at(unit, "settings/replies/new"), {"shortcut": "/horario", "body": "9h às 18h"}, follow=True
    )
    assert "9h às 18h" in page.text
    reply = CannedReply.objects.get(shortcut="horario")
    browser_client.post(at(unit, f"settings/replies/{reply.id}"), {"shortcut": "horas", "body": "9h às 19h"})
    reply.refresh_from_db()
    assert (reply.shortcut, reply.body) == ("horas", "9h às 19h")
    browser_client.post(at(unit, f"settings/replies/{reply.id}/delete"))
    assert not CannedReply.objects.exists()


@pytest.mark.parametrize("shortcut", ["com espaço", "HORARIO", ""])
def test_a_shortcut_that_cannot_be_is_refused_beside_its_field(
    browser_client: Client, unit: Unit, shortcut: str
) -> None:
    CannedReply.objects.create(unit=unit, shortcut="horario", body="9h")
    page = browser_client.post(
        at(unit, "settings/replies/new"), {"shortcut": shortcut, "body": "Bom dia"}, headers=HTMX
    )
    assert 'id="id_shortcut_error"' in page.text
    assert "Bom dia" in page.text


def test_a_label_says_how_many_conversations_have_it(browser_client: Client, unit: Unit) -> None:
    browser_client.post(at(unit, "settings/labels/new"), {"name": "Orçamento", "color": "#1FA855"})
    label = Label.objects.get()
    assert label.color == "#1fa855"
    factories.conversation(unit).labels.add(label, through_defaults={"unit": unit})
    assert re.search(r"Orçamento.*?num state\">1<", browser_client.get(at(unit, "settings/labels")).text, re.DOTALL)
    browser_client.post(at(unit, f"settings/labels/{label.id}/delete"))
    assert not Label.objects.exists()


def test_the_unit_has_another_name_zone_and_goal(browser_client: Client, unit: Unit) -> None:
    changed = {"name": "Ótica Manaus", "time_zone": "America/Manaus", "answer_goal": "15"}
    browser_client.post(at(unit, "settings/unit"), changed)
    unit.refresh_from_db()
    assert (unit.name, unit.time_zone, unit.answer_goal) == ("Ótica Manaus", "America/Manaus", 15)
    assert AuditEntry.objects.get(action=AuditAction.UNIT_CHANGED).details["answer_goal"] == [30, 15]


def test_a_name_that_was_refused_is_not_the_units(browser_client: Client, unit: Unit) -> None:
    wrong = {"name": "Outra", "time_zone": "Mars/Olympus", "answer_goal": "0"}
    page = browser_client.post(at(unit, "settings/unit"), wrong).text
    assert 'id="id_time_zone_error"' in page
    assert 'id="id_answer_goal_error"' in page
    assert 'value="Outra"' in page
    unit.refresh_from_db()
    assert unit.name == "Ótica Aurora"


def test_a_secret_is_not_renewed_while_the_server_is_away(browser_client: Client, unit: Unit, settings: Any) -> None:
    settings.EVOLUTION_URL = "http://127.0.0.1:9"
    assert 'role="alert"' in browser_client.post(at(unit, "settings/secret")).text


# --- Audit log --------------------------------------------------------------------------------------


def test_the_log_is_filtered_by_what_and_by_whom(browser_client: Client, unit: Unit, ana: User) -> None:
    browser_client.post(at(unit, "settings/unit"), {"name": "Nova", "time_zone": unit.time_zone, "answer_goal": "30"})
    browser_client.post(at(unit, "settings/tokens/new"), {"name": "Meu", "scopes": ["inbox:read"]})

    def listed(query: str) -> int:
        return len(re.findall(r"<time", browser_client.get(at(unit, f"settings/audit?{query}")).text))

    assert listed("action=unit.changed") == 1
    assert listed(f"actor={ana.id}") == 2
    assert listed(f"action=token.made&actor={ana.id}") == 1


def test_the_log_is_read_page_by_page(browser_client: Client, unit: Unit) -> None:
    for number in range(60):
        AuditEntry.objects.create(unit=unit, action=AuditAction.TOKEN_MADE, object_name=f"token {number}")
    seen: list[str] = []
    query = ""
    while True:
        page = browser_client.get(at(unit, f"settings/audit?{query}")).text
        seen += re.findall(r"token (\d+)", page)
        older = re.search(r'href="\?(before=[^"]+)"', page)
        if not older:
            break
        query = older[1]
    assert sorted(map(int, seen)) == list(range(60))
    assert browser_client.get(at(unit, "settings/audit?before=nonsense")).status_code == 200
