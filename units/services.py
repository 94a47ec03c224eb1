"""Units, and the life of their WhatsApp connection."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from crm_whatsapp.bell import ring_on_commit
from crm_whatsapp.db import ClockNow
from units import audit, live, members, steps
from units.crypto import sha256
from units.gateways.errors import GatewayError, InstanceExists, InstanceMissing
from units.gateways.evolution import ConnectAnswer, EvolutionService, InstanceInfo
from units.models import (
    AuditAction,
    ConnectionStatus,
    DisconnectCause,
    Role,
    Unit,
    User,
    WebhookSecret,
    WhatsAppConnection,
    instance_name_for,
    validate_time_zone,
)
from units.signals import connection_closing, connection_moved
from units.webhook_secrets import is_ours, secret_in, webhook_headers, webhook_url

log = structlog.get_logger(__name__)

# The gateway frees a deleted name about half a second later.
DELETION_SECONDS = 10.0
FIRST_CODE_SECONDS = 3.0
# What follows a failure of `ConnectionService.show_groups`.
GROUPS_TOLD_LATER = _("Your choice about groups is kept, and sent to the server when it answers again.")


def create_unit(name: str, *, owner: User | None = None, time_zone: str = "America/Sao_Paulo") -> Unit:
    """A unit with its connection, not connected yet, and its first person.

    Raises ValidationError for a time zone that Python or PostgreSQL does not know.
    """
    validate_time_zone(time_zone)
    with transaction.atomic():
        unit = Unit.objects.create(name=name, time_zone=time_zone)
        WhatsAppConnection.objects.create(unit=unit, instance_name=instance_name_for(unit.id))
        if owner:
            members.enter(unit, owner, Role.OWNER)
    return unit


def change_of(connection: WhatsAppConnection) -> live.Change:
    """The live change that makes whoever watches this number look again."""
    data = {"status": connection.status}
    return live.Change(unit_id=connection.unit_id, kind="connection", object_id=connection.pk, data=data)


def warm_up_in_words() -> str:
    """The table by which a young number sends more day by day (settings.CAMPAIGN_WARM_UP), for people."""
    rows = []
    for from_day, most in settings.CAMPAIGN_WARM_UP:
        if most is None:
            rows.append(gettext("from day %(day)s: no limit") % {"day": from_day})
        else:
            rows.append(gettext("from day %(day)s: %(most)s a day") % {"day": from_day, "most": most})
    return " · ".join(rows) or gettext("No warm-up.")


def delete_unit(unit: Unit) -> None:
    """Delete a unit and all that is its own, in the database: Django's collector would load every row."""
    with database.cursor() as cursor:
        cursor.execute("DELETE FROM units WHERE id = %s", [unit.id])


