"""The attention page: what happened, what it means, and one thing to do about it, right there."""

import re
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from attention import episodes
from messaging.models import Message, MessageStatus, SendLane
from outgoing_webhooks.models import OutgoingWebhook
from tests.attention import helpers
from tests.console.helpers import HTMX, at, colleague
from tests.factories import campaign
from units.models import Membership, Unit, WhatsAppConnection

pytestmark = pytest.mark.django_db

S = MessageStatus


def shown(client: Client, unit: Unit, path: str = "attention") -> str:
    episodes.observe()
    text = client.get(at(unit, path)).text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def at_the_limit(unit: Unit) -> None:
    today = timezone.localdate(timezone=ZoneInfo(unit.time_zone))
    connected = {"daily_cap": 20, "status": "connected", "campaigns_held_at": None, "campaigns_held_for": ""}
    WhatsAppConnection.objects.filter(unit=unit).update(**connected)
    SendLane.objects.update_or_create(connection=unit.connection, defaults={"day": today, "sent_today": 20})


def test_nothing_needs_anybody(browser_client: Client, unit: Unit) -> None:
    text = shown(browser_client, unit)
    assert "Nada precisa de você" in text
    assert "(11) 90000-0009 está conectado" in text


def test_everything_that_needs_somebody_is_there(browser_client: Client, unit: Unit) -> None:
    helpers.everything(unit)
    text = shown(browser_client, unit)
    for words in (
        "Agora 6",
        "Número desconectado",
        "O número foi desconectado no celular",
        "1 resposta espera",
        "1 mensagem sem confirmação",
        "Marcado!",
        "1 mensagem não foi enviada",
        "Bom dia!",
        "1 mensagem espera sua escolha",
        "Campanhas paradas neste número",
        "“Volta às aulas”. O número ficou fora por muito tempo.",
        "Quando der 3",
        "1 arquivo não baixou",
        "O mais antigo vence em 29 dias",
        "1 aviso do WhatsApp não foi entendido",
    ):
        assert words in text
    assert "6 coisas precisam de alguém agora" in text


def test_a_campaign_at_the_limit_says_until_when_and_how_many_are_left(browser_client: Client, unit: Unit) -> None:
    campaign(unit, people=3)
    at_the_limit(unit)
    text = shown(browser_client, unit)
    assert "“Volta às aulas” parou em 20 de 20" in text
    assert "Volta sozinha amanhã às 00:00" in text
    assert "Faltam 3 pessoas" in text


