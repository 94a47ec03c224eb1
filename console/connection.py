"""Which picture of the connection a person should see, and where its pace has the number today."""

from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.utils import timezone

from messaging.pace import standing_of
from units.models import ConnectionStatus, DisconnectCause, Unit, WhatsAppConnection
from units.roles import ALLOWED, Action

# As many names as one reads.
HELPERS = 4


class Scene(StrEnum):
    """One scene each of the connection page; the names are those of its templates."""

    START = "start"
    ASK = "ask"
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


# What only helps who may connect the number. Everybody else is told whom to ask, and gets no code to see.
FOR_THOSE_WHO_CONNECT = frozenset({Scene.START, Scene.PREPARING, Scene.SCAN, Scene.EXPIRED})


def scene_for(connection: WhatsAppConnection, unit: Unit) -> Scene:
    """The scene for a person, as `unit.allowed` says what he may."""
    scene = scene_of(connection)
    return Scene.ASK if scene in FOR_THOSE_WHO_CONNECT and Action.WRITE_NUMBER not in unit.allowed else scene


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


def is_used_elsewhere(unit: Unit, phone_number: str) -> bool:
    """Whether another unit has this number connected: two that hear the same chats would both answer."""
    same = WhatsAppConnection.objects.filter(phone_number=phone_number, status=ConnectionStatus.CONNECTED)
    return bool(phone_number) and same.exclude(unit=unit).exists()


def needs_a_person(connection: WhatsAppConnection) -> bool:
    """Whether the number is away until somebody connects it: it does not come back by itself."""
    by_itself = {DisconnectCause.GATEWAY_DOWN, DisconnectCause.UNREACHABLE}
    return connection.status == ConnectionStatus.DISCONNECTED and connection.cause not in by_itself


def helpers_of(unit: Unit) -> list[str]:
    """Who may connect the unit's number, by name."""
    roles = [role for role, actions in ALLOWED.items() if Action.WRITE_NUMBER in actions]
    people = unit.memberships.filter(role__in=roles, user__is_active=True, user__is_integration=False)
    return [each.user.shown_name for each in people.select_related("user").order_by("created_at")[:HELPERS]]


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