class ConnectionService:
    """Connects and disconnects a unit's number, and keeps our picture of it true.

    Webhooks are hints: they show at once, and what `connectionState` says afterwards is what stays. An answer of the
    gateway counts only while the connection is as it was when we asked. A hint is applied in the transaction of its
    caller, who publishes `changes` at the end; the rest has transactions of its own.
    """

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.changes: list[live.Change] = []
        self.gateway = EvolutionService(instance_name_for(unit.id))

    # What people ask for

    def connect(self, *, phone_number: str | None = None) -> WhatsAppConnection:
        """Have a QR code made (and a pairing code, with the number of the phone); nothing to do when connected.

        Raises GatewayError: the number stays as it was, with a cause to show.
        """
        connection = self._connection()
        if connection.status == ConnectionStatus.DISCONNECTING:
            connection = self.refresh()
        # A pairing code comes with an instance's first code alone: for one that makes QR codes already it starts anew.
        anew = bool(phone_number) and connection.status == ConnectionStatus.AWAITING_SCAN
        if not connection.is_connected:
            connection = self._set(partial(steps.preparing, anew=anew), AuditAction.NUMBER_CONNECTED)
        try:
            if anew and not connection.is_connected:
                self._forget_instance()
            self._ensure_instance(connection)
            answer = self._first_code(phone_number)
        except GatewayError as error:
            self._gateway_failed(connection, error)
            raise
        if answer.state == "open":
            return self.refresh()

        def show_code(connection: WhatsAppConnection, now: Any) -> None:
            steps.check_after(connection, now, steps.CHECK_BUSY)
            # The code comes by webhook too, and may have been scanned already.
            if connection.status in steps.BEFORE_THE_SCAN and answer.qr:
                steps.show_code(connection, now, image=answer.qr, pairing_code=answer.pairing_code)

        return self._set(show_code)

    def disconnect(self) -> WhatsAppConnection:
        """End the session and delete the instance: after a logout it hears nothing (docs/evolution.md, "Traps").

        Raises GatewayError when the gateway does not answer; the deletion is tried again until it has happened.
        """
        connection = self._set(steps.disconnecting, AuditAction.NUMBER_DISCONNECTED)
        try:
            return self._delete_instance(connection)
        except GatewayError as error:
            log.warning("disconnect_delayed", unit_id=str(self.unit.id), error=str(error))
            raise

    def refresh(self) -> WhatsAppConnection:
        """Ask the gateway and believe it. Never raises: a gateway that does not answer is a cause to show."""
        asked = self._connection()
        try:
            if asked.status == ConnectionStatus.DISCONNECTING:
                return self._delete_instance(asked)
            state = self.gateway.connection_state()
        except InstanceMissing:
            return self._conclude(asked, steps.instance_missing)
        except GatewayError as error:
            return self._gateway_failed(asked, error)
        if state == "open":
            return self._opened(asked)
        if state == "connecting":
            return self._conclude(asked, steps.still_connecting)
        return self._closed(asked)

    def show_groups(self, enabled: bool) -> WhatsAppConnection:
        """Whether groups become conversations, here and at the gateway, which else drops what is said there.

        Raises GatewayError when the gateway does not take it: it is kept here, and told again once the number is
        connected anew, or the gateway answers again.
        """
        with transaction.atomic():
            WhatsAppConnection.objects.filter(unit=self.unit).update(groups_enabled=enabled)
            connection = self._connection()
            audit.record(self.unit.pk, AuditAction.NUMBER_GROUPS, connection, groups_enabled=enabled)
            live.publish([change_of(connection)])
        try:
            self._tell_groups(connection)
        except GatewayError as error:
            self._gateway_failed(connection, error)
            raise
        return connection

    # What the gateway tells by webhook

    def hint_code(self, *, image: str | None, pairing_code: str | None, limit_reached: bool) -> None:
        """A QR code to show, or the word that there are no more."""

        def show(connection: WhatsAppConnection, now: Any) -> None:
            if steps.is_ours_to_end(connection) or connection.is_connected:
                steps.check_after(connection, now)
            elif limit_reached:
                steps.disconnected(connection, now, DisconnectCause.QR_EXPIRED)
            elif image:
                steps.show_code(connection, now, image=image, pairing_code=pairing_code)
                steps.check_after(connection, now, steps.CHECK_BUSY)

        self._change(show)

    def hint_open(self, *, phone: str | None, profile_name: str | None, profile_picture_url: str | None) -> None:
        """The number is connected, or was a moment ago."""

        def show(connection: WhatsAppConnection, now: Any) -> None:
            if not steps.is_ours_to_end(connection):
                steps.connected(connection, now, phone, profile_name, profile_picture_url)
            steps.check_after(connection, now)

        self._change(show)

    def hint_connecting(self) -> None:
        """The gateway speaks to WhatsApp. With WhatsApp out of reach it says so without end."""

        def show(connection: WhatsAppConnection, now: Any) -> None:
            connection.connecting_seen_at = now
            # The first comes just before the first code; one that comes long after a code follows a scan.
            if (
                connection.status == ConnectionStatus.AWAITING_SCAN
                and connection.qr_expires_at
                and now > connection.qr_expires_at - steps.QR_LIFETIME + timedelta(seconds=5)
            ):
                steps.move(connection, now, ConnectionStatus.CONNECTING)
            steps.check_after(connection, now)

        self._change(show)

    def hint_closed(self, *, logged_out: bool) -> None:
        """The session ended: by the phone (`logged_out`), or because nobody scanned."""

        def show(connection: WhatsAppConnection, now: Any) -> None:
            # Before the scan there is no session: what ended is the one of an instance that was deleted.
            has_session = not steps.is_ours_to_end(connection) and connection.status not in steps.BEFORE_THE_SCAN
            if has_session and logged_out:
                steps.disconnected(connection, now, DisconnectCause.LOGGED_OUT)
            steps.check_after(connection, now)

        self._change(show)

    # Steps

    def _connection(self) -> WhatsAppConnection:
        return WhatsAppConnection.objects.get(unit=self.unit)

    def _conclude(
        self, asked: WhatsAppConnection, change: Callable[[WhatsAppConnection, Any], None]
    ) -> WhatsAppConnection:
        """`_set` what follows from an answer to a question about the connection as `asked`.

        A webhook or a person may have been faster. Then the answer is of a time that has passed: ask again.
        """

        def conclude(connection: WhatsAppConnection, now: Any) -> None:
            if steps.has_moved(connection, since=asked):
                return steps.check_after(connection, now)
            if connection.cause == DisconnectCause.GATEWAY_DOWN:
                connection.cause = DisconnectCause.NONE
            return change(connection, now)

        return self._set(conclude)

    def _set(
        self, change: Callable[[WhatsAppConnection, Any], None], action: AuditAction | None = None
    ) -> WhatsAppConnection:
        """`_change` in a transaction of its own; `action`: what somebody asked for."""
        with transaction.atomic():
            connection = self._change(change)
            if action:
                audit.record(self.unit.pk, action, connection)
            live.publish(self.changes)
        self.changes = []
        return connection

    def _change(self, change: Callable[[WhatsAppConnection, Any], None]) -> WhatsAppConnection:
        """Apply `change(connection, now)` under the row's lock and save what it changed."""
        row = WhatsAppConnection.objects.select_for_update(no_key=True).annotate(clock=ClockNow())
        connection = row.get(unit=self.unit)
        now = connection.clock
        before = {field: getattr(connection, field) for field in steps.WATCHED}
        change(connection, now)
        changed = [field for field in steps.WATCHED if getattr(connection, field) != before[field]]
        if changed:
            connection.save(update_fields=changed)
        if connection.check_due_at and connection.check_due_at <= now:
            ring_on_commit("units.tasks.reconcile_connections")
        if set(changed) - {"check_due_at", "connecting_seen_at"}:
            self.changes.append(change_of(connection))
        if "status" in changed:
            log.info(
                "connection_moved",
                unit_id=str(self.unit.id),
                was=before["status"],
                status=connection.status,
                cause=connection.cause,
            )
            told: list[tuple[Any, Any]] = connection_moved.send(
                sender=WhatsAppConnection, connection=connection, was=before["status"]
            )
            for _receiver, more in told:
                self.changes += more or []
        return connection

    def _first_code(self, phone_number: str | None) -> ConnectAnswer:
        """The gateway waits 2 s for its first code and then answers without one: asked again for a moment."""
        deadline = time.monotonic() + FIRST_CODE_SECONDS
        while True:
            answer = self.gateway.connect(phone_number=phone_number)
            if answer.state == "open" or answer.qr or time.monotonic() > deadline:
                return answer
            time.sleep(0.3)

    def _forget_instance(self) -> None:
        """Delete the instance, which nobody has scanned, and wait until it is gone."""
        deadline = time.monotonic() + DELETION_SECONDS
        with suppress(InstanceMissing):
            self.gateway.delete()
            while time.monotonic() < deadline:
                self.gateway.connection_state()
                time.sleep(0.2)

    def _ensure_instance(self, connection: WhatsAppConnection) -> None:
        """The instance exists and posts to us. Its name may still be taken by one that is being deleted."""
        deadline = time.monotonic() + DELETION_SECONDS
        while True:
            try:
                self.gateway.connection_state()
            except InstanceMissing:
                pass
            else:
                self._ensure_webhook(connection)
                self._tell_groups(connection)
                return
            try:
                self.gateway.create_instance(
                    webhook_url=webhook_url(WebhookSecret.mint(connection)),
                    webhook_headers=webhook_headers(),
                    groups_ignored=not connection.groups_enabled,
                )
            except InstanceExists:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.3)
            else:
                return

    def _ensure_webhook(self, connection: WhatsAppConnection) -> None:
        """Register our address unless it is. Not a new secret each time: events under way carry the one before."""
        webhook = self.gateway.find_webhook()
        if (
            webhook
            and webhook.enabled
            and is_ours(webhook.url)
            and webhook_headers().items() <= webhook.headers.items()
        ) and connection.webhook_secrets.filter(sha256=sha256(secret_in(webhook.url))).exists():
            return
        self.gateway.set_webhook(url=webhook_url(WebhookSecret.mint(connection)), headers=webhook_headers())

    def _tell_groups(self, connection: WhatsAppConnection) -> None:
        """An instance that does not exist yet is told when it is created."""
        with suppress(InstanceMissing):
            self.gateway.set_groups_ignored(not connection.groups_enabled)

    def _opened(self, asked: WhatsAppConnection) -> WhatsAppConnection:
        """Connected; who it is comes with the `open` webhook, which may be lost."""
        if not asked.is_connected or asked.cause == DisconnectCause.GATEWAY_DOWN:
            # Somebody may have switched groups on or off while the gateway did not answer. Nothing depends on it.
            with suppress(GatewayError):
                self._tell_groups(asked)
        phone = name = picture = None
        if (not asked.is_connected or not asked.phone_number) and (info := self._instance_info()):
            phone = f"+{info.owner_phone}" if info.owner_phone else None
            name, picture = info.profile_name, info.picture_url

        def show(connection: WhatsAppConnection, now: Any) -> None:
            if steps.is_ours_to_end(connection):
                return
            steps.connected(connection, now, phone, name, picture)
            steps.check_after(connection, now, steps.CHECK_QUIET)

        return self._conclude(asked, show)

    def _closed(self, asked: WhatsAppConnection) -> WhatsAppConnection:
        """No session now. Only the gateway's records tell for which reason one ended."""
        info = None
        if asked.is_connected or asked.status == ConnectionStatus.CONNECTING:
            info = self._instance_info()
        logged_out = info is not None and steps.is_logout(asked, info.disconnection_reason, info.disconnected_at)
        return self._conclude(asked, partial(steps.closed, logged_out=logged_out))

    def _instance_info(self) -> InstanceInfo | None:
        """What the gateway has stored; None, too, when it does not say, since nothing depends on it."""
        try:
            return self.gateway.fetch_instance()
        except GatewayError:
            return None

    def _gateway_failed(self, asked: WhatsAppConnection, error: GatewayError) -> WhatsAppConnection:
        log.warning("gateway_failed", unit_id=str(self.unit.id), error=str(error))
        return self._conclude(asked, steps.gateway_silent)

    def _delete_instance(self, asked: WhatsAppConnection) -> WhatsAppConnection:
        """Delete, and wait until it is gone. One that is reconnecting would become a zombie: later, then."""
        # Robust: whatever goes wrong there (it is logged) does not keep a number connected.
        connection_closing.send_robust(sender=WhatsAppConnection, connection=asked)
        deadline = time.monotonic() + DELETION_SECONDS
        deleted = False
        while time.monotonic() < deadline and not steps.has_moved(self._connection(), since=asked):
            try:
                state = self.gateway.connection_state()
                if not deleted and not (state == "close" and self._is_reconnecting(asked)):
                    self.gateway.delete()
                    deleted = True
            except InstanceMissing:
                return self._conclude(
                    asked, lambda connection, now: steps.disconnected(connection, now, DisconnectCause.BY_US)
                )
            if not deleted:
                break
            time.sleep(0.2)
        return self._conclude(asked, lambda connection, now: steps.check_after(connection, now, steps.CHECK_DOWN))

    @staticmethod
    def _is_reconnecting(connection: WhatsAppConnection) -> bool:
        recent = WhatsAppConnection.objects.filter(
            pk=connection.pk, connecting_seen_at__gt=ClockNow() - timedelta(seconds=30)
        )
        return recent.exclude(status__in=steps.BEFORE_THE_SCAN).exists()


def reconcile_due() -> int:
    """Ask the gateway about every connection whose check is due; the number of them asked about."""
    asked = 0
    while True:
        with transaction.atomic():
            due = (
                WhatsAppConnection.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
                .select_related("unit")
                .filter(check_due_at__lte=ClockNow())
                .order_by("check_due_at")
                .first()
            )
            if due is None:
                return asked
            # Whoever dies while asking has put it off, not lost it.
            WhatsAppConnection.objects.filter(pk=due.pk).update(check_due_at=ClockNow() + steps.CHECK_DOWN)
        ConnectionService(due.unit).refresh()
        asked += 1
