"""What needs a person, by the rows that say so: nothing is kept here, so nothing can be out of date."""

from typing import Any
from uuid import UUID

from django.db.models import BooleanField, CharField, ExpressionWrapper, F, Q, QuerySet, Value

from attention.concern import Concern, Need, OfUnit
from attention.kinds import KINDS


def needs(unit_id: UUID | None = None) -> list[Need]:
    """All there is, of one unit or of all: three statements, however much that is."""
    found = [_columns(each, rows, unit_id) for each in KINDS.values() for rows in each.found()]
    rows = [Need(*row) for row in found[0].union(*found[1:], all=True)]
    return rows + [need for each in KINDS.values() for need in each.found_besides(unit_id)]


def _columns(concern: Concern, rows: QuerySet[Any], unit_id: UUID | None) -> QuerySet[Any, tuple[Any, ...]]:
    """Those of `Need`, each once."""
    thing = concern.unit if isinstance(concern, OfUnit) else "id"
    if unit_id:
        rows = rows.filter(**{concern.unit: unit_id})
    kind = Value(concern.kind.value, output_field=CharField())
    by_mail = concern.by_mail if isinstance(concern.by_mail, Q) else Value(concern.by_mail)
    is_by_mail = ExpressionWrapper(by_mail, BooleanField())
    return rows.order_by().values_list(F(concern.unit), kind, F(thing), is_by_mail).distinct()
