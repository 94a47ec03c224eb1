"""A sandbox (Evolution API stand-in with phones) as a process of its own, for tests that need the far end to
be real.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

ROOT = Path(__file__).resolve().parent.parent

# Short waits, so that a test does not sit out Evolution's fixed ones (2 s in connect, 5 s in create with a QR
# code).
FAST = {
    "SANDBOX_ANSWER_MS": "5",
    "SANDBOX_CONNECT_MS": "60",
    "SANDBOX_CREATE_QR_MS": "60",
    "SANDBOX_DELETE_MS": "300",
    "SANDBOX_MEDIA_GONE_MS": "20",
    "SANDBOX_RECONNECTS_PER_SECOND": "5",
    "SANDBOX_RECEIPTS": "off",
}


def free_port() -> int:
    """A port on loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Sandbox:
    """``with Sandbox() as sandbox``: started on entry, stopped on exit.

    Keyword arguments are its environment variables.
    """

    def __init__(self, port: int | None = None, **environ: str) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.api_key = environ.get("SANDBOX_API_KEY", "sandbox-key")
        self._environ = {**FAST, **environ}
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed on exit
        self._http = httpx.Client(base_url=self.url, trust_env=False, timeout=30)

    def __enter__(self) -> "Sandbox":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        self._http.close()
        self._log.close()

    def start(self) -> None:
        """Start the process and wait until it answers.

        Raises RuntimeError with its log when it does not within 20 s.
        """
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")}
        command = [sys.executable, "-m", "granian", "--interface", "asgi", "--workers", "1", "--no-ws"]
        command += ["--host", "127.0.0.1", "--port", str(self.port), "sandbox.app:app"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env={**inherited, **self._environ}, stdout=self._log, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self._http.get("/").raise_for_status()
                return
            except httpx.HTTPError:
                time.sleep(0.05)
        self.stop()
        self._log.seek(0)
        raise RuntimeError(f"The sandbox did not start:\n{self._log.read().decode(errors='replace')}")

    def stop(self) -> None:
        """Stop the process; what it remembered is gone, webhook retries included."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    # Evolution's side

    def evolution(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        """One Evolution call with the global key, or with ``key``."""
        return self._http.request(method, path, json=body, headers={"apikey": key or self.api_key})

    # The phones' side

    def phone(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the phones' API (see sandbox.phone). Raises httpx.HTTPStatusError on an error."""
        response = self._http.request(method, f"/phone/api/{path}", json=body if method == "POST" else None)
        response.raise_for_status()
        return response.json()

    def _act(self, instance: str, action: str, **body: Any) -> Any:
        return self.phone("POST", f"instances/{quote(instance, safe='')}/{action}", body)

    def instances(self) -> dict[str, Any]:
        """Every instance by name."""
        return {instance["name"]: instance for instance in self.phone("GET", "instances")}

    def scan(self, name: str, number: str = "5511900000009", profile_name: str = "Loja Teste") -> None:
        """Pair the unit's phone, waiting up to 10 s for a QR code."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not self.instances().get(name, {}).get("qr"):
            time.sleep(0.02)
        self._act(name, "scan", number=number, profile_name=profile_name)

    def inbound(self, name: str, sender: str, text: str, customer: str | None = "Maria", **more: Any) -> str:
        """A customer writes.

        ``more``: id, timestamp, lid, addressing, reply_to, media. Returns the message id.
        """
        message_id: str = self._act(name, "inbound", **{"from": sender, "name": customer, "text": text, **more})["id"]
        return message_id

    def own(self, name: str, to: str, text: str) -> str:
        """Somebody types on the unit's own phone. Returns the message id."""
        message_id: str = self._act(name, "own", to=to, text=text)["id"]
        return message_id

    def edit(self, name: str, message_id: str, text: str) -> None:
        """Whoever wrote the message changes it."""
        self._act(name, "edit", id=message_id, text=text)

    def delete(self, name: str, message_id: str) -> None:
        """Whoever wrote the message deletes it for everyone."""
        self._act(name, "delete", id=message_id)

    def raw(self, name: str, event: str, data: Any) -> None:
        """Emit any event to the webhook of ``name``."""
        self._act(name, "raw", event=event, data=data)

    def sent(self, name: str) -> list[dict[str, Any]]:
        """What reached WhatsApp: ``{id, to, text, kind, at}``, oldest first."""
        messages: list[dict[str, Any]] = self.phone("GET", f"instances/{quote(name, safe='')}/sent")
        return messages

    def receipt(self, name: str, message_id: str, status: str) -> None:
        """DELIVERY_ACK, READ, PLAYED or ERROR for a sent message."""
        self._act(name, "receipts", id=message_id, status=status)

    def read(self, name: str, customer: str) -> int:
        """The customer reads the chat. Returns how many messages that were."""
        count: int = self._act(name, "read", **{"from": customer})["read"]
        return count

    def logout(self, name: str) -> None:
        """Log out on the phone."""
        self._act(name, "logout")

    def offline(self, name: str) -> None:
        """Put WhatsApp out of the gateway's reach."""
        self._act(name, "offline")

    def online(self, name: str) -> None:
        """WhatsApp is back."""
        self._act(name, "online")

    def fail(self, name: str, kind: str, count: int = 1, seconds: float | None = None) -> None:
        """Make the next ``count`` sends fail (kinds: sandbox.phone)."""
        self._act(name, "faults", kind=kind, count=count, **({} if seconds is None else {"seconds": seconds}))

    def server(self, mode: str) -> None:
        """``up``, ``down`` or ``license_required``, for the gateway as a whole."""
        self.phone("POST", "server", {"mode": mode})

    def absent(self, number: str) -> None:
        """Take a number off WhatsApp."""
        self.phone("POST", "absent", {"number": number})

    def deliveries(self, **wanted: str) -> list[dict[str, Any]]:
        """Webhook attempts, oldest first; filter by ``instance`` and ``event``."""
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in wanted.items())
        attempts: list[dict[str, Any]] = self.phone("GET", f"deliveries?{query}")
        return attempts

    def reset(self) -> None:
        """Forget everything."""
        self.phone("POST", "reset", {})
