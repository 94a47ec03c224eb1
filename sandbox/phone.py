"""The phones: what people do to them, as a page under ``/phone/`` and as JSON for end-to-end tests. Not a
part of
Evolution.

Bodies are JSON objects; POST needs ``Content-Type: application/json`` (which keeps other web pages out).
Errors are
``{"error": "text"}`` with 400, 404 (no such instance or message) or 409 (not in the state for it).

``GET /phone/api/instances``
    ``[{name, state, number, profile_name, paired, qr, qr_count, offline, inbound_dead, unread, faults}]``

Under ``/phone/api/instances/{name}`` (percent-encoded):

``GET /qr``
    ``{pairingCode, code, base64, count}`` as on the screen; 409 when none is shown.
``POST /scan {number, profile_name?}``
    Pairs the phone; 409 when no QR code is shown.
``POST /inbound {from, name?, text, id?, timestamp?, lid?, addressing?, reply_to?, media?}``
    A customer writes; answers ``{id, chat}``. ``from`` is a number, a JID or a LID; ``addressing: "lid"``
    puts the LID
    first in the key; ``reply_to`` is a message id; ``media`` is ``{mediatype, base64, mimetype?, fileName?,
    voice?}`` (image, video, audio, document or sticker; audio is a voice note unless it says not) and ``text`` then
    its caption. Instead of ``text``: ``location: {latitude, longitude, name?, address?, live?}``, ``contacts: [{name,
    number}]``, ``poll: {name, options, selectable?}``, or ``reaction: {id, emoji}`` ("" takes it back). With it:
    ``ephemeral: true``, ``forwarded: true``, ``ad: {title?, body?, source_id?, source_url?, click_id?}``, and ``group``
    (a group's JID) for a message in a group, of which ``from`` is a member.
``POST /own {to, text, id?, media?}``
    Typed on the unit's own phone (fromMe); answers ``{id}``. Instead of ``text`` as above.
``POST /edit {id, text}``, ``POST /delete {id}``
    Whoever wrote the message changes it, or deletes it for everyone.
``POST /call {from, status?, video?, id?}``
    A customer calls. ``status``: offer (as long as it rings), ringing, timeout, reject, accept or terminate; answers
    ``{id}``, by which the next status names the same call.
``POST /file {id, base64?}``
    WhatsApp no longer has the file of a message; with ``base64`` it has this one.
``POST /raw {event, data}``
    Emits any event to the webhook.
``GET /sent``
    ``[{id, to, text, kind, at}]``: what reached WhatsApp, oldest first. ``at`` is wall clock in float seconds
    that never
    runs backwards, so gaps are exact. The list outlives the instance.
``GET /media?id=``
    The file of a message.
``POST /receipts {id, status}``
    DELIVERY_ACK, READ, PLAYED or ERROR for a message.
``POST /read {from}``
    The customer reads the whole chat; answers ``{read: count}``.
``POST /logout``, ``POST /offline``, ``POST /online``
    Logged out on the phone (401); WhatsApp out of the gateway's reach, and back. Empty objects as bodies.
``POST /faults {kind, count?, seconds?}``
    The next sends fail, one fault each, in order; ``count: 0`` takes the kind away. Kinds: not_on_whatsapp;
    error_500
    (nothing sent); error_500_after_send; number_check_timeout (500 after ``seconds``, 60); timeout_after_send
    (sent, the
    answer never comes); reset_before_send; reset_after_send; license_required (503); slow (sent, answered
    after
    ``seconds``, 10); nacked (201, then ERROR).

For everything:

``POST /phone/api/server {mode}``
    up, down (every connection to Evolution is closed without an answer) or license_required.
``POST /phone/api/absent {number, absent?}``
    The number is not on WhatsApp; with ``absent: false`` it is again.
``GET /phone/api/deliveries[?instance=&event=]``
    Webhook attempts, oldest first: ``{delivery, instance, event, host, attempt, status, error, final, at}``.
``POST /phone/api/reset {}``
    Forget everything.
``GET /phone/api/view[?instance=&chat=&version=]``
    What the page shows; with a version it waits up to 20 s for a change (204: none).
"""

import asyncio
import base64
import binascii
from collections import Counter
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from sandbox import contents
from sandbox.changes import CALL_STATUSES, Changes, key_of
from sandbox.lifecycle import Lifecycle
from sandbox.media import DEFAULT_MIMETYPES, media_content
from sandbox.messaging import BUBBLE_STATUS, Messaging, file_of
from sandbox.numbers import create_jid, filed_as, phone_of
from sandbox.state import FAULTS, SERVER_MODES, Chat, Instance, Json, State, StoredMessage, phone_message_id
from sandbox.webhooks import WebhookSender

HERE = Path(__file__).parent

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "Cache-Control": "no-store",
}

