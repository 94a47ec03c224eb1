"""A text of a campaign, sent to one phone before anybody else gets it."""

from uuid import uuid4

from django.db import connection as database
from django.utils.translation import gettext_lazy as _

from campaigns import audience, content
from campaigns.models import Campaign
from campaigns.refusals import NotPossible
from messaging import people
from messaging.contacts import consent
from messaging.models import ConversationStatus, Message
from messaging.outgoing import queueing
from messaging.outgoing.errors import CannotQueue, KeyReused
from units.models import User

TESTS_AN_HOUR = 20


def send_test(campaign: Campaign, phone: str, *, author: User | None, variant: int = 0) -> Message:
    """Send a text of the campaign to one phone now: a message of its own, which goes before campaigns.

    The contact with that number gets it (made when there is none) as its recipients would, but that a variable without
    a value shows its name. Raises InvalidPhone, and NotPossible after TESTS_AN_HOUR or for whoever has opted out.
    """
    texts = content.Texts.of(campaign)
    contact = people.contact_by_phone(campaign.unit, phone)
    if consent.has_opted_out(contact):
        raise NotPossible(_("This person has opted out of campaigns."), "phone")
    with database.cursor() as cursor:
        cursor.execute("SELECT to_char(crm_now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24')")
        (hour,) = cursor.fetchone()
    keys = [f"campaign-test:{campaign.pk}:{hour}:{number}" for number in range(TESTS_AN_HOUR)]
    sent = Message.objects.filter(unit_id=campaign.unit_id, idempotency_key__in=keys)
    used = set(sent.values_list("idempotency_key", flat=True))
    free = next((key for key in keys if key not in used), None)
    if free is None:
        raise NotPossible(_("That was the last test of this hour. Try again later."))
    shown = content.render(texts, contact, uuid4(), variant=variant, names_for_missing=True)
    if shown.problem:
        raise NotPossible(audience.REASONS[shown.problem], "content")
    try:
        return queueing.queue(
            conversation=people.conversation_with(contact, status=ConversationStatus.RESOLVED),
            content=content.content_of(shown),
            author=author,
            idempotency_key=free,
            fingerprint=free,
        )
    except (CannotQueue, KeyReused) as error:
        raise NotPossible(getattr(error, "message", _("Try again.")), "phone") from error
