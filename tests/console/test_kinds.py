"""Every kind of message in the thread and in its row: what a person sees, hears, and can click."""

import json
import re
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from messaging.events import MessageKind
from messaging.models import Conversation, Message, MessageMedia
from tests import factories
from tests.console.helpers import HTMX, at
from tests.factories import message, reaction, vote
from units.models import Unit, User, WhatsAppConnection
from webhooks.drain import drain

OPTIONS = {"options": [{"id": "1", "title": "Manhã"}, {"id": "2", "title": "Tarde", "description": "até 18h"}]}
CARD = {"contacts": [{"name": "Dra. Helena", "phones": ["+5511900000455"]}]}
PLACE = {"latitude": -23.55, "longitude": -46.63, "name": "Loja", "address": "Av. das Jabuticabeiras, 120"}
LIVE, UNSUPPORTED = "Localização em tempo real", "Mensagem sem suporte (eventMessage)"
MENU = "Quando?\n• Manhã\n• Tarde"

# Kind, text, details; what the bubble must say; what the row must say.
KINDS: list[tuple[str, str, dict[str, Any], list[str], str]] = [
    ("text", "Oi *você*", {}, ["Oi <strong>você</strong>"], "Oi *você*"),
    ("image", "", {"media": {"view_once": True}}, ["Foto", "Visualização única"], "Foto"),
    ("image", "Essa armação aguenta?", {}, ["Foto", "Essa armação aguenta?"], "Essa armação aguenta?"),
    ("video", "", {"media": {"seconds": 18}}, ["Vídeo", "0:18"], "Vídeo"),
    ("video", "", {"media": {"gif": True}}, ["GIF"], "GIF"),
    ("audio", "", {"media": {"seconds": 200}}, ["Áudio", "3:20"], "Áudio"),
    ("audio", "", {"media": {"voice": True}, "transcription": "Sim"}, ["Mensagem de voz", "Sim"], "Mensagem de voz"),
    ("document", "", {"media": {"file_name": "grau.pdf"}}, ["grau.pdf"], "Documento"),
    ("sticker", "", {}, ["Figurinha"], "Figurinha"),
    ("location", "Loja\nAv. das Jabuticabeiras, 120", PLACE, ["<b>Loja</b>", "query=-23.550000,-46.630000"], "Loja"),
    ("location", "", {"latitude": 1, "longitude": 2, "live": True}, [LIVE, "query=1.000000,2.0"], LIVE),
    ("contact", "Dra. Helena\n+5511900000455", CARD, ["(11) 90000-0455", "?phone=%2B5511900000455"], "Dra. Helena"),
    ("poll", MENU, OPTIONS | {"selectable": 1}, ["<b>Quando?</b>", "Manhã", "uma resposta"], "Quando?"),
    ("poll_vote", "Manhã", {"votes": ["Manhã"]}, ["Voto em enquete", "Manhã"], "Manhã"),
    ("poll_vote", "", {"votes": []}, ["foi retirada"], "Voto em enquete"),
    ("button_reply", "Sim", {"option_id": "1"}, ["Resposta escolhida", "Sim"], "Sim"),
    ("list_reply", "Sim", {}, ["Resposta escolhida", "Sim"], "Sim"),
    ("interactive_reply", "Sim", {}, ["Resposta escolhida", "Sim"], "Sim"),
    ("buttons", MENU, OPTIONS, ["Quando?", "<span>Manhã", "até 18h"], "Quando?"),
    ("list", MENU, OPTIONS, ["Quando?", "<span>Manhã"], "Quando?"),
    ("template", MENU, OPTIONS, ["Quando?", "<span>Manhã"], "Quando?"),
    ("interactive", MENU, OPTIONS, ["Quando?", "<span>Manhã"], "Quando?"),
    ("order", "Pedido", {"price_1000": 1234500, "currency": "BRL", "items": 3}, ["R$\xa01.234,50", "3 itens"], "Ped"),
    ("product", "Lente", {"price_1000": 50000, "currency": "BOB"}, ["Lente", "BOB\xa050,00"], "Lente"),
    ("group_invite", "Time", {"group": "1@g.us", "code": "SEGREDO"}, ["Convite de grupo", "Time"], "Time"),
    ("call", "", {"status": "timeout"}, ["Chamada de voz perdida", "#phone-missed"], "Chamada de voz perdida"),
    ("call", "", {"status": "terminate", "video": True}, ["Chamada de vídeo perdida"], "Chamada de vídeo perdida"),
    ("call", "", {"status": "accept"}, ["Chamada de voz atendida"], "Chamada de voz atendida"),
    ("call", "", {"status": "reject"}, ["Chamada de voz recusada"], "Chamada de voz recusada"),
    ("call", "", {"status": "offer"}, ["Chamada de voz"], "Chamada de voz"),
    ("unknown", "", {"type": "eventMessage", "raw": {"secret": "x"}}, [UNSUPPORTED], UNSUPPORTED),
]  # fmt: skip
NEVER_ROWS = {"reaction", "album", "edit", "delete", "encrypted", "protocol"}


