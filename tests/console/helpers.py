"""Rows for the console's pages, and where those are."""

import re
from typing import Any

from django.db import transaction
from django.test import Client

from campaigns.models import Campaign
from messaging.models import Message
from messaging.services import changes_of
from tests.factories import message
from units import live
from units.models import Unit, User

__all__ = ["HTMX", "at", "colleague", "confirm", "dialog_of", "message", "tell_of"]


def at(unit: Unit, path: str = "") -> str:
    """An address of the unit's console."""
    return f"/app/u/{unit.id}/{path}"


def colleague(unit: Unit) -> User:
    """Another person of the unit."""
    user = User.objects.create_user("bia@example.com", "correct horse battery", first_name="Bia")
    unit.memberships.create(user=user)
    return user


def tell_of(*rows: Message) -> None:
    """Tell the open pages of these messages."""
    with transaction.atomic():
        live.publish(changes_of(rows))


HTMX = {"HX-Request": "true"}


def dialog_of(client: Client, unit: Unit, campaign: Campaign, step: str) -> tuple[str, dict[str, str]]:
    """The dialog of a step, and what its button sends when nobody types anything."""
    dialog = client.get(at(unit, f"campaigns/{campaign.id}/{step}"), headers=HTMX).text
    return dialog, dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', dialog))


def confirm(client: Client, unit: Unit, campaign: Campaign, step: str, **typed: str) -> Any:
    """Say yes to the dialog of a step, as it is shown now."""
    _dialog, stated = dialog_of(client, unit, campaign, step)
    return client.post(at(unit, f"campaigns/{campaign.id}/{step}"), stated | typed, headers=HTMX)
