"""Calls that did not end in "sent" are kept, for the timeline of their message."""

from collections.abc import Sequence

from django.db import connection as database

from messaging.delivery.send import Send
from units.gateways.errors import GatewayError


def keep_failed(sends: Sequence[Send]) -> None:
    """Keep those of `sends` that failed, in the transaction that records them: one statement; none when all went well.

    The answer has its secrets masked already, and at most 500 characters (`GatewayError`).
    """
    failed = [(send, send.outcome) for send in sends if isinstance(send.outcome, GatewayError)]
    if not failed:
        return
    with database.cursor() as cursor:
        cursor.execute(
            _KEEP,
            {
                "ids": [send.message_id for send, _ in failed],
                "numbers": [send.attempts + 1 for send, _ in failed],
                "outcomes": [type(error).__name__ for _, error in failed],
                "codes": [error.code for _, error in failed],
                "answers": [error.answer for _, error in failed],
            },
        )


_KEEP = """
INSERT INTO failed_attempts (unit_id, message_id, number, outcome, code, answer)
SELECT m.unit_id, m.id, found.number, found.outcome, found.code, found.answer
FROM unnest(%(ids)s::uuid[], %(numbers)s::smallint[], %(outcomes)s::text[], %(codes)s::text[], %(answers)s::text[])
    AS found (id, number, outcome, code, answer)
JOIN messages m ON m.id = found.id
"""