def bubble(client: Client, shown: Message) -> str:
    """The HTML of one message in its thread."""
    unit, chat = shown.unit, shown.conversation_id
    return client.get(at(unit, f"conversations/{chat}/messages?ids={shown.id}"), headers=HTMX).text


def row(client: Client, chat: Conversation) -> str:
    """What the conversation's row says, without tags."""
    html = client.get(at(chat.unit, "conversations"), headers=HTMX).text
    return " ".join(re.sub(r"<[^>]+>", " ", html[html.index(f'id="row-{chat.id}"') :]).split())


def test_no_kind_is_forgotten() -> None:
    assert {kind for kind, *_ in KINDS} | NEVER_ROWS == set(MessageKind)


@pytest.mark.parametrize(("kind", "text", "details", "words", "preview"), KINDS)
def test_each_kind_is_shown_in_the_thread_and_in_its_row(
    browser_client: Client, unit: Unit, kind: str, text: str, details: dict[str, Any], words: list[str], preview: str
) -> None:
    shown = message(factories.conversation(unit, name="Marina"), text, kind=kind, details=details)
    html = bubble(browser_client, shown)
    assert [word for word in words if word not in html] == []
    assert "SEGREDO" not in html
    assert "secret" not in html
    assert preview in row(browser_client, shown.conversation)


def test_a_card_does_not_say_the_same_again_as_text(browser_client: Client, unit: Unit) -> None:
    chat = factories.conversation(unit)
    cards = [("location", "Loja\nNo fundo", PLACE), ("contact", "Dra. Helena", CARD), ("list", MENU, OPTIONS)]
    for kind, text, details in cards:
        html = bubble(browser_client, message(chat, text, kind=kind, details=details))
        assert "• " not in html.partition('class="bubble"')[2]
        assert html.count("Loja</") <= 1
        assert html.count(">Dra. Helena<") <= 1
        assert ("No fundo" in html) == (kind == "location")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("veja https://a.com/x_y_z.", 'href="https://a.com/x_y_z" rel="noopener noreferrer nofollow" target="_blank"'),
        ("_a_ ~b~ ```c *d*``` snake_case_name 2*3*4", "<em>a</em> <s>b</s> <code>c *d*</code> snake_case_name 2*3*4"),
        ("*<img src=x onerror=alert(1)>*", "<strong>&lt;img src=x onerror=alert(1)&gt;</strong>"),
        ('http://a.com/"onmouseover="x', '</a>&quot;onmouseover=&quot;x</span>'),
        ("javascript:alert(1) data:text/html,x ftp://a", '<span class="body">javascript:alert(1) data:text/html,x ftp://a'),
    ],
)  # fmt: skip
def test_marks_and_links_of_a_stranger_are_shown_safely(
    browser_client: Client, unit: Unit, text: str, html: str
) -> None:
    assert html in bubble(browser_client, message(factories.conversation(unit), text))


