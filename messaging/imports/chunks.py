"""Writes some thousand rows of a file into the contacts of a unit, by a handful of statements."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, transaction
from django.db import connection as database
from psycopg.errors import DeadlockDetected, ForeignKeyViolation, LockNotAvailable, UniqueViolation

from messaging.contacts.changes import MOST_TOLD, contact_changes
from messaging.contacts.consent import OptedOut, opt_out_many
from messaging.imports.columns import Person
from messaging.models import OptOutSource
from units import live
from units.models import User

# How long a chunk waits for somebody's row, and how often it is tried: well below PostgreSQL's deadlock_timeout of a
# second, so that in a circle it is the import that gives way, and never a message that comes in.
PATIENCE, TRIES = "400ms", 20
PAUSE_SECONDS = 0.2
# Of a unit. A column of remarks that was taken for tags would make a million.
MOST_TAGS = 2000


class TooManyTags(ValueError):
    """The unit would have more than MOST_TAGS."""


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a chunk. `changes` are for the caller to publish last."""

    created: int
    updated: int
    unchanged: int
    changes: list[live.Change]


class Chunks:
    """The rows of one import, in chunks. Rows are known by their number in the file.

    Two tables of the session: the chunk at hand, and the numbers of all rows so far, which find a number that comes
    twice in a file of any length without keeping it in memory.
    """

    def __init__(self, unit_id: UUID) -> None:
        self._unit = {"unit": unit_id}
        with database.cursor() as cursor:
            cursor.execute(_TABLES)

    def close(self) -> None:
        with database.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS pg_temp.import_rows, pg_temp.import_seen")

    def stage(self, people: Sequence[tuple[int, Person]]) -> list[int]:
        """Make these the chunk at hand. Returns the rows whose number an earlier row has; they are left out.

        Nothing but the session's own tables is touched. The same once more is the same.
        """
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute("TRUNCATE import_rows")
            with cursor.copy("COPY import_rows (row, phone, name, opted_out, tags, attributes) FROM STDIN") as copy:
                for row, person in people:
                    values = json.dumps(person.attributes) if person.attributes else "{}"
                    copy.write_row((row, person.phone, person.name, person.opted_out, person.tags, values))
            cursor.execute("ANALYZE import_rows")
            cursor.execute(_SEE)
            cursor.execute(_BY_INDEX)
            cursor.execute(_DUPLICATES)
            duplicates = [row for (row,) in cursor.fetchall()]
            cursor.execute(_AS_IT_LIKES)
        return duplicates

    def write(self, *, by: User | None) -> Written:
        """Write the staged chunk; in the caller's transaction, which takes it back as a whole. `by`: who imports.

        1. Who is known by his number, and who is new.
        2. New contacts and addresses, in the order in which everybody adds them.
        3. Of known contacts names and attributes, the rows locked in the order of their keys. A person who is in the
           chunk under two numbers is written twice, as he would be from two chunks.
        4. Tags and opt-outs.

        Raises IntegrityError when somebody adds or merges one of them at the same time, TooManyTags.
        """
        with database.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
            cursor.execute(_BY_INDEX)
            cursor.execute(_KNOWN, self._unit)
            cursor.execute("UPDATE import_rows SET contact_id = uuidv7(), is_new = true WHERE contact_id IS NULL")
            if cursor.rowcount:
                cursor.execute(_NEW_CONTACTS, self._unit)
                cursor.execute(_NEW_ADDRESSES, self._unit)
            cursor.execute(_PLACES)
            cursor.execute("SELECT coalesce(max(place) FILTER (WHERE NOT is_new), 0) FROM import_rows")
            for place in range(1, cursor.fetchone()[0] + 1):
                cursor.execute(_CHANGES, self._unit | {"place": place})
            cursor.execute(_AS_IT_LIKES)
            self._write_tags(cursor)
            changes = self._write_opt_outs(cursor, by)
            cursor.execute(_TOLD, [MOST_TOLD + 1])
            changes += contact_changes(self._unit["unit"], (contact_id for (contact_id,) in cursor.fetchall()))
            cursor.execute("SET LOCAL lock_timeout = DEFAULT")
            cursor.execute(_COUNTS)
            created, updated, unchanged = cursor.fetchone()
        return Written(created, updated, unchanged, changes)

    def _write_tags(self, cursor: Any) -> None:
        cursor.execute("SELECT EXISTS (SELECT FROM import_rows WHERE tags <> '{}')")
        if not cursor.fetchone()[0]:
            return
        cursor.execute(_NEW_TAGS, self._unit)
        if cursor.rowcount:
            cursor.execute("SELECT count(*) FROM tags WHERE unit_id = %(unit)s", self._unit)
            if cursor.fetchone()[0] > MOST_TAGS:
                raise TooManyTags
        cursor.execute(_TAGS, self._unit)

    def _write_opt_outs(self, cursor: Any, by: User | None) -> list[live.Change]:
        """Nothing in a file lifts one (I9)."""
        cursor.execute("SELECT DISTINCT contact_id FROM import_rows WHERE opted_out")
        those = [OptedOut(contact_id) for (contact_id,) in cursor.fetchall()]
        if not those:
            return []
        new, changes = opt_out_many(self._unit["unit"], those, source=OptOutSource.IMPORT, by=by)
        cursor.execute("UPDATE import_rows SET is_changed = true WHERE contact_id = ANY(%s)", [list(new)])
        return changes


