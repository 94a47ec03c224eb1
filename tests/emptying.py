"""The end of a test that commits: what it made goes, once everything that its pages asked for has been answered."""

import threading
import time
from functools import cache
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import DatabaseError, connection, transaction

# Made with the schema, and the same for every test; and what goes with its unit alone.
_KEPT = {"django_content_type", "auth_permission", "audit_entries"}


class _Answering:
    """The threads of live servers that have a request in hand. The test client's requests do not count."""

    def __init__(self) -> None:
        self._threads: set[int | None] = set()
        request_started.connect(self._begin, sender=WSGIHandler)
        request_finished.connect(self._end, sender=WSGIHandler)

    def _begin(self, **_: Any) -> None:
        self._threads.add(threading.get_ident())

    def _end(self, **_: Any) -> None:
        self._threads.discard(threading.get_ident())

    def wait(self, seconds: float) -> bool:
        """Until there is none; False if it takes longer."""
        deadline = time.monotonic() + seconds
        # Of a request whose browser has hung up, the server says no end: its thread ends. A test that calls the
        # application itself, in this thread, may not say it either.
        while self._threads & {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


_answering = _Answering()


@cache
def _tables() -> list[str]:
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return [connection.ops.quote_name(name) for name in names if name not in _KEPT]


def empty_tables() -> None:
    """DELETE where there are rows: a tenth of the work of Django's flush, which truncates every table and makes all
    permissions anew.
    """
    is_answered = _answering.wait(30)
    for tries_left in (2, 1, 0):
        try:
            _delete_rows()
            break
        except DatabaseError:
            # Rarely, the last word of a page before it was closed is heard only now: a deadlock, or a row more.
            if not tries_left:
                raise
    assert is_answered, "a request has no answer yet"


def _delete_rows() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '30s'")
        cursor.execute("DELETE FROM units")
        cursor.execute("SELECT " + ", ".join(f"EXISTS (SELECT FROM {table})" for table in _tables()))
        filled = [table for table, has_rows in zip(_tables(), cursor.fetchone(), strict=True) if has_rows]
        # Foreign keys are looked at when the transaction ends.
        for table in filled:
            cursor.execute(f"DELETE FROM {table}")
