"""Evolution's answers in our words: frozen values, and how each is read from JSON."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

type State = Literal["open", "connecting", "close"]

# The widths of our columns. WhatsApp's own are shorter: ids have up to some 90 characters, JIDs some 40.
MAX_ID_CHARACTERS: Final = 128
MAX_JID_CHARACTERS: Final = 80


@dataclass(frozen=True, slots=True)
class CreatedInstance:
    """A new instance. Its token is not kept: the server's key opens everything."""

    instance_id: str
    name: str
    state: State


@dataclass(frozen=True, slots=True)
class ConnectAnswer:
    """Where the connection stands: `open`, or `connecting` with a QR code once there is one.

    `qr` is a data: URI of a PNG and `code` the text in it, both good for 45 s. `pairing_code` has 8
    characters, for a phone number that was asked with. `count` is the number of codes since the server
    started, at most 30.
    """

    state: State
    qr: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)
    pairing_code: str | None = field(default=None, repr=False)
    count: int = 0


@dataclass(frozen=True, slots=True)
class InstanceInfo:
    """What the server has stored about an instance. The owner and the profile outlive the session.

    `disconnection_reason` is WhatsApp's number for the last end of a session (401: logged out on the phone),
    and stays after reconnecting. `picture_url` expires. `updated_at` is moved by every opening and end of a session,
    a restart of the server included.
    """

    instance_id: str
    name: str
    state: State
    owner_jid: str | None
    owner_phone: str | None
    profile_name: str | None
    picture_url: str | None
    disconnection_reason: int | None
    disconnected_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """Where the server posts an instance's events. The URL has a secret in it, so it does not print."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    enabled: bool
    events: tuple[str, ...]
    by_events: bool
    base64: bool


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message written to WhatsApp's socket, no more: WhatsApp may still refuse or lose it.

    `jid` is the chat's canonical address, which may differ from the number asked for (553199991234 for
    5531999991234). `timestamp` has whole seconds. Empty and None when the answer had none that makes sense.
    """

    external_id: str
    jid: str
    timestamp: datetime | None


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A message in the server's database. `text` is None for kinds without one and for revoked messages;
    `statuses` are all that came so far, in Evolution's words (DELIVERY_ACK, READ, PLAYED, ERROR, DELETED), in no
    order. `record` is the message as a webhook would have told it."""

    external_id: str
    jid: str
    from_me: bool
    text: str | None
    timestamp: datetime | None
    statuses: tuple[str, ...]
    record: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class FoundPage:
    """One page of a search, newest first, and how many `pages` there are of this size."""

    messages: tuple[FoundMessage, ...]
    pages: int


@dataclass(frozen=True, slots=True)
class MediaFile:
    """The file of a message, decrypted. Type and name are the sender's words."""

    content: bytes = field(repr=False)
    mime_type: str | None
    file_name: str | None


@dataclass(frozen=True, slots=True)
class NumberCheck:
    """Whether WhatsApp knows a number, and its canonical address there (without meaning when it does not)."""

    exists: bool
    jid: str
    name: str | None
    lid: str | None


def text_or_none(value: object) -> str | None:
    """A text that says something, without what PostgreSQL refuses: NUL and halves of a pair of surrogates."""
    if not isinstance(value, str):
        return None
    return value.replace("\0", "").encode(errors="ignore").decode() or None


def identifier_or_none(value: object, longest: int) -> str | None:
    """An id of at most `longest` characters, as it is; None for what could not be one. Cut, it would be another."""
    return value if isinstance(value, str) and 0 < len(value) <= longest and value.isprintable() else None


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def read_state(word: object) -> State:
    """Evolution's state. A word we do not know is not an open connection."""
    if word == "open":
        return "open"
    return "connecting" if word == "connecting" else "close"


