"""What follows here from what happens to connections, and to messages."""

from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver

from messaging import breaker, lanes, media, stale
from messaging.inbox import steering
from messaging.signals import messages_moved
from units import live
from units.models import ConnectionStatus, Membership, WhatsAppConnection
from units.signals import connection_moved, pace_changed


@receiver(connection_moved)
def load_what_waited(sender: Any, connection: WhatsAppConnection, was: str, **kwargs: Any) -> None:
    """Files that waited for the number come once it is back; after the commit, so that nobody waits for their rows."""
    if connection.status == ConnectionStatus.CONNECTED:
        transaction.on_commit(partial(media.look_again, connection.pk), robust=True)


@receiver(connection_moved)
def keep_what_waited_too_long(
    sender: Any, connection: WhatsAppConnection, was: str, **kwargs: Any
) -> list[live.Change]:
    """Replies that a number comes back too late for wait for a person's choice."""
    return stale.follow(connection, was)


@receiver(pace_changed)
def look_at_the_lane_again(sender: Any, connection: WhatsAppConnection, **kwargs: Any) -> None:
    """Another pace may let a number send at once."""
    lanes.wake([connection.pk])


@receiver(messages_moved)
def hold_what_fails(sender: Any, in_trouble: list[UUID], **kwargs: Any) -> list[live.Change]:
    """Too many failures stop a number's campaigns; costs nothing while nothing fails."""
    return breaker.consider_messages(in_trouble) if in_trouble else []


@receiver(post_delete, sender=Membership)
def take_back_conversations(sender: Any, instance: Membership, **kwargs: Any) -> None:
    """Conversations of somebody who has left are anybody's again."""
    with transaction.atomic():
        live.publish(steering.release_from(instance.unit_id, instance.user_id))
