"""What happens to the line itself: connection, QR code, logout, removal."""

import re

from units.events import ConnectionChanged, ConnectionState, InstanceStatusChanged, QRCodeUpdated
from webhooks.parsers.jids import parse_jid
from webhooks.parsers.values import (
    INT_MAX,
    JSONObject,
    first,
    identifier,
    integer,
    mapping,
    person_name,
    text,
    timestamp,
    word,
)

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
# Shorter is no image; the smallest PNG has some 90 characters of base64.
_IMAGE_MIN = 60


def read_connection(data: JSONObject) -> ConnectionChanged:
    """connection.update; `wuid`, name and picture come only with `open`."""
    raw = text(first(data, ("state", "connection")))
    state = word(raw)
    own = parse_jid(data.get("wuid"))
    return ConnectionChanged(
        state=ConnectionState(state) if state and state in ConnectionState else None,
        raw_state=raw,
        reason=integer(data.get("statusReason"), high=INT_MAX),
        phone=own.phone if own else None,
        profile_name=person_name(data.get("profileName")),
        profile_picture_url=text(first(data, ("profilePictureUrl", "profilePicUrl"))),
    )


def read_qrcode(data: JSONObject) -> QRCodeUpdated:
    """qrcode.updated: an object, the bare image or the bare code, or the notice that the limit is reached."""
    qrcode = data.get("qrcode")
    inner = mapping(qrcode)
    bare = text(qrcode, limit=None)
    image = _image(inner.get("base64")) or _image(data.get("base64")) or _image(bare)
    code = text(inner.get("code")) or text(data.get("code"))
    if bare and not image:
        code = code or bare
    return QRCodeUpdated(
        image=image,
        code=code,
        pairing_code=identifier(inner.get("pairingCode")) or identifier(data.get("pairingCode")),
        # {"message": "QR code limit reached, please login again", "statusCode": 500}
        limit_reached=not (image or code) and "limit" in (word(data.get("message")) or ""),
    )


def read_instance_status(data: JSONObject) -> InstanceStatusChanged:
    return InstanceStatusChanged(
        status=word(data.get("status")),
        reason=integer(data.get("disconnectionReasonCode"), high=INT_MAX),
        timestamp=timestamp(data.get("disconnectionAt")),
    )


def _image(value: object) -> str | None:
    """The image as a data URI, whether it came with its prefix or without."""
    image = text(value, limit=None)
    if image is None or image.startswith("data:"):
        return image if image and image.startswith("data:image/") else None
    return f"data:image/png;base64,{image}" if len(image) >= _IMAGE_MIN and _BASE64.fullmatch(image) else None
