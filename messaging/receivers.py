"""What follows here from what happens to connections."""

from functools import partial
from typing import Any

from django.db import transaction
from django.dispatch import receiver

from messaging import media
from units.models import ConnectionStatus, WhatsAppConnection
from units.signals import connection_moved


@receiver(connection_moved)
def load_what_waited(sender: Any, connection: WhatsAppConnection, was: str, **kwargs: Any) -> None:
    """Files that waited for the number come once it is back; after the commit, so that nobody waits for their rows."""
    if connection.status == ConnectionStatus.CONNECTED:
        transaction.on_commit(partial(media.look_again, connection.pk), robust=True)
