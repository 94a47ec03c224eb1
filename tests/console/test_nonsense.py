"""What no page of ours sends, but anybody can: it is refused, or as good as nothing, and never an error of ours."""

import pytest
from django.test import Client

from messaging.models import Conversation
from tests.console.helpers import HTMX, at, message
from tests.factories import conversation
from units.models import Unit

pytestmark = pytest.mark.django_db
# A day that is one in every calendar, and none to add or take away from.
LAST = "9999-12-31T23:59"


@pytest.fixture
def chat(unit: Unit) -> Conversation:
    made = conversation(unit)
    message(made, "Oi")
    return made


@pytest.mark.parametrize(
    "path",
    [
        f"overview?days={'9' * 5000}",
        "overview?first=0001-01-02&last=0001-01-05",
        "conversations/{chat}/canned-replies?q=%00",
        "?q=%00",
        "search?q=ab%00c",
        "contacts?q=%00",
        f"contacts?after={'9' * 5000}&at={'9' * 5000}",
        "?before=9999-12-31T23:59:59.999999|00000000-0000-0000-0000-000000000000",
    ],
)
def test_an_address_that_makes_no_sense_is_no_error(
    browser_client: Client, unit: Unit, chat: Conversation, path: str
) -> None:
    assert browser_client.get(at(unit, path.format(chat=chat.id))).status_code == 200


@pytest.mark.parametrize("path", ["snooze", "status"])
def test_nothing_is_put_off_to_the_end_of_time(
    browser_client: Client, unit: Unit, chat: Conversation, path: str
) -> None:
    form = {"until": LAST, "status": "snoozed"}
    answer = browser_client.post(at(unit, f"conversations/{chat.id}/{path}"), form, headers=HTMX)
    assert "Escolha" in answer.text
    chat.refresh_from_db()
    assert chat.snoozed_until is None
