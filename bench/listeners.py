"""Clients that listen to live events: a process of its own, for `bench.events`.

    python -m bench.listeners < plan.json

Raw HTTP/1.1, one connection each. Writes `ready` when all of them listen, ends what it does at the next line of its
input, and then writes what each has heard. Its input is a line of JSON, `Plan`.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any

# So many connect at once, as the browsers of an office do when the network is back.
AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Plan:
    """A stream for each of `streams`: the unit's id and a token. Every tenth one hangs up after `restless` events,
    again and again, and goes on by the number of the last one; 0: none does.
    """

    port: int
    streams: list[tuple[str, str]]
    restless: int = 0


@dataclass(slots=True)
class Listener:
    """One client. `heard`: the numbers that came, and when (seconds since 1970)."""

    plan: Plan
    number: int
    heard: list[tuple[int, float]] = field(default_factory=list)
    seq: int | None = None

    async def listen(self, at_once: asyncio.Semaphore, is_ready: asyncio.Event) -> None:
        """Until cancelled. Raises ConnectionError when the server refuses or hangs up."""
        while True:
            async with at_once:
                reader, writer = await self._connect()
            is_ready.set()
            try:
                await self._hear(reader)
            finally:
                writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        unit, token = self.plan.streams[self.number]
        reader, writer = await asyncio.open_connection("127.0.0.1", self.plan.port, limit=1 << 16)
        last = "" if self.seq is None else f"Last-Event-ID: {self.seq}\r\n"
        head = f"GET /units/{unit}/events HTTP/1.1\r\nHost: 127.0.0.1:{self.plan.port}\r\nAccept: text/event-stream\r\n"
        writer.write(f"{head}Authorization: Bearer {token}\r\n{last}\r\n".encode())
        status = await reader.readline()
        if b" 200 " not in status:
            raise ConnectionError(f"Stream {self.number} was answered {status!r}.")
        while await reader.readline() != b"event: ready\n":
            if reader.at_eof():
                raise ConnectionError(f"Stream {self.number} ended at once.")
        return reader, writer

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        begun = len(self.heard)
        while line := await reader.readline():
            # The lines of the chunked encoding between pieces look like nothing else here.
            if line.startswith(b"id: "):
                self.seq = int(line[4:])
                self.heard.append((self.seq, time.time()))
                is_restless = self.plan.restless and self.number % 10 == 0
                if is_restless and len(self.heard) - begun >= self.plan.restless:
                    return
        raise ConnectionError(f"The server hung up on stream {self.number}.")


async def run(plan: Plan) -> list[Listener]:
    """Listen until a line comes in. Raises ConnectionError."""
    listeners = [Listener(plan, number) for number in range(len(plan.streams))]
    at_once = asyncio.Semaphore(AT_ONCE)
    ready = [asyncio.Event() for _ in listeners]
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(one.listen(at_once, is_ready)) for one, is_ready in zip(listeners, ready, strict=True)
        ]
        for is_ready in ready:
            await is_ready.wait()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        for task in tasks:
            task.cancel()
    return listeners


def main() -> None:
    plan: dict[str, Any] = json.loads(sys.stdin.readline())
    listeners = asyncio.run(run(Plan(**plan)))
    json.dump([one.heard for one in listeners], sys.stdout)


if __name__ == "__main__":
    main()
