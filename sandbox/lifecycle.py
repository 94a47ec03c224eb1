"""The life of an instance: QR codes, pairing, losing and finding WhatsApp again, logout, delete."""

import asyncio
import base64
import io
import json
import secrets

import segno

from sandbox.numbers import create_jid, filed_as
from sandbox.state import Instance, Json, State, timestamp
from sandbox.webhooks import WebhookSender

# Letters and digits of a pairing code: no 0, I, O or U.
PAIRING_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTVWXYZ"


class Lifecycle:
    """What Evolution and WhatsApp do with a connection, and the webhooks that tell of it."""

    def __init__(self, state: State, sender: WebhookSender) -> None:
        self._state = state
        self._emit = sender.emit

    def start(self, instance: Instance, number: str | None = None) -> None:
        """Open the connection of a closed instance: a QR loop, or a reconnect when it is paired.

        Returns at once.
        """
        instance.started = True
        if instance.offline:
            if instance.reconnect_loop is None:
                instance.reconnect_loop = self._state.spawn(self._reconnect_for_ever(instance))
        elif instance.qr_loop is None and not instance.paired:
            instance.qr_loop = self._state.spawn(self._show_qr_codes(instance, number))

    async def _show_qr_codes(self, instance: Instance, number: str | None) -> None:
        config = self._state.config
        self._set_state(instance, "connecting")
        self._emit_connection(instance, "connecting")
        # The first QR came 0.4 s after "connecting" in a call that waits 2 s, the pairing code 1 s later.
        await asyncio.sleep(config.connect_seconds * 0.2)
        if number:
            await asyncio.sleep(config.connect_seconds * 0.5)
        while instance.qr_count < config.qr_limit:
            instance.qr_count += 1
            code = f"2@{secrets.token_urlsafe(12)},{_key()},{_key()},{_key()}"
            pairing_code = "".join(secrets.choice(PAIRING_ALPHABET) for _ in range(8)) if number else None
            instance.qr = {"pairingCode": pairing_code, "code": code, "base64": _png(code)}
            self._state.touch()
            self._emit(instance, "qrcode.updated", {"qrcode": {"instance": instance.name, **instance.qr}})
            await asyncio.sleep(config.qr_seconds)
        # baileys-qrcode.updated-limit-reached.json, baileys-connection.update-refused.json; the count starts
        # anew after it.
        instance.qr_count, instance.qr, instance.qr_loop = 0, None, None
        message = "QR code limit reached, please login again"
        self._emit(instance, "qrcode.updated", {"message": message, "statusCode": 500})
        self._emit_connection(instance, "refused", 428)
        self._set_state(instance, "close")

    def qr_answer(self, instance: Instance) -> Json:
        """The QR object of connect and create: ``{pairingCode, code, base64, count}``, or only ``{count}``
        when there is none.
        """
        return {**(instance.qr or {}), "count": instance.qr_count}

    def pair(self, instance: Instance, number: str, profile_name: str) -> None:
        """Somebody scans the QR code with the phone of ``number``."""
        self._stop_qr(instance)
        instance.paired = True
        instance.owner_jid = filed_as(create_jid(number))
        instance.profile_name = profile_name
        self._open(instance)

    def _open(self, instance: Instance) -> None:
        self._emit_connection(instance, "connecting")
        self._set_state(instance, "open")
        instance.was_open = True
        instance.sends_base64 = bool(instance.webhook and instance.webhook.base64)
        if instance.owner_jid:
            self._state.owners[instance.owner_jid] = instance
        opened = {
            "instance": instance.name,
            "wuid": instance.owner_jid,
            "profileName": instance.profile_name,
            "profilePictureUrl": None,
            "state": "open",
            "statusReason": 200,
        }
        self._emit(instance, "connection.update", opened)
        held, instance.held = instance.held, []
        for deliver in held:
            deliver()

    def restart(self, instance: Instance) -> None:
        """Drop the connection and open it again; connecting and open follow by webhook."""
        if instance.state == "open":
            self._open(instance)
        elif instance.state == "connecting":
            self._stop_qr(instance)
            instance.qr_loop = self._state.spawn(self._show_qr_codes(instance, None))

    def go_offline(self, instance: Instance) -> None:
        """WhatsApp cannot be reached: a reconnect loop without back-off that floods the webhook, while the
        state says close.
        """
        if instance.offline:
            return
        was_up = instance.state in {"open", "connecting"}
        instance.offline = True
        self._stop_qr(instance)
        self._set_state(instance, "close")
        if was_up:
            instance.reconnect_loop = self._state.spawn(self._reconnect_for_ever(instance))

    async def _reconnect_for_ever(self, instance: Instance) -> None:
        rate = self._state.config.reconnects_per_second
        while rate:
            self._emit_connection(instance, "connecting")
            await asyncio.sleep(1 / rate)

    def go_online(self, instance: Instance) -> None:
        """WhatsApp is back. A paired instance opens by itself."""
        if not instance.offline:
            return
        wants_connection = instance.reconnect_loop is not None
        instance.offline = False
        self._stop_reconnecting(instance)
        self._state.touch()
        if instance.paired:
            self._open(instance)
        elif wants_connection:
            self.start(instance)

    def logout(self, instance: Instance, *, by_phone: bool) -> None:
        """End the session.

        Through the API this also kills inbound until the process ends
        (baileys-findMessages-inbound-lost-after-logout-and-repair.json).
        """
        self._stop_qr(instance)
        self._stop_reconnecting(instance)
        instance.offline = False
        instance.paired = False
        instance.inbound_dead = instance.inbound_dead or not by_phone
        self._disown(instance)
        self._set_state(instance, "close")
        error: Json = {"data": None, "isBoom": True, "isServer": False}
        reason = f"Log out instance: {instance.name}"
        if by_phone:
            error["data"], reason = {"reason": "401", "location": "frc"}, "Connection Failure"
        payload = {"statusCode": 401, "error": "Unauthorized", "message": reason}
        error["output"] = {"statusCode": 401, "payload": payload, "headers": {}}
        at = timestamp()
        instance.disconnection = {
            "disconnectionAt": at,
            "disconnectionReasonCode": 401,
            "disconnectionObject": json.dumps({"error": error, "date": at}, separators=(",", ":")),
        }
        self._emit(
            instance,
            "status.instance",
            {"instance": instance.name, "status": "closed", **instance.disconnection},
        )
        self._emit(instance, "logout.instance", None)
        self._emit_connection(instance, "close", 401)

    def delete(self, instance: Instance) -> None:
        """Answered before it is done: the name stays taken for a while."""
        ids = {"instanceName": instance.name, "instanceId": instance.id}
        self._emit(instance, "instance.delete", ids)
        if instance.state in {"open", "connecting"}:
            self.logout(instance, by_phone=False)
        self._emit(instance, "remove.instance", None)
        self._stop_qr(instance)
        self._stop_reconnecting(instance)
        self._disown(instance)
        instance.state = None
        self._state.touch()
        self._state.spawn(self.forget_later(instance))

    async def forget_later(self, instance: Instance) -> None:
        """Remove the row after the pause that deleting takes."""
        await asyncio.sleep(self._state.config.delete_seconds)
        if self._state.instances.get(instance.name) is instance:
            del self._state.instances[instance.name]
            self._state.touch()

    def _disown(self, instance: Instance) -> None:
        """The number no longer leads to this instance when another unit writes to it."""
        if instance.owner_jid and self._state.owners.get(instance.owner_jid) is instance:
            del self._state.owners[instance.owner_jid]

    def _stop_qr(self, instance: Instance) -> None:
        if instance.qr_loop:
            instance.qr_loop.cancel()
        instance.qr_loop = None
        instance.qr = None

    def _stop_reconnecting(self, instance: Instance) -> None:
        if instance.reconnect_loop:
            instance.reconnect_loop.cancel()
        instance.reconnect_loop = None

    def _set_state(self, instance: Instance, state: str) -> None:
        instance.state = state
        instance.updated_at = timestamp()
        self._state.touch()

    def _emit_connection(self, instance: Instance, state: str, reason: int = 200) -> None:
        data = {"instance": instance.name, "state": state, "statusReason": reason}
        self._emit(instance, "connection.update", data)


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _png(code: str) -> str:
    buffer = io.BytesIO()
    # A fixed mask is a valid code and spares trying all eight, which takes three times as long.
    segno.make(code, error="l", mask=0, micro=False).save(buffer, kind="png", scale=4, border=2)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
