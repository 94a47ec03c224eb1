"""Rows for the console's pages, and where those are."""

from tests.factories import message
from units.models import Unit, User

__all__ = ["HTMX", "at", "colleague", "message"]


def at(unit: Unit, path: str = "") -> str:
    """An address of the unit's console."""
    return f"/app/u/{unit.id}/{path}"


def colleague(unit: Unit) -> User:
    """Another person of the unit."""
    user = User.objects.create_user("bia@example.com", "correct horse battery", first_name="Bia")
    unit.memberships.create(user=user)
    return user


HTMX = {"HX-Request": "true"}
