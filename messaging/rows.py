"""Rows as JSON: what it takes to put back what a change has taken away."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection as database
from django.db import models


def row_of(row: models.Model) -> dict[str, Any]:
    """All columns of a row as PostgreSQL has them, but for generated ones; for `restore`."""
    with database.cursor() as cursor:
        # Names of tables are the models' own.
        cursor.execute(f"SELECT to_jsonb(t) FROM {row._meta.db_table} t WHERE id = %s", [row.pk])  # noqa: S608
        found = json.loads(cursor.fetchone()[0])
    return {column: found[column] for column in _columns(type(row)) if column in found}


def restore(model: type[models.Model], row: dict[str, Any]) -> None:
    """Insert a row from `row_of`. Columns that have come since have their defaults, those that have gone are left."""
    columns = ", ".join(column for column in _columns(model) if column in row)
    table = model._meta.db_table
    with database.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({columns})"  # noqa: S608
            f" SELECT {columns} FROM jsonb_populate_record(NULL::{table}, %s::jsonb)",
            [json.dumps(row)],
        )


def some(row: dict[str, Any], columns: Iterable[str]) -> dict[str, Any]:
    """Only these columns of a row from `row_of`."""
    return {column: row[column] for column in columns}


def give_back(
    row: models.Model, before: dict[str, Any], after: dict[str, Any], columns: Sequence[str], *, together: bool = False
) -> None:
    """Set `columns` to what they were `before` a change, unless they are no longer as they were `after` it.

    `together`: all of them, or none when one has changed.
    """
    now = row_of(row)
    same = [column for column in columns if now[column] == after[column]]
    if not same or (together and same != [*columns]):
        return
    table = row._meta.db_table
    assignments = ", ".join(f"{column} = old.{column}" for column in same)
    with database.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} t SET {assignments}"  # noqa: S608
            f" FROM jsonb_populate_record(NULL::{table}, %s::jsonb) old WHERE t.id = %s",
            [json.dumps(before), row.pk],
        )


def _columns(model: type[models.Model]) -> list[str]:
    return [str(field.column) for field in model._meta.concrete_fields if not field.generated]
