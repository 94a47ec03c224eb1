"""Who is next in campaigns that are sending, and all that is known of them: read at once for many campaigns."""

import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection as database

from campaigns import audience, content
from messaging import number_checks
from messaging.models import AddressKind, ContactAddress


@dataclass(slots=True)
class Next:
    """Somebody who is next in a campaign, and all that is known of him."""

    campaign_id: UUID
    recipient_id: UUID
    contact_id: UUID
    person: content.Person
    reason: str | None
    address: ContactAddress | None
    conversation_id: UUID | None
    rendered: content.Rendered | None = None


def pick(wanted: Mapping[UUID, int], after: Mapping[UUID, UUID], paced: Container[UUID]) -> list[Next]:
    """The next `wanted` of each campaign behind the recipient `after`, with all that is known of them, in their order.

    Of those campaigns in `paced` nobody whose chat waits for a settlement.
    """
    ids = list(wanted)
    parameters: dict[str, Any] = {
        "campaigns": ids,
        "counts": list(wanted.values()),
        "after": [after[pk] for pk in ids],
        "paced": [pk in paced for pk in ids],
        "check_again": settings.NUMBER_CHECK_AGAIN,
    }
    with database.cursor() as cursor:
        cursor.execute(_PICK, parameters)
        found = []
        for campaign, recipient, contact, name, attributes, phone, reason, conversation, *address in cursor.fetchall():
            # A cursor of Django's leaves jsonb as text, for its JSONField to read.
            person = content.Person(name, phone or "", json.loads(attributes))
            row = _address(*address) if address[0] else None
            found.append(Next(campaign, recipient, contact, person, reason, row, conversation))
    return sorted(found, key=lambda one: one.recipient_id)


def _address(pk: UUID, kind: str, value: str, jid: str) -> ContactAddress:
    return ContactAddress(id=pk, kind=AddressKind(kind), value=value, jid=jid)


def unchecked_of(people: Iterable[Next]) -> set[UUID]:
    """Addresses that WhatsApp has to be asked about first; it is asked."""
    ids = {one.address.pk for one in people if one.address and one.reason is None}
    needed = ContactAddress.objects.filter(pk__in=ids).filter(number_checks.needs_check())
    found = set(needed.values_list("pk", flat=True))
    if found:
        number_checks.want(ContactAddress.objects.filter(pk__in=found))
    return found


# An own pace is exact with one message ahead, so nobody is chosen whose chat would keep it waiting.
_PICK = f"""
SELECT wanted.campaign_id, r.id, c.id, c.name, c.attributes,
       (SELECT p.value FROM contact_addresses p WHERE p.contact_id = c.id AND p.kind = 'phone'
        ORDER BY p.created_at DESC, p.id DESC LIMIT 1),
       CASE {audience.always(few=True).replace("%s", "%(check_again)s")}
         WHEN EXISTS (SELECT 1 FROM contact_tags t WHERE t.contact_id = c.id AND t.tag_id IN (
                SELECT tag.id::uuid FROM jsonb_array_elements_text(k.audience->'exclude_tags') AS tag (id)))
           THEN 'excluded_tag'
         WHEN k.audience->>'exclude_contacted_within_days' IS NOT NULL AND EXISTS (
                SELECT 1 FROM campaign_recipients l LEFT JOIN messages n ON n.id = l.message_id
                WHERE l.contact_id = c.id AND l.campaign_id <> k.id AND (l.status IN ('queued', 'sending')
                  OR CASE l.status WHEN 'uncertain' THEN n.dispatched_at ELSE l.sent_at END
                    > crm_now() - make_interval(days => (k.audience->>'exclude_contacted_within_days')::int)))
           THEN 'contacted_lately'
         -- Only a person can tell what became of an earlier message, and until then nothing goes to that chat.
         WHEN EXISTS (SELECT 1 FROM messages open WHERE open.conversation_id = v.id
                AND open.status = 'uncertain' AND open.look_up_due_at IS NULL)
           THEN 'unsettled'
       END,
       v.id, best.id, best.kind, best.value, best.jid
FROM unnest(%(campaigns)s::uuid[], %(counts)s::int[], %(after)s::uuid[], %(paced)s::bool[])
    AS wanted (campaign_id, count, after, is_paced)
JOIN campaigns k ON k.id = wanted.campaign_id
CROSS JOIN LATERAL (
    SELECT r.id, r.contact_id FROM campaign_recipients r
    WHERE r.campaign_id = wanted.campaign_id AND r.status = 'pending' AND r.id > wanted.after
      AND NOT (wanted.is_paced AND EXISTS (
        SELECT 1 FROM conversations chat JOIN messages open ON open.conversation_id = chat.id
        WHERE chat.unit_id = r.unit_id AND chat.contact_id = r.contact_id
          AND (open.status = 'dispatching' OR open.status = 'uncertain' AND open.look_up_due_at IS NOT NULL)))
    ORDER BY r.id LIMIT wanted.count
) r
JOIN contacts c ON c.id = r.contact_id
LEFT JOIN conversations v ON v.unit_id = k.unit_id AND v.contact_id = c.id
LEFT JOIN LATERAL (
    SELECT a.id, a.kind, a.value, a.jid FROM contact_addresses a WHERE a.contact_id = c.id
    ORDER BY a.not_on_whatsapp_at IS NULL DESC, a.kind = 'phone' DESC, a.created_at DESC, a.id DESC LIMIT 1
) best ON true
"""  # noqa: S608 - our own SQL
