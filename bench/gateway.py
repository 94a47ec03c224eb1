"""A gateway that answers sends after a while, remembers when each came, and tells of them if asked to.

    python -m bench.gateway PORT SECONDS [WEBHOOK_PORT WEBHOOK_PATH]

A process of its own, and light: five hundred numbers must be slowed down by the product, not by what it sends to. (The
sandbox knows phones, chats and errors, and takes a fifth of a processor for as many.) `GET /sends` tells what was sent
since it was last asked: number, when it came and when it was answered. With a webhook's address it posts the echo of
each send and two receipts, as Evolution would, over connections that stay open.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote

RECORDINGS = Path(__file__).parent.parent / "tests/evolution/webhooks"
HOOKS_AT_ONCE = 8

Sends = list[tuple[str, float, float]]


class Hooks:
    """What is told of a message: posted in turn by a few clients."""

    def __init__(self, port: int, path: str) -> None:
        self._port, self._path = port, path
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()
        self._echo = _body("baileys-send.message-sendText")
        self._receipt = _body("baileys-messages.update-read")

    def start(self) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self._client()) for _ in range(HOOKS_AT_ONCE)]

    def tell(self, instance: str, key: dict[str, Any], text: str) -> None:
        """Queue the echo and two receipts of a message."""
        data = self._echo["data"] | {
            "key": key,
            "message": {"conversation": text},
            "messageTimestamp": int(time.time()),
        }
        self._post(self._echo | {"instance": instance, "data": data})
        for status in ("DELIVERY_ACK", "READ"):
            data = self._receipt["data"] | {"keyId": key["id"], "remoteJid": key["remoteJid"], "status": status}
            self._post(self._receipt | {"instance": instance, "data": data})

    def _post(self, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        head = f"POST {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        self._waiting.put_nowait(f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw)

    async def _client(self) -> None:
        raw = await self._waiting.get()
        # Not before there is something to tell: the product may start later than its gateway.
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while True:
            writer.write(raw)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"A webhook was answered {head[:40]!r}.")
            await reader.readexactly(_length(head))
            raw = await self._waiting.get()


class Gateway(asyncio.Protocol):
    """One connection that stays open: a request, its answer, the next request."""

    def __init__(self, seconds: float, sends: Sends, hooks: Hooks | None) -> None:
        self._seconds, self._sends, self._hooks = seconds, sends, hooks
        self._buffer = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        came = time.monotonic()
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        self._buffer = b""
        method, path = head.split(b" ", 2)[:2]
        if method == b"GET":
            told = json.dumps(self._sends)
            self._sends.clear()
            self._answer(200, told)
        else:
            instance = unquote(path.decode().rpartition("/")[2])
            asyncio.get_running_loop().call_later(self._seconds, self._send, instance, came, json.loads(body))

    def _send(self, instance: str, came: float, message: dict[str, Any]) -> None:
        number = message["number"].partition("@")[0]
        external_id = f"3EB0{time.monotonic_ns():018X}"
        key = {"remoteJid": f"{number}@s.whatsapp.net", "fromMe": True, "id": external_id}
        self._sends.append((instance, came, time.monotonic()))
        self._answer(
            201, json.dumps({"key": key, "status": "PENDING", "messageTimestamp": int(time.time()), "source": "web"})
        )
        if self._hooks:
            self._hooks.tell(instance, key, message["text"])

    def _answer(self, status: int, body: str) -> None:
        head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write((head + body).encode())


def _body(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((RECORDINGS / f"{name}.json").read_text())["body"]
    return body


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


async def serve(port: int, seconds: float, hooks: Hooks | None) -> None:
    """Answer until ended. Raises what keeps a webhook from being posted."""
    sends: Sends = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Gateway(seconds, sends, hooks), "127.0.0.1", port, backlog=1024)
    async with server:
        await asyncio.gather(server.serve_forever(), *(hooks.start() if hooks else []))


def main(arguments: list[str]) -> None:
    port, seconds, *hook = arguments
    asyncio.run(serve(int(port), float(seconds), Hooks(int(hook[0]), hook[1]) if hook else None))


if __name__ == "__main__":
    main(sys.argv[1:])
