"""What a colleague removes while somebody else has it before them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection as database
from django.db import models, transaction


@contextmanager
def nothing_is_kept() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def remove(model: type[models.Model], pk: Any) -> None:
    with database.cursor() as cursor:
        cursor.execute(f'DELETE FROM "{model._meta.db_table}" WHERE id = %s', [pk])


@contextmanager
def removed_once_read(model: type[models.Model], pk: Any) -> Iterator[list[str]]:
    """The row is removed after the first statement that reads its table, which is then in the list."""
    done: list[str] = []

    def meddle(execute: Any, sql: str, *more: Any) -> Any:
        answer = execute(sql, *more)
        if not done and sql.startswith("SELECT") and f' FROM "{model._meta.db_table}"' in sql:
            done.append(sql)
            remove(model, pk)
        return answer

    with database.execute_wrapper(meddle):
        yield done
