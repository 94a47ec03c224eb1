"""A door in front of the gateway that a test can hold shut: a TCP proxy that keeps back sends, or their answers."""

import socket
import threading
from contextlib import suppress
from typing import Literal, Self

SEND = b"POST /message/"

type Held = Literal["nothing", "request", "body", "answer"]


class Gate:
    """``with Gate() as gate``: listens on `gate.url` and passes on to the port `gate.upstream`.

    `hold` says what happens to the sends that come from then on:

    - nothing: they pass
    - request: no byte is passed on until `let_go`, then all are, whether or not the caller is still there
    - body: its first bytes are passed on, and never its end
    - answer: the gateway gets it, the caller does not get the answer

    Whoever hangs up takes with him what was not passed on, except for a held request.
    """

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.upstream = 0
        self.hold: Held = "nothing"
        # A send, or its answer, is being held.
        self.is_holding = threading.Event()
        self._kept: list[tuple[socket.socket, bytearray]] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.close()

    def shut(self, hold: Held) -> None:
        """Hold sends from now on."""
        self.is_holding.clear()
        self.hold = hold

    def wait(self, seconds: float = 30) -> None:
        """Until a send is held. Raises AssertionError when none comes."""
        assert self.is_holding.wait(seconds), "no send came"

    def let_go(self) -> None:
        """Sends pass again, and the requests that were held go to the gateway, answered to nobody."""
        self.hold = "nothing"
        kept, self._kept = self._kept, []
        for gateway, data in kept:
            gateway.sendall(data)

    def forget(self) -> None:
        """Sends pass again; the requests that were held have never reached the gateway."""
        self.hold = "nothing"
        for gateway, _data in self._kept:
            gateway.close()
        self._kept = []

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                caller, _address = self._server.accept()
                threading.Thread(target=self._pass_on, args=(caller,), daemon=True).start()

    def _pass_on(self, caller: socket.socket) -> None:
        try:
            gateway = socket.create_connection(("127.0.0.1", self.upstream))
        except OSError:
            caller.close()
            return
        # Of the request under way.
        hold: list[Held] = ["nothing"]
        threading.Thread(target=self._answer, args=(gateway, caller, hold), daemon=True).start()
        with suppress(OSError), caller:
            while data := caller.recv(65536):
                if data.startswith(SEND):
                    hold[0] = self.hold
                    if hold[0] == "request":
                        self._kept.append((gateway, bytearray()))
                if hold[0] == "request":
                    self._kept[-1][1].extend(data)
                    self.is_holding.set()
                elif hold[0] == "body":
                    gateway.sendall(data.partition(b"\r\n\r\n")[0])
                    self.is_holding.set()
                else:
                    gateway.sendall(data)
        if hold[0] != "request":
            gateway.close()

    def _answer(self, gateway: socket.socket, caller: socket.socket, hold: list[Held]) -> None:
        with suppress(OSError):
            while data := gateway.recv(65536):
                if hold[0] == "answer":
                    self.is_holding.set()
                    continue
                caller.sendall(data)
        with suppress(OSError):
            caller.shutdown(socket.SHUT_RDWR)
