"""People of a unit, and the API as each sees it."""

from rest_framework.test import APIClient

from units.models import ApiToken, AuditEntry, Membership, Role, Unit, User


def colleague(unit: Unit, role: Role = Role.AGENT, name: str = "bia") -> Membership:
    """Somebody who works in the unit as `role`."""
    user = User.objects.create_user(f"{name}@example.com", "correct horse battery", first_name=name.title())
    return Membership.objects.create(unit=unit, user=user, role=role)


def as_user(user: User) -> APIClient:
    """The API in a browser in which `user` is logged in."""
    client = APIClient()
    client.force_authenticate(user)
    return client


def as_token(token: str) -> APIClient:
    """The API for a program that has `token`."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def token_for(user: User, **options: object) -> APIClient:
    """The API for a program with a new token of `user`."""
    return as_token(ApiToken.mint(user, "CRM", **options)[1])  # type: ignore[arg-type]


def actions(unit: Unit) -> list[str]:
    """What the unit's log says was done, in order; but that it was given its owner."""
    return list(AuditEntry.objects.filter(unit=unit).order_by("created_at", "id").values_list("action", flat=True))[1:]
