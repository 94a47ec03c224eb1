"""I7 in the database itself: it refuses each link between rows of two units, whoever comes by SQL."""

from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import IntegrityError, models
from django.db import connection as database

from crm_whatsapp.db import TenantForeignKey
from tests.access.conftest import taken_back
from tests.access.world import World

pytestmark = pytest.mark.django_db


def has_unit(model: type[models.Model]) -> bool:
    try:
        return not model._meta.get_field("unit").many_to_many
    except FieldDoesNotExist:
        return False


def links() -> list[tuple[str, str, str]]:
    """Child, column and parent of each link between tables of units, as the models have them."""
    return sorted(
        (model._meta.db_table, field.column, field.related_model._meta.db_table)
        for model in apps.get_models()
        if has_unit(model)
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey) and has_unit(field.related_model)
    )


def names(link: Any) -> str:
    return str(link)


def test_every_link_between_tables_of_units_is_a_tenant_key() -> None:
    plain = [
        f"{model.__name__}.{field.name}"
        for model in apps.get_models()
        if has_unit(model)
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey)
        and has_unit(field.related_model)
        and not isinstance(field, TenantForeignKey)
    ]
    assert plain == []


def test_the_database_has_the_composite_key_of_each() -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text FROM pg_constraint c"
            " JOIN pg_attribute u ON u.attrelid = c.conrelid AND u.attnum = c.conkey[1] AND u.attname = 'unit_id'"
            " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[2]"
            " WHERE c.contype = 'f' AND array_length(c.conkey, 1) = 2 AND c.convalidated AND NOT c.condeferrable"
        )
        assert sorted(cursor.fetchall()) == links()


@pytest.mark.parametrize(("table", "column", "parent"), links(), ids=names)
def test_the_database_refuses_a_row_that_links_two_units(world: World, table: str, column: str, parent: str) -> None:
    ours, theirs = world.ours.unit.pk, world.theirs.unit.pk
    with taken_back(), database.cursor() as cursor:
        cursor.execute(f"SELECT id FROM {parent} WHERE unit_id = %s LIMIT 1", [theirs])
        (foreign,) = cursor.fetchone()
        # Of their own rows it may take only one each: in the way of what is tried here.
        cursor.execute(f"DELETE FROM {table} WHERE unit_id = %s", [theirs])
        with pytest.raises(IntegrityError, match=f"{table}_{column}_same_unit"), taken_back():
            cursor.execute(
                f"UPDATE {table} SET {column} = %s WHERE id = (SELECT id FROM {table} WHERE unit_id = %s LIMIT 1)",
                [foreign, ours],
            )


@pytest.mark.parametrize("table", sorted({table for table, _column, _parent in links()}))
def test_the_database_refuses_to_move_a_row_to_another_unit(world: World, table: str) -> None:
    linked = " OR ".join(f"{column} IS NOT NULL" for child, column, _parent in links() if child == table)
    with pytest.raises(IntegrityError), taken_back(), database.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET unit_id = %s WHERE unit_id = %s AND ({linked})",
            [world.theirs.unit.pk, world.ours.unit.pk],
        )
