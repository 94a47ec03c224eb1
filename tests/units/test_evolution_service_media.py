"""Files of messages: getBase64FromMediaMessage against its recordings."""

from base64 import b64encode
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tests.units.recordings import answer_as_recorded, answer_to, sent_json
from units.gateways.errors import Rejected, ServerUnavailable
from units.gateways.evolution import EvolutionService

ROUTE = "/chat/getBase64FromMediaMessage/loja1"


def service(name: str = "loja1") -> EvolutionService:
    return EvolutionService(name, api_key="FAKE-GLOBAL-APIKEY")


def test_a_file_comes_with_what_its_sender_calls_it(http: HTTPServer) -> None:
    answer_as_recorded(http, "baileys-getBase64-image")
    file = service().get_media("3A0000000000000BB2")
    assert sent_json(http) == {"message": {"key": {"id": "3A0000000000000BB2"}}, "convertToMp4": False}
    assert file.content.startswith(b"\x89PNG")
    assert (file.mime_type, file.file_name) == ("image/png", "3A0000000000000BB2.png")
    assert "PNG" not in repr(file)


@pytest.mark.parametrize(
    "name",
    [
        "baileys-getBase64-media-gone",
        "baileys-getBase64-not-media",
        "baileys-getBase64-unknown-id",
        "business-getBase64",
    ],
)
def test_a_file_that_is_not_to_be_had_is_rejected(http: HTTPServer, name: str) -> None:
    asked = answer_as_recorded(http, name)
    with pytest.raises(Rejected):
        service(asked["path"].rpartition("/")[2]).get_media(asked["body"]["message"]["key"]["id"])


@pytest.mark.parametrize("body", [{}, [], None, {"base64": None}, {"base64": "%"}, {"base64": "YQ"}])
def test_an_answer_without_a_file_makes_no_sense(http: HTTPServer, body: Any) -> None:
    answer_to(http, "POST", ROUTE, 201, json=body)
    with pytest.raises(ServerUnavailable):
        service().get_media("3A")


def test_a_name_that_no_column_takes_is_cleaned(http: HTTPServer) -> None:
    answer_to(http, "POST", ROUTE, 201, json={"base64": b64encode(b"a").decode(), "fileName": "a\0\ud800b.png"})
    assert service().get_media("3A").file_name == "ab.png"
