"""What people do on their phones besides writing: each webhook has the shape that was recorded."""

from typing import Any

import httpx
import pytest

from tests.sandbox import recordings
from tests.sandbox.conftest import Evolution, Receiver
from tests.sandbox.recordings import shape
from tests.sandbox_process import Sandbox

MARIA = "5511977776666"
GROUP = "120363000000000001@g.us"
PLACE = {"latitude": -23.5, "longitude": -46.6, "name": "SP"}


@pytest.fixture
def name(evolution: Evolution, receiver: Receiver) -> str:
    return evolution.open(webhook=receiver.hook())


def recorded(webhook: str) -> Any:
    return recordings.webhook(f"baileys-{webhook}")["data"]


def act(sandbox: Sandbox, name: str, action: str, /, **body: Any) -> Any:
    return sandbox.phone("POST", f"instances/{name}/{action}", body)


def told(receiver: Receiver, name: str, event: str, which: int = -1) -> Any:
    """The data of the newest webhook of `event`."""
    receiver.event(name, event)
    return [arrival.body["data"] for arrival in receiver.arrivals if arrival.body["event"] == event][which]


@pytest.mark.parametrize(
    ("webhook", "body"),
    [
        ("location", {"location": PLACE}),
        ("contact", {"contacts": [{"name": "Zé", "number": "+55 11 91111-2222"}]}),
        ("poll-created", {"poll": {"name": "Qual?", "options": ["A", "B"]}}),
        ("ephemeral", {"text": "temporária", "ephemeral": True}),
        ("ad-click", {"text": "Vi o anúncio", "ad": {"title": "Promo"}}),
        ("text-with-lid-alt", {"text": "tenho lid", "lid": "905511977776666"}),
        ("text-from-lid", {"text": "agora só lid", "lid": "905511977776666", "addressing": "lid"}),
        ("text-from-lid-no-pn", {"text": "sem telefone", "from": "900000000000042@lid"}),
        ("group-text", {"text": "oi grupo", "group": GROUP}),
        ("group-text-lid", {"text": "oi", "group": GROUP, "lid": "905511977776666", "addressing": "lid"}),
    ],
)
def test_each_kind_has_its_recorded_shape(
    sandbox: Sandbox, name: str, receiver: Receiver, webhook: str, body: dict[str, Any]
) -> None:
    act(sandbox, name, "inbound", **{"from": MARIA, "name": "Maria", **body})
    assert shape(told(receiver, name, "messages.upsert")) == shape(recorded(f"messages.upsert-in-{webhook}"))


@pytest.mark.parametrize(("emoji", "webhook"), [("❤️", "reaction"), ("", "reaction-removed")])
def test_a_reaction_names_its_message(
    sandbox: Sandbox, name: str, receiver: Receiver, emoji: str, webhook: str
) -> None:
    liked = sandbox.inbound(name, MARIA, "oi")
    receiver.event(name, "messages.upsert")
    receiver.arrivals.clear()
    act(sandbox, name, "inbound", **{"from": MARIA, "name": "Maria", "reaction": {"id": liked, "emoji": emoji}})
    data = told(receiver, name, "messages.upsert")
    assert shape(data) == shape(recorded(f"messages.upsert-in-{webhook}"))
    assert data["message"]["reactionMessage"]["key"]["id"] == liked


def test_an_answer_brings_what_it_quotes(sandbox: Sandbox, name: str, receiver: Receiver) -> None:
    asked = sandbox.inbound(name, MARIA, "Fica quanto?")
    receiver.event(name, "messages.upsert")
    receiver.arrivals.clear()
    sandbox.inbound(name, MARIA, "respondendo", reply_to=asked)
    data = told(receiver, name, "messages.upsert")
    assert shape(data) == shape(recorded("messages.upsert-in-extended-text-reply"))
    assert data["contextInfo"]["quotedMessage"] == {"conversation": "Fica quanto?"}


def test_an_edit_has_its_recorded_shape_and_is_stored(
    sandbox: Sandbox, name: str, receiver: Receiver, evolution: Evolution
) -> None:
    written = sandbox.inbound(name, MARIA, "alô?")
    act(sandbox, name, "edit", id=written, text="alô? (editado)")
    assert shape(told(receiver, name, "messages.edited")) == shape(recorded("messages.edited-in-edit"))
    where = {"where": {"key": {"id": written}}}
    (record,) = evolution.call("POST", f"/chat/findMessages/{name}", where).json()["messages"]["records"]
    assert record["message"] == {"conversation": "alô? (editado)"}


def test_a_deletion_is_told_twice_and_leaves_an_empty_row(
    sandbox: Sandbox, name: str, receiver: Receiver, evolution: Evolution
) -> None:
    written = sandbox.inbound(name, MARIA, "segredo")
    act(sandbox, name, "delete", id=written)
    assert shape(told(receiver, name, "messages.edited")) == shape(recorded("messages.edited-BUT-IT-IS-A-REVOKE"))
    assert shape(told(receiver, name, "messages.delete")) == shape(recorded("messages.delete-in-revoke"))
    where = {"where": {"key": {"id": written}}}
    (record,) = evolution.call("POST", f"/chat/findMessages/{name}", where).json()["messages"]["records"]
    assert record["message"] is None
    with pytest.raises(httpx.HTTPStatusError):
        act(sandbox, name, "edit", id=written, text="ainda aqui?")


@pytest.mark.parametrize(("status", "webhook"), [("offer", "call-offer"), ("timeout", "call-terminate")])
def test_a_call_has_its_recorded_shape(
    sandbox: Sandbox, name: str, receiver: Receiver, status: str, webhook: str
) -> None:
    act(sandbox, name, "call", **{"from": MARIA, "status": status})
    data = told(receiver, name, "call")
    assert (shape(data), data["status"]) == (shape(recorded(webhook)), status)


def test_what_happens_while_the_gateway_is_away_comes_when_it_is_back(
    sandbox: Sandbox, name: str, receiver: Receiver
) -> None:
    written = sandbox.inbound(name, MARIA, "alô?")
    sandbox.offline(name)
    act(sandbox, name, "delete", id=written)
    assert all(arrival.body["event"] != "messages.delete" for arrival in receiver.arrivals)
    sandbox.online(name)
    assert told(receiver, name, "messages.delete")["id"] == written


def test_groups_that_are_ignored_are_not_told(sandbox: Sandbox, evolution: Evolution, receiver: Receiver) -> None:
    name = evolution.open(webhook=receiver.hook(), groupsIgnore=True)
    act(sandbox, name, "inbound", **{"from": MARIA, "text": "oi grupo", "group": GROUP})
    sandbox.inbound(name, MARIA, "oi")
    assert told(receiver, name, "messages.upsert")["message"] == {"conversation": "oi"}


@pytest.mark.parametrize("body", [{"poll": {"name": "?"}}, {"location": {"latitude": 1}}, {"contacts": "Zé"}])
def test_half_a_message_is_refused(sandbox: Sandbox, name: str, body: dict[str, Any]) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        act(sandbox, name, "inbound", **{"from": MARIA, **body})
