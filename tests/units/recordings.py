"""Real requests and answers of an Evolution API 2.3.6 server, and a way to be answered with one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import responses

REQUESTS = Path(__file__).parents[1] / "evolution" / "requests"
SERVER = "http://evolution.test"


def recording(name: str) -> dict[str, Any]:
    return json.loads((REQUESTS / f"{name}.json").read_text())


def answer_as_recorded(http: responses.RequestsMock, name: str) -> dict[str, Any]:
    """Answer the recorded method and path as recorded; gives back the recorded request."""
    recorded = recording(name)
    http.add(
        recorded["request"]["method"],
        SERVER + recorded["request"]["path"],
        body=json.dumps(recorded["response"]["body"]),
        status=recorded["response"]["status"],
    )
    return recorded["request"]


def sent_json(http: responses.RequestsMock) -> Any:
    body = http.calls[-1].request.body
    return json.loads(body) if body else None
