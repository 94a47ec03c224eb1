"""Real requests and answers of an Evolution API 2.3.6 server, and a way to be answered with one of them.

The server is `http` (tests/conftest.py): what it was told to answer it answers once, and a test in which somebody asked
for anything else, or did not ask, fails.
"""

from __future__ import annotations

from json import dumps, loads
from pathlib import Path
from typing import Any

from pytest_httpserver import HTTPServer, RequestMatcher
from pytest_httpserver.httpserver import HandlerType
from werkzeug import Request, Response

REQUESTS = Path(__file__).parents[1] / "evolution" / "requests"


class _Exactly(RequestMatcher):
    """The path and query as they stand in the request line: how a name is quoted is a part of the request."""

    def match_uri(self, request: Request) -> bool:
        return bool(request.environ["RAW_URI"] == self.uri)


def recording(name: str) -> dict[str, Any]:
    return loads((REQUESTS / f"{name}.json").read_text())


def answer_to(
    http: HTTPServer,
    method: str,
    path: str,
    status: int = 200,
    *,
    json: Any = ...,
    body: str | bytes = b"",
    headers: dict[str, str] | None = None,
) -> None:
    """Answer one such request with `body`, or with `json` as JSON. `path` has the query in it."""
    response = Response(body if json is ... else dumps(json), status)
    # Not as it is made: a Content-Length that lies would be put right.
    response.headers.update(headers or {})
    http.expect(_Exactly(path, method), HandlerType.ONESHOT).respond_with_response(response)


def answer_as_recorded(http: HTTPServer, name: str) -> dict[str, Any]:
    """Answer the recorded method and path as recorded; gives back the recorded request."""
    recorded = recording(name)
    asked, said = recorded["request"], recorded["response"]
    answer_to(http, asked["method"], asked["path"], said["status"], json=said["body"])
    return recorded["request"]


def sent_json(http: HTTPServer) -> Any:
    """The body of the last request."""
    body = http.log[-1][0].get_data()
    return loads(body) if body else None