# What a browser may show from here as what it says it is.
SHOWN = {"image/jpeg", "image/png", "image/webp", "image/gif", "video/mp4", "audio/ogg", "audio/mpeg"}

# The page shows no more than this many rows of a list; the API gives all.
PAGE_ROWS = 200


class Phone:
    """Routes under ``/phone``."""

    def __init__(self, state: State, sender: WebhookSender, lifecycle: Lifecycle, messaging: Messaging) -> None:
        self._state = state
        self._emit = sender.emit
        self._lifecycle = lifecycle
        self._messaging = messaging
        self._changes = Changes(state, sender, messaging)

    def routes(self) -> list[BaseRoute]:
        """To be mounted at ``/phone``."""
        one = "/api/instances/{name:path}"
        posts = {
            "scan": self.scan,
            "inbound": self.inbound,
            "own": self.own,
            "file": self.file,
            "edit": self.edit,
            "delete": self.delete,
            "call": self.call,
            "raw": self.raw,
            "receipts": self.receipts,
            "read": self.read,
            "logout": self.logout,
            "offline": self.offline,
            "online": self.online,
            "faults": self.faults,
        }
        return [
            Route("/", self.page),
            Mount("/static", StaticFiles(directory=HERE / "static")),
            Route("/api/instances", self.instances),
            Route(f"{one}/qr", self.qr),
            Route(f"{one}/sent", self.sent),
            Route(f"{one}/media", self.media),
            *[Route(f"{one}/{action}", handler, methods=["POST"]) for action, handler in posts.items()],
            Route("/api/server", self.server, methods=["POST"]),
            Route("/api/absent", self.absent, methods=["POST"]),
            Route("/api/deliveries", self.deliveries),
            Route("/api/reset", self.reset, methods=["POST"]),
            Route("/api/view", self.view),
        ]

    async def page(self, request: Request) -> Response:
        """The page. Everything on it comes from ``view``."""
        return FileResponse(HERE / "templates" / "phone.html", headers=PAGE_HEADERS)

    # One instance

    def _instance(self, request: Request) -> Instance:
        instance = self._state.instances.get(request.path_params["name"])
        if instance is None:
            raise HTTPException(404, "Não há essa conexão.")
        return instance

    async def instances(self, request: Request) -> Response:
        """GET: every instance."""
        return JSONResponse([self._summary(instance) for instance in self._state.instances.values()])

    def _summary(self, instance: Instance) -> Json:
        return {
            "name": instance.name,
            "state": instance.state,
            "number": phone_of(instance.owner_jid) if instance.owner_jid else None,
            "profile_name": instance.profile_name,
            "paired": instance.paired,
            "qr": instance.qr is not None,
            "qr_count": instance.qr_count,
            "offline": instance.offline,
            "inbound_dead": instance.inbound_dead,
            "unread": sum(chat.unread for chat in instance.chats.values()),
            "faults": Counter(fault["kind"] for fault in instance.faults),
        }

    async def qr(self, request: Request) -> Response:
        """GET: the QR code on the screen."""
        instance = self._instance(request)
        if instance.qr is None:
            raise HTTPException(409, "Nenhum QR code na tela.")
        return JSONResponse(self._lifecycle.qr_answer(instance))

    async def scan(self, request: Request) -> Response:
        """POST: the unit's phone scans the QR code."""
        instance, body = self._instance(request), await _body(request)
        number = _text(body, "number")
        if sum(char.isdigit() for char in number) < 10:
            raise HTTPException(400, "O número precisa de DDI e DDD, por exemplo 55 11 90000-0009.")
        if instance.qr is None:
            raise HTTPException(409, "Nenhum QR code na tela.")
        self._lifecycle.pair(instance, number, str(body.get("profile_name") or "Loja Teste"))
        return JSONResponse(self._summary(instance))

    async def inbound(self, request: Request) -> Response:
        """POST: a customer writes."""
        instance, body = self._instance(request), await _body(request)
        self._require_paired(instance)
        message_id = str(body.get("id") or phone_message_id())
        self._messaging.receive(
            instance,
            _text(body, "from"),
            body.get("name"),
            self._content(instance, body, message_id),
            message_id=message_id,
            sent_at=_optional_int(body, "timestamp"),
            lid=body.get("lid"),
            by_lid=body.get("addressing") == "lid",
            context=self._context(instance, body),
            group=body.get("group"),
        )
        chat = self._messaging.chat(instance, body.get("group") or _jid(body["from"]))
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
            return {"conversation": _text(body, "text")}
        if media.get("mediatype") not in DEFAULT_MIMETYPES:
            raise HTTPException(400, f"media.mediatype: {', '.join(DEFAULT_MIMETYPES)}")
        raw = self._state.files[message_id] = _bytes(media)
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
        instance, body = self._instance(request), await _body(request)
        self._require_paired(instance)
        message_id = str(body.get("id") or phone_message_id())
        content = self._content(instance, body, message_id)
        to = _text(body, "to")
        context = self._context(instance, body)
        self._messaging.receive(instance, to, None, content, message_id=message_id, from_me=True, context=context)
        return JSONResponse({"id": message_id})

    def _stored(self, instance: Instance, body: Json) -> StoredMessage:
        stored = instance.messages.get(_text(body, "id"))
        if stored is None or stored.record["message"] is None:
            raise HTTPException(404, "Não há essa mensagem.")
        return stored

    async def edit(self, request: Request) -> Response:
        """POST: whoever wrote a message changes its text."""
        instance, body = self._instance(request), await _body(request)
        self._changes.edit(instance, self._stored(instance, body), _text(body, "text"))
        return JSONResponse({})

    async def delete(self, request: Request) -> Response:
        """POST: whoever wrote a message deletes it for everyone."""
        instance, body = self._instance(request), await _body(request)
        self._changes.revoke(instance, self._stored(instance, body))
        return JSONResponse({})

    async def call(self, request: Request) -> Response:
        """POST: a customer calls."""
        instance, body = self._instance(request), await _body(request)
        self._require_paired(instance)
        status = str(body.get("status") or "offer")
        if status not in CALL_STATUSES:
            raise HTTPException(400, f"status: {', '.join(CALL_STATUSES)}")
        call_id = str(body.get("id") or phone_message_id())
        jid = _jid(_text(body, "from"))
        self._changes.call(instance, jid, call_id, status, is_video=bool(body.get("video")))
        return JSONResponse({"id": call_id})

    async def file(self, request: Request) -> Response:
        """POST: what WhatsApp has of a message's file."""
        self._instance(request)
        body = await _body(request)
        if "base64" in body:
            self._state.files[_text(body, "id")] = _bytes(body)
        else:
            self._state.files.pop(_text(body, "id"), None)
        return JSONResponse({})

    async def media(self, request: Request) -> Response:
        """GET: the file of a message, as the customer's phone shows it: pictures, sound and film; the rest is saved."""
        stored = self._instance(request).messages.get(request.query_params.get("id", ""))
        raw = self._state.files.get(stored.key["id"]) if stored else None
        if stored is None or raw is None or not stored.record["message"]:
            raise HTTPException(404, "Não há esse arquivo.")
        mimetype = file_of(stored.record["message"]).partition(";")[0]
        shown = mimetype if mimetype in SHOWN else "application/octet-stream"
        headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}
        if shown != mimetype:
            headers["Content-Disposition"] = "attachment"
        return Response(raw, media_type=shown, headers=headers)

    async def raw(self, request: Request) -> Response:
        """POST: any event, as given."""
        instance, body = self._instance(request), await _body(request)
        self._emit(instance, _text(body, "event"), body.get("data"))
        return JSONResponse({})

    async def sent(self, request: Request) -> Response:
        """GET: what reached WhatsApp, oldest first."""
        return JSONResponse(self._state.wire.get(request.path_params["name"], []))

    async def receipts(self, request: Request) -> Response:
        """POST: a receipt of a customer's phone."""
        instance, body = self._instance(request), await _body(request)
        status = _text(body, "status")
        if status not in BUBBLE_STATUS:
            raise HTTPException(400, f"status: {', '.join(BUBBLE_STATUS)}")
        if not self._messaging.send_receipt(instance, _text(body, "id"), status):
            raise HTTPException(404, "Não há essa mensagem.")
        return JSONResponse({})

    async def read(self, request: Request) -> Response:
        """POST: the customer reads a chat."""
        instance, body = self._instance(request), await _body(request)
        return JSONResponse({"read": self._messaging.read_chat(instance, _jid(_text(body, "from")))})

    async def logout(self, request: Request) -> Response:
        """POST: the device is removed on the phone."""
        instance = self._instance(request)
        await _body(request)
        self._require_paired(instance)
        self._lifecycle.logout(instance, by_phone=True)
        return JSONResponse(self._summary(instance))

    async def offline(self, request: Request) -> Response:
        """POST: WhatsApp cannot be reached from the gateway any more."""
        instance = self._instance(request)
        await _body(request)
        self._lifecycle.go_offline(instance)
        return JSONResponse(self._summary(instance))

    async def online(self, request: Request) -> Response:
        """POST: WhatsApp can be reached again."""
        instance = self._instance(request)
        await _body(request)
        self._lifecycle.go_online(instance)
        return JSONResponse(self._summary(instance))

    async def faults(self, request: Request) -> Response:
        """POST: how the next sends fail."""
        instance, body = self._instance(request), await _body(request)
        kind = _text(body, "kind")
        if kind not in FAULTS:
            raise HTTPException(400, f"kind: {', '.join(FAULTS)}")
        count = _optional_int(body, "count")
        if count == 0:
            kept = [fault for fault in instance.faults if fault["kind"] != kind]
            instance.faults.clear()
            instance.faults.extend(kept)
        else:
            seconds = {"seconds": float(body["seconds"])} if body.get("seconds") is not None else {}
            instance.faults.extend({"kind": kind, **seconds} for _ in range(count or 1))
        self._state.touch()
        return JSONResponse(self._summary(instance))

    def _require_paired(self, instance: Instance) -> None:
        if not instance.paired:
            raise HTTPException(409, "Este celular não está conectado. Escaneie o QR code primeiro.")

    # Everything

    async def server(self, request: Request) -> Response:
        """POST: the gateway as a whole."""
        mode = _text(await _body(request), "mode")
        if mode not in SERVER_MODES:
            raise HTTPException(400, f"mode: {', '.join(SERVER_MODES)}")
        self._state.server_mode = mode
        self._state.touch()
        return JSONResponse({"mode": mode})

    async def absent(self, request: Request) -> Response:
        """POST: take a number off WhatsApp, or put it back."""
        body = await _body(request)
        jid = _jid(_text(body, "number"))
        if body.get("absent", True):
            self._state.absent.add(jid)
            self._state.known_jids.discard(jid)
        else:
            self._state.absent.discard(jid)
        return JSONResponse({"jid": jid})

    async def deliveries(self, request: Request) -> Response:
        """GET: webhook attempts, oldest first."""
        wanted = {name: value for name, value in request.query_params.items() if name in {"instance", "event"}}
        found = [entry for entry in self._state.deliveries if all(entry[name] == wanted[name] for name in wanted)]
        return JSONResponse(found)

    async def reset(self, request: Request) -> Response:
        """POST: forget everything."""
        await _body(request)
        await self._state.reset()
        return JSONResponse({})

    # The page

    async def view(self, request: Request) -> Response:
        """GET: what the page shows. 204 when nothing changed for 20 s."""
        version = request.query_params.get("version")
        for _ in range(80):
            if version != str(self._state.changed):
                break
            await asyncio.sleep(0.25)
        else:
            return Response(status_code=204)
        shown = self._state.instances.get(request.query_params.get("instance", ""))
        view: Json = {
            "version": self._state.changed,
            "server_mode": self._state.server_mode,
            "instances": [self._summary(instance) for instance in list(self._state.instances.values())[:PAGE_ROWS]],
            "instance_count": len(self._state.instances),
            "paired_count": sum(instance.paired for instance in self._state.instances.values()),
            "deliveries": list(self._state.deliveries)[-30:][::-1],
        }
        if shown:
            view["shown"] = self._summary(shown)
            view["qr"] = shown.qr and {"base64": shown.qr["base64"], "pairing_code": shown.qr["pairingCode"]}
            chats = sorted(shown.chats.values(), key=lambda chat: chat.touched_at, reverse=True)[:PAGE_ROWS]
            view["chats"] = [_chat_row(chat) for chat in chats]
            chat = shown.chats.get(request.query_params.get("chat", ""))
            view["bubbles"] = [vars(bubble) for bubble in chat.bubbles[-PAGE_ROWS:]] if chat else []
        return JSONResponse(view)