def is_for_good(error: DatabaseError | InterfaceError) -> bool:
    """Whether the same once more would be refused as well: it is the rows, not the server, and not somebody else."""
    if isinstance(error, InterfaceError):
        return False
    state = getattr(error.__cause__, "sqlstate", None) or ""
    if isinstance(error, OperationalError):
        # Of these only what is too large for an index or a document: "program limit exceeded".
        return state.startswith("54")
    # Somebody was faster: a number, or a contact that a merge took away.
    return not isinstance(error.__cause__, UniqueViolation | ForeignKeyViolation)


def giving_way[T](work: Callable[[], T]) -> T:
    """`work()` in a transaction of its own, again when somebody was faster or in the way."""
    for attempt in range(TRIES):
        try:
            with transaction.atomic():
                return work()
        except IntegrityError as error:
            if attempt == TRIES - 1 or is_for_good(error):
                raise
        except OperationalError as error:
            if attempt == TRIES - 1 or not isinstance(error.__cause__, DeadlockDetected | LockNotAvailable):
                raise
        time.sleep(PAUSE_SECONDS)
    raise AssertionError("unreachable")


_TABLES = """
DROP TABLE IF EXISTS pg_temp.import_rows, pg_temp.import_seen;
CREATE TEMPORARY TABLE import_rows (
    row int PRIMARY KEY, phone text NOT NULL, name text NOT NULL, opted_out boolean NOT NULL,
    tags text[] NOT NULL, attributes jsonb NOT NULL,
    contact_id uuid, is_new boolean NOT NULL DEFAULT false, is_changed boolean NOT NULL DEFAULT false,
    place int NOT NULL DEFAULT 1
);
CREATE TEMPORARY TABLE import_seen (phone text PRIMARY KEY, row int NOT NULL);
"""

# Row by row through an index. By itself the planner reads all contacts of the unit for each chunk, so that a file takes
# a time that grows with its square.
_BY_INDEX = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
_AS_IT_LIKES = "SET LOCAL enable_hashjoin = DEFAULT; SET LOCAL enable_mergejoin = DEFAULT"

_SEE = """
INSERT INTO import_seen (phone, row) SELECT DISTINCT ON (phone) phone, row FROM import_rows ORDER BY phone, row
ON CONFLICT DO NOTHING
"""

_DUPLICATES = """
DELETE FROM import_rows r USING import_seen s WHERE s.phone = r.phone AND s.row <> r.row RETURNING r.row
"""

_KNOWN = """
UPDATE import_rows r SET contact_id = a.contact_id FROM contact_addresses a
WHERE a.unit_id = %(unit)s AND a.kind = 'phone' AND a.value = r.phone
"""

_NEW_CONTACTS = """
INSERT INTO contacts (id, unit_id, name, name_is_ours, attributes)
SELECT contact_id, %(unit)s, name, name <> '', attributes FROM import_rows WHERE is_new ORDER BY phone
"""

_NEW_ADDRESSES = """
INSERT INTO contact_addresses (unit_id, contact_id, kind, value)
SELECT %(unit)s, contact_id, 'phone', phone FROM import_rows WHERE is_new ORDER BY phone
"""

# Which of the rows of one person a row is.
_PLACES = """
UPDATE import_rows r SET place = again.place
FROM (SELECT row, row_number() OVER (PARTITION BY contact_id ORDER BY row) AS place FROM import_rows) again
WHERE again.row = r.row AND again.place > 1
"""

# A name that staff typed stays. One that the phone gave makes way for the file's, which is staff's from then on.
_CHANGES = """
WITH changed AS (
    SELECT c.id, r.row, r.attributes,
           CASE WHEN r.name <> '' AND (c.name = '' OR NOT c.name_is_ours) THEN r.name ELSE c.name END AS name
    FROM import_rows r JOIN contacts c ON c.unit_id = %(unit)s AND c.id = r.contact_id
    WHERE NOT r.is_new AND r.place = %(place)s
      AND ((r.name <> '' AND r.name <> c.name AND (c.name = '' OR NOT c.name_is_ours))
           OR NOT c.attributes @> r.attributes)
    ORDER BY c.id FOR NO KEY UPDATE OF c
), put AS (
    UPDATE contacts c SET name = changed.name, name_is_ours = c.name_is_ours OR changed.name <> c.name,
        attributes = c.attributes || changed.attributes
    FROM changed WHERE c.id = changed.id RETURNING changed.row
)
UPDATE import_rows r SET is_changed = true FROM put WHERE r.row = put.row
"""

_NEW_TAGS = """
INSERT INTO tags (unit_id, name)
SELECT DISTINCT ON (lower(name)) %(unit)s::uuid, name FROM (SELECT unnest(tags) AS name FROM import_rows) named
ORDER BY lower(name), name
ON CONFLICT (unit_id, lower(name)) DO NOTHING
"""

_TAGS = """
WITH put AS (
    INSERT INTO contact_tags (unit_id, contact_id, tag_id)
    SELECT DISTINCT t.unit_id, r.contact_id, t.id
    FROM import_rows r CROSS JOIN unnest(r.tags) AS named (name)
    JOIN tags t ON t.unit_id = %(unit)s AND lower(t.name) = lower(named.name)
    ORDER BY r.contact_id, t.id
    ON CONFLICT (contact_id, tag_id) DO NOTHING
    RETURNING contact_id
)
UPDATE import_rows r SET is_changed = true FROM put WHERE r.contact_id = put.contact_id
"""

_TOLD = "SELECT DISTINCT contact_id FROM import_rows WHERE is_changed AND NOT is_new LIMIT %s"

_COUNTS = """
SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new AND is_changed),
       count(*) FILTER (WHERE NOT is_new AND NOT is_changed)
FROM import_rows
"""
