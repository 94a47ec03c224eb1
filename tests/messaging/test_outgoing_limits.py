"""WhatsApp's limits are checked before anything is queued, and a sentence says what is wrong."""

import os
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from rest_framework.test import APIClient

from campaigns.models import Campaign
from crm_whatsapp.db import ClockNow
from messaging.models import Attachment, Contact, Conversation, Message, MessageMedia
from messaging.outgoing import attachments
from messaging.outgoing.contents import Media
from messaging.outgoing.errors import CannotQueue
from messaging.outgoing.queueing import queue
from tests import files
from tests.factories import conversation, message
from units.models import Unit, User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def place(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def chat(unit: Unit) -> Conversation:
    return conversation(unit)


def post(api: APIClient, chat: Conversation, **body: Any) -> Any:
    body = {"conversation_id": str(chat.id), **body}
    return api.post(f"/units/{chat.unit_id}/whatsapp/messages", body, format="json")


def upload(api: APIClient, unit: Unit, content: bytes, name: str = "a", **more: Any) -> Any:
    file = BytesIO(content)
    file.name = name
    return api.post(f"/units/{unit.id}/attachments", {"file": file, **more}, format="multipart")


def poll(*options: str, question: str = "Quando?", **more: Any) -> dict[str, Any]:
    return {"poll": {"question": question, "options": list(options), **more}}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": "a", **poll("a", "b")},
        {"text": " \n "},
        {"text": "a" * 65_537},
        {"location": {"latitude": 91, "longitude": 0}},
        {"location": {"latitude": 0, "longitude": -181}},
        {"location": {"latitude": "NaN", "longitude": 0}},
        {"location": {"latitude": 0}},
        {"location": {"latitude": 0, "longitude": 0, "name": "a" * 1_001}},
        {"contact_card": {"name": " ", "phone": "11911112222"}},
        {"contact_card": {"name": "a" * 101, "phone": "11911112222"}},
        {"contact_card": {"name": "Zé", "phone": "123"}},
        poll("a"),
        poll(*"abcdefghijk"),
        poll("a", "a "),
        poll("a", " "),
        poll("a", "b" * 101),
        poll("a", "b", question="a" * 256),
        poll("a", "b", selectable=3),
        poll("a", "b", selectable=-1),
        {"media": {}},
        {"media": {"attachment_id": "00000000-0000-0000-0000-000000000000"}},
        {"media": {"url": "http://example.com/a.png"}},
        {"text": "Oi", "reply_to": "NOBODY"},
        {"reaction": {"message_id": "00000000-0000-0000-0000-000000000000", "emoji": "👍"}},
    ],
    ids=lambda body: str(body)[:60],
)
def test_what_whatsapp_would_not_take_is_400_and_nothing_is_kept(
    api: APIClient, chat: Conversation, body: dict[str, Any]
) -> None:
    answer = post(api, chat, **body)
    assert answer.status_code == 400
    assert all(error["detail"] for error in answer.data["errors"])
    assert not Message.objects.exists()