def _chat_row(chat: Chat) -> Json:
    last = chat.bubbles[-1] if chat.bubbles else None
    return {
        "jid": chat.jid,
        "number": phone_of(chat.jid),
        "name": chat.name,
        "last": last and last.text,
        "last_mine": last and last.mine,
        "at": chat.touched_at,
        "unread": chat.unread,
        "typing": chat.typing,
        "typed": chat.typed,
    }


async def error(request: Request, exc: Exception) -> Response:
    """``{"error": "text"}``."""
    status, detail = (exc.status_code, exc.detail) if isinstance(exc, HTTPException) else (500, "Erro interno.")
    return JSONResponse({"error": detail}, status_code=status)


async def _body(request: Request) -> Json:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise HTTPException(400, "Content-Type: application/json")
    try:
        body = await request.json()
    except ValueError:
        raise HTTPException(400, "JSON inválido.") from None
    if not isinstance(body, dict):
        raise HTTPException(400, "JSON inválido.")
    return body


def _bytes(body: Json) -> bytes:
    try:
        return base64.b64decode(_text(body, "base64"), validate=True)
    except binascii.Error:
        raise HTTPException(400, "base64 não é base64.") from None


def _text(body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise HTTPException(400, f"Falta {name}.")
    return value


def _optional_int(body: Json, name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise HTTPException(400, f"{name}: número inteiro.")
    return value


def _jid(number: str) -> str:
    return number if "@" in number else filed_as(create_jid(number))
