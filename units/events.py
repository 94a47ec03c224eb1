"""What a gateway tells about a number's connection, in our own words. None always means "not told"."""

from dataclasses import dataclass, field
from enum import StrEnum


class ConnectionState(StrEnum):
    """The states that Evolution really reports; any other word changes nothing."""

    OPEN = "open"
    CONNECTING = "connecting"
    CLOSE = "close"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionChanged:
    """A hint that the line's connection changed.

    `state` None: a word that Evolution does not use, kept in `raw_state`. `reason` is WhatsApp's
    disconnect code (401 logged out, 428 closed …); 200 means nothing.
    """

    state: ConnectionState | None = None
    raw_state: str | None = None
    reason: int | None = None
    phone: str | None = None
    profile_name: str | None = None
    profile_picture_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QRCodeUpdated:
    """A QR code to scan: `image` is a `data:image/…` URI.

    `limit_reached`: no more codes until connect is asked again.
    """

    image: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)
    pairing_code: str | None = field(default=None, repr=False)
    limit_reached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceLoggedOut:
    """The session is gone (`logout.instance`): the line has to be paired again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStatusChanged:
    """The session ended (`status.instance`): WhatsApp's disconnect code and the time in Unix seconds."""

    status: str | None = None
    reason: int | None = None
    timestamp: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRemoved:
    """The instance was deleted at the gateway."""