def test_an_address_that_is_no_web_address_is_no_link(browser_client: Client, unit: Unit) -> None:
    chat = factories.conversation(unit)
    Conversation.objects.filter(pk=chat.pk).update(referral={"title": "Promo", "source_url": "javascript:alert(1)"})
    assert "javascript:" not in browser_client.get(at(unit, f"conversations/{chat.id}")).text


def test_a_quote_leads_to_its_message_and_says_who(browser_client: Client, unit: Unit) -> None:
    chat = factories.conversation(unit, name="Marina")
    asked = message(chat, "Fica quanto?", minutes_ago=2)
    html = bubble(browser_client, message(chat, "120", out=True, reply_to_external_id=asked.external_id))
    assert f'<a href="#message-{asked.id}" class="quote"><b>Marina</b>' in html
    assert "Fica quanto?" in html


def test_a_quote_of_what_is_not_here_shows_what_was_told(browser_client: Client, unit: Unit) -> None:
    told = {"quoted": {"kind": "image", "text": "a armação", "from_me": True}}
    html = bubble(browser_client, message(factories.conversation(unit), reply_to_external_id="X", details=told))
    assert '<div class="quote"><b>Você</b>' in html
    assert "Foto · a armação" in html


def test_a_quote_of_a_deleted_message_says_nothing_of_it(browser_client: Client, unit: Unit) -> None:
    chat = factories.conversation(unit)
    gone = message(chat, "segredo", deleted_at=timezone.now())
    told = {"quoted": {"kind": "text", "text": "segredo", "from_me": False}}
    html = bubble(browser_client, message(chat, reply_to_external_id=gone.external_id, details=told))
    assert "Mensagem apagada" in html
    assert "segredo" not in html


def test_reactions_hang_on_their_message_and_are_no_rows(browser_client: Client, unit: Unit) -> None:
    chat = factories.conversation(unit, name="Marina")
    liked = message(chat, "Pronto!", out=True, minutes_ago=9)
    reaction(liked, "👍", minutes_ago=8)
    reaction(liked, "❤️", minutes_ago=7)
    reaction(liked, "❤️", out=True, minutes_ago=6)
    page = browser_client.get(at(unit, f"conversations/{chat.id}")).text
    assert re.findall(r'id="message-([0-9a-f-]{36})"', page) == [str(liked.id)]
    assert '<span class="emoji">👍</span>' not in page
    count = '<span class="num" aria-hidden="true">2</span>'
    assert f'<li title="Marina, Você" data-mine><span class="emoji">❤️</span>{count}' in page


def test_a_reaction_taken_back_is_gone(browser_client: Client, unit: Unit) -> None:
    liked = message(factories.conversation(unit))
    reaction(liked, "👍", minutes_ago=2)
    reaction(liked, "", minutes_ago=1)
    assert "reactions" not in bubble(browser_client, liked)


def test_a_reaction_is_no_preview(browser_client: Client, unit: Unit) -> None:
    liked = message(factories.conversation(unit), kind="image", body="", minutes_ago=5)
    reaction(liked, "👍")
    assert "Foto" in row(browser_client, liked.conversation)


def test_votes_are_counted_on_their_poll_the_latest_of_each(browser_client: Client, unit: Unit) -> None:
    chat = factories.group(unit)
    poll = message(chat, MENU, kind="poll", details=OPTIONS, out=True, minutes_ago=9)
    ana, bia = (factories.contact(unit, name=name) for name in ("Ana", "Bia"))
    vote(poll, "Manhã", sender=ana, minutes_ago=5)
    vote(poll, "Tarde", sender=ana, minutes_ago=4)
    last = vote(poll, "Tarde", sender=bia, minutes_ago=3)
    html = bubble(browser_client, poll)
    assert re.findall(r"<span>(\w+)</span><span class=\"num\">(\d+) votos?", html) == [("Manhã", "0"), ("Tarde", "2")]
    assert f'href="#message-{poll.id}"' in bubble(browser_client, last)


