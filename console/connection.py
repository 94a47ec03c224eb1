"""Which picture of the connection a person should see."""

from enum import StrEnum

from django.utils import timezone

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
