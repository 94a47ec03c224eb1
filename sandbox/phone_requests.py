"""What a request to the phones holds. One that makes no sense ends here: HTTPException, with words for people."""

import base64
import binascii

from starlette.exceptions import HTTPException
from starlette.requests import Request

from sandbox.numbers import create_jid, filed_as
from sandbox.state import Instance, Json, State


def instance_of(state: State, request: Request) -> Instance:
    """The one that the address names."""
    instance = state.instances.get(request.path_params["name"])
    if instance is None:
        raise HTTPException(404, "Não há essa conexão.")
    return instance


def require_paired(instance: Instance) -> None:
    """Only a phone that is connected does this."""
    if not instance.paired:
        raise HTTPException(409, "Este celular não está conectado. Escaneie o QR code primeiro.")


async def body_of(request: Request) -> Json:
    """The JSON object that was posted."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise HTTPException(400, "Content-Type: application/json")
    try:
        body = await request.json()
    except ValueError:
        raise HTTPException(400, "JSON inválido.") from None
    if not isinstance(body, dict):
        raise HTTPException(400, "JSON inválido.")
    return body


def bytes_in(body: Json) -> bytes:
    """What stands under ``base64``."""
    try:
        return base64.b64decode(text_in(body, "base64"), validate=True)
    except binascii.Error:
        raise HTTPException(400, "base64 não é base64.") from None


def text_in(body: Json, name: str) -> str:
    """A text that has to be there."""
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise HTTPException(400, f"Falta {name}.")
    return value


def int_in(body: Json, name: str) -> int | None:
    """A number that may be left out."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise HTTPException(400, f"{name}: número inteiro.")
    return value


def jid_of(number: str) -> str:
    """A JID or LID as it is; a number in any notation as WhatsApp files it."""
    return number if "@" in number else filed_as(create_jid(number))
