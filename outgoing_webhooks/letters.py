"""The e-mail about a webhook that was switched off."""

import structlog
from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from outgoing_webhooks.models import OutgoingWebhook
from outgoing_webhooks.words import sentence
from units.letters import write_to_members
from units.roles import Action

log = structlog.get_logger(__name__)


def switched_off(webhook: OutgoingWebhook, code: str) -> None:
    """Tell those who may do something about it. Never raises: the pages say it as well."""
    with translation.override(settings.LANGUAGE_CODE):
        unit = webhook.unit
        link = settings.CONSOLE_URL + reverse("console:webhooks", args=[unit.pk])
        body = _(
            "The outgoing webhook %(url)s has been switched off: it takes nothing. %(reason)s\n\n"
            "WhatsApp messages are not concerned. The events are kept for 14 days: switched on again in time, the "
            "receiver misses nothing.\n\n"
            "See the receiver, and switch it on again: %(link)s"
        ) % {"url": webhook.url, "reason": sentence(code), "link": link}
        subject = _("%(unit)s: an outgoing webhook was switched off") % {"unit": unit.name}
        try:
            write_to_members(unit, Action.MANAGE_ACCESS, subject, body)
        except Exception:
            # Whatever a mail server and the network raise.
            log.exception("webhook_letter_not_sent", webhook_id=str(webhook.pk))
