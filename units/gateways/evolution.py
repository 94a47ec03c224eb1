"""Evolution API 2.3 and later: one WhatsApp number, and every call we make for it.

What the server really does, against what it says, is in `docs/evolution.md`; recorded requests and answers
are in `tests/evolution/requests` and are named in the comments here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal
from urllib.parse import quote

from django.conf import settings

from units.gateways.errors import Disconnected, InstanceMissing, OutcomeUnknown, ServerUnavailable
from units.gateways.evolution_answers import (
    MAX_ID_CHARACTERS,
    MAX_JID_CHARACTERS,
    ConnectAnswer,
    CreatedInstance,
    FoundMessage,
    FoundPage,
    InstanceInfo,
    MediaFile,
    NumberCheck,
    SentMessage,
    State,
    WebhookSettings,
    identifier_or_none,
    read_instance,
    read_media_file,
    read_message,
    read_number_check,
    read_state,
    read_unix_time,
    read_webhook,
    text_or_none,
)
from units.gateways.evolution_contents import Content, Key, Quote, Text, request_body
from units.gateways.evolution_http import MAX_ANSWER_BYTES, MAX_BODY_SECONDS, Answer, EvolutionServer
from units.gateways.evolution_outcomes import MANAGE, SEND, error_for

# What we handle. CHATS_* and CONTACTS_* stay off: two or three of them come with every message and say
# nothing that the message does not. SEND_MESSAGE is the echo of our own sends; INSTANCE_* and
# APPLICATION_STARTUP tell us nothing.
WEBHOOK_EVENTS: Final = (
    "QRCODE_UPDATED",
    "CONNECTION_UPDATE",
    "MESSAGES_UPSERT",
    "MESSAGES_UPDATE",
    "MESSAGES_EDITED",
    "MESSAGES_DELETE",
    "SEND_MESSAGE",
    # The echo of our own edits: should the answer be lost, it shows nevertheless.
    "SEND_MESSAGE_UPDATE",
    # The names of groups, for a number that shows them.
    "GROUPS_UPSERT",
    "CALL",
    "STATUS_INSTANCE",
    "LOGOUT_INSTANCE",
    "REMOVE_INSTANCE",
)
# Group traffic is not the CRM's unless somebody wants it (`groups_ignored`), `readMessages` would send blue ticks
# before anybody has read, and a full history is thousands of old messages in the webhook.
INSTANCE_SETTINGS: Final[Mapping[str, bool]] = {
    "rejectCall": False,
    "groupsIgnore": True,
    "alwaysOnline": False,
    "readMessages": False,
    "readStatus": False,
    "syncFullHistory": False,
}

_SETTING_TEXTS: Final = {"msgCall", "wavoipToken"}
_QR_FIELDS: Final = {"pairingCode", "code", "base64", "count"}

__all__ = [
    "WEBHOOK_EVENTS",
    "ConnectAnswer",
    "CreatedInstance",
    "EvolutionService",
    "FoundMessage",
    "FoundPage",
    "InstanceInfo",
    "MediaFile",
    "NumberCheck",
    "SentMessage",
    "State",
    "WebhookSettings",
]


class EvolutionService:
    """One WhatsApp number at the gateway: every call Evolution API offers us for one instance.

    Usable from any number of threads. Each call is one HTTP request, never repeated, and ends in its answer
    or in a GatewayError (`units.gateways.errors` has the tree): sends in NotSent, Rejected or OutcomeUnknown
    and their kinds; all others also in ServerUnavailable, and never in OutcomeUnknown. Times are seconds;
    those left out come from the settings EVOLUTION_*.
    """

    def __init__(
        self,
        instance_name: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        connect_timeout: float | None = None,
        read_timeout: float | None = None,
        send_timeout: float | None = None,
    ) -> None:
        # The server accepts an empty name and can then not delete it (create-empty-name.json); "." and ".."
        # would be taken out of the path and make one route into another.
        if instance_name.strip() in ("", ".", ".."):
            raise ValueError(f"not an instance name: {instance_name!r}")
        self.instance_name = instance_name
        if connect_timeout is None:
            connect_timeout = settings.EVOLUTION_CONNECT_TIMEOUT
        self._server = EvolutionServer(
            base_url=settings.EVOLUTION_URL if base_url is None else base_url,
            api_key=settings.EVOLUTION_API_KEY if api_key is None else api_key,
            connect_timeout=connect_timeout,
        )
        self._read_timeout: float = settings.EVOLUTION_READ_TIMEOUT if read_timeout is None else read_timeout
        # 75 s: the first send to a number may wait 60 s for WhatsApp
        # (baileys-sendText-number-check-times-out.json).
        self._send_timeout: float = settings.EVOLUTION_SEND_TIMEOUT if send_timeout is None else send_timeout

    def __repr__(self) -> str:
        return f"<EvolutionService {self.instance_name} at {self._server!r}>"

    # The instance

    def create_instance(
        self,
        *,
        webhook_url: str,
        events: Sequence[str] = WEBHOOK_EVENTS,
        webhook_headers: Mapping[str, str] | None = None,
        groups_ignored: bool = True,
    ) -> CreatedInstance:
        """Create the instance with its webhook. It does not connect yet.

        Raises InstanceExists when the name is taken, also for half a second after a deletion. Event names are
        not checked by the server here: a misspelt one is never delivered.
        """
        answer = self._manage(
            "POST",
            "/instance/create",
            {
                "instanceName": self.instance_name,
                "integration": "WHATSAPP-BAILEYS",
                # With true the call waits 5 s for a code. It comes by webhook, and from `connect`.
                "qrcode": False,
                **INSTANCE_SETTINGS,
                "groupsIgnore": groups_ignored,
                "webhook": _webhook(webhook_url, events, webhook_headers),
            },
        )
        instance = answer.field("instance")
        if not isinstance(instance, dict) or instance.get("instanceName") != self.instance_name:
            raise error_for(answer, MANAGE)
        return CreatedInstance(
            str(instance.get("instanceId", "")), self.instance_name, read_state(instance.get("status"))
        )

    def connect(self, *, phone_number: str | None = None) -> ConnectAnswer:
        """Start connecting, or give the current QR code again; about 2 s the first time.

        With `phone_number` (in any notation, with country code) a pairing code comes besides, but only if the
        instance was closed before: while it is connecting the number is ignored.
        """
        query = {"number": re.sub(r"\D", "", phone_number)} if phone_number else None
        answer = self._manage("GET", self._path("/instance/connect"), query=query)
        instance = answer.field("instance")
        if isinstance(instance, dict):
            # `state` when open, `status` in a state that connect does not know, such as `refused`.
            return ConnectAnswer(read_state(instance.get("state", instance.get("status"))))
        # {"error": true, "message": "[object Object]"} with status 200 is what any exception becomes. A field
        # that has no value yet is missing.
        if not isinstance(answer.body, dict) or not answer.body.keys() <= _QR_FIELDS:
            raise error_for(answer, MANAGE)
        count = answer.field("count")
        return ConnectAnswer(
            "connecting",
            qr=text_or_none(answer.field("base64")),
            code=text_or_none(answer.field("code")),
            pairing_code=text_or_none(answer.field("pairingCode")),
            count=count if isinstance(count, int) else 0,
        )

    def connection_state(self) -> State:
        """`open`, `connecting` or `close`, from the server's memory. Raises InstanceMissing when it is gone.

        `connecting` for minutes means down: the server tries without end.
        """
        answer = self._manage("GET", self._path("/instance/connectionState"))
        instance = answer.field("instance")
        if not isinstance(instance, dict):
            raise error_for(answer, MANAGE)
        # No `state` while a failed create is being taken back (connectionState-after-failed-create.json): not
        # connected, and not gone yet either, which is what a caller waiting for the name asks.
        return read_state(instance.get("state", "close"))

    def fetch_instance(self) -> InstanceInfo | None:
        """Owner, profile and last disconnection as the server stored them; None for an unknown instance."""
        try:
            answer = self._manage("GET", "/instance/fetchInstances", query={"instanceName": self.instance_name})
        except InstanceMissing:
            return None
        if not isinstance(answer.body, list):
            raise error_for(answer, MANAGE)
        for row in answer.body:
            if isinstance(row, dict) and row.get("name") == self.instance_name:
                return read_instance(row)
        return None

    def restart(self) -> None:
        """Reopen the connection of an instance that is open; the answer comes at once, before it happens.

        Raises Disconnected when it is closed: `connect` is what helps then.
        """
        answer = self._manage("POST", self._path("/instance/restart"))
        if answer.field("error"):  # with status 200: restart-closed.json
            raise Disconnected(status=answer.status, answer=answer.excerpt)

    def logout(self) -> None:
        """End the session on WhatsApp's side too. Raises AlreadyClosed when there is none.

        After this the instance never again receives messages in the same server process, although it sends
        and looks healthy: delete it, and create it anew.
        """
        self._manage("DELETE", self._path("/instance/logout"))

    def delete(self) -> None:
        """Delete the instance, its stored messages and its session. Raises InstanceMissing when it is gone.

        The answer comes before the deletion is done: the name is taken until `connection_state` raises
        InstanceMissing. Not while it is reconnecting: that leaves one that reconnects for ever.
        """
        self._manage("DELETE", self._path("/instance/delete"))

    def set_webhook(
        self, *, url: str, events: Sequence[str] = WEBHOOK_EVENTS, headers: Mapping[str, str] | None = None
    ) -> WebhookSettings:
        """Replace the webhook. Raises Rejected for an unknown event; the URL is not checked by the server."""
        body = {"webhook": {"enabled": True, **_webhook(url, events, headers)}}
        answer = self._manage("POST", self._path("/webhook/set"), body)
        return _webhook_settings(answer)

    def find_webhook(self) -> WebhookSettings | None:
        """The instance's webhook, or None when it has none."""
        answer = self._manage("GET", self._path("/webhook/find"))
        if answer.body is None:
            return None
        return _webhook_settings(answer)

    def set_groups_ignored(self, ignored: bool) -> None:
        """Have what is said in groups dropped, or posted to us. The other settings stay; nothing is set twice."""
        found = self._manage("GET", self._path("/settings/find"))
        known = found.body if isinstance(found.body, dict) else {}
        if known.get("groupsIgnore") is ignored:
            return
        # All six switches are required (settings-set-partial.json). What else is there is told again, lest it be lost.
        switches = {name: bool(known.get(name, usual)) for name, usual in INSTANCE_SETTINGS.items()}
        texts = {name: value for name, value in known.items() if name in _SETTING_TEXTS and isinstance(value, str)}
        self._manage("POST", self._path("/settings/set"), {**switches, **texts, "groupsIgnore": ignored})

    # Messages

    def send_message(
        self,
        phone_or_jid: str,
        content: str,
        *,
        delay_ms: int = 0,
        quoted_id: str | None = None,
        link_preview: bool = True,
    ) -> SentMessage:
        """Send a text, once. A second call is a second message: the server takes no key of ours.

        `delay_ms` shows "typing…" that long and holds the call as long. A `quoted_id` the server does not
        know goes out without a quote, and no error (`send` with a Quote does better). Without `link_preview` the
        server does not fetch URLs in the text.
        """
        quoted = {"key": {"id": quoted_id}} if quoted_id else None
        return self._send(phone_or_jid, Text(text=content, link_preview=link_preview), quoted, delay_ms)

    def send(
        self, phone_or_jid: str, content: Content, *, quote: Quote | None = None, delay_ms: int = 0
    ) -> SentMessage:
        """Send anything that `units.gateways.evolution_contents` has, once, as `send_message` does.

        Raises Rejected("media_unreadable") also when the file cannot be read to its end.
        """
        quoted = {"key": quote.key.as_json(), "message": dict(quote.message)} if quote else None
        return self._send(phone_or_jid, content, quoted, delay_ms)

    def _send(self, to: str, content: Content, quoted: dict[str, Any] | None, delay_ms: int) -> SentMessage:
        body = content.body(to)
        if delay_ms > 0:
            body["delay"] = delay_ms
        if quoted:
            body["quoted"] = quoted
        answer = self._server.call(
            "POST",
            self._path(content.route),
            json_body=request_body(body),
            read_timeout=self._send_timeout + delay_ms / 1000,
            unknown=OutcomeUnknown,
        )
        # The id is what makes it sent: WHATSAPP-BUSINESS answers 201 to a refusal too
        # (business-sendText-refused-by-meta.json).
        external_id = identifier_or_none(answer.field("key", "id"), MAX_ID_CHARACTERS)
        if not answer.ok or external_id is None:
            raise error_for(answer, SEND)
        return SentMessage(
            external_id=external_id,
            jid=identifier_or_none(answer.field("key", "remoteJid"), MAX_JID_CHARACTERS) or "",
            timestamp=read_unix_time(answer.field("messageTimestamp")),
        )

    # What is done in a chat besides; harmless when it is done twice

    def edit_message(self, phone_or_jid: str, key: Key, text: str) -> None:
        """Give a text of ours new words. Raises Rejected for a message that the server does not have
        (baileys-updateMessage-unknown.json); WhatsApp's 15 minutes are not checked by it."""
        body = {"number": phone_or_jid, "text": text, "key": key.as_json()}
        self._manage("POST", self._path("/chat/updateMessage"), body)

    def delete_message(self, key: Key) -> None:
        """Delete a message of ours for everyone. The server says yes to any key."""
        self._manage("DELETE", self._path("/chat/deleteMessageForEveryone"), key.as_json())

    def mark_read(self, keys: Sequence[Key]) -> None:
        """Tell the senders that these have been read. The server says yes to anything, and drops keys with a LID
        (baileys-markMessageAsRead-lid.json)."""
        self._manage("POST", self._path("/chat/markMessageAsRead"), {"readMessages": [key.as_json() for key in keys]})

    def show_typing(self, phone_or_jid: str, *, milliseconds: int) -> None:
        """Show "typing…" in a chat; the call lasts as long (baileys-sendPresence.json)."""
        self._manage(
            "POST",
            self._path("/chat/sendPresence"),
            {"number": phone_or_jid, "presence": "composing", "delay": milliseconds},
            read_timeout=self._read_timeout + milliseconds / 1000,
        )

    def find_messages(
        self,
        *,
        since: datetime,
        until: datetime,
        from_me: Literal[True] | None = None,
        page: int = 1,
        page_size: int = 50,
    ) -> FoundPage:
        """A page of the messages stored between two aware times (whole seconds, inclusive); newest first.

        `from_me=False` is not offered: the server ignores it.
        Nor is the chat: its canonical JID may be unknown, and with another form of it nothing is found
        (baileys-findMessages-remoteJid-of-other-9th-digit-form.json). No message found is not proof that none
        left.
        """
        if since.tzinfo is None or until.tzinfo is None:
            raise ValueError("since and until must be aware")
        where: dict[str, Any] = {"messageTimestamp": {"gte": _iso(since), "lte": _iso(until)}}
        if from_me:
            where["key"] = {"fromMe": True}
        # `offset` is the page size, whatever it is called.
        body = {"where": where, "page": page, "offset": page_size}
        answer = self._manage("POST", self._path("/chat/findMessages"), body)
        records = answer.field("messages", "records")
        if not isinstance(records, list):
            raise error_for(answer, MANAGE)
        pages = answer.field("messages", "pages")
        return FoundPage(
            tuple(read_message(record) for record in records if isinstance(record, dict)),
            pages if isinstance(pages, int) else 1,
        )

    def get_media(self, external_id: str) -> MediaFile:
        """The file of a stored message, which the gateway gets from WhatsApp and decrypts meanwhile.

        Raises Rejected for a message that it does not have, that has no file, or whose file WhatsApp no longer
        keeps, which takes 5 s (baileys-getBase64-media-gone.json); ServerUnavailable also for a file that is
        larger than an answer may be.
        """
        answer = self._manage(
            "POST",
            self._path("/chat/getBase64FromMediaMessage"),
            {"message": {"key": {"id": external_id}}, "convertToMp4": False},
            read_timeout=self._send_timeout,
            # base64, and some JSON around it.
            max_bytes=settings.MEDIA_MAX_BYTES * 4 // 3 + 64 * 1024,
            max_seconds=settings.MEDIA_TIMEOUT,
        )
        file = read_media_file(answer.body)
        if file is None:
            raise error_for(answer, MANAGE)
        return file

    def check_numbers(self, numbers: Sequence[str]) -> dict[str, NumberCheck]:
        """Ask WhatsApp about numbers, up to 60 s; keyed by each number as it was given.

        A number the server does not answer for is missing in the result. Raises Disconnected without a
        session.
        """
        if not numbers:
            return {}
        answer = self._manage(
            "POST",
            self._path("/chat/whatsappNumbers"),
            {"numbers": list(numbers)},
            read_timeout=self._send_timeout,
        )
        if not isinstance(answer.body, list):
            raise error_for(answer, MANAGE)
        # Not in the order asked for: groups come first (baileys-whatsappNumbers.json).
        rows = {str(row.get("number")): row for row in answer.body if isinstance(row, dict)}
        return {number: read_number_check(rows[number]) for number in numbers if number in rows}

    def _path(self, route: str) -> str:
        return f"{route}/{quote(self.instance_name, safe='')}"

    def _manage(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: dict[str, str] | None = None,
        read_timeout: float | None = None,
        max_bytes: int = MAX_ANSWER_BYTES,
        max_seconds: float = MAX_BODY_SECONDS,
    ) -> Answer:
        """A call that is not a send: a 2xx answer, or the error the table has for it."""
        answer = self._server.call(
            method,
            path,
            json_body=body,
            query=query,
            read_timeout=self._read_timeout if read_timeout is None else read_timeout,
            unknown=ServerUnavailable,
            max_bytes=max_bytes,
            max_seconds=max_seconds,
        )
        if not answer.ok:
            raise error_for(answer, MANAGE)
        return answer


def _webhook(url: str, events: Sequence[str], headers: Mapping[str, str] | None) -> dict[str, Any]:
    # `events` must be there (create-webhook-without-events.json, webhook-set-no-events.json).
    webhook: dict[str, Any] = {"url": url, "byEvents": False, "base64": False, "events": list(events)}
    if headers:
        webhook["headers"] = dict(headers)
    return webhook


def _webhook_settings(answer: Answer) -> WebhookSettings:
    if not isinstance(answer.field("url"), str):
        raise error_for(answer, MANAGE)
    return read_webhook(answer.body)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
