"""What each step changes on a connection's row. Applied to a locked row by `units.services`, which saves it."""

from datetime import datetime, timedelta

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

BEING_PAIRED = frozenset({ConnectionStatus.PREPARING, ConnectionStatus.AWAITING_SCAN, ConnectionStatus.CONNECTING})

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
)


def is_ours_to_end(connection: WhatsAppConnection) -> bool:
    """We have disconnected it, or are at it: what the gateway still says about it is old."""
    return connection.status == ConnectionStatus.DISCONNECTING or (
        connection.status == ConnectionStatus.DISCONNECTED and connection.cause == DisconnectCause.BY_US
    )


def move(connection: WhatsAppConnection, now: datetime, status: ConnectionStatus) -> None:
    if connection.status != status:
        connection.status = status
        connection.status_changed_at = now


def check_after(connection: WhatsAppConnection, now: datetime, after: timedelta = timedelta(0)) -> None:
    connection.check_due_at = now + after


def clear_code(connection: WhatsAppConnection) -> None:
    connection.qr_code = connection.pairing_code = ""
    connection.qr_expires_at = None


def preparing(connection: WhatsAppConnection, now: datetime) -> None:
    if connection.is_connected:
        return
    if connection.status != ConnectionStatus.AWAITING_SCAN:
        clear_code(connection)
        move(connection, now, ConnectionStatus.PREPARING)
    connection.cause = DisconnectCause.NONE
    check_after(connection, now, CHECK_BUSY)


def show_code(connection: WhatsAppConnection, now: datetime, *, image: str, pairing_code: str | None) -> None:
    move(connection, now, ConnectionStatus.AWAITING_SCAN)
    connection.cause = DisconnectCause.NONE
    if image != connection.qr_code:
        connection.qr_code = image
        connection.qr_expires_at = now + QR_LIFETIME
    if pairing_code:
        connection.pairing_code = pairing_code


def connected(
    connection: WhatsAppConnection, now: datetime, phone: str | None, name: str | None, picture: str | None
) -> None:
    move(connection, now, ConnectionStatus.CONNECTED)
    clear_code(connection)
    connection.cause = DisconnectCause.NONE
    connection.phone_number = phone or connection.phone_number
    connection.profile_name = name or connection.profile_name
    connection.profile_picture_url = picture or connection.profile_picture_url


def disconnected(connection: WhatsAppConnection, now: datetime, cause: DisconnectCause) -> None:
    if connection.status != ConnectionStatus.DISCONNECTED:
        connection.cause = cause
    move(connection, now, ConnectionStatus.DISCONNECTED)
    clear_code(connection)
    connection.check_due_at = None


def disconnecting(connection: WhatsAppConnection, now: datetime) -> None:
    move(connection, now, ConnectionStatus.DISCONNECTING)
    clear_code(connection)
    connection.cause = DisconnectCause.BY_US
    # The one who asked is at it; should he die, this finds it.
    check_after(connection, now, CHECK_DOWN)


def instance_missing(connection: WhatsAppConnection, now: datetime) -> None:
    known = connection.status not in (ConnectionStatus.DISCONNECTED, ConnectionStatus.PREPARING)
    if known:
        cause = DisconnectCause.BY_US if is_ours_to_end(connection) else DisconnectCause.INSTANCE_MISSING
        disconnected(connection, now, cause)
    elif connection.status == ConnectionStatus.PREPARING:
        # `connect` is about to create it.
        check_after(connection, now, CHECK_BUSY)
    else:
        connection.check_due_at = None


def still_connecting(connection: WhatsAppConnection, now: datetime) -> None:
    """Being paired, or on the way back."""
    after = CHECK_BUSY
    if connection.is_connected:
        move(connection, now, ConnectionStatus.CONNECTING)
    elif connection.status == ConnectionStatus.CONNECTING and now - connection.status_changed_at > CONNECTING_LIMIT:
        connection.cause = DisconnectCause.UNREACHABLE
        after = CHECK_DOWN
    elif is_ours_to_end(connection):
        connection.check_due_at = None
        return
    elif connection.status == ConnectionStatus.DISCONNECTED:
        # A server that restarts makes codes for every instance, and nobody asked for one.
        connection.check_due_at = None
        return
    if connection.cause == DisconnectCause.GATEWAY_DOWN:
        connection.cause = DisconnectCause.NONE
    check_after(connection, now, after)