@pytest.mark.parametrize("emoji", ["👍", "❤️", "❤", "👨‍👩‍👧", "🇧🇷", "1️⃣", "👍🏽", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🫶", "☎️", ""])
def test_one_emoji_is_a_reaction(api: APIClient, chat: Conversation, emoji: str) -> None:
    assert post(api, chat, reaction={"message_id": str(message(chat).id), "emoji": emoji}).status_code == 202


@pytest.mark.parametrize("emoji", ["ok", "👍👍", "1", "á", "<b>", ".", "‍"])
def test_anything_else_is_none(api: APIClient, chat: Conversation, emoji: str) -> None:
    target = message(chat)
    assert post(api, chat, reaction={"message_id": str(target.id), "emoji": emoji}).status_code == 400
    assert Message.objects.count() == 1


@pytest.mark.parametrize("of", ["another chat", "a deleted one", "one that was not sent", "a reaction"])
def test_only_a_message_of_the_chat_that_whatsapp_has_is_reacted_to(
    api: APIClient, chat: Conversation, of: str
) -> None:
    where = conversation(chat.unit) if of == "another chat" else chat
    fields: dict[str, dict[str, Any]] = {
        "a deleted one": {"deleted_at": ClockNow()},
        "one that was not sent": {"external_id": None},
        "a reaction": {"kind": "reaction", "target_external_id": "X"},
    }
    target = message(where, **fields.get(of, {}))
    assert post(api, chat, reaction={"message_id": str(target.id), "emoji": "👍"}).status_code == 400
    if of != "a reaction":
        assert post(api, chat, text="Oi", reply_to=str(target.id)).status_code == 400
    assert Message.objects.count() == 1


def test_nobody_writes_to_a_blocked_contact(api: APIClient, chat: Conversation) -> None:
    Contact.objects.update(blocked_at=ClockNow())
    answer = post(api, chat, text="Oi")
    assert answer.status_code == 400
    assert "bloquead" in str(answer.data) or "blocked" in str(answer.data)
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("content", "more", "kind"),
    [
        (files.picture(), {}, "image"),
        (files.picture("PNG"), {"kind": "document"}, "document"),
        (files.picture("WEBP", (512, 512)), {"kind": "sticker"}, "sticker"),
        (files.picture("WEBP", (512, 512)), {}, "image"),
        (files.FILM, {}, "video"),
        (files.VOICE, {}, "audio"),
        (files.PDF, {}, "document"),
        (files.HTML, {}, "document"),
        (b"\xff\xd8\xff and no picture", {}, "document"),
    ],
)
def test_a_file_is_what_its_bytes_say(
    api: APIClient, unit: Unit, content: bytes, more: dict[str, str], kind: str
) -> None:
    answer = upload(api, unit, content, "boleto.exe.png", **more)
    assert (answer.status_code, answer.data["kind"], answer.data["size"]) == (201, kind, len(content))
    assert api.get(answer.data["url"]).getvalue() == content


@pytest.mark.parametrize(
    ("content", "more"),
    [
        (b"", {}),
        (files.EXE, {}),
        (files.EXE, {"kind": "document"}),
        (files.PDF, {"kind": "image"}),
        (files.FILM, {"kind": "image"}),
        (files.picture(), {"kind": "sticker"}),
        (files.picture("WEBP", (512, 511)), {"kind": "sticker"}),
        (files.picture("WEBP", (512, 512)) + bytes(100 * 1024), {"kind": "sticker"}),
        (files.picture() + bytes(16 * 1024 * 1024), {}),
        (files.PDF, {"kind": "nonsense"}),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_sent_so_is_refused(
    api: APIClient, unit: Unit, place: Path, content: bytes, more: dict[str, str]
) -> None:
    assert upload(api, unit, content, **more).status_code == 400
    assert not Attachment.objects.exists()
    assert not any(path.is_file() for path in place.rglob("*"))


def test_our_own_limit_counts_as_well(api: APIClient, unit: Unit, settings: Any) -> None:
    settings.MEDIA_MAX_BYTES = 1_000
    assert upload(api, unit, files.PDF + bytes(1_000)).status_code == 400
    assert upload(api, unit, files.PDF + bytes(200_000)).status_code == 400


@pytest.mark.parametrize(
    ("content", "more"),
    [
        (files.PDF, {"caption": "a" * 1_025}),
        (files.VOICE, {"caption": "ouça"}),
        (files.PDF, {"voice": True}),
    ],
    ids=["caption too long", "caption of a sound", "voice of a document"],
)
def test_what_goes_with_a_file_has_limits_too(
    api: APIClient, unit: Unit, chat: Conversation, content: bytes, more: dict[str, Any]
) -> None:
    attachment = upload(api, unit, content).data["id"]
    assert post(api, chat, media={"attachment_id": attachment, **more}).status_code == 400


def test_a_voice_note_that_quotes_is_refused_rather_than_sent_without(
    api: APIClient, unit: Unit, chat: Conversation
) -> None:
    media = {"attachment_id": upload(api, unit, files.VOICE).data["id"], "voice": True}
    assert post(api, chat, media=media, reply_to=str(message(chat).id)).status_code == 400


def test_a_file_of_another_unit_is_not_there(
    api: APIClient, unit: Unit, chat: Conversation, stranger: User
) -> None:  # I7
    theirs = attachments.attach(Unit.objects.get(memberships__user=stranger), files.PDF, name="a.pdf")
    for end in ("", "/file", "/thumbnail"):
        assert api.get(f"/units/{unit.id}/attachments/{theirs.id}{end}").status_code == 404
    assert post(api, chat, media={"attachment_id": str(theirs.id)}).status_code == 400
    with pytest.raises(CannotQueue):
        queue(conversation=chat, content=Media(attachment=theirs), author=None)
    assert not Message.objects.exists()


def test_a_name_tells_nothing_but_how_it_is_called(api: APIClient, unit: Unit) -> None:
    told = [upload(api, unit, files.PDF, name).data["name"] for name in ("../../etc/passwd", "a.exe", "tabela.pdf")]
    assert told == ["passwd.pdf", "a.exe.pdf", "tabela.pdf"]


def test_what_nobody_sent_is_forgotten_with_its_file(
    api: APIClient, unit: Unit, chat: Conversation, place: Path
) -> None:
    unused, young, sent, planned = [upload(api, unit, files.picture()).data["id"] for _ in range(4)]
    post(api, chat, media={"attachment_id": sent})
    Campaign.objects.create(unit=unit, name="Volta", content="Oi", attachment_id=planned)
    Attachment.objects.exclude(id=young).update(created_at=ClockNow() - timedelta(days=8))
    assert attachments.prune() == 1
    assert {str(row.id) for row in Attachment.objects.all()} == {young, sent, planned}
    names = {path.name for path in place.rglob("*") if path.is_file()}
    assert names == {f"{each}.{end}" for each in (young, sent, planned) for end in ("jpg", "thumb.webp")}
    assert unused not in str(names)


def test_a_stored_file_of_an_attachment_is_no_orphan(api: APIClient, unit: Unit, place: Path) -> None:
    attachment = Attachment.objects.get(id=upload(api, unit, files.PDF).data["id"])
    for path in place.rglob("*.pdf"):
        os.utime(path, (1, 1))
    call_command("prune_media")
    assert default_storage.exists(str(attachment.file))
    attachment.delete()
    call_command("prune_media")
    assert not default_storage.exists(str(attachment.file))


def test_a_message_keeps_its_file_when_the_same_is_sent_to_many(api: APIClient, unit: Unit) -> None:
    attachment = upload(api, unit, files.PDF).data["id"]
    for _ in range(3):
        assert post(api, conversation(unit), media={"attachment_id": attachment}).status_code == 202
    assert MessageMedia.objects.filter(attachment_id=attachment).values("file").distinct().count() == 1
