"""What can go wrong between us and a WhatsApp gateway, named for what the caller does next.

::

    GatewayError
    ├── NotSent              certainly nothing left: again later
    │   ├── Disconnected     … once the number is back
    │   │   └── InstanceMissing   … once it has been created and paired anew
    │   ├── Unreachable      no connection, or something that is not our gateway (also a ServerUnavailable)
    │   ├── WrongKey         … once somebody has corrected the key
    │   └── LicenseRequired  … once somebody has activated the server
    ├── Rejected             certainly nothing left, and the same again would fare no better: give up
    │   ├── NotOnWhatsApp
    │   ├── InstanceExists   create: the name is taken
    │   └── AlreadyClosed    logout: there is no session to end
    ├── OutcomeUnknown       a send that may have left: never repeated without evidence
    └── ServerUnavailable    any other call: down, too slow, a 5xx, or an answer that makes no sense

Who sends handles NotSent, Disconnected, Rejected, NotOnWhatsApp and OutcomeUnknown, and nothing else comes.
Who manages an instance handles ServerUnavailable, InstanceMissing, InstanceExists, AlreadyClosed, WrongKey
and LicenseRequired by name, and GatewayError for the rest; OutcomeUnknown never comes there.
"""

# The names say what to do, and not that they are errors.

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# One sentence for a person per machine code, so that a code kept on a row can be shown later in any language.
# Server words never stand in them: those are in `GatewayError.answer`, for the log and for support.
SENTENCES: Final[Mapping[str, _StrPromise]] = {
    # NotSent
    "not_sent": _("The message has not left yet. We try again by ourselves; nothing is lost."),
    "disconnected": _("The number is disconnected. Messages wait and go out when it is back."),
    "never_connected": _("This number has not been connected yet. Scan the QR code; messages wait until then."),
    "instance_missing": _(
        "This number is no longer set up on the WhatsApp server. Connect it again; messages wait until then."
    ),
    "unreachable": _("The WhatsApp server did not answer. It is not your phone. We keep trying; queued messages wait."),
    "wrong_address": _(
        "There is no WhatsApp server at the address in the settings. "
        "Ask whoever runs this system to check it; queued messages wait."
    ),
    "wrong_key": _(
        "The WhatsApp server refused our access key. Ask whoever runs this system to check it; queued messages wait."
    ),
    "license_required": _(
        "The WhatsApp server has not been activated yet. "
        "Ask whoever runs this system to activate it; queued messages wait."
    ),
    "rate_limited": _("The WhatsApp server asked us to slow down. We try again by ourselves; queued messages wait."),
    "number_check_timed_out": _(
        "WhatsApp did not say in time whether this number exists. The message was not sent; we try again by ourselves."
    ),
    "media_upload_failed": _("WhatsApp did not take the file. The message was not sent; we try again by ourselves."),
    # Rejected
    "rejected": _("The WhatsApp server did not accept this request. Nothing has changed."),
    "invalid_message": _("Not sent: the WhatsApp server did not accept this message. Change it and send it again."),
    "text_required": _("Not sent: the message has no text. Write something and send it again."),
    "media_unreadable": _("Not sent: the file could not be read. Choose another file and send it again."),
    "not_supported": _("Not sent: this number cannot send this kind of message."),
    "refused_by_whatsapp": _("Not sent: WhatsApp refused this message."),
    "not_on_whatsapp": _("Not sent: this number is not on WhatsApp."),
    "instance_exists": _(
        "This number is already set up on the WhatsApp server. Use it as it is, or disconnect it first."
    ),
    "already_closed": _("The number is already disconnected. There is nothing left to do."),
    # The two that leave a question open
    "unconfirmed": _("Unconfirmed. It may have arrived; we are checking, and nothing is sent twice."),
    "server_unavailable": _(
        "The WhatsApp server did not answer as expected. It is not your phone. "
        "Try again in a moment; queued messages wait."
    ),
}


class GatewayError(Exception):
    """A call to the gateway that did not do what was asked.

    `code` is stable and fit for a column; `sentence` is what to show a person; `status` is the HTTP status,
    None when there was no answer; `answer` is what the gateway (or the network) said: at most 500 characters,
    secrets masked, for logs and support only. Printing the error shows code, status and answer.
    """

    default_code: ClassVar[str]

    def __init__(self, code: str | None = None, *, status: int | None = None, answer: str = "") -> None:
        self.code = code or self.default_code
        self.status = status
        self.answer = answer
        super().__init__(self.code)

    @property
    def sentence(self) -> _StrPromise:
        """What happened, what it means and what to do, in the reader's language."""
        return SENTENCES[self.code]

    def __str__(self) -> str:
        status = f" (HTTP {self.status})" if self.status is not None else ""
        return f"{self.code}{status}: {self.answer}" if self.answer else f"{self.code}{status}"


class NotSent(GatewayError):
    """Certainly nothing was sent, and the reason may pass: again later."""

    default_code = "not_sent"


class Disconnected(NotSent):
    """The number has no session with WhatsApp: again once it is back."""

    default_code = "disconnected"


class InstanceMissing(Disconnected):
    """The gateway does not know the instance (404)."""

    default_code = "instance_missing"


class ServerUnavailable(GatewayError):
    """A call other than a send that the server did not answer in time, or not in a way that makes sense."""

    default_code = "server_unavailable"


class Unreachable(NotSent, ServerUnavailable):
    """No connection came about, or what answered was not the gateway: nothing was sent."""

    default_code = "unreachable"


class WrongKey(NotSent):
    """The gateway refused our API key (401), or something in front of it refused us (403)."""

    default_code = "wrong_key"


class LicenseRequired(NotSent):
    """Evolution 2.4 or later answers 503 to everything until it is activated in its manager."""

    default_code = "license_required"


class Rejected(GatewayError):
    """Certainly nothing was sent, and sending the same again would fare no better: give up."""

    default_code = "rejected"


class NotOnWhatsApp(Rejected):
    """WhatsApp does not know the number."""

    default_code = "not_on_whatsapp"


class InstanceExists(Rejected):
    """An instance of this name exists, or its deletion has not finished yet."""

    default_code = "instance_exists"


class AlreadyClosed(Rejected):
    """There is no session to log out of."""

    default_code = "already_closed"


class OutcomeUnknown(GatewayError):
    """The message may be on someone's phone. Never repeated without evidence that it is not (I3)."""

    default_code = "unconfirmed"
