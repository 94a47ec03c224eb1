"""`Idempotency-Key` of a POST that is sent twice at the same time. Apart: real transactions, nobody else's rows."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from messaging.models import Attachment, Contact
from tests.files import picture
from units.models import ApiToken, Unit, User


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("path", "sent", "model"),
    [
        ("contacts", {"json": {"phone": "+5511912345678"}}, Contact),
        ("attachments", {"files": {"file": ("a.jpg", picture())}}, Attachment),
    ],
)
def test_at_the_same_time_it_is_done_once(  # I2
    live_server: Any, ana: User, unit: Unit, settings: Any, tmp_path: Any, path: str, sent: Any, model: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    _row, token = ApiToken.mint(ana, "teste")
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "pedido-1"}
    url = f"{live_server.url}/units/{unit.pk}/{path}"
    with ThreadPoolExecutor(8) as threads, httpx.Client(trust_env=False, timeout=60) as http:
        answers = list(threads.map(lambda _: http.post(url, headers=headers, **sent), range(8)))
    assert {(answer.status_code, answer.json()["id"]) for answer in answers} == {(201, str(model.objects.get().pk))}
