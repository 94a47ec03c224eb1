"""The routes of Evolution API 2.3.6: dispatch, keys, instances, webhook and settings.

Messages and chats are in ``sandbox.sending``.
"""

import asyncio
import uuid
from collections.abc import Callable
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox.errors import DropConnection, EvolutionError, NeverAnswer, license_required
from sandbox.lifecycle import Lifecycle
from sandbox.messaging import Messaging
from sandbox.protocol import (
    Answer,
    Call,
    EvolutionResponse,
    Handler,
    drop_connection,
    error_response,
    problems,
    read_body,
    refuse,
)
from sandbox.sending import MessageRoutes
from sandbox.state import EVENTS, SETTING_FLAGS, Instance, Json, State, Webhook, timestamp
from sandbox.webhooks import WebhookSender

SUCCESS = {"status": "SUCCESS", "error": False}


class EvolutionApp:
    """ASGI application for everything outside ``/phone``."""

    def __init__(self, state: State, sender: WebhookSender, lifecycle: Lifecycle, messaging: Messaging) -> None:
        self._state = state
        self._sender = sender
        self._lifecycle = lifecycle
        self._routes: dict[tuple[str, str, str], Handler] = {
            ("GET", "instance", "connect"): self.connect,
            ("GET", "instance", "connectionState"): self.connection_state,
            ("POST", "instance", "restart"): self.restart,
            ("DELETE", "instance", "logout"): self.logout,
            ("DELETE", "instance", "delete"): self.delete,
            ("POST", "webhook", "set"): self.set_webhook,
            ("GET", "webhook", "find"): self.find_webhook,
            ("POST", "settings", "set"): self.set_settings,
            ("GET", "settings", "find"): self.find_settings,
            **MessageRoutes(state, sender, messaging).table(),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except EvolutionError as error:
            response = error_response(error)
        except DropConnection:
            drop_connection(scope.get("client"))
            return
        except NeverAnswer:
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if self._state.server_mode == "down":
            raise DropConnection
        raw_path = request.scope.get("raw_path") or request.url.path.encode()
        path = raw_path.decode("latin-1").partition("?")[0]
        segments = [unquote(segment) for segment in path.strip("/").split("/")]
        body = await read_body(request)
        if self._state.server_mode == "license_required":
            raise license_required()

        method, key = request.method, request.headers.get("apikey")
        query = dict(request.query_params)
        match (method, segments):
            case ("GET", [""]):
                return EvolutionResponse(200, self.info())
            case ("POST", ["verify-creds"]):
                self._require_global_key(key)
                return EvolutionResponse(200, {"status": 200, "message": "Credentials are valid"})
            case ("GET", ["instance", "fetchInstances"]):
                return EvolutionResponse(200, self.fetch_instances(key, query))
            case ("POST", ["instance", "create"]):
                return EvolutionResponse(*await self.create(key, body))
        handler = self._routes.get((method, segments[0], segments[1])) if len(segments) == 3 else None
        if handler is None:
            query_string = f"?{request.url.query}" if request.url.query else ""
            raise EvolutionError(404, [f"Cannot {method} {path}{query_string}"])

        name = segments[2]
        instance = self._state.instances.get(name)
        if instance is None:  # before the key is looked at (unknown-instance-no-apikey.json)
            raise EvolutionError(404, [f'The "{name}" instance does not exist'])
        if key is None or key not in (self._state.config.api_key, instance.token):
            raise EvolutionError(401, "Unauthorized")
        # Query parameters override the path after the key check (query-param-overrides-path-instance.json).
        name = query.get("instanceName", name)
        call = Call(name, self._state.instances.get(name), body, query, key)
        return EvolutionResponse(*await handler(call))

    def _require_global_key(self, key: str | None) -> None:
        if key != self._state.config.api_key:
            raise EvolutionError(401, "Unauthorized")

    def info(self) -> Json:
        """GET / needs no key."""
        return {
            "status": 200,
            "message": "Welcome to the Evolution API, it is working!",
            "version": "2.3.6",
            "clientName": "evolution_sandbox",
            "documentation": "https://doc.evolution-api.com",
            "whatsappWebVersion": "2.3000.1027934701",
        }

    # Instances

    async def create(self, key: str | None, body: Json) -> Answer:
        """POST /instance/create: 201, 400, 401 or 403, in Evolution's order of checks."""
        name = body.get("instanceName")
        if name is not None and not isinstance(name, str):
            error = "PrismaClientValidationError: Argument `name`: Invalid value provided."
            raise EvolutionError(500, [error])
        if name in self._state.instances:
            raise EvolutionError(403, [f'This name "{name}" is already in use.'])
        self._require_global_key(key)
        self._validate_create(body)
        if name is None:
            error = "Foreign key constraint violated on the constraint: `Setting_instanceId_fkey`"
            raise EvolutionError(400, [error])

        flags: Json = {flag: bool(body.get(flag, False)) for flag in SETTING_FLAGS}
        flags |= {"msgCall": body.get("msgCall", ""), "wavoipToken": ""}
        token = body.get("token") or str(uuid.uuid4()).upper()
        instance = Instance(name=name, token=token, number=body.get("number"), flags=flags)
        self._state.instances[name] = instance
        self._state.touch()
        webhook = body.get("webhook") or {}
        if webhook.get("url"):
            if not isinstance(webhook.get("events"), list):
                # The row was written and is rolled back a moment later
                # (connectionState-after-failed-create.json).
                instance.state = None
                self._state.spawn(self._lifecycle.forget_later(instance))
                raise EvolutionError(400, ["Cannot read properties of undefined (reading 'length')"])
            # Event names are not checked here, and ``enabled`` is ignored.
            instance.webhook = Webhook(
                url=webhook["url"],
                headers=webhook.get("headers"),
                enabled=True,
                events=webhook["events"] or list(EVENTS),
                by_events=bool(webhook.get("byEvents")),
                base64=bool(webhook.get("base64")),
            )
        self._sender.emit(instance, "instance.create", {"instanceName": name, "instanceId": instance.id})
        answer = self._created(instance, webhook)
        if body.get("qrcode"):
            self._lifecycle.start(instance, body.get("number"))
            await asyncio.sleep(self._state.config.create_qr_seconds)
            answer["instance"]["status"] = instance.state
            answer["qrcode"] = self._lifecycle.qr_answer(instance)
        return 201, answer

    def _validate_create(self, body: Json) -> None:
        found = problems(body, types={"qrcode": "boolean", "token": "string", "number": "string"})
        number = body.get("number")
        if isinstance(number, str) and not (number[:1].isdigit() and len(number) >= 2):
            found.append('number does not match pattern "^\\\\d+[\\\\.@\\\\w-]+"')
        refuse(found)
        if body.get("integration") != "WHATSAPP-BAILEYS":
            raise EvolutionError(400, ["Invalid integration"])  # the other channels are not simulated

    def _created(self, instance: Instance, webhook: Json) -> Json:
        shown = {
            "url": "webhookUrl",
            "headers": "webhookHeaders",
            "byEvents": "webhookByEvents",
            "base64": "webhookBase64",
        }
        return {
            "instance": {
                "instanceName": instance.name,
                "instanceId": instance.id,
                "integration": "WHATSAPP-BAILEYS",
                "webhookWaBusiness": None,
                "accessTokenWaBusiness": "",
                "status": instance.state,
            },
            "hash": instance.token,
            "webhook": {name: webhook[given] for given, name in shown.items() if given in webhook},
            "websocket": {},
            "rabbitmq": {},
            "nats": {},
            "sqs": {},
            "settings": instance.flags,
        }

    async def connect(self, call: Call) -> Answer:
        """GET /instance/connect/{name}[?number=]: starts a closed instance and waits; the current QR while
        connecting.
        """
        instance = call.target
        if instance.state == "open":
            return await self.connection_state(call)
        if instance.state == "close":
            self._lifecycle.start(instance, call.query.get("number"))
            await asyncio.sleep(self._state.config.connect_seconds)
        return 200, self._lifecycle.qr_answer(instance)

    async def connection_state(self, call: Call) -> Answer:
        """GET /instance/connectionState/{name}; without ``state`` while a row is being deleted."""
        shown: Json = {"instanceName": call.name}
        if call.instance and call.instance.state:
            shown["state"] = call.instance.state
        return 200, {"instance": shown}

    async def restart(self, call: Call) -> Answer:
        """POST /instance/restart/{name}: a closed one answers 200 with an error (restart-closed.json)."""
        instance = call.target
        if instance.state == "close":
            return 200, {"error": True, "message": "[object Object]"}
        answer = await self.connection_state(call)  # the state from before the restart
        self._lifecycle.restart(instance)
        return answer

    async def logout(self, call: Call) -> Answer:
        """DELETE /instance/logout/{name}."""
        instance = call.target
        if instance.state == "close":
            raise EvolutionError(400, [f'The "{instance.name}" instance is not connected'])
        self._lifecycle.logout(instance, by_phone=False)
        return 200, {**SUCCESS, "response": {"message": "Instance logged out"}}

    async def delete(self, call: Call) -> Answer:
        """DELETE /instance/delete/{name}: answers before it is done."""
        if call.instance and call.instance.state:
            self._lifecycle.delete(call.instance)
        return 200, {**SUCCESS, "response": {"message": "Instance deleted"}}

    def fetch_instances(self, key: str | None, query: dict[str, str]) -> list[Json]:
        """GET /instance/fetchInstances: all for the global key, its own for a token; 404 when a filter finds
        nothing.
        """
        found = list(self._state.instances.values())
        if key != self._state.config.api_key:
            found = [instance for instance in found if key and instance.token == key]
            if not found:
                raise EvolutionError(401, "Unauthorized")
        filters: dict[str, Callable[[Instance], str | None]] = {
            "instanceName": lambda instance: instance.name,
            "instanceId": lambda instance: instance.id,
            "number": lambda instance: instance.number,
        }
        for name, value_of in filters.items():
            if wanted := query.get(name):
                found = [instance for instance in found if value_of(instance) == wanted]
                if not found:
                    raise EvolutionError(404, [f'Instance "{wanted}" not found'])
        return [self._row(instance) for instance in found]

    def _row(self, instance: Instance) -> Json:
        nothing = {"disconnectionReasonCode": None, "disconnectionObject": None, "disconnectionAt": None}
        return {
            "id": instance.id,
            "name": instance.name,
            "connectionStatus": instance.state or "close",
            "ownerJid": instance.owner_jid,
            "profileName": instance.profile_name,
            "profilePicUrl": None,
            "integration": "WHATSAPP-BAILEYS",
            "number": instance.number,
            "businessId": None,
            "token": instance.token,
            "clientName": "evolution_sandbox",
            **(instance.disconnection or nothing),
            "createdAt": instance.created_at,
            "updatedAt": instance.updated_at,
            **dict.fromkeys(("Chatwoot", "Proxy", "Rabbitmq", "Nats", "Sqs", "Websocket")),
            "Setting": {
                "id": instance.setting_id,
                **instance.flags,
                "createdAt": instance.created_at,
                "updatedAt": instance.setting_updated_at,
                "instanceId": instance.id,
            },
            "_count": {"Message": len(instance.messages), "Contact": len(instance.contacts), "Chat": 0},
        }

    # Webhook and settings

    async def set_webhook(self, call: Call) -> Answer:
        """POST /webhook/set/{name}, body ``{"webhook": {...}}``. The URL is not checked, event names are."""
        refuse(problems(call.body, ("webhook",), {"webhook": "object"}))
        given = call.body["webhook"]
        types = {
            "enabled": "boolean",
            "url": "string",
            "headers": "object",
            "byEvents": "boolean",
            "base64": "boolean",
        }
        found = problems(given, ("enabled", "url"), {**types, "events": "array"}, path="webhook")
        events = given.get("events")
        for position, event in enumerate(events if isinstance(events, list) else []):
            if event not in EVENTS:
                found.append(f"webhook.events[{position}] is not one of enum values: {','.join(EVENTS)}")
        refuse(found)
        if given["enabled"] and events is None:
            raise EvolutionError(500, "Cannot read properties of undefined (reading 'length')")
        instance = call.target
        webhook = Webhook(
            url=given["url"],
            headers=given.get("headers"),
            enabled=given["enabled"],
            events=(events or list(EVENTS)) if given["enabled"] else [],
            by_events=bool(given.get("byEvents")),
            base64=bool(given.get("base64")),
        )
        if instance.webhook:
            webhook.id, webhook.created_at = instance.webhook.id, instance.webhook.created_at
        instance.webhook = webhook
        return 201, self._webhook_row(instance)

    async def find_webhook(self, call: Call) -> Answer:
        """GET /webhook/find/{name}: the stored object or null."""
        return 200, self._webhook_row(call.target)

    def _webhook_row(self, instance: Instance) -> Json | None:
        webhook = instance.webhook
        if webhook is None:
            return None
        return {
            "id": webhook.id,
            "url": webhook.url,
            "headers": webhook.headers,
            "enabled": webhook.enabled,
            "events": webhook.events,
            "webhookByEvents": webhook.by_events,
            "webhookBase64": webhook.base64,
            "createdAt": webhook.created_at,
            "updatedAt": webhook.updated_at,
            "instanceId": instance.id,
        }

    async def set_settings(self, call: Call) -> Answer:
        """POST /settings/set/{name}: all six flags or a 400."""
        types = {**dict.fromkeys(SETTING_FLAGS, "boolean"), "msgCall": "string", "wavoipToken": "string"}
        refuse(problems(call.body, SETTING_FLAGS, types))
        instance = call.target
        given = {name: call.body[name] for name in call.body if name in types}
        instance.flags = {**instance.flags, **given}
        instance.setting_updated_at = timestamp()
        return 201, {"settings": {"instanceName": instance.name, "settings": given}}

    async def find_settings(self, call: Call) -> Answer:
        """GET /settings/find/{name}."""
        return 200, call.target.flags
