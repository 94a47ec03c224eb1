"""Files in the inbox: what is here is shown, what is not says why, and nobody else sees either."""

import re
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils.translation import override

from messaging import media
from messaging.events import Media
from messaging.media.fetch import Fetcher
from messaging.media.serializers import media_sentence
from messaging.models import MediaStatus, Message, MessageMedia
from tests import files
from tests.console.helpers import HTMX, at, message
from tests.factories import conversation
from units.models import ConnectionStatus, Unit, User, WhatsAppConnection

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def place(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def sent(unit: Unit, kind: str, content: bytes = b"", **announced: Any) -> Message:
    """A message with a file: here, or waiting when there is no content."""
    row = message(conversation(unit), "", kind=kind, details={"media": announced})
    media.expect([(row.id, unit.id, Media(base64=b64encode(content).decode()))])
    if content:
        Fetcher().run(seconds=5)
    return row


def bubble(client: Client, row: Message) -> str:
    path = f"conversations/{row.conversation_id}/messages?ids={row.id}"
    html = client.get(f"/app/u/{row.unit_id}/{path}", headers=HTMX).text
    return " ".join(html.split())


def test_a_picture_is_small_has_its_size_at_once_and_opens(browser_client: Client, unit: Unit) -> None:
    row = sent(unit, "image", files.picture(size=(1200, 600)))
    html = bubble(browser_client, row)
    address = at(unit, f"messages/{row.id}/media")
    assert f'<a class="media-picture" href="{address}"' in html
    assert f'src="{address}/thumbnail" width="280" height="140"' in html
    assert browser_client.get(f"{address}/thumbnail").headers["Content-Type"] == "image/webp"


@pytest.mark.parametrize(
    ("kind", "content", "announced", "shown"),
    [
        ("video", files.FILM, {"seconds": 18}, r'<video class="media-video" controls '),
        ("video", files.FILM, {"gif": True}, r"<video [^>]*loop muted"),
        ("audio", files.VOICE, {"seconds": 23, "voice": True}, r"<span data-time>0:23</span>"),
        ("audio", files.FILM, {}, r"<audio "),
        ("sticker", files.picture("WEBP"), {}, r'<img class="media-sticker"'),
        ("document", files.PDF, {"file_name": "receita.pdf"}, r"<a class=\"kind media-file\" .*receita\.pdf.*PDF · "),
        ("document", files.picture(), {"file_name": "a.jpg"}, r"<a class=\"kind media-file\""),
        ("image", files.HTML, {"file_name": "a.jpg"}, r"<a class=\"kind media-file\""),
        ("video", files.picture("TIFF"), {}, r"<a class=\"kind media-file\""),
    ],
)
def test_each_kind_is_shown_as_far_as_its_bytes_agree(
    browser_client: Client, unit: Unit, kind: str, content: bytes, announced: dict[str, Any], shown: str
) -> None:
    assert re.search(shown, bubble(browser_client, sent(unit, kind, content, **announced)))


def test_a_long_name_keeps_its_beginning_and_its_ending(browser_client: Client, unit: Unit) -> None:
    row = sent(unit, "document", files.PDF, file_name="receita_dra_helena_grau_atualizado_novembro_2026.pdf")
    assert "receita_dra_helena_grau_at…bro_2026.pdf" in bubble(browser_client, row)


def test_a_name_is_text(browser_client: Client, unit: Unit) -> None:
    row = sent(unit, "document", files.PDF, file_name='"><img src=x>.pdf')
    assert "<img" not in bubble(browser_client, row)


def test_what_is_on_its_way_says_so(browser_client: Client, unit: Unit) -> None:
    html = bubble(browser_client, sent(unit, "document", file_name="a.pdf", size=3_200_000))
    assert "Carregando" in html
    assert "3,1 MB" in html


def test_what_waits_for_its_number_says_so(browser_client: Client, unit: Unit) -> None:
    WhatsAppConnection.objects.update(status=ConnectionStatus.DISCONNECTED)
    row = sent(unit, "image")
    Fetcher().run(seconds=5)
    assert "Chega quando o número estiver conectado." in bubble(browser_client, row)


@pytest.mark.parametrize("code", ["not_stored", "wrong_key", "unreachable", "never_connected", "media_gone"])
def test_what_waits_for_something_else_says_for_what(browser_client: Client, unit: Unit, code: str) -> None:
    row = sent(unit, "image")
    MessageMedia.objects.update(error_code=code)
    with override("pt-br"):
        assert str(media_sentence(code)) in bubble(browser_client, row)


def test_what_could_not_be_loaded_is_tried_again_with_a_button(browser_client: Client, unit: Unit) -> None:
    row = sent(unit, "document", file_name="a.pdf")
    MessageMedia.objects.update(status=MediaStatus.FAILED, error_code="media_gone", due_at=None)
    html = bubble(browser_client, row)
    assert "Não foi possível carregar." in html
    address = at(unit, f"messages/{row.id}/media/retry")
    assert f'hx-post="{address}"' in html
    assert "Carregando" in browser_client.post(address, headers=HTMX).text
    assert MessageMedia.objects.get().status == MediaStatus.WAITING
    assert browser_client.post(address).status_code == 302


def test_what_is_refused_says_why(browser_client: Client, unit: Unit) -> None:
    row = sent(unit, "document", files.EXE, file_name="fatura.pdf")
    html = bubble(browser_client, row)
    assert "O arquivo é um programa." in html
    assert "<form" not in html
    assert "<a " not in html


def test_a_stranger_finds_nothing_and_a_guest_logs_in(browser_client: Client, unit: Unit, stranger: User) -> None:  # I7
    row = sent(unit, "image", files.picture())
    other = Client()
    other.force_login(stranger)
    for end in ("", "/thumbnail"):
        assert other.get(at(unit, f"messages/{row.id}/media{end}")).status_code == 404
        assert Client().get(at(unit, f"messages/{row.id}/media{end}")).status_code == 302
    assert other.post(at(unit, f"messages/{row.id}/media/retry")).status_code == 404
