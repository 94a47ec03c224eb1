"""What happens to a message after it was sent, and calls: edits, deletions for everyone, and the phone that rings."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from sandbox.messaging import Messaging
from sandbox.state import Instance, Json, State, StoredMessage
from sandbox.webhooks import WebhookSender

# Of a call, in WhatsApp's words.
CALL_STATUSES = ("offer", "ringing", "timeout", "reject", "accept", "terminate")


class Changes:
    """What the phones change, and who calls, on all instances."""

    def __init__(self, state: State, sender: WebhookSender, messaging: Messaging) -> None:
        self._state = state
        self._emit = sender.emit
        self._messaging = messaging

    def edit(self, instance: Instance, stored: StoredMessage, text: str) -> None:
        """Whoever wrote a message changes its text."""
        edited = {"editedMessage": {"conversation": text}, "timestampMs": str(int(time.time() * 1000))}
        update = {"key": key_of(stored), "type": "MESSAGE_EDIT", **edited}

        def take() -> None:
            stored.record["message"] = {"conversation": text}
            stored.statuses.append("EDITED")
            self._emit(instance, "messages.edited", update)

        self._show(instance, stored, f"{text} (editada)")
        _once_reachable(instance, take)

    def revoke(self, instance: Instance, stored: StoredMessage) -> None:
        """Whoever wrote a message deletes it for everyone.

        The gateway keeps the row without its content, and tells it twice (baileys-messages.delete-in-revoke.json,
        baileys-messages.edited-BUT-IT-IS-A-REVOKE.json, baileys-findMessages-deleted-and-edited.json).
        """

        def take() -> None:
            stored.record["message"] = None
            stored.statuses += ["DELETED", "EDITED"]
            self._emit(instance, "messages.delete", stored.key)
            self._emit(instance, "messages.edited", {"key": key_of(stored), "type": "REVOKE"})

        self._show(instance, stored, "🚫 Mensagem apagada")
        _once_reachable(instance, take)

    def call(self, instance: Instance, jid: str, call_id: str, status: str, *, is_video: bool) -> None:
        """A customer calls, or a call goes on or ends."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        told = {"chatId": jid, "from": jid, "id": call_id, "date": now, "offline": instance.offline, "status": status}
        update = {**told, "isVideo": is_video, "isGroup": False}
        _once_reachable(instance, lambda: self._emit(instance, "call", update))

    def _show(self, instance: Instance, stored: StoredMessage, text: str) -> None:
        for bubble in self._messaging.chat(instance, stored.key["remoteJid"]).bubbles:
            if bubble.id == stored.key["id"]:
                bubble.text = text
        self._state.touch()


def key_of(stored: StoredMessage) -> Json:
    """As much of a message's key as an edit, a deletion or a reaction names it by."""
    return {name: stored.key[name] for name in ("remoteJid", "fromMe", "id")}


def _once_reachable(instance: Instance, take: Callable[[], None]) -> None:
    """Now, or when the gateway is online again: so long WhatsApp keeps it."""
    if instance.offline:
        instance.held.append(take)
    elif not instance.inbound_dead:
        take()