def test_it_costs_a_fixed_number_of_statements(
    browser_client: Client, unit: Unit, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    helpers.everything(unit)
    for _ in range(5):
        helpers.unconfirmed(unit)
        helpers.not_sent(unit)
    episodes.observe()
    with django_assert_max_num_queries(38):
        browser_client.get(at(unit, "attention"))
    for place in range(5):
        helpers.stopped_campaign(unit)
        helpers.webhook_off(unit, place + 1)
        campaign(unit, people=2)
    at_the_limit(unit)
    episodes.observe()
    with django_assert_max_num_queries(38):
        text = browser_client.get(at(unit, "attention")).text
    assert len(re.findall("<article", text)) == 7 + 15
    with django_assert_max_num_queries(4):
        browser_client.get(at(unit, "attention/badge"))


def test_a_person_settles_what_nobody_confirmed(browser_client: Client, unit: Unit) -> None:
    arrived, again = helpers.unconfirmed(unit), helpers.unconfirmed(unit, "Outra")
    episodes.observe()
    answer = browser_client.post(at(unit, f"attention/messages/{arrived.id}"), {"arrived": "yes"}, headers=HTMX)
    assert "1 mensagem sem confirmação" in answer.text
    answer = browser_client.post(at(unit, f"attention/messages/{again.id}"), {"arrived": "again"}, headers=HTMX)
    assert "Nada precisa de você" in answer.text
    # The badge goes along.
    assert 'id="attention-badge" hx-swap-oob="true"' in answer.text
    arrived.refresh_from_db()
    again.refresh_from_db()
    assert (arrived.status, again.status) == (S.SENT, S.FAILED)
    assert Message.objects.filter(status=S.QUEUED).count() == 1


def test_what_was_settled_meanwhile_is_told_and_done_once(browser_client: Client, unit: Unit) -> None:
    message = helpers.unconfirmed(unit)
    path = at(unit, f"attention/messages/{message.id}")
    browser_client.post(path, {"arrived": "no"})
    answer = browser_client.post(path, {"arrived": "yes"}, headers=HTMX)
    assert "já foi resolvida" in answer.text
    message.refresh_from_db()
    assert message.status == S.FAILED


def test_what_failed_is_sent_again_files_are_loaded_and_events_read_again(browser_client: Client, unit: Unit) -> None:
    failed, file, event = helpers.not_sent(unit), helpers.lost_file(unit), helpers.dead_letter(unit)
    episodes.observe()
    browser_client.post(at(unit, f"attention/messages/{failed.id}"), {"arrived": "again"})
    browser_client.post(at(unit, "attention/files"))
    answer = browser_client.post(at(unit, "attention/events"), follow=True)
    assert "Nada precisa de você" in answer.text
    file.refresh_from_db()
    event.refresh_from_db()
    assert (file.status, event.status) == ("waiting", "received")
    assert Message.objects.filter(status=S.QUEUED).count() == 1


def test_many_of_a_kind_are_one_item_with_a_list_that_unfolds(browser_client: Client, unit: Unit) -> None:
    for _ in range(60):
        helpers.unconfirmed(unit)
    text = shown(browser_client, unit)
    assert "Agora 1" in text
    assert "60 mensagens sem confirmação" in text
    assert "Ver mais 57" in text
    assert "Aqui estão as 50 mais antigas" in text


def test_who_may_not_act_is_told_whom_to_ask(client: Client, unit: Unit) -> None:
    helpers.everything(unit)
    client.force_login(colleague(unit))
    text = shown(client, unit)
    assert "Seu papel não permite isto. Peça a Ana." in text
    for button in ("Conectar de novo", "Liberar", "Reprocessar", "Reagendar", "Ligar"):
        assert button not in text
    assert "Chegou" in text


def test_what_was_done_on_another_page_is_gone_from_list_and_badge_alike(browser_client: Client, unit: Unit) -> None:
    helpers.hold(unit)
    helpers.late(unit)
    episodes.observe()
    browser_client.post(at(unit, "number/release"))
    browser_client.post(at(unit, "number/waiting/send"))
    page = browser_client.get(at(unit, "attention")).text
    assert "Nada precisa de você" in page
    assert "precisa de alguém agora" not in page


def test_settled_episodes_are_listed(browser_client: Client, unit: Unit) -> None:
    assert "Nada foi resolvido ainda" in shown(browser_client, unit, "attention/settled")
    helpers.disconnect(unit)
    episodes.observe()
    helpers.connect(unit)
    assert "Número desconectado" in shown(browser_client, unit, "attention/settled")


def test_a_person_wants_no_mail(browser_client: Client, unit: Unit) -> None:
    answer = browser_client.post(at(unit, "attention/mail"), follow=True)
    assert "Você não recebe e-mails desta unidade" in answer.text
    assert not Membership.objects.get(unit=unit).gets_mail
    browser_client.post(at(unit, "attention/mail"), {"gets_mail": "on"})
    assert Membership.objects.get(unit=unit).gets_mail


def test_a_webhook_that_was_switched_off_is_there_for_those_who_manage_it(
    browser_client: Client, client: Client, unit: Unit
) -> None:
    helpers.webhook_off(unit)
    text = shown(browser_client, unit)
    assert "Webhook de saída desligado" in text
    assert "O destino respondeu 500." in text
    assert "Quando der 1" in text
    assert "Ligar Ver webhook" in text
    client.force_login(colleague(unit))
    text = shown(client, unit)
    assert "erp.example.com" not in text
    assert "Quando der" not in text
    OutgoingWebhook.objects.all().delete()
    assert "Nada foi resolvido ainda" in shown(client, unit, "attention/settled")
