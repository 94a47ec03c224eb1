"""Staff look at files to send and at what was asked in a chat; only the system writes these."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from messaging.models import Attachment, ChatAction
from tests.admin.conftest import Rows, make_rows

MODELS = ["attachment", "chataction"]


def listed(page: Client, model: str, **query: str) -> list[object]:
    return list(page.get(reverse(f"admin:messaging_{model}_changelist"), query).context["cl"].result_list)


@pytest.mark.parametrize("model", MODELS)
def test_nobody_makes_or_changes_one_by_hand(page: Client, rows: Rows, model: str) -> None:
    rows_of: dict[str, Any] = {"attachment": Attachment.objects, "chataction": ChatAction.objects}
    row = rows_of[model].get()
    assert page.get(reverse(f"admin:messaging_{model}_add")).status_code == 403
    assert page.post(reverse(f"admin:messaging_{model}_change", args=[row.pk]), {"kind": "x"}).status_code == 403


@pytest.mark.parametrize(
    ("model", "query"),
    [
        ("attachment", {"kind": "image"}),
        ("attachment", {"q": "poster1"}),
        ("attachment", {"q": f"{1:064x}"}),
        ("chataction", {"status__exact": "failed", "kind__exact": "edit"}),
        ("chataction", {"q": "912000001"}),
    ],
)
def test_they_are_found(page: Client, rows: Rows, model: str, query: dict[str, str]) -> None:
    assert len(listed(page, model, **query)) == 1


@pytest.mark.parametrize(
    ("model", "query"),
    [
        ("attachment", {"kind": "video"}),
        ("attachment", {"q": "poster2"}),
        ("chataction", {"status__exact": "done"}),
        ("chataction", {"q": "912000002"}),
    ],
)
def test_others_are_not(page: Client, rows: Rows, model: str, query: dict[str, str]) -> None:
    assert listed(page, model, **query) == []


def test_they_are_found_by_their_unit(page: Client, rows: Rows) -> None:
    other = make_rows("Loja Norte", 2)
    for model in MODELS:
        assert len(listed(page, model, unit__id__exact=str(other.unit.pk))) == 1


def test_an_action_shows_what_was_asked(page: Client, rows: Rows) -> None:
    row = ChatAction.objects.get()
    content = page.get(reverse("admin:messaging_chataction_change", args=[row.pk])).content.decode()
    assert "Good evening" in content
    assert reverse("admin:messaging_message_change", args=[rows.message.pk]) in content