def read_instance(row: Mapping[str, Any]) -> InstanceInfo:
    """A row of fetchInstances, without its token."""
    reason = row.get("disconnectionReasonCode")
    owner = identifier_or_none(row.get("ownerJid"), MAX_JID_CHARACTERS)
    # A device number may stand between: 5511900000009:12@s.whatsapp.net.
    phone = re.match(r"(\d{1,15})(?=[:@]|$)", owner, re.ASCII) if owner else None
    return InstanceInfo(
        instance_id=str(row.get("id", "")),
        name=str(row.get("name", "")),
        state=read_state(row.get("connectionStatus")),
        owner_jid=owner,
        owner_phone=phone[0] if phone else None,
        profile_name=text_or_none(row.get("profileName")),
        picture_url=text_or_none(row.get("profilePicUrl")),
        disconnection_reason=reason if isinstance(reason, int) else None,
        disconnected_at=_iso_time(row.get("disconnectionAt")),
        updated_at=_iso_time(row.get("updatedAt")),
    )


def read_webhook(body: Mapping[str, Any]) -> WebhookSettings:
    """The webhook as set and find answer it; the switches have other names there than in a request."""
    headers = body.get("headers")
    return WebhookSettings(
        url=str(body["url"]),
        headers=headers if isinstance(headers, dict) else {},
        enabled=body.get("enabled") is True,
        events=tuple(str(event) for event in _items(body.get("events"))),
        by_events=body.get("webhookByEvents") is True,
        base64=body.get("webhookBase64") is True,
    )


def read_number_check(row: Mapping[str, Any]) -> NumberCheck:
    """A row of whatsappNumbers."""
    return NumberCheck(
        exists=row.get("exists") is True,
        jid=identifier_or_none(row.get("jid"), MAX_JID_CHARACTERS) or "",
        name=text_or_none(row.get("name")),
        lid=identifier_or_none(row.get("lid"), MAX_JID_CHARACTERS),
    )


def read_message(record: Mapping[str, Any]) -> FoundMessage:
    """A record of findMessages; never fails, so that a page keeps its length."""
    key = record.get("key")
    key = key if isinstance(key, dict) else {}
    updates = _items(record.get("MessageUpdate"))
    return FoundMessage(
        external_id=identifier_or_none(key.get("id"), MAX_ID_CHARACTERS) or "",
        jid=identifier_or_none(key.get("remoteJid"), MAX_JID_CHARACTERS) or "",
        from_me=key.get("fromMe") is True,
        text=_text(record.get("message")),
        timestamp=read_unix_time(record.get("messageTimestamp")),
        statuses=tuple(str(update["status"]) for update in updates if isinstance(update, dict) and "status" in update),
        record={name: value for name, value in record.items() if name != "MessageUpdate"},
    )


def read_media_file(body: object) -> MediaFile | None:
    """The answer of getBase64FromMediaMessage; None for one without a file in it."""
    if not isinstance(body, dict) or not isinstance(body.get("base64"), str):
        return None
    try:
        content = base64.b64decode(body["base64"], validate=True)
    except ValueError:
        return None
    return MediaFile(content, text_or_none(body.get("mimetype")), text_or_none(body.get("fileName")))


def _text(message: object) -> str | None:
    """The words of a message as stored; None for null (a revoked one) and for kinds without words."""
    if not isinstance(message, dict):
        return None
    if isinstance(message.get("conversation"), str):
        return text_or_none(message["conversation"])
    for kind, value in message.items():
        if not isinstance(value, dict):
            continue
        if kind == "extendedTextMessage":
            return text_or_none(value.get("text"))
        # A disappearing chat's text lies two levels further down.
        if isinstance(value.get("message"), dict):
            return _text(value["message"])
        if isinstance(value.get("caption"), str):
            return text_or_none(value["caption"])
    return None


def read_unix_time(value: object) -> datetime | None:
    """Seconds since 1970 as a number, a string, or a 64-bit integer spelt as {"low", "high"}."""
    if isinstance(value, dict):
        value = value.get("low")
    try:
        return datetime.fromtimestamp(int(value), UTC)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _iso_time(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    # One without a zone could not be compared with ours.
    return moment if moment and moment.tzinfo else None
