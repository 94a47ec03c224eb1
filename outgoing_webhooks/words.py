"""Why a receiver did not take what we posted, in words: codes are kept, sentences are of the reader's language."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from outgoing_webhooks.models import OutgoingWebhook

REFUSED_ADDRESS = "refused_address"
TIMEOUT = "timeout"
UNREACHABLE = "unreachable"
GONE = "gone"
UNREADABLE_SECRET = "unreadable_secret"  # noqa: S105 - a code

_SENTENCES = {
    REFUSED_ADDRESS: gettext_lazy("The address does not exist, or is not a public one."),
    TIMEOUT: gettext_lazy("The receiver did not answer within 10 seconds."),
    UNREACHABLE: gettext_lazy("The receiver could not be reached."),
    GONE: gettext_lazy("The receiver wants no more events (410)."),
    UNREADABLE_SECRET: gettext_lazy(
        "We can no longer read the secret of this webhook. Make a new one, and give it to the receiver."
    ),
}


def sentence(code: str) -> str:
    """Empty for no code. `http_500`: the status with which the receiver answered."""
    if code.startswith("http_"):
        return _("The receiver answered with %(status)s.") % {"status": code.removeprefix("http_")}
    return str(_SENTENCES.get(code, ""))


def why(webhook: OutgoingWebhook) -> str:
    """Why the last attempt failed; empty when it did not."""
    return sentence(webhook.last_error)
