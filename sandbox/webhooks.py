"""Delivering events to webhooks with Evolution's envelope and retry rules (retry-schedule.json)."""

import asyncio
import base64
import hashlib
import hmac
import json
import random
import re
import ssl
import time
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

import httpx

from sandbox.state import Instance, Json, State, Webhook

# The official image runs with TZ=America/Sao_Paulo, so its local time is 3 h behind UTC, and still ends in
# "Z".
GATEWAY_ZONE = timezone(timedelta(hours=-3))

# Never tried again (retry-schedule.json).
FINAL = frozenset({400, 401, 403, 404, 422})

# POSTs under way at once: Evolution knows no limit, this one keeps the process under its limit of open files. They
# are spread over clients because a request through httpx costs more the more connections its pool has: measured
# 1.3 ms of CPU with 10, 5.9 ms with 200.
CLIENTS = 16
POSTS_PER_CLIENT = 12


class WebhookSender:
    """Sends each event as an independent POST: no order, retries in memory only, answers ignored."""

    def __init__(self, state: State) -> None:
        self._state = state
        trust = ssl.create_default_context()
        # follow_redirects is axios' behaviour: 301-303 become a body-less GET whose 2xx counts, 307/308 keep
        # the POST (redirects.json).
        self._clients = [
            httpx.AsyncClient(
                follow_redirects=True,
                trust_env=False,
                verify=trust,
                timeout=None,  # noqa: S113 - the whole attempt is timed, not its parts
            )
            for _ in range(CLIENTS)
        ]
        self._slots = [asyncio.Semaphore(POSTS_PER_CLIENT) for _ in range(CLIENTS)]
        self._delivery_id = 0

    async def close(self) -> None:
        """Close the connections. Retries that wait are lost, as with Evolution."""
        for client in self._clients:
            await client.aclose()

    def emit(self, instance: Instance, event: str, data: Any) -> None:
        """Deliver ``event`` (in dots, e.g. ``messages.upsert``) to whoever subscribed. Returns at once."""
        webhook = instance.webhook
        if webhook and webhook.enabled and constant(event) in webhook.events:
            url = webhook.url + path_suffix(event) if webhook.by_events else webhook.url
            self._post(instance, webhook, event, data, url, webhook.url, dict(webhook.headers or {}))
        if global_url := self._state.config.global_webhook_url:
            # The global webhook carries no custom headers, and names the instance's URL as destination
            # (global-send.message-instance-has-own.json).
            destination = webhook.url if webhook and webhook.enabled else global_url + path_suffix(event)
            self._post(instance, None, event, data, global_url, destination, {})

    def _post(
        self,
        instance: Instance,
        webhook: Webhook | None,
        event: str,
        data: Any,
        url: str,
        destination: str,
        headers: dict[str, str],
    ) -> None:
        if urlsplit(url).scheme not in {"http", "https"}:
            return  # accepted by /webhook/set, delivers nothing (webhook-set-invalid-url.json)
        body: Json = {"event": event, "instance": instance.name, "data": data, "destination": destination}
        local = datetime.now(GATEWAY_ZONE).replace(tzinfo=None)
        body["date_time"] = local.isoformat(timespec="milliseconds") + "Z"
        if instance.was_open:
            body["sender"] = instance.owner_jid
        body["server_url"] = self._state.config.server_url
        body["apikey"] = instance.token if self._state.config.expose_token else None
        if secret := headers.pop("jwt_key", None):
            headers["Authorization"] = f"Bearer {_jwt(str(secret))}"
        # Custom headers win, even over Content-Type.
        sent = httpx.Headers(
            {
                "Accept": "application/json, text/plain, */*",
                "Content-Type": "application/json",
                "User-Agent": "axios/1.12.2",
            }
        )
        sent.update({name: str(value) for name, value in headers.items()})
        self._delivery_id += 1
        content = json.dumps(body, ensure_ascii=False).encode()
        self._state.spawn(self._deliver(self._delivery_id, instance.name, event, url, content, sent))

    async def _deliver(
        self, delivery_id: int, instance: str, event: str, url: str, content: bytes, headers: httpx.Headers
    ) -> None:
        await asyncio.sleep(random.random() * 0.01)  # a burst arrives shuffled, as recorded
        config = self._state.config
        for attempt in range(1, config.retry_attempts + 1):
            status, error = await self._attempt(delivery_id, url, content, headers)
            done = status is not None and (200 <= status < 300 or status in FINAL)
            self._state.deliveries.append(
                {
                    "delivery": delivery_id,
                    "instance": instance,
                    "event": event,
                    "host": urlsplit(url).netloc.rpartition("@")[2],  # not the path: it may carry the receiver's secret
                    "attempt": attempt,
                    "status": status,
                    "error": error,
                    "final": done or attempt == config.retry_attempts,
                    "at": time.time(),
                }
            )
            self._state.touch()
            if done:
                return
            if attempt < config.retry_attempts:
                await asyncio.sleep(retry_delay(attempt, config.retry_base, config.retry_max))

    async def _attempt(
        self, delivery_id: int, url: str, content: bytes, headers: httpx.Headers
    ) -> tuple[int | None, str | None]:
        lane = delivery_id % CLIENTS
        async with self._slots[lane]:
            try:
                async with asyncio.timeout(self._state.config.retry_timeout):
                    response = await self._clients[lane].post(url, content=content, headers=headers)
                return response.status_code, None
            except TimeoutError:
                return None, "timeout"
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                return None, type(error).__name__


def constant(event: str) -> str:
    """``messages.upsert`` as it stands in a list of events: ``MESSAGES_UPSERT``."""
    return re.sub(r"[.-]", "_", event).upper()


def path_suffix(event: str) -> str:
    """What ``byEvents`` appends: ``/messages-upsert``.

    A URL that ends in a slash gets two (by-events-url-with-trailing-slash.json).
    """
    return "/" + event.replace(".", "-")


def retry_delay(attempt: int, base: float, longest: float) -> float:
    """Seconds between attempt number ``attempt`` (from 1) and the next: doubling, capped, jittered by a
    fifth, never below ``base``.
    """
    delay = min(base * 2.0 ** (attempt - 1), longest)
    return max(base, delay * random.uniform(0.8, 1.2))


def _jwt(secret: str) -> str:
    """The HS256 token of ``jwt_key``.

    Made once per event, so a retry after ten minutes carries an expired one (headers-jwt_key.json).
    """

    def encoded(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    now = int(time.time())
    header = encoded(b'{"alg":"HS256","typ":"JWT"}')
    claims = encoded(json.dumps({"iat": now, "exp": now + 600, "app": "evolution", "action": "webhook"}).encode())
    signature = hmac.new(secret.encode(), f"{header}.{claims}".encode(), hashlib.sha256).digest()
    return f"{header}.{claims}.{encoded(signature)}"
