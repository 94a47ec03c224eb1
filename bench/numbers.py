"""Numbers with something to send, made by the database: thousands of units in a second."""

from dataclasses import dataclass

from bench.installation import Installation

TEXT = "Lentes com 30% de desconto até sábado"
TABLES = "units, users, webhook_events, live_events, unit_feeds"


@dataclass(frozen=True, slots=True)
class Queue:
    """`numbers` connected numbers, with `each` people apiece to whom a message is queued.

    `campaigns`: of one running campaign for each number, with its recipients; else replies. `queued`: else that is left
    to the feeder.
    """

    numbers: int
    each: int
    campaigns: bool = True
    queued: bool = True


def empty(installation: Installation) -> None:
    """No unit is left."""
    installation.sql(f"TRUNCATE {TABLES} CASCADE")


def fill(installation: Installation, queue: Queue) -> None:
    """Make the numbers of `queue`, in place of those that were there."""
    empty(installation)
    sql = installation.sql
    sql("INSERT INTO units (name) SELECT 'Loja ' || n FROM generate_series(1, %s) n", queue.numbers)
    sql(
        "INSERT INTO unit_whatsapp_connections (unit_id, instance_name, status, in_use_since)"
        " SELECT id, 'unit_' || id, 'connected', date '2020-01-01' FROM units"
    )
    sql(
        "INSERT INTO contacts (unit_id, name)"
        " SELECT u.id, 'Cliente ' || n FROM generate_series(1, %s) n CROSS JOIN units u",
        queue.each,
    )
    sql(
        "INSERT INTO contact_addresses (unit_id, contact_id, kind, value, jid)"
        " SELECT unit_id, id, 'phone', '+' || digits, digits || '@s.whatsapp.net'"
        " FROM (SELECT *, (5511900000000 + row_number() OVER (ORDER BY id))::text AS digits FROM contacts) c"
    )
    sql("INSERT INTO conversations (unit_id, contact_id, status) SELECT unit_id, id, 'resolved' FROM contacts")
    _fill_queues(installation, queue)


def queue_again(installation: Installation, queue: Queue) -> None:
    """The same numbers and people, with new messages and an empty feed."""
    installation.sql("TRUNCATE messages, campaigns, live_events, send_lanes CASCADE")
    _fill_queues(installation, queue)


def _fill_queues(installation: Installation, queue: Queue) -> None:
    sql = installation.sql
    if queue.campaigns:
        sql(
            "INSERT INTO campaigns (unit_id, name, content, status, started_at)"
            " SELECT id, 'Volta às aulas', %s, 'processing', crm_now() FROM units",
            TEXT,
        )
        sql(
            "INSERT INTO campaign_recipients (unit_id, campaign_id, contact_id)"
            " SELECT c.unit_id, m.id, c.id FROM contacts c JOIN campaigns m USING (unit_id)"
        )
    if queue.queued:
        sql(
            "INSERT INTO messages (unit_id, connection_id, conversation_id, direction, origin, body, recipient, status,"
            " due_at, expires_at)"
            " SELECT v.unit_id, n.id, v.id, 'outbound', %s, %s, a.jid, 'queued',"
            " crm_now(), crm_now() + interval '1 day'"
            " FROM conversations v JOIN unit_whatsapp_connections n USING (unit_id)"
            " JOIN contact_addresses a ON a.contact_id = v.contact_id ORDER BY v.id",
            "campaign" if queue.campaigns else "reply",
            TEXT,
        )
        if queue.campaigns:
            sql(
                "UPDATE campaign_recipients r SET status = 'queued', message_id = m.id"
                " FROM conversations v JOIN messages m ON m.conversation_id = v.id WHERE v.contact_id = r.contact_id"
            )
    sql("INSERT INTO send_lanes (connection_id, due_at) SELECT id, crm_now() FROM unit_whatsapp_connections")
    sql("ANALYZE")
