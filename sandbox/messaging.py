"""Messages on both sides: what a send through Evolution does, and what the phones do by themselves."""

import asyncio
import base64
import random
import time
from typing import Any

from sandbox.contents import WITHOUT_CONTEXT
from sandbox.errors import DropConnection, EvolutionError, NeverAnswer, license_required
from sandbox.numbers import GROUP, LID, SHORTEST_NUMBER, create_jid, filed_as, phone_of
from sandbox.records import as_sent_poll, context_info, describe, device_of, file_of, kind_of, phone_key
from sandbox.state import (
    Bubble,
    Chat,
    Instance,
    Json,
    State,
    StoredMessage,
    gateway_message_id,
    phone_message_id,
    row_id,
    steady_time,
)
from sandbox.webhooks import WebhookSender

# What a receipt makes of a bubble, and how far along each is: a phone never shows less than it has shown.
BUBBLE_STATUS = {"DELIVERY_ACK": "delivered", "READ": "read", "PLAYED": "read", "ERROR": "failed"}
BUBBLE_RANK = {"sent": 0, "delivered": 1, "read": 2, "failed": 3}

ANSWERS = (
    "Oi! Recebi, obrigado.",
    "Pode ser amanhã de manhã?",
    "Quanto fica?",
    "Perfeito, combinado 👍",
    "Vou ver e te falo.",
)


