"""The lane of a number: waking it, and what it needs to know of a recipient."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection as database

from crm_whatsapp.bell import ring_on_commit
from messaging.models import AddressKind, ContactAddress

DELIVER = "messaging.tasks.deliver"


def wake(connection_ids: list[UUID]) -> None:
    """Something may be due on these lanes: look, in the transaction that made it so.

    The row lock orders this with a delivery that is about to find the lane empty: one of the two sees the other.
    """
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO send_lanes AS lane (connection_id, due_at)"
            " SELECT id, crm_now() FROM unnest(%s::uuid[]) AS wanted (id) ORDER BY id"
            " ON CONFLICT (connection_id) DO UPDATE SET due_at = least(lane.due_at, excluded.due_at)",
            [connection_ids],
        )
    ring_on_commit(DELIVER)


def gateway_may_act_for() -> timedelta:
    """How long after `dispatching` the gateway may still write to the socket, whatever became of our call."""
    return timedelta(seconds=settings.EVOLUTION_CONNECT_TIMEOUT + settings.EVOLUTION_SEND_TIMEOUT) + settings.SEND_GRACE


def recipient_of(address: ContactAddress) -> str:
    """What the gateway is given: the JID that WhatsApp itself used, else the number's digits, else the LID."""
    if address.jid:
        return address.jid
    return address.value.removeprefix("+") if address.kind == AddressKind.PHONE else f"{address.value}@lid"
