"""Changing what a unit is called, where it is, and how soon it wants to answer."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from units import audit
from units.models import AuditAction, Unit


def change(unit: Unit, columns: Mapping[str, Any]) -> Unit:
    """Give `unit` these columns, valid by its fields; noted in the audit log."""
    if not columns:
        return unit
    with transaction.atomic():
        before = Unit.objects.select_for_update(no_key=True).filter(pk=unit.pk).values(*columns).get()
        for name, value in columns.items():
            setattr(unit, name, value)
        unit.save(update_fields=list(columns))
        if changed := audit.difference(before, unit):
            audit.record(unit.pk, AuditAction.UNIT_CHANGED, unit, **changed)
    return unit
