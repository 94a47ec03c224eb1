"""What each step changes on a connection's row. Applied to a locked row by `units.services`, which saves it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from units.models import ConnectionStatus, DisconnectCause, WhatsAppConnection

# Each QR code lives 45 s (docs/evolution.md, "QR life").
QR_LIFETIME = timedelta(seconds=45)
# A webhook may be lost: how often we ask although nothing happened, and while somebody waits for the phone.
CHECK_QUIET = timedelta(seconds=60)
CHECK_BUSY = timedelta(seconds=5)
CHECK_DOWN = timedelta(seconds=15)
# Connecting for longer than this means that WhatsApp cannot be reached (docs/evolution.md, "Instances").
CONNECTING_LIMIT = timedelta(minutes=3)
# A new instance answers connect with a code in some 2 s; without one for this long, none will come.
PREPARING_LIMIT = timedelta(seconds=60)

# WhatsApp's reasons for which a session ends for good; after any other Evolution reconnects by itself
# (docs/evolution.md, "Disconnects").
SESSION_ENDED = frozenset({401, 402, 403, 406})

BEFORE_THE_SCAN = frozenset({ConnectionStatus.PREPARING, ConnectionStatus.AWAITING_SCAN})

WATCHED = (
    "status",
    "status_changed_at",
    "cause",
    "qr_code",
    "pairing_code",
    "qr_expires_at",
    "phone_number",
    "profile_name",
    "profile_picture_url",
    "check_due_at",
    "connecting_seen_at",
    "in_use_since",
)


def is_ours_to_end(connection: WhatsAppConnection) -> bool:
    """We have disconnected it, or are at it: what the gateway still says about it is old."""
    return connection.status == ConnectionStatus.DISCONNECTING or (
        connection.status == ConnectionStatus.DISCONNECTED and connection.cause == DisconnectCause.BY_US
    )


def has_moved(connection: WhatsAppConnection, since: WhatsAppConnection) -> bool:
    """Whether the row took another step after it was read as `since`."""
    return (connection.status, connection.status_changed_at) != (since.status, since.status_changed_at)


def move(connection: WhatsAppConnection, now: datetime, status: ConnectionStatus) -> None:
    if connection.status != status:
        connection.status = status
        connection.status_changed_at = now


def check_after(connection: WhatsAppConnection, now: datetime, after: timedelta = timedelta(0)) -> None:
    connection.check_due_at = now + after


def clear_code(connection: WhatsAppConnection) -> None:
    connection.qr_code = connection.pairing_code = ""
    connection.qr_expires_at = None


def preparing(connection: WhatsAppConnection, now: datetime, *, anew: bool = False) -> None:
    """A code is on its way; `anew`: and the one that shows is void."""
    if connection.is_connected:
        return
    if connection.status != ConnectionStatus.AWAITING_SCAN or anew:
        clear_code(connection)
        connection.status = ConnectionStatus.PREPARING
        # Even if it was already: somebody asked anew, and the limit counts from here.
        connection.status_changed_at = now
    connection.cause = DisconnectCause.NONE
    check_after(connection, now, CHECK_BUSY)


def show_code(connection: WhatsAppConnection, now: datetime, *, image: str, pairing_code: str | None) -> None:
    move(connection, now, ConnectionStatus.AWAITING_SCAN)
    connection.cause = DisconnectCause.NONE
    if image != connection.qr_code:
        connection.qr_code = image
        connection.qr_expires_at = now + QR_LIFETIME
    # They have 8 characters. What the column cannot hold is none.
    if pairing_code and len(pairing_code) <= 16:
        connection.pairing_code = pairing_code


def connected(
    connection: WhatsAppConnection, now: datetime, phone: str | None, name: str | None, picture: str | None
) -> None:
    move(connection, now, ConnectionStatus.CONNECTED)
    clear_code(connection)
    connection.cause = DisconnectCause.NONE
    is_another = phone and connection.phone_number and phone != connection.phone_number
    if connection.in_use_since is None or is_another:
        # What it may send a day grows with its age. People who know better correct the date.
        connection.in_use_since = now.astimezone(ZoneInfo(connection.unit.time_zone)).date()
    connection.phone_number = phone or connection.phone_number
    connection.profile_name = (name or connection.profile_name)[:200]
    connection.profile_picture_url = picture or connection.profile_picture_url


def disconnected(connection: WhatsAppConnection, now: datetime, cause: DisconnectCause) -> None:
    """Disconnected, because of `cause` unless it is known already: "unreachable" is what we say for want of another."""
    if connection.status != ConnectionStatus.DISCONNECTED or connection.cause == DisconnectCause.UNREACHABLE:
        connection.cause = cause
    move(connection, now, ConnectionStatus.DISCONNECTED)
    clear_code(connection)
    rest(connection, now)


def rest(connection: WhatsAppConnection, now: datetime) -> None:
    """Of the disconnected numbers only one that WhatsApp was out of reach for comes back by itself."""
    if connection.cause == DisconnectCause.UNREACHABLE:
        check_after(connection, now, CHECK_DOWN)
    else:
        connection.check_due_at = None


def disconnecting(connection: WhatsAppConnection, now: datetime) -> None:
    move(connection, now, ConnectionStatus.DISCONNECTING)
    clear_code(connection)
    connection.cause = DisconnectCause.BY_US
    # The one who asked is at it; should he die, this finds it.
    check_after(connection, now, CHECK_DOWN)


def instance_missing(connection: WhatsAppConnection, now: datetime) -> None:
    if connection.status == ConnectionStatus.PREPARING and now - connection.status_changed_at < PREPARING_LIMIT:
        # `connect` is about to create it.
        check_after(connection, now, CHECK_BUSY)
    else:
        ours = is_ours_to_end(connection)
        disconnected(connection, now, DisconnectCause.BY_US if ours else DisconnectCause.INSTANCE_MISSING)


def still_connecting(connection: WhatsAppConnection, now: datetime) -> None:
    """Being paired, or on the way back."""
    if connection.status == ConnectionStatus.DISCONNECTED:
        # A server that restarts makes codes for every instance, and nobody asked for one.
        rest(connection, now)
        return
    if connection.is_connected:
        move(connection, now, ConnectionStatus.CONNECTING)
    elif connection.status == ConnectionStatus.CONNECTING and now - connection.status_changed_at > CONNECTING_LIMIT:
        connection.cause = DisconnectCause.UNREACHABLE
    unreachable = connection.cause == DisconnectCause.UNREACHABLE
    check_after(connection, now, CHECK_DOWN if unreachable else CHECK_BUSY)


def closed(connection: WhatsAppConnection, now: datetime, *, logged_out: bool) -> None:
    """No session: ended for good, or between two attempts to reach WhatsApp."""
    if connection.status == ConnectionStatus.DISCONNECTED:
        rest(connection, now)
    elif connection.status == ConnectionStatus.AWAITING_SCAN:
        disconnected(connection, now, DisconnectCause.QR_EXPIRED)
    elif connection.status == ConnectionStatus.PREPARING:
        if now - connection.status_changed_at < PREPARING_LIMIT:
            check_after(connection, now, CHECK_BUSY)
        else:
            disconnected(connection, now, DisconnectCause.UNREACHABLE)
    elif connection.connecting_seen_at and now - connection.connecting_seen_at < CHECK_DOWN * 2:
        move(connection, now, ConnectionStatus.CONNECTING)
        if now - connection.status_changed_at > CONNECTING_LIMIT:
            connection.cause = DisconnectCause.UNREACHABLE
        check_after(connection, now, CHECK_DOWN)
    else:
        disconnected(connection, now, DisconnectCause.LOGGED_OUT if logged_out else DisconnectCause.UNREACHABLE)


def is_logout(connection: WhatsAppConnection, reason: int | None, at: datetime | None) -> bool:
    """Whether WhatsApp's `reason` for the last disconnect the gateway knows of, `at` its clock, ended this session.

    The gateway keeps the reason after reconnecting: one from before the connection came up is of another session.
    """
    came_up = connection.status_changed_at if connection.is_connected else None
    return reason in SESSION_ENDED and not (at and came_up and at < came_up)


def gateway_silent(connection: WhatsAppConnection, now: datetime) -> None:
    """The status stays as last known; the cause says that nobody knows."""
    if connection.status == ConnectionStatus.PREPARING:
        move(connection, now, ConnectionStatus.DISCONNECTED)
        connection.cause = DisconnectCause.GATEWAY_DOWN
    elif connection.status != ConnectionStatus.DISCONNECTED or not connection.cause:
        # Why a number is disconnected remains true, and decides who asks for it again.
        connection.cause = DisconnectCause.GATEWAY_DOWN
    check_after(connection, now, CHECK_DOWN)
