"""The sandbox as its own process, an Evolution server to hold the contract against, and a receiver of
webhooks.
"""

import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.sandbox_process import ROOT, Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One sandbox for all tests here, with webhook retries that fit into a test."""
    with Sandbox(SANDBOX_RETRY_BASE="0.2", SANDBOX_RETRY_TIMEOUT="0.6", SANDBOX_RETRY_ATTEMPTS="4") as running:
        yield running


@dataclass
class Evolution:
    """An Evolution server: the sandbox, or the real one of EVOLUTION_URL.

    ``sandbox`` is None for a real one (no phone there).
    """

    http: httpx.Client
    api_key: str
    sandbox: Sandbox | None
    made: list[str] = field(default_factory=list)

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:
        headers = {"apikey": self.api_key} if headers is None else headers
        if isinstance(body, str):  # recorded as text: not JSON, and meant so
            return self.http.request(
                method, path, content=body, headers={"Content-Type": "application/json", **headers}
            )
        return self.http.request(method, path, json=body, headers=headers)

    def name(self) -> str:
        """A new name; whatever is created under it is deleted at the end."""
        name = f"contract-{uuid.uuid4().hex[:12]}"
        self.made.append(name)
        return name

    def create(self, **more: Any) -> tuple[str, str]:
        """A new instance: its name and token."""
        body = {"instanceName": self.name(), "integration": "WHATSAPP-BAILEYS", **more}
        answer = self.call("POST", "/instance/create", body)
        assert answer.status_code == 201, answer.text
        return body["instanceName"], answer.json()["hash"]

    def open(self, **more: Any) -> str:
        """A new instance with a paired phone. Skips against a real server."""
        if self.sandbox is None:
            pytest.skip("needs a phone")
        name, _ = self.create(qrcode=True, **more)
        self.sandbox.scan(name)
        return name


def _real_server() -> tuple[str, str] | None:
    """URL and key of the real server somebody asked for, if they are set in the environment.

    Loading Django's settings copies `.local/env` into the environment: the address of the launcher's own sandbox is in
    there, and that is nobody's wish.
    """
    url, key = os.environ.get("EVOLUTION_URL"), os.environ.get("EVOLUTION_API_KEY")
    embedded = ROOT / ".local" / "env"
    if not url or not key or (embedded.exists() and url in embedded.read_text()):
        return None
    return url, key


@pytest.fixture(scope="session")
def evolution(request: pytest.FixtureRequest) -> Iterator[Evolution]:
    """The server of EVOLUTION_URL and EVOLUTION_API_KEY if both are set, the sandbox otherwise."""
    real = _real_server()
    sandbox: Sandbox | None = None
    if real:
        url, api_key = real
    else:
        sandbox = request.getfixturevalue("sandbox")
        url, api_key = sandbox.url, sandbox.api_key
    with httpx.Client(base_url=url, timeout=90, trust_env=False) as http:
        server = Evolution(http, api_key, sandbox)
        yield server
        for name in server.made:
            server.call("DELETE", f"/instance/delete/{quote(name, safe='')}")


@dataclass
class Arrival:
    """One request at the receiver. ``at`` is monotonic seconds."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    at: float


class Receiver:
    """A webhook receiver.

    A path that ends in ``/status/NNN`` is answered so, ``/slow`` after two seconds, others with 200.
    """

    def __init__(self, port: int = 0) -> None:
        self.arrivals: list[Arrival] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def _take(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = json.loads(raw) if raw else None
                arrival = Arrival(self.command, self.path, dict(self.headers), body, time.monotonic())
                receiver.arrivals.append(arrival)
                if self.path.endswith("/slow"):
                    time.sleep(2)
                last = self.path.rpartition("/status/")[2]
                status = int(last) if last.isdigit() else 200
                try:
                    self.send_response(status)
                    if 300 < status < 304 or status in (307, 308):
                        self.send_header("Location", f"/landed{self.path.partition('/status')[0]}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except BrokenPipeError:
                    pass  # the slow path: the sender has gone

            do_GET = do_POST = _take  # noqa: N815 - names of http.server

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def at_path(self, part: str) -> list[Arrival]:
        return [arrival for arrival in self.arrivals if part in arrival.path]

    def wait(self, part: str, count: int = 1, seconds: float = 5) -> list[Arrival]:
        """The arrivals whose path contains ``part``, once there are ``count``. Fails after ``seconds``."""
        deadline = time.monotonic() + seconds
        while len(found := self.at_path(part)) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} at {part}: {[a.path for a in found]}"
            time.sleep(0.01)
        return found

    def event(self, name: str, event: str, seconds: float = 5) -> Any:
        """The body of the last ``event`` of instance ``name``, waited for."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for arrival in reversed(self.arrivals):
                if arrival.body and arrival.body["instance"] == name and arrival.body["event"] == event:
                    return arrival.body
            time.sleep(0.01)
        raise AssertionError(f"no {event} for {name}")

    def hook(self, name: str = "all", *events: str, **more: Any) -> dict[str, Any]:
        """A webhook option for create that delivers here."""
        return {"url": f"{self.url}/{name}", "events": list(events), **more}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on a free port."""
    running = Receiver()
    yield running
    running.stop()
