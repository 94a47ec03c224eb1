"""What every app needs of the database: the clock, guarded status moves, tenant keys."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.postgres.search import SearchVectorField
from django.db import migrations, models
from django.db.models.functions import UUID7
from django.utils.translation import gettext_lazy as _


class ClockNow(models.Func):
    """`crm_now()`: the one clock of the product, in the database.

    `clock_timestamp()` plus an offset that only tests and demo data set (`SET crm.clock_offset = '1 hour'`). It moves
    on within a transaction, unlike `now()`: a slow transaction must not write a time that has passed.
    """

    template = "crm_now()"
    output_field = models.DateTimeField()


class UUIDPrimaryKeyModel(models.Model):
    """A row with a time-ordered key made by the database and the time of its making."""

    id = models.UUIDField(primary_key=True, db_default=UUID7(), editable=False)
    created_at = models.DateTimeField(_("created at"), db_default=ClockNow(), editable=False)

    class Meta:
        abstract = True


class StatusQuerySet[M: models.Model](models.QuerySet[M]):
    """Rows whose `status` moves only along `model.MOVES` (target → statuses it may be reached from)."""

    def move_to(self, status: str, **changes: Any) -> int:
        """Move those rows that may move to `status`; one guarded UPDATE.

        Returns the number of rows moved: 0 means that somebody else was faster or the move is not allowed.
        """
        moves: Mapping[str, frozenset[str]] = self.model.MOVES  # type: ignore[attr-defined]
        return self.filter(status__in=moves[status]).update(status=status, **changes)


class TenantForeignKey(models.ForeignKey):
    """A link between rows of one unit.

    The database checks it together with `unit_id`, by a composite key that `tenant_key()` adds in a migration and that
    also carries the ON DELETE rule. Django's own constraint would be a second one: it halves the insert rate.
    """

    def __init__(self, to: Any, on_delete: Any = models.DO_NOTHING, **options: Any) -> None:
        options["db_constraint"] = False
        super().__init__(to, models.DO_NOTHING, **options)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        options.pop("db_constraint", None)
        return name, path, args, options


def tenant_key(table: str, column: str, parent: str, *, on_delete: str) -> migrations.RunSQL:
    """Migration operation: `(unit_id, column)` of `table` references `(unit_id, id)` of `parent`.

    `on_delete` is `CASCADE` or `SET NULL` (of `column` alone; the unit stays).
    """
    rule = f"SET NULL ({column})" if on_delete == "SET NULL" else on_delete
    name = f"{table}_{column}_same_unit"
    return migrations.RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (unit_id, {column})"
        f" REFERENCES {parent} (unit_id, id) ON DELETE {rule}",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


def tenant_parent(name: str) -> models.UniqueConstraint:
    """The key that `tenant_key()` points at."""
    return models.UniqueConstraint(fields=["unit", "id"], name=f"{name}_tenant_key")


class SearchWords(models.Func):
    """`crm_search(unit_id, text)`: the words of column `text`, without case and accents, together with the unit.

    For a GIN index and for what is asked of it: `….alias(words=SearchWords("body")).filter(words=query)`. The unit is a
    word like the others, since the embedded server has no btree_gin: a common word of one unit is found without
    reading everybody's (docs/decisions/0012-search.md). An index on the expression and no stored column: nobody reads
    the words back, and every SELECT of a row would carry them.
    """

    function = "crm_search"
    output_field = SearchVectorField()

    def __init__(self, text: str, **extra: Any) -> None:
        super().__init__("unit_id", text, **extra)


def one_of(field: str, choices: type[models.TextChoices], name: str) -> models.CheckConstraint:
    """CHECK that `field` holds one of `choices`, in the database too."""
    return models.CheckConstraint(condition=models.Q(**{f"{field}__in": choices.values}), name=name)


# Of a model: target status → the statuses it may be reached from.
type Moves = Mapping[str, frozenset[str]]

__all__ = [
    "ClockNow",
    "Moves",
    "SearchWords",
    "StatusQuerySet",
    "TenantForeignKey",
    "UUIDPrimaryKeyModel",
    "one_of",
    "tenant_key",
    "tenant_parent",
]
