"""Changing how fast and when a number sends campaigns, whoever does it: a program, the console, the admin."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from units import audit, live
from units.models import AuditAction, WhatsAppConnection
from units.services import change_of
from units.signals import pace_changed


def change(connection: WhatsAppConnection, columns: Mapping[str, Any]) -> WhatsAppConnection:
    """Give `connection` these columns of its pace, valid by `connection.clean()`; it counts from the next message on.

    Only these are written: workers move the others meanwhile. It is noted in the audit log what is another now.
    """
    if not columns:
        return connection
    with transaction.atomic():
        rows = WhatsAppConnection.objects.select_for_update(no_key=True).filter(pk=connection.pk)
        before = rows.values(*columns).get()
        for name, value in columns.items():
            setattr(connection, name, value)
        connection.save(update_fields=list(columns))
        if changed := audit.difference(before, connection):
            audit.record(connection.unit_id, AuditAction.NUMBER_PACE, connection, **changed)
        pace_changed.send(sender=WhatsAppConnection, connection=connection)
        live.publish([change_of(connection)])
    return connection
