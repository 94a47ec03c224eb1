"""Which picture of the connection a person should see, and where its pace has the number today."""

from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.utils import timezone

from messaging.pace import standing_of
from units.models import ConnectionStatus, DisconnectCause, WhatsAppConnection


class Scene(StrEnum):
    """One scene each of the connection page; the names are those of its templates."""

    START = "start"
    PREPARING = "preparing"
    SCAN = "scan"
    EXPIRED = "expired"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTING = "disconnecting"
    DISCONNECTED = "disconnected"


# The steps of the stepper, and how many of them each scene has behind it.
STEPS = (
    ConnectionStatus.PREPARING,
    ConnectionStatus.AWAITING_SCAN,
    ConnectionStatus.CONNECTING,
    ConnectionStatus.CONNECTED,
)
STEPS_DONE = {Scene.PREPARING: 0, Scene.SCAN: 1, Scene.EXPIRED: 1, Scene.CONNECTING: 2, Scene.CONNECTED: 4}


def scene_of(connection: WhatsAppConnection) -> Scene:
    """The scene for a connection's status, cause and code."""
    match connection.status:
        case ConnectionStatus.CONNECTED:
            return Scene.CONNECTED
        case ConnectionStatus.PREPARING:
            return Scene.PREPARING
        case ConnectionStatus.CONNECTING:
            return Scene.CONNECTING
        case ConnectionStatus.DISCONNECTING:
            return Scene.DISCONNECTING
        case ConnectionStatus.AWAITING_SCAN:
            expires_at = connection.qr_expires_at
            valid = connection.qr_code and (expires_at is None or expires_at > timezone.now())
            return Scene.SCAN if valid else Scene.EXPIRED
    if connection.cause == DisconnectCause.QR_EXPIRED:
        return Scene.EXPIRED
    if connection.cause == DisconnectCause.NONE and not connection.phone_number:
        return Scene.START
    return Scene.DISCONNECTED


@dataclass(frozen=True, slots=True)
class WarmUpRow:
    """From which day of the number's use on it may send how many campaign messages a day; None: no limit."""

    from_day: int
    to_day: int | None
    most: int | None
    is_now: bool


@dataclass(frozen=True, slots=True)
class Today:
    """What the number may send today, and has sent. `cap`: the smaller of the daily cap and the warm-up, None: none."""

    sent: int
    cap: int | None
    day_of_use: int
    warm_up: list[WarmUpRow]


def today_of(connection: WhatsAppConnection) -> Today:
    """Where the number stands in the unit's day of today."""
    now, pace = standing_of(connection.pk)
    today = pace.today(now)
    day, table = pace.day_of_use(today), settings.CAMPAIGN_WARM_UP
    ends: list[int | None] = [from_day - 1 for from_day, _most in table[1:]]
    rows = [
        WarmUpRow(from_day, to_day, most, from_day <= day and (to_day is None or day <= to_day))
        for (from_day, most), to_day in zip(table, [*ends, None], strict=False)
    ]
    return Today(pace.sent_on(today), pace.cap_on(today), day, rows)
