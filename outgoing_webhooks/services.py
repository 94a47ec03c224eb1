"""What owners do with outgoing webhooks."""

import base64
import ipaddress
import secrets
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.encoding import iri_to_uri
from django.utils.translation import gettext_lazy as _

from crm_whatsapp.db import ClockNow
from messaging.outgoing.errors import CannotQueue
from messaging.outgoing.web import Web, is_public
from outgoing_webhooks import words
from outgoing_webhooks.models import OutgoingWebhook
from units import audit
from units.models import AuditAction, Unit, UnitFeed, User

# As docs/live-events.md has them.
KINDS = ("message", "conversation", "contact", "connection", "campaign", "attention")
# Of one unit.
MOST = 10
SECONDS = 10.0
# Signed with each of so many: a receiver that has not got the new one yet still believes us.
SECRETS = 2

_CHANGEABLE = ("url", "kinds", "is_active", "after_seq")
PUBLIC_ONLY = _("A public address that begins with https://, on port 443 or 8443, and without a password in it.")


class InvalidAddress(ValueError):
    """We do not post there."""


class NotYet(ValueError):
    """There is no event of that number yet."""


class AddressTaken(Exception):
    """The unit has a webhook for this address."""


class TooMany(Exception):
    """The unit has as many as it may have."""


def web() -> Web:
    """Where we post to, and for how long."""
    if settings.OUTGOING_WEBHOOKS_PRIVATE:
        return Web(is_allowed=lambda address: True, ports=None, schemes=frozenset({"https", "http"}), seconds=SECONDS)
    return Web(ports=frozenset({443, 8443}), seconds=SECONDS)


def check(url: str) -> None:
    """Raises InvalidAddress for what we can see to be nowhere for us; whose address a name has is seen when posting."""
    try:
        host = web().judged(_in_ascii(url)).hostname or ""
    except CannotQueue as refusal:
        raise InvalidAddress(PUBLIC_ONLY) from refusal
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return
    if not settings.OUTGOING_WEBHOOKS_PRIVATE and not is_public(address):
        raise InvalidAddress(PUBLIC_ONLY)


def add(unit: Unit, url: str, *, kinds: Collection[str] = (), by: User | None) -> tuple[OutgoingWebhook, str]:
    """A webhook for what happens from now on, and its secret, which is not shown again.

    Raises InvalidAddress, AddressTaken and TooMany.
    """
    check(url)
    url, secret = _in_ascii(url), _new_secret()
    with transaction.atomic():
        Unit.objects.select_for_update(no_key=True).get(pk=unit.pk)
        if OutgoingWebhook.objects.filter(unit=unit).count() >= MOST:
            raise TooMany
        last = _newest(unit.pk)
        try:
            with transaction.atomic():
                made = OutgoingWebhook.objects.create(
                    unit=unit, url=url, kinds=_sorted(kinds), secret=secret, after_seq=last, created_by=by
                )
        except IntegrityError:
            raise AddressTaken from None
        audit.record(unit.pk, AuditAction.WEBHOOK_ADDED, made, kinds=made.kinds)
    made.refresh_from_db()
    return made, secret


def change(
    webhook: OutgoingWebhook,
    *,
    url: str | None = None,
    kinds: Collection[str] | None = None,
    is_active: bool | None = None,
    after_seq: int | None = None,
) -> OutgoingWebhook:
    """Another address, other events, on or off. Switched on, it goes on where it was, with as many tries as ever.

    `after_seq`: from there on, once more or passing over some. Raises InvalidAddress, AddressTaken, NotYet, and
    OutgoingWebhook.DoesNotExist when it has been removed meanwhile.
    """
    if url is not None:
        check(url)
        url = _in_ascii(url)
    with transaction.atomic():
        row = OutgoingWebhook.objects.select_for_update(no_key=True).get(pk=webhook.pk)
        before: dict[str, Any] = {name: getattr(row, name) for name in _CHANGEABLE}
        if after_seq is not None and after_seq > _newest(row.unit_id):
            raise NotYet
        row.url = row.url if url is None else url
        row.kinds = row.kinds if kinds is None else _sorted(kinds)
        row.is_active = row.is_active if is_active is None else is_active
        row.after_seq = row.after_seq if after_seq is None else after_seq
        if changed := audit.difference(before, row):
            # At once, and whoever is posting this moment has lost it. Off by a person is no failure.
            row.due_at, row.failures, row.last_error = ClockNow(), 0, ""
            try:
                with transaction.atomic():
                    row.save(update_fields=[*_CHANGEABLE, "due_at", "failures", "last_error"])
            except IntegrityError:
                raise AddressTaken from None
            audit.record(row.unit_id, AuditAction.WEBHOOK_CHANGED, row, **changed)
    row.refresh_from_db()
    return row


def remove(webhook: OutgoingWebhook) -> bool:
    """Nothing more is posted; whether it was there until now."""
    with transaction.atomic():
        removed, _by_model = OutgoingWebhook.objects.filter(pk=webhook.pk).delete()
        if removed:
            audit.record(webhook.unit_id, AuditAction.WEBHOOK_REMOVED, webhook)
    return bool(removed)


def rotate(webhook: OutgoingWebhook) -> str:
    """A new secret, which is not shown again. What is posted is signed with it and with the one before, until the next.

    Raises OutgoingWebhook.DoesNotExist when it has been removed meanwhile.
    """
    secret = _new_secret()
    with transaction.atomic():
        row = OutgoingWebhook.objects.select_for_update(no_key=True).get(pk=webhook.pk)
        row.secret = " ".join([secret, *row.secret_if_readable().split()][:SECRETS])
        if row.last_error == words.UNREADABLE_SECRET:
            # It was all that was wrong.
            row.is_active, row.due_at, row.failures, row.last_error = True, ClockNow(), 0, ""
        row.save(update_fields=["secret", "is_active", "due_at", "failures", "last_error"])
        audit.record(row.unit_id, AuditAction.WEBHOOK_CHANGED, row, secret="renewed")  # noqa: S106 - not the secret
    return secret


def _newest(unit_id: UUID) -> int:
    """The number of the unit's last event."""
    return UnitFeed.objects.filter(unit=unit_id).values_list("last_seq", flat=True).first() or 0


def _new_secret() -> str:
    """As https://www.standardwebhooks.com has them: 24 to 64 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _in_ascii(url: str) -> str:
    """As it is asked for: names of hosts have an ASCII form of their own. Raises InvalidAddress for what has none."""
    try:
        parts = urlsplit(url)
        return iri_to_uri(urlunsplit(parts._replace(netloc=parts.netloc.encode("idna").decode())))
    except ValueError as error:
        raise InvalidAddress(PUBLIC_ONLY) from error


def _sorted(kinds: Collection[str]) -> list[str]:
    """Naming all of them is naming none: kinds that come later are meant as well."""
    wanted = [kind for kind in KINDS if kind in kinds]
    return [] if len(wanted) == len(KINDS) else wanted
