"""What is said on the phones: messages, calls, receipts, and what becomes of them. The API is in `sandbox.phone`."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox import contents
from sandbox.changes import CALL_STATUSES, Changes, key_of
from sandbox.media import DEFAULT_MIMETYPES, media_content
from sandbox.messaging import BUBBLE_STATUS, Messaging
from sandbox.phone_requests import body_of, bytes_in, instance_of, int_in, jid_of, require_paired, text_in
from sandbox.records import file_of
from sandbox.state import Instance, Json, State, StoredMessage, phone_message_id
from sandbox.webhooks import WebhookSender

# What a browser may show from here as what it says it is.
SHOWN = {"image/jpeg", "image/png", "image/webp", "image/gif", "video/mp4", "audio/ogg", "audio/mpeg"}


class PhoneChats:
    """Routes of one instance, for what people say."""

    def __init__(self, state: State, sender: WebhookSender, messaging: Messaging) -> None:
        self._state = state
        self._messaging = messaging
        self._changes = Changes(state, sender, messaging)

    def routes(self, one: str) -> list[BaseRoute]:
        """Under `one`, the path of an instance."""
        posts = {
            "inbound": self.inbound,
            "own": self.own,
            "edit": self.edit,
            "delete": self.delete,
            "call": self.call,
            "file": self.file,
            "receipts": self.receipts,
            "read": self.read,
        }
        return [
            Route(f"{one}/media", self.media),
            *[Route(f"{one}/{action}", handler, methods=["POST"]) for action, handler in posts.items()],
        ]

    async def inbound(self, request: Request) -> Response:
        """POST: a customer writes."""
        instance, body = instance_of(self._state, request), await body_of(request)
        require_paired(instance)
        message_id = str(body.get("id") or phone_message_id())
        self._messaging.receive(
            instance,
            text_in(body, "from"),
            body.get("name"),
            self._content(instance, body, message_id),
            message_id=message_id,
            sent_at=int_in(body, "timestamp"),
            lid=body.get("lid"),
            by_lid=body.get("addressing") == "lid",
            context=self._context(instance, body),
            group=body.get("group"),
        )
        chat = self._messaging.chat(instance, body.get("group") or jid_of(body["from"]))
        return JSONResponse({"id": message_id, "chat": chat.jid})

    def _content(self, instance: Instance, body: Json, message_id: str) -> Json:
        try:
            content = contents.read(body)
        except (KeyError, TypeError, ValueError) as error:
            raise HTTPException(400, f"Falta ou não serve: {error}") from None
        if content:
            return content
        if isinstance(wanted := body.get("reaction"), dict):
            stored = self._stored(instance, wanted)
            key = {**key_of(stored), "participant": stored.key.get("participant", "")}
            return contents.reaction(key, str(wanted.get("emoji") or ""))
        media = body.get("media")
        if not isinstance(media, dict):
            return {"conversation": text_in(body, "text")}
        if media.get("mediatype") not in DEFAULT_MIMETYPES:
            raise HTTPException(400, f"media.mediatype: {', '.join(DEFAULT_MIMETYPES)}")
        raw = self._state.files[message_id] = bytes_in(media)
        return media_content(
            media["mediatype"],
            raw,
            file_name=media.get("fileName"),
            mimetype=media.get("mimetype"),
            caption=body.get("text"),
            voice=media["mediatype"] == "audio" and media.get("voice") is not False,
        )

    def _context(self, instance: Instance, body: Json) -> Json | None:
        more = contents.ad_click(body["ad"]) if isinstance(body.get("ad"), dict) else {}
        if body.get("forwarded"):
            more |= {"forwardingScore": 1, "isForwarded": True}
        reply = self._reply_context(instance, body.get("reply_to"))
        return {"mentionedJid": [], "groupMentions": [], **(reply or {}), **more} if more or reply else None

    def _reply_context(self, instance: Instance, reply_to: Any) -> Json | None:
        stored = instance.messages.get(str(reply_to)) if reply_to else None
        if stored is None:
            return None
        author = (
            instance.owner_jid if stored.key["fromMe"] else stored.key.get("participant") or stored.key["remoteJid"]
        )
        return {
            "stanzaId": stored.key["id"],
            "participant": author,
            "quotedMessage": stored.record["message"],
        }

    async def own(self, request: Request) -> Response:
        """POST: somebody types on the unit's own phone."""
        instance, body = instance_of(self._state, request), await body_of(request)
        require_paired(instance)
        message_id = str(body.get("id") or phone_message_id())
        content = self._content(instance, body, message_id)
        to = text_in(body, "to")
        context = self._context(instance, body)
        self._messaging.receive(instance, to, None, content, message_id=message_id, from_me=True, context=context)
        return JSONResponse({"id": message_id})

    def _stored(self, instance: Instance, body: Json) -> StoredMessage:
        stored = instance.messages.get(text_in(body, "id"))
        if stored is None or stored.record["message"] is None:
            raise HTTPException(404, "Não há essa mensagem.")
        return stored

    async def edit(self, request: Request) -> Response:
        """POST: whoever wrote a message changes its text."""
        instance, body = instance_of(self._state, request), await body_of(request)
        self._changes.edit(instance, self._stored(instance, body), text_in(body, "text"))
        return JSONResponse({})

    async def delete(self, request: Request) -> Response:
        """POST: whoever wrote a message deletes it for everyone."""
        instance, body = instance_of(self._state, request), await body_of(request)
        self._changes.revoke(instance, self._stored(instance, body))
        return JSONResponse({})

    async def call(self, request: Request) -> Response:
        """POST: a customer calls."""
        instance, body = instance_of(self._state, request), await body_of(request)
        require_paired(instance)
        status = str(body.get("status") or "offer")
        if status not in CALL_STATUSES:
            raise HTTPException(400, f"status: {', '.join(CALL_STATUSES)}")
        call_id = str(body.get("id") or phone_message_id())
        jid = jid_of(text_in(body, "from"))
        self._changes.call(instance, jid, call_id, status, is_video=bool(body.get("video")))
        return JSONResponse({"id": call_id})

    async def file(self, request: Request) -> Response:
        """POST: what WhatsApp has of a message's file."""
        instance_of(self._state, request)
        body = await body_of(request)
        if "base64" in body:
            self._state.files[text_in(body, "id")] = bytes_in(body)
        else:
            self._state.files.pop(text_in(body, "id"), None)
        return JSONResponse({})

    async def media(self, request: Request) -> Response:
        """GET: the file of a message, as the customer's phone shows it: pictures, sound and film; the rest is saved."""
        stored = instance_of(self._state, request).messages.get(request.query_params.get("id", ""))
        raw = self._state.files.get(stored.key["id"]) if stored else None
        if stored is None or raw is None or not stored.record["message"]:
            raise HTTPException(404, "Não há esse arquivo.")
        mimetype = file_of(stored.record["message"]).partition(";")[0]
        shown = mimetype if mimetype in SHOWN else "application/octet-stream"
        headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}
        if shown != mimetype:
            headers["Content-Disposition"] = "attachment"
        return Response(raw, media_type=shown, headers=headers)

    async def receipts(self, request: Request) -> Response:
        """POST: a receipt of a customer's phone."""
        instance, body = instance_of(self._state, request), await body_of(request)
        status = text_in(body, "status")
        if status not in BUBBLE_STATUS:
            raise HTTPException(400, f"status: {', '.join(BUBBLE_STATUS)}")
        if not self._messaging.send_receipt(instance, text_in(body, "id"), status):
            raise HTTPException(404, "Não há essa mensagem.")
        return JSONResponse({})

    async def read(self, request: Request) -> Response:
        """POST: the customer reads a chat."""
        instance, body = instance_of(self._state, request), await body_of(request)
        return JSONResponse({"read": self._messaging.read_chat(instance, jid_of(text_in(body, "from")))})