class Messaging:
    """Sends, inbound messages and receipts of all instances."""

    def __init__(self, state: State, sender: WebhookSender) -> None:
        self._state = state
        self._emit = sender.emit

    # Numbers

    def look_up(self, instance: Instance, number: str) -> Json:
        """What whatsappNumbers says about one number: ``{jid, exists, number, name?}``.

        Remembers numbers that exist.
        """
        jid = create_jid(number)
        if jid.endswith(GROUP):
            return {"jid": jid, "exists": False, "number": number}  # no groups live here
        if jid.endswith(LID):  # an unknown LID is taken as valid, a known one becomes the phone's JID
            jid = self._state.phone_of_lid.get(jid, jid)
            exists = True
        else:
            filed = filed_as(jid)
            exists = len(phone_of(filed)) >= SHORTEST_NUMBER and filed not in self._state.absent
            jid = filed if exists else jid
        if exists:
            self._state.known_jids.add(jid)
        name = instance.contacts.get(jid)
        return {"jid": jid, "exists": exists, "number": number, **({"name": name} if name else {})}

    def _is_known(self, number: str) -> bool:
        jid = create_jid(number)
        return self._state.phone_of_lid.get(jid, filed_as(jid)) in self._state.known_jids

    # Sending through Evolution

    async def send(
        self,
        instance: Instance,
        number: str,
        content: Json,
        *,
        options: Json | None = None,
        with_context: bool = True,
        is_poll: bool = False,
    ) -> Json:
        """Send ``content`` and return the answer of the call.

        ``content`` is one WhatsApp message object, e.g. ``{"conversation": "oi"}``.

        Raises EvolutionError for each recorded refusal, DropConnection and NeverAnswer when a fault asks for it.
        """
        options = options or {}
        to = self._recipient(instance, number)
        fault = self._state.take_fault(instance) or {}
        kind = fault.get("kind")
        await self._fail_before_the_wire(kind, fault, to)
        await asyncio.sleep(int(options.get("delay") or 0) / 1000 + self._state.config.answer_seconds)
        if instance.state != "open":
            raise EvolutionError(400, ["Error: Connection Closed"])

        record = self._record(instance, to["jid"], content, options.get("quoted"), with_context)
        if is_poll:
            as_sent_poll(record)
        answer = {**record}
        del answer["id"]
        self._reach_the_phone(instance, record, nacked=kind == "nacked")
        if self._state.config.echo:
            self._emit(instance, "send.message", answer)

        if kind == "timeout_after_send":
            raise NeverAnswer
        if kind == "reset_after_send":
            raise DropConnection
        if kind == "error_500_after_send":
            raise EvolutionError(500, "Timed Out")
        if kind == "slow":
            await asyncio.sleep(float(fault.get("seconds", 10)))
        await asyncio.sleep(random.random() * 0.01)  # the echo arrives before or after the answer
        return answer

    def _recipient(self, instance: Instance, number: str) -> Json:
        if not instance.started:
            raise EvolutionError(500, "Cannot read properties of undefined (reading 'onWhatsApp')")
        if number.endswith(GROUP):
            raise EvolutionError(400, ["[object Object]"])
        if instance.state != "open":
            if self._is_known(number):
                raise EvolutionError(400, ["Error: Connection Closed"])
            raise EvolutionError(500, "Connection Closed")
        to = self.look_up(instance, number)
        if not to["exists"]:
            raise EvolutionError(400, [{"jid": to["jid"], "exists": False, "number": number}])
        return to

    async def _fail_before_the_wire(self, kind: str | None, fault: Json, to: Json) -> None:
        if kind == "not_on_whatsapp":
            raise EvolutionError(400, [{"jid": to["jid"], "exists": False, "number": to["number"]}])
        if kind == "error_500":
            raise EvolutionError(500, "Timed Out")
        if kind == "number_check_timeout":
            await asyncio.sleep(float(fault.get("seconds", 60)))
            raise EvolutionError(500, "Cannot read properties of undefined (reading 'find')")
        if kind == "reset_before_send":
            raise DropConnection
        if kind == "license_required":
            raise license_required()

    def _record(self, instance: Instance, jid: str, content: Json, quoted: Any, with_context: bool) -> Json:
        now = int(time.time())
        record: Json = {
            "id": row_id(),
            "key": {"remoteJid": jid, "fromMe": True, "id": gateway_message_id()},
            "pushName": "Você",
            "status": "PENDING",
            "message": content,
        }
        if with_context:
            context = context_info(now)
            context |= self._quote(instance, quoted)
            record["contextInfo"] = context
            for part in content.values():
                if isinstance(part, dict):
                    part["contextInfo"] = context
        kind = kind_of(content)
        record |= {"messageType": kind, "messageTimestamp": now, "instanceId": instance.id, "source": "web"}
        return record

    def _quote(self, instance: Instance, quoted: Any) -> Json:
        """The part of contextInfo that makes a reply; nothing for an unknown message
        (baileys-sendText-quoted-unknown.json).
        """
        if not isinstance(quoted, dict) or not isinstance(key := quoted.get("key"), dict):
            return {}
        message = quoted.get("message")
        if not message and (stored := instance.messages.get(str(key.get("id")))):
            key, message = stored.key, stored.record["message"]
        if not message:
            return {}
        author = instance.owner_jid if key.get("fromMe") else key.get("remoteJid")
        return {"participant": author, "stanzaId": key["id"], "quotedMessage": message}

    def _reach_the_phone(self, instance: Instance, record: Json, *, nacked: bool) -> None:
        """The message is on the wire: the gateway stores it, the customer's phone shows it and sends
        receipts.
        """
        key, text = record["key"], describe(record["message"])
        self._state.put_on_wire(instance, key["id"], key["remoteJid"], text, record["messageType"])
        self._store(instance, record)
        chat = self.chat(instance, key["remoteJid"])
        if record["messageType"] != "reactionMessage":
            chat.bubbles.append(Bubble(key["id"], text, steady_time(), mine=False, file=file_of(record["message"])))
            chat.unread += 1
        chat.touched_at = steady_time()
        other = self._state.owners.get(key["remoteJid"])
        if other and other is not instance and instance.owner_jid:
            # Two units write to each other: both sides carry the id the sender's client made.
            self.receive(other, instance.owner_jid, instance.profile_name, record["message"], message_id=key["id"])
        if nacked:
            self._state.spawn(self._receipt_later(instance, key["id"], "ERROR", 0.3))
        elif self._state.config.receipts != "off":
            self._state.spawn(self._react(instance, chat, key["id"]))

    async def _react(self, instance: Instance, chat: Chat, message_id: str) -> None:
        """The customer's phone by itself: delivered, and as configured read and answered."""
        await self._receipt_later(instance, message_id, "DELIVERY_ACK", random.uniform(0.3, 0.9))
        if self._state.config.receipts == "read":
            await self._receipt_later(instance, message_id, "READ", random.uniform(0.8, 2.5))
        if random.random() < self._state.config.answering:
            await asyncio.sleep(random.uniform(1, 4))
            if self._reachable(instance):
                self.receive(instance, chat.jid, chat.name, {"conversation": random.choice(ANSWERS)})

    async def _receipt_later(self, instance: Instance, message_id: str, status: str, pause: float) -> None:
        await asyncio.sleep(pause)
        self.send_receipt(instance, message_id, status)

    # What the phones do

    def receive(
        self,
        instance: Instance,
        sender: str,
        name: str | None,
        content: Json,
        *,
        message_id: str | None = None,
        sent_at: int | None = None,
        lid: str | None = None,
        by_lid: bool = False,
        from_me: bool = False,
        context: Json | None = None,
        group: str | None = None,
    ) -> str:
        """A message written on a phone: by the customer, or with ``from_me`` on the unit's own phone.

        Returns its id.

        ``sender`` is the customer's number, JID or LID. With ``lid`` the key carries it too, with ``by_lid``
        in first place. In a ``group`` the sender is the participant. While the gateway is offline WhatsApp keeps the
        message.
        """
        jid = sender if "@" in sender else filed_as(create_jid(sender))
        message_id = message_id or phone_message_id()
        sent_at = int(time.time()) if sent_at is None else sent_at
        if lid and "@" not in lid:
            lid += LID
        if lid:
            self._state.phone_of_lid[lid] = jid
        key = phone_key(message_id, jid, lid, by_lid=by_lid, from_me=from_me, group=group)
        jid = group or jid
        record: Json = {
            "id": row_id(),
            "key": key,
            "pushName": "Você" if from_me else name,
            "status": "SERVER_ACK" if from_me else "DELIVERY_ACK",
            "message": content,
            **({"contextInfo": context} if context or kind_of(content) not in WITHOUT_CONTEXT else {}),
            "messageType": kind_of(content),
            "messageTimestamp": sent_at,
            "instanceId": instance.id,
            "source": device_of(message_id),
        }
        chat = self.chat(instance, jid)
        chat.name = chat.name or (None if from_me else name)
        chat.lid = lid or chat.lid
        if not any(bubble.id == message_id for bubble in reversed(chat.bubbles[-50:])):
            chat.bubbles.append(
                Bubble(message_id, describe(content), steady_time(), mine=not from_me, file=file_of(content))
            )
            chat.unread += from_me
        chat.touched_at = steady_time()
        self._state.touch()
        if instance.offline:
            instance.held.append(lambda: self._hand_over(instance, jid, name, record))
        else:
            self._hand_over(instance, jid, name, record)
        return message_id

    def _hand_over(self, instance: Instance, jid: str, name: str | None, record: Json) -> None:
        """The gateway takes an inbound message: stored and emitted once per id, unless the logout trap has
        closed.
        """
        if instance.inbound_dead or record["key"]["id"] in instance.messages:
            return
        if jid.endswith(GROUP) and instance.flags["groupsIgnore"]:
            return
        self._store(instance, record)
        self._state.known_jids.add(jid)
        if not record["key"]["fromMe"]:
            instance.contacts[jid] = name
        emitted = {**record}
        del emitted["id"]
        if instance.sends_base64 and (raw := self._state.files.get(record["key"]["id"])):
            # In the webhook alone (baileys-messages.upsert-in-image-base64-on.json).
            emitted["message"] = {**record["message"], "base64": base64.b64encode(raw).decode()}
        contact = {"remoteJid": jid, "profilePicUrl": None, "instanceId": instance.id}
        self._emit(instance, "chats.update", [{"remoteJid": jid, "instanceId": instance.id}])
        self._emit(instance, "messages.upsert", emitted)
        self._emit(instance, "contacts.update", [contact])
        # pushName is empty after own messages (baileys-contacts.update-after-own-message-empty-pushName.json)
        self._emit(instance, "contacts.update", {**contact, "pushName": "" if record["key"]["fromMe"] else name})

    def send_receipt(self, instance: Instance, message_id: str, status: str) -> bool:
        """A receipt from the customer's phone (DELIVERY_ACK, READ, PLAYED) or a refusal (ERROR).

        False: no such message.
        """
        stored = instance.messages.get(message_id)
        if stored is None:
            return False
        if instance.offline:
            instance.held.append(lambda: self._take_receipt(instance, stored, status))
        elif self._reachable(instance):
            self._take_receipt(instance, stored, status)
        return True

    def _take_receipt(self, instance: Instance, stored: StoredMessage, status: str) -> None:
        if status in stored.statuses:
            return  # each (id, status) once
        stored.statuses.append(status)
        key = stored.key
        chat = instance.chats.get(key["remoteJid"])
        if chat:
            show_receipt(chat, key["id"], BUBBLE_STATUS[status])
        self._state.touch()
        update = {
            "keyId": key["id"],
            # Receipts of a contact with a LID come from the LID
            # (baileys-messages.update-delivered-from-lid.json).
            "remoteJid": chat.lid if chat and chat.lid else key["remoteJid"],
            "fromMe": key["fromMe"],
            "status": status,
            "instanceId": instance.id,
            "messageId": stored.record["id"],
        }
        self._emit(instance, "messages.update", update)

    def read_chat(self, instance: Instance, jid: str) -> int:
        """The customer opens the chat and reads everything. Returns how many messages that were."""
        chat = self.chat(instance, jid)
        unread = [bubble.id for bubble in chat.bubbles if not bubble.mine and bubble.status in {"sent", "delivered"}]
        chat.unread = 0
        for message_id in unread:
            self.send_receipt(instance, message_id, "READ")
        self._state.touch()
        return len(unread)

    def show_read(self, instance: Instance, messages: list[tuple[str, str]]) -> None:
        """The customer's phone shows that the unit has read these messages (chat, id)."""
        for jid, message_id in messages:
            for bubble in self.chat(instance, jid).bubbles:
                if bubble.id == message_id and bubble.mine:
                    bubble.status = "read"
        self._state.touch()

    def chat(self, instance: Instance, jid: str) -> Chat:
        """The chat with a customer, made when it is not there.

        A known LID leads to the chat of its phone number.
        """
        jid = self._state.phone_of_lid.get(jid, jid)
        return instance.chats.setdefault(jid, Chat(jid, name=instance.contacts.get(jid)))

    def _store(self, instance: Instance, record: Json) -> None:
        row = {name: value for name, value in record.items() if name != "status"}
        row.setdefault("contextInfo", None)
        instance.messages[record["key"]["id"]] = StoredMessage(row)

    def _reachable(self, instance: Instance) -> bool:
        return instance.state == "open" and self._state.instances.get(instance.name) is instance


def show_receipt(chat: Chat, message_id: str, status: str) -> None:
    """Move the ticks of one bubble forward."""
    for bubble in reversed(chat.bubbles):
        if bubble.id == message_id:
            if BUBBLE_RANK[status] > BUBBLE_RANK[bubble.status]:
                bubble.status = status
            return
