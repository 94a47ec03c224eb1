"""The phones: what people do to them, as a page under ``/phone/`` and as JSON for end-to-end tests. Not a part of
Evolution. What is said on them is in `sandbox.phone_chats`.

Bodies are JSON objects; POST needs ``Content-Type: application/json`` (which keeps other web pages out). Errors are
``{"error": "text"}`` with 400, 404 (no such instance or message) or 409 (not in the state for it).

``GET /phone/api/instances``
    ``[{name, state, number, profile_name, paired, qr, qr_count, offline, inbound_dead, unread, faults}]``

Under ``/phone/api/instances/{name}`` (percent-encoded):

``GET /qr``
    ``{pairingCode, code, base64, count}`` as on the screen; 409 when none is shown.
``POST /scan {number, profile_name?}``
    Pairs the phone; 409 when no QR code is shown.
``POST /inbound {from, name?, text, id?, timestamp?, lid?, addressing?, reply_to?, media?}``
    A customer writes; answers ``{id, chat}``. ``from`` is a number, a JID or a LID; ``addressing: "lid"`` puts the LID
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
    ``[{id, to, text, kind, at}]``: what reached WhatsApp, oldest first. ``at`` is wall clock in float seconds that
    never runs backwards, so gaps are exact. The list outlives the instance.
``GET /media?id=``
    The file of a message.
``POST /receipts {id, status}``
    DELIVERY_ACK, READ, PLAYED or ERROR for a message.
``POST /read {from}``
    The customer reads the whole chat; answers ``{read: count}``.
``POST /logout``, ``POST /offline``, ``POST /online``
    Logged out on the phone (401); WhatsApp out of the gateway's reach, and back. Empty objects as bodies.
``POST /faults {kind, count?, seconds?}``
    The next sends fail, one fault each, in order; ``count: 0`` takes the kind away. Kinds: not_on_whatsapp; error_500
    (nothing sent); error_500_after_send; number_check_timeout (500 after ``seconds``, 60); timeout_after_send (sent,
    the answer never comes); reset_before_send; reset_after_send; license_required (503); slow (sent, answered after
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
from collections import Counter
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from sandbox.lifecycle import Lifecycle
from sandbox.messaging import Messaging
from sandbox.numbers import phone_of
from sandbox.phone_chats import PhoneChats
from sandbox.phone_requests import body_of, instance_of, int_in, jid_of, require_paired, text_in
from sandbox.state import FAULTS, SERVER_MODES, Chat, Instance, Json, State
from sandbox.webhooks import WebhookSender

HERE = Path(__file__).parent

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "Cache-Control": "no-store",
}

# The page shows no more than this many rows of a list; the API gives all.
PAGE_ROWS = 200


class Phone:
    """Routes under ``/phone``."""

    def __init__(self, state: State, sender: WebhookSender, lifecycle: Lifecycle, messaging: Messaging) -> None:
        self._state = state
        self._emit = sender.emit
        self._lifecycle = lifecycle
        self._chats = PhoneChats(state, sender, messaging)

    def routes(self) -> list[BaseRoute]:
        """To be mounted at ``/phone``."""
        one = "/api/instances/{name:path}"
        posts = {
            "scan": self.scan,
            "raw": self.raw,
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
            *[Route(f"{one}/{action}", handler, methods=["POST"]) for action, handler in posts.items()],
            *self._chats.routes(one),
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
        instance = instance_of(self._state, request)
        if instance.qr is None:
            raise HTTPException(409, "Nenhum QR code na tela.")
        return JSONResponse(self._lifecycle.qr_answer(instance))

    async def scan(self, request: Request) -> Response:
        """POST: the unit's phone scans the QR code."""
        instance, body = instance_of(self._state, request), await body_of(request)
        number = text_in(body, "number")
        if sum(char.isdigit() for char in number) < 10:
            raise HTTPException(400, "O número precisa de DDI e DDD, por exemplo 55 11 90000-0009.")
        if instance.qr is None:
            raise HTTPException(409, "Nenhum QR code na tela.")
        self._lifecycle.pair(instance, number, str(body.get("profile_name") or "Loja Teste"))
        return JSONResponse(self._summary(instance))

    async def raw(self, request: Request) -> Response:
        """POST: any event, as given."""
        instance, body = instance_of(self._state, request), await body_of(request)
        self._emit(instance, text_in(body, "event"), body.get("data"))
        return JSONResponse({})

    async def sent(self, request: Request) -> Response:
        """GET: what reached WhatsApp, oldest first."""
        return JSONResponse(self._state.wire.get(request.path_params["name"], []))

    async def logout(self, request: Request) -> Response:
        """POST: the device is removed on the phone."""
        instance = instance_of(self._state, request)
        await body_of(request)
        require_paired(instance)
        self._lifecycle.logout(instance, by_phone=True)
        return JSONResponse(self._summary(instance))

    async def offline(self, request: Request) -> Response:
        """POST: WhatsApp cannot be reached from the gateway any more."""
        instance = instance_of(self._state, request)
        await body_of(request)
        self._lifecycle.go_offline(instance)
        return JSONResponse(self._summary(instance))

    async def online(self, request: Request) -> Response:
        """POST: WhatsApp can be reached again."""
        instance = instance_of(self._state, request)
        await body_of(request)
        self._lifecycle.go_online(instance)
        return JSONResponse(self._summary(instance))

    async def faults(self, request: Request) -> Response:
        """POST: how the next sends fail."""
        instance, body = instance_of(self._state, request), await body_of(request)
        kind = text_in(body, "kind")
        if kind not in FAULTS:
            raise HTTPException(400, f"kind: {', '.join(FAULTS)}")
        count = int_in(body, "count")
        if count == 0:
            kept = [fault for fault in instance.faults if fault["kind"] != kind]
            instance.faults.clear()
            instance.faults.extend(kept)
        else:
            seconds = {"seconds": float(body["seconds"])} if body.get("seconds") is not None else {}
            instance.faults.extend({"kind": kind, **seconds} for _ in range(count or 1))
        self._state.touch()
        return JSONResponse(self._summary(instance))

    # Everything

    async def server(self, request: Request) -> Response:
        """POST: the gateway as a whole."""
        mode = text_in(await body_of(request), "mode")
        if mode not in SERVER_MODES:
            raise HTTPException(400, f"mode: {', '.join(SERVER_MODES)}")
        self._state.server_mode = mode
        self._state.touch()
        return JSONResponse({"mode": mode})

    async def absent(self, request: Request) -> Response:
        """POST: take a number off WhatsApp, or put it back."""
        body = await body_of(request)
        jid = jid_of(text_in(body, "number"))
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
        await body_of(request)
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