def test_a_deleted_message_says_nothing_anywhere(browser_client: Client, unit: Unit) -> None:
    chat = factories.conversation(unit, name="Marina")
    gone = message(chat, "segredo", kind="location", details=PLACE, deleted_at=timezone.now())
    reaction(gone, "😱")
    page = browser_client.get(at(unit, f"conversations/{chat.id}")).text
    assert page.count("Mensagem apagada") >= 2
    for word in ("segredo", "Jabuticabeiras", "😱", "-23.5"):
        assert word not in page


def test_forwarded_and_edited_are_marked(browser_client: Client, unit: Unit) -> None:
    html = bubble(
        browser_client,
        message(factories.conversation(unit), details={"forwarded": True}, edited_at=timezone.now()),
    )
    assert "Encaminhada" in html
    assert "editada" in html


def test_in_a_group_each_message_names_its_sender(browser_client: Client, unit: Unit) -> None:
    chat = factories.group(unit, name="Time da loja")
    message(chat, "Cheguei", sender=factories.contact(unit, name="Ana Souza"), minutes_ago=1)
    message(chat, "Eu também", sender=factories.contact(unit, phone="+5511900000455"))
    page = browser_client.get(at(unit, f"conversations/{chat.id}")).text
    assert '<p class="from">Ana Souza <span class="num">(11) 9' in page
    assert '<p class="from">(11) 90000-0455</p>' in page
    assert "#users" in page
    assert "Grupo" in page
    assert "(11) 90000-0455: Eu também" in row(browser_client, chat).replace(" :", ":")


def test_the_advert_that_led_here_is_told(browser_client: Client, unit: Unit) -> None:
    chat = factories.conversation(unit)
    referral = {"title": "Promo", "body": "Compre", "source_url": "https://example.com/ad"}
    Conversation.objects.filter(pk=chat.pk).update(referral=referral, referred_at=timezone.now())
    page = browser_client.get(at(unit, f"conversations/{chat.id}")).text
    assert "Veio do anúncio “Promo”" in page
    assert 'href="https://example.com/ad" rel="noopener noreferrer nofollow" target="_blank"' in page


def test_a_contact_card_begins_a_conversation(browser_client: Client, unit: Unit) -> None:
    form = browser_client.get(
        at(unit, "conversations/new"), {"phone": "+5511900000455", "name": "Helena"}, headers=HTMX
    )
    assert 'value="+5511900000455"' in form.text
    assert 'value="Helena"' in form.text


@pytest.mark.parametrize("name", ["", "Marina", "+55 11 90000-0208"])
def test_a_number_is_said_once(browser_client: Client, unit: Unit, name: str) -> None:
    chat = factories.conversation(unit, name=name, phone="+5511900000208")
    page = browser_client.get(at(unit, f"conversations/{chat.id}"), headers=HTMX).text
    header = page[page.index('<header class="thread-head"') : page.index("</header>")]
    assert len(re.findall(r">[^<]*90000-0208", header)) == 1
    panel = page[page.index('<aside class="contact"') :]
    assert len(re.findall(r">[^<]*90000-0208", panel)) == 1


def rich(unit: Unit, chat: Conversation, ana: User, count: int) -> None:
    """Messages with everything that can hang on one."""
    for number in range(count):
        first = message(chat, f"{number}", sender=factories.contact(unit), kind="poll", minutes_ago=3)
        MessageMedia.objects.create(unit=unit, message=message(chat, "", sender=factories.contact(unit), kind="image"))
        reaction(first, "👍", sender=factories.contact(unit))
        reaction(first, "❤️", out=True)
        vote(first, "A", sender=factories.contact(unit))
        message(chat, "sim", out=True, author=ana, reply_to_external_id=first.external_id)


def queries(client: Client, path: str) -> int:
    """How many statements a page takes."""
    with CaptureQueriesContext(database) as captured:
        assert client.get(path, headers=HTMX).status_code == 200
    return len(captured)


def test_a_thread_with_everything_costs_the_same_for_3_and_30(browser_client: Client, unit: Unit, ana: User) -> None:
    chat = factories.group(unit)
    rich(unit, chat, ana, 1)
    few = queries(browser_client, at(unit, f"conversations/{chat.id}"))
    rich(unit, chat, ana, 9)
    assert queries(browser_client, at(unit, f"conversations/{chat.id}")) == few <= 20


