"""Evolution's routes for messages and chats, on top of ``sandbox.messaging``."""

import asyncio
import base64
import binascii
import time
import unicodedata
from datetime import datetime
from typing import Any

import httpx

from sandbox import contents
from sandbox.errors import EvolutionError
from sandbox.media import media_content
from sandbox.messaging import Messaging
from sandbox.numbers import GROUP, create_jid
from sandbox.protocol import Answer, Call, Handler, is_base64, is_url, problems, refuse
from sandbox.state import Instance, Json, State, StoredMessage, gateway_message_id
from sandbox.webhooks import WebhookSender

NUMBER = {"number": "Invalid format"}
DELAY = {"delay": "Enter a value in milliseconds"}
MEDIA_TYPES = ("image", "document", "video", "audio")
TOO_MANY_VALUES = "values does not meet maximum length of 10"


class MessageRoutes:
    """Handlers for ``/message/...`` and ``/chat/...``."""

    def __init__(self, state: State, sender: WebhookSender, messaging: Messaging) -> None:
        self._state = state
        self._emit = sender.emit
        self._messaging = messaging

    def table(self) -> dict[tuple[str, str, str], Handler]:
        """Routes by method, first and second segment."""
        return {
            ("POST", "message", "sendText"): self.send_text,
            ("POST", "message", "sendMedia"): self.send_media,
            ("POST", "message", "sendWhatsAppAudio"): self.send_audio,
            ("POST", "message", "sendReaction"): self.send_reaction,
            ("POST", "message", "sendLocation"): self.send_location,
            ("POST", "message", "sendSticker"): self.send_sticker,
            ("POST", "message", "sendContact"): self.send_contact,
            ("POST", "message", "sendPoll"): self.send_poll,
            ("POST", "chat", "findMessages"): self.find_messages,
            ("POST", "chat", "whatsappNumbers"): self.whatsapp_numbers,
            ("POST", "chat", "markMessageAsRead"): self.mark_as_read,
            ("POST", "chat", "getBase64FromMediaMessage"): self.get_base64,
            ("POST", "chat", "sendPresence"): self.send_presence,
            ("POST", "chat", "fetchProfilePictureUrl"): self.profile_picture,
            ("POST", "chat", "updateMessage"): self.update_message,
            ("DELETE", "chat", "deleteMessageForEveryone"): self.delete_message,
        }

    # Sending

    def _check(self, body: Json, required: tuple[str, ...], types: dict[str, str]) -> None:
        types = {"number": "string", "delay": "integer", "quoted": "object", **types}
        refuse(problems(body, required, types, {**NUMBER, **DELAY}))

    async def send_text(self, call: Call) -> Answer:
        """POST /message/sendText/{name} ``{number, text, delay?, quoted?}``.

        Unknown fields are dropped: no client id, no idempotency.
        """
        body = call.body
        self._check(body, ("number", "text"), {"text": "string", "linkPreview": "boolean", "mentioned": "array"})
        if not body["text"].strip():
            raise EvolutionError(400, ["Text is required"])
        content = {"conversation": body["text"]}
        return 201, await self._messaging.send(call.target, body["number"], content, options=body)

    async def send_media(self, call: Call) -> Answer:
        """POST /message/sendMedia/{name} ``{number, mediatype, media, fileName?, mimetype?, caption?}``, also
        as multipart.
        """
        body = call.body
        types = dict.fromkeys(("mediatype", "fileName", "mimetype", "caption"), "string")
        self._check(body, ("number", "mediatype"), types)
        kind = body["mediatype"]
        if kind not in MEDIA_TYPES:
            refuse([f"mediatype is not one of enum values: {','.join(MEDIA_TYPES)}"])
        file_name = body.get("fileName")
        upload = body.get("file")
        media = body.get("media")
        if isinstance(upload, tuple):
            file_name, raw = file_name or upload[0], upload[1]
        elif not isinstance(media, str) or not (is_url(media) or is_base64(media)):
            raise EvolutionError(400, ["Owned media must be a url or base64"])
        elif kind == "document" and not is_url(media) and not file_name:
            raise EvolutionError(400, ["For base64 the file name must be informed."])
        else:
            raw = await self._load(media)
            if kind == "document" and not file_name:
                file_name = media.rpartition("/")[2]
        content = media_content(
            kind, raw, file_name=file_name, mimetype=body.get("mimetype"), caption=body.get("caption")
        )
        return 201, await self._send_file(call.target, body, content, raw)

    async def send_audio(self, call: Call) -> Answer:
        """POST /message/sendWhatsAppAudio/{name} ``{number, audio}``: a voice note; ``quoted`` is ignored."""
        body = call.body
        self._check(body, ("number",), {"audio": "string"})
        audio, upload = body.get("audio"), body.get("file")
        if isinstance(upload, tuple):
            raw = upload[1]
        elif isinstance(audio, str) and (is_url(audio) or is_base64(audio)):
            raw = await self._load(audio)
        else:
            raise EvolutionError(400, ["Owned media must be a url, base64, or valid file with buffer"])
        content = media_content("audio", raw, file_name=None, mimetype=None, caption=None, voice=True)
        return 201, await self._send_file(call.target, {**body, "quoted": None}, content, raw)

    async def _load(self, media: str) -> bytes:
        """The bytes of a URL or of base64. What cannot be fetched is a 500, and nothing is sent."""
        if not is_url(media):
            try:
                return base64.b64decode(media)
            except binascii.Error as error:
                raise EvolutionError(500, [f"Error: {error}"]) from None
        try:
            async with httpx.AsyncClient(follow_redirects=True, trust_env=False, timeout=30) as client:
                response = await client.get(media)
                response.raise_for_status()
                return response.content
        except httpx.HTTPStatusError as error:
            text = f"AxiosError: Request failed with status code {error.response.status_code}"
            raise EvolutionError(500, [text]) from None
        except httpx.HTTPError as error:
            raise EvolutionError(500, [f"AxiosError: {type(error).__name__}"]) from None

    async def _send_file(self, instance: Instance, options: Json, content: Json, raw: bytes) -> Json:
        if instance.sends_base64:
            content["base64"] = base64.b64encode(raw).decode()
        answer = await self._messaging.send(instance, options["number"], content, options=options)
        self._state.files[answer["key"]["id"]] = raw
        return answer

    async def send_reaction(self, call: Call) -> Answer:
        """POST /message/sendReaction/{name} ``{key: {remoteJid, fromMe, id}, reaction}``: one emoji, or "" to
        take it back.
        """
        refuse(problems(call.body, ("key", "reaction"), {"key": "object", "reaction": "string"}))
        key, reaction = call.body["key"], call.body["reaction"]
        refuse(problems(key, ("id", "remoteJid", "fromMe"), {"fromMe": "boolean"}, path="key"))
        # An emoji is made of symbols, joiners and marks; letters, digits and punctuation are not.
        if reaction and any(unicodedata.category(char)[0] in "LNPZC" and char != "\u200d" for char in reaction):
            raise EvolutionError(400, ["Reaction must be a single emoji or empty string"])
        content = {"reactionMessage": {"text": reaction, "key": key, "senderTimestampMs": int(time.time() * 1000)}}
        return 201, await self._messaging.send(call.target, key["remoteJid"], content, with_context=False)

    async def send_location(self, call: Call) -> Answer:
        """POST /message/sendLocation/{name} ``{number, latitude, longitude, name, address}``."""
        body = call.body
        required = ("number", "latitude", "longitude", "name", "address")
        types = {"latitude": "number", "longitude": "number", "name": "string", "address": "string"}
        self._check(body, required, types)
        place = {"degreesLatitude": body["latitude"], "degreesLongitude": body["longitude"]}
        content = {"locationMessage": {**place, "name": body["name"], "address": body["address"]}}
        return 201, await self._messaging.send(call.target, body["number"], content, options=body)

    async def send_sticker(self, call: Call) -> Answer:
        """POST /message/sendSticker/{name} ``{number, sticker}``.

        Not recorded: the request is Evolution's own schema, the answer has the shape of the other files
        (baileys-messages.upsert-in-sticker.json has that of a sticker).
        """
        body = call.body
        self._check(body, ("number",), {"sticker": "string"})
        sticker, upload = body.get("sticker"), body.get("file")
        if isinstance(upload, tuple):
            raw = upload[1]
        elif isinstance(sticker, str) and (is_url(sticker) or is_base64(sticker)):
            raw = await self._load(sticker)
        else:
            raise EvolutionError(400, ["Owned media must be a url or base64"])
        content = media_content("sticker", raw, file_name=None, mimetype=None, caption=None)
        return 201, await self._send_file(call.target, body, content, raw)

    async def send_contact(self, call: Call) -> Answer:
        """POST /message/sendContact/{name} ``{number, contact: [{fullName, wuid?, phoneNumber}]}``."""
        body = call.body
        self._check(body, ("number", "contact"), {"contact": "array"})
        cards = [card if isinstance(card, dict) else {} for card in body["contact"]]
        refuse(
            [
                problem
                for position, card in enumerate(cards)
                for problem in problems(card, ("fullName", "phoneNumber"), path=f"contact[{position}]")
            ]
        )
        content = contents.sent_contacts(cards)
        return 201, await self._messaging.send(call.target, body["number"], content, options=body)

    async def send_poll(self, call: Call) -> Answer:
        """POST /message/sendPoll/{name} ``{number, name, selectableCount, values}``: 2 to 10 values."""
        body = call.body
        types = {"name": "string", "selectableCount": "integer", "values": "array"}
        self._check(body, ("number", "name", "selectableCount", "values"), types)
        if len(body["values"]) not in range(2, 11):
            refuse(["values does not meet minimum length of 2" if len(body["values"]) < 2 else TOO_MANY_VALUES])
        wanted = {"name": body["name"], "options": body["values"], "selectable": body["selectableCount"]}
        content = contents.poll(wanted)
        # Its members stand in this order, and the context in messageContextInfo (baileys-sendPoll.json).
        return 201, await self._messaging.send(call.target, body["number"], content, options=body, is_poll=True)

    # Looking up

    async def find_messages(self, call: Call) -> Answer:
        """POST /chat/findMessages/{name}: newest first; ``offset`` is the page size; most filters outside
        ``where.key`` are ignored.
        """
        body = call.body
        raw_where = body.get("where")
        where: Json = raw_where if isinstance(raw_where, dict) else {}
        size = _positive(body.get("offset"), 50)
        page = _positive(body.get("page"), 1)
        found = [stored for stored in call.target.messages.values() if _matches(stored, where)]
        found.sort(key=lambda stored: (stored.record["messageTimestamp"], stored.stored_at), reverse=True)
        records = [stored.answer() for stored in found[(page - 1) * size : page * size]]
        pages = -(-len(found) // size)
        return 200, {"messages": {"total": len(found), "pages": pages, "currentPage": page, "records": records}}

    async def whatsapp_numbers(self, call: Call) -> Answer:
        """POST /chat/whatsappNumbers/{name} ``{numbers}``: groups first, so match by ``number``.

        Errors lack ``response``.
        """
        numbers = call.body.get("numbers")
        found = problems(call.body, ("numbers",), {"numbers": "array"})
        if numbers == []:
            found.append("numbers does not meet minimum length of 1")
        if found:
            raise EvolutionError(400, body={"status": 400, "error": "Bad Request", "message": [found]})
        instance = call.target
        if instance.state != "open":
            raise EvolutionError(400, body={})
        looked_up = [self._messaging.look_up(instance, str(number)) for number in numbers or []]
        return 200, sorted(looked_up, key=lambda entry: not entry["jid"].endswith(GROUP))

    async def mark_as_read(self, call: Call) -> Answer:
        """POST /chat/markMessageAsRead/{name}: says success whatever happens, once the instance has ever been
        started.
        """
        messages = call.body.get("readMessages")
        refuse(problems(call.body, ("readMessages",), {"readMessages": "array"}))
        found = []
        for position, key in enumerate(messages or []):
            if isinstance(key, dict):
                found += problems(key, ("id", "fromMe", "remoteJid"), path=f"readMessages[{position}]")
        refuse(found)
        if not call.target.started:
            error = "TypeError: Cannot read properties of undefined (reading 'readMessages')"
            raise EvolutionError(500, ["Read messages fail", error])
        # A key with a LID is dropped, and so is one of our own message (baileys-markMessageAsRead-lid.json, -fromMe).
        read = [key for key in messages or [] if not key["fromMe"] and not str(key["remoteJid"]).endswith("@lid")]
        self._messaging.show_read(call.target, [(str(key["remoteJid"]), str(key["id"])) for key in read])
        return 201, {"message": "Read messages", "read": "success"}

    async def get_base64(self, call: Call) -> Answer:
        """POST /chat/getBase64FromMediaMessage/{name} ``{message: {key: {id}}}``: 201 with the file, 400 in
        all other cases.
        """
        message = call.body.get("message")
        if not isinstance(message, dict):
            raise EvolutionError(400, ["TypeError: Cannot read properties of undefined (reading 'key')"])
        message_id = str((message.get("key") or {}).get("id"))
        stored = call.target.messages.get(message_id)
        if stored is None:
            raise EvolutionError(400, ["Message not found"])
        kind = stored.record["messageType"]
        part = stored.record["message"].get(kind)
        if not isinstance(part, dict) or "mediaKey" not in part:
            raise EvolutionError(400, ["The message is not of the media type"])
        raw = self._state.files.get(message_id)
        if raw is None:
            await asyncio.sleep(self._state.config.media_gone_seconds)
            raise EvolutionError(400, [f"Error: Failed to fetch stream from {part['url']}"])
        extension = part["mimetype"].partition(";")[0].rpartition("/")[2]
        caption = {"caption": part["caption"]} if "caption" in part else {}
        return 201, {
            "mediaType": kind,
            "fileName": part.get("fileName") or f"{message_id}.{'oga' if extension == 'ogg' else extension}",
            **caption,
            "size": {"fileLength": part["fileLength"]},
            "mimetype": part["mimetype"],
            "base64": base64.b64encode(raw).decode(),
            "buffer": None,
        }

    # Acting on chats

    async def send_presence(self, call: Call) -> Answer:
        """POST /chat/sendPresence/{name}: blocks for ``delay`` milliseconds."""
        self._check(call.body, ("number", "presence", "delay"), {"presence": "string"})
        instance = call.target
        chat = self._messaging.chat(instance, self._messaging.look_up(instance, call.body["number"])["jid"])
        chat.typing, chat.typed = call.body["presence"] == "composing", chat.typed + 1
        self._state.touch()
        await asyncio.sleep(call.body["delay"] / 1000)
        chat.typing = False
        self._state.touch()
        return 201, {"presence": call.body["presence"]}

    async def profile_picture(self, call: Call) -> Answer:
        """POST /chat/fetchProfilePictureUrl/{name}: nobody has a picture here."""
        self._check(call.body, ("number",), {})
        return 200, {"wuid": create_jid(call.body["number"]), "profilePictureUrl": None}

    async def update_message(self, call: Call) -> Answer:
        """POST /chat/updateMessage/{name} ``{number, text, key}``: edits a sent text; ``send.message.update``
        follows.
        """
        self._check(call.body, ("number", "text", "key"), {"text": "string", "key": "object"})
        instance, text = call.target, call.body["text"]
        stored = instance.messages.get(str(call.body["key"].get("id")))
        if stored is None or not stored.key["fromMe"]:
            raise EvolutionError(400, ["Message not compatible"])
        stored.record["message"] = {"conversation": text}
        stored.statuses.append("EDITED")
        for bubble in self._messaging.chat(instance, stored.key["remoteJid"]).bubbles:
            if bubble.id == stored.key["id"]:
                bubble.text = text
        self._state.touch()
        edited = {"editedMessage": {"extendedTextMessage": {"text": text}}}
        milliseconds = int(time.time() * 1000)
        update = {"key": stored.key, **edited, "timestampMs": milliseconds, "type": 14}
        self._emit(instance, "send.message.update", update)
        protocol = {"key": stored.key, "type": "MESSAGE_EDIT", **edited, "timestampMs": str(milliseconds)}
        return 200, _protocol_answer(stored.key["remoteJid"], protocol)

    async def delete_message(self, call: Call) -> Answer:
        """DELETE /chat/deleteMessageForEveryone/{name}, body ``{id, fromMe, remoteJid}``: revokes;
        ``messages.delete`` follows.
        """
        refuse(problems(call.body, ("id", "fromMe", "remoteJid"), {"fromMe": "boolean"}))
        instance = call.target
        key = {"remoteJid": call.body["remoteJid"], "fromMe": call.body["fromMe"], "id": call.body["id"]}
        stored = instance.messages.pop(key["id"], None)
        if stored:
            for bubble in self._messaging.chat(instance, stored.key["remoteJid"]).bubbles:
                if bubble.id == key["id"]:
                    bubble.text = "🚫 Mensagem apagada"
            self._state.touch()
            row = {name: value for name, value in stored.record.items() if name != "contextInfo"}
            self._emit(instance, "messages.delete", {**row, "status": "DELETED", "participant": None})
        return 201, _protocol_answer(key["remoteJid"], {"key": key, "type": "REVOKE"})


def _protocol_answer(jid: str, protocol: Json) -> Json:
    return {
        "key": {"remoteJid": jid, "fromMe": True, "id": gateway_message_id()},
        "message": {"protocolMessage": protocol},
        "messageTimestamp": str(int(time.time())),
        "status": "PENDING",
    }


def _positive(value: Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default


def _matches(stored: StoredMessage, where: Json) -> bool:
    """findMessages' filters with their quirks: ``fromMe: false`` is ignored, a time needs both ends, a
    top-level remoteJid is ignored.
    """
    raw_key = where.get("key")
    wanted = raw_key if isinstance(raw_key, dict) else {}
    key, record = stored.key, stored.record
    for name in ("id", "fromMe", "remoteJid"):
        if wanted.get(name) and key[name] != wanted[name]:
            return False
    for name in ("id", "source", "messageType"):
        if where.get(name) and record[name] != where[name]:
            return False
    window = where.get("messageTimestamp")
    if isinstance(window, dict) and window.get("gte") and window.get("lte"):
        return _seconds(window["gte"]) <= record["messageTimestamp"] <= _seconds(window["lte"])
    return True


def _seconds(moment: str) -> int:
    """Whole seconds of an ISO time, rounded down as Evolution does with both ends."""
    return int(datetime.fromisoformat(moment).timestamp())
