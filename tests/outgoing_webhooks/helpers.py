"""Receivers of outgoing webhooks, and what happens in a unit."""

import json
import threading
from collections.abc import Callable
from typing import Any

from django.db import connection
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from messaging.outgoing.web import Web
from outgoing_webhooks.models import OutgoingWebhook
from outgoing_webhooks.posting import Poster
from units.live import Change, publish
from units.models import Unit

# Loopback as if it were the public web, without TLS.
OURS = Web(is_allowed=lambda address: address.is_loopback, ports=None, schemes=frozenset({"http"}), seconds=1)


class Receiver:
    """A real HTTP server that keeps what is posted to it, and answers with `status`."""

    def __init__(self, server: HTTPServer, path: str = "/hook") -> None:
        self.requests: list[Request] = []
        self.status = 204
        self.on_request: Callable[[], None] = lambda: None
        self.url = server.url_for(path)
        server.expect_request(path).respond_with_handler(self.take)

    def take(self, request: Request) -> Response:
        request.get_data()
        self.requests.append(request)
        self.on_request()
        return Response("segredo do receptor", status=self.status, headers={"Location": "/elsewhere"})

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.get_data()) for request in self.requests]

    @property
    def seqs(self) -> list[int]:
        """Of all events, as they came."""
        return [event["seq"] for body in self.bodies for event in body["events"]]


def happen(unit: Unit, count: int = 1, kind: str = "message") -> None:
    for place in range(count):
        publish([Change(unit_id=unit.pk, kind=kind, object_id=unit.pk, data={"place": place})])


def post() -> int:
    return Poster(OURS).run(seconds=5)


def run_beside(work: Callable[[], Any]) -> threading.Thread:
    """In a thread, with a database connection of its own."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def due(webhook: OutgoingWebhook) -> None:
    """The pause after a failure is over."""
    OutgoingWebhook.objects.filter(pk=webhook.pk).update(due_at="2020-01-01T00:00Z")