def test_the_list_costs_the_same_for_3_and_30(browser_client: Client, unit: Unit, ana: User) -> None:
    for _ in range(3):
        rich(unit, factories.group(unit), ana, 1)
    few = queries(browser_client, at(unit, "conversations"))
    for _ in range(27):
        rich(unit, factories.group(unit), ana, 1)
    assert queries(browser_client, at(unit, "conversations")) == few <= 9


def test_staff_see_what_is_not_supported_and_nothing_of_what_was_deleted(admin_client: Client, unit: Unit) -> None:
    chat = factories.conversation(unit)
    odd = message(
        chat, "", kind="unknown", details={"type": "eventMessage", "raw": {"eventMessage": {"name": "Festa"}}}
    )
    gone = message(chat, "segredo", details={"name": "segredo"}, deleted_at=timezone.now())
    assert "Festa" in admin_client.get(reverse("admin:messaging_message_change", args=[odd.id])).text
    for path in (
        reverse("admin:messaging_message_change", args=[gone.id]),
        reverse("admin:messaging_message_changelist"),
    ):
        page = admin_client.get(path).text
        assert "Mensagem apagada" in page
        assert "segredo" not in page


def told(name: str, instance: str) -> Any:
    """A payload found in the wild, or a recorded webhook, as sent by `instance`."""
    file = json.loads((factories.RECORDINGS / name).read_text())
    body = file.get("payload", file.get("body"))
    return body | {"instance": instance} if isinstance(body, dict) else body


@pytest.mark.parametrize("folder", ["payloads", "webhooks"])
def test_whatever_was_recorded_can_be_looked_at(
    browser_client: Client, api: APIClient, unit: Unit, connection: WhatsAppConnection, folder: str
) -> None:
    WhatsAppConnection.objects.filter(pk=connection.pk).update(groups_enabled=True)
    url = factories.hook(connection)
    for file in sorted((factories.RECORDINGS / folder).glob("*.json")):
        body = json.dumps(told(f"{folder}/{file.name}", connection.instance_name))
        assert Client().post(url, body, content_type="application/json").status_code == 200
    drain(seconds=20)
    assert browser_client.get(at(unit, "?status=all")).status_code == 200
    chats = list(Conversation.objects.filter(unit=unit))
    assert len(chats) > 5
    for chat in chats:
        assert browser_client.get(at(unit, f"conversations/{chat.id}"), headers=HTMX).status_code == 200
        assert api.get(f"/units/{unit.id}/conversations/{chat.id}/messages").status_code == 200


def test_the_preview_of_a_link_is_shown_under_its_text(browser_client: Client, unit: Unit) -> None:
    preview = {"url": "https://example.com/a", "title": "Armações", "description": "As novas"}
    chat = factories.conversation(unit)
    html = bubble(browser_client, message(chat, "https://example.com/a", details={"preview": preview}))
    assert "<b>Armações</b><span>As novas</span>" in html
    bad = message(chat, "x", details={"preview": preview | {"url": "javascript:alert(1)"}})
    assert "javascript:" not in bubble(browser_client, bad)


def test_the_result_of_a_poll_says_its_votes_once(browser_client: Client, unit: Unit) -> None:
    details = {"options": [{"title": "Manhã: 3", "votes": 3}]}
    html = bubble(
        browser_client, message(factories.conversation(unit), "Quando?\n• Manhã: 3", kind="poll", details=details)
    )
    assert '<span>Manhã</span><span class="num">3 votos' in html
    assert "<b>Quando?</b>" in html


def test_what_was_filled_into_a_form_is_shown(browser_client: Client, unit: Unit) -> None:
    details = {"answers": {"screen_0_Nome_1": "<b>Marina</b>"}}
    html = bubble(
        browser_client, message(factories.conversation(unit), "Enviado", kind="interactive_reply", details=details)
    )
    assert "<dd>&lt;b&gt;Marina&lt;/b&gt;</dd>" in html
