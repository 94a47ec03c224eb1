"""A gateway that posts as fast as it is answered, or at a rate: the load generator, a process of its own.

    python -m bench.load < plan.json > answers.json

Raw HTTP/1.1 over connections that stay open, with all requests made before the first is sent: what the clock sees is
the server. It tells the processor time it took, which must be a small part of the whole.
"""

import asyncio
import json
import sys
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).parent.parent / "tests/evolution/webhooks/baileys-messages.upsert-in-text-1st.json"
TEXT = "Oi, quero saber o preço das lentes de grau, pedido {number}"


@dataclass(frozen=True, slots=True)
class Target:
    """An address to post to, and the instance that the bodies name."""

    path: str
    instance: str


@dataclass(frozen=True, slots=True)
class Plan:
    """`count` messages to `targets` in turn, from `contacts` people in all; `run` makes their ids unique.

    `rate`: posts a second whether answered or not; 0: as many as are answered.
    """

    port: int
    targets: list[Target]
    count: int
    run: str
    contacts: int = 200
    clients: int = 16
    rate: float = 0


@dataclass(frozen=True, slots=True)
class Answers:
    """What came back. Times are seconds since 1970, `answered` in the order of the messages (0: never)."""

    started: float
    seconds: float
    processor_seconds: float
    statuses: dict[str, int]
    answered: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return self.statuses.get("200", 0) / self.seconds


def external_id(run: str, number: int) -> str:
    return f"3A{run}{number:07d}".upper()


def requests(plan: Plan) -> list[bytes]:
    """One text each, unlike any other, of the size that Evolution really posts."""
    body: dict[str, Any] = json.loads(TEMPLATE.read_text())["body"]
    made = []
    for number in range(plan.count):
        target = plan.targets[number % len(plan.targets)]
        contact = number // len(plan.targets) % (plan.contacts // len(plan.targets) or 1)
        body["instance"] = target.instance
        body["data"]["key"] |= {"remoteJid": f"55119{70000000 + contact}@s.whatsapp.net"}
        body["data"]["key"]["id"] = external_id(plan.run, number)
        body["data"]["pushName"] = f"Cliente {contact}"
        body["data"]["message"] = {"conversation": TEXT.format(number=number)}
        body["data"]["messageTimestamp"] = int(time.time())
        raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        head = (
            f"POST {target.path} HTTP/1.1\r\nHost: 127.0.0.1:{plan.port}\r\nUser-Agent: axios/1.12.2\r\n"
            f"Accept: application/json, text/plain, */*\r\nAccept-Encoding: gzip, compress, deflate, br\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\nConnection: keep-alive\r\n\r\n"
        )
        made.append(head.encode() + raw)
    return made


class _Clients:
    """The connections, and what waits to be posted."""

    def __init__(self, made: list[bytes]) -> None:
        self.made = made
        self.waiting: deque[int] = deque()
        self.idle: list[_Client] = []
        self.statuses: Counter[str] = Counter()
        self.answered = [0.0] * len(made)
        self.left = len(made)
        self.done = asyncio.get_running_loop().create_future()

    def post(self, number: int) -> None:
        if self.idle:
            self.idle.pop().send(number)
        else:
            self.waiting.append(number)

    def record(self, number: int, status: str) -> None:
        self.statuses[status] += 1
        self.answered[number] = time.time()
        self.left -= 1
        if self.left == 0:
            self.done.set_result(None)


class _Client(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, clients: _Clients) -> None:
        self._clients = clients
        self._buffer = b""
        self._number = -1
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def send(self, number: int) -> None:
        self._number = number
        self._transport.write(self._clients.made[number])

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end or not _is_whole(head.lower(), body):
            return
        self._buffer = b""
        self._clients.record(self._number, head[9:12].decode())
        if self._clients.waiting:
            self.send(self._clients.waiting.popleft())
        else:
            self._clients.idle.append(self)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._clients.done.done():
            self._clients.done.set_exception(ConnectionError(f"The server hung up: {error}"))


def _is_whole(head: bytes, body: bytes) -> bool:
    if b"\r\ntransfer-encoding: chunked" in head:
        return body.endswith(b"0\r\n\r\n")
    _, found, rest = head.partition(b"\r\ncontent-length:")
    return len(body) >= (int(rest.partition(b"\r\n")[0]) if found else 0)


async def run(plan: Plan) -> Answers:
    """Post everything. Raises ConnectionError when the server hangs up."""
    clients = _Clients(requests(plan))
    loop = asyncio.get_running_loop()
    for _ in range(plan.clients):
        _, client = await loop.create_connection(lambda: _Client(clients), "127.0.0.1", plan.port)
        clients.idle.append(client)
    processor, started, begin = time.process_time(), time.time(), time.perf_counter()
    for number in range(plan.count):
        if plan.rate:
            await asyncio.sleep(max(0.0, begin + number / plan.rate - time.perf_counter()))
        clients.post(number)
    await clients.done
    seconds = time.perf_counter() - begin
    return Answers(started, seconds, time.process_time() - processor, dict(clients.statuses), clients.answered)


def main() -> None:
    plan = json.load(sys.stdin)
    targets = [Target(**target) for target in plan.pop("targets")]
    json.dump(asdict(asyncio.run(run(Plan(targets=targets, **plan)))), sys.stdout)


if __name__ == "__main__":
    main()
