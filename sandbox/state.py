"""Everything the sandbox remembers: instances, stored messages, chats on the phones, faults, the wire.

In memory, one process.
"""

import asyncio
import random
import secrets
import string
import time
import uuid
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sandbox.config import Config

Json = dict[str, Any]

# Accepted by /webhook/set; an empty list stands for all of them (webhook-find-empty-events.json).
# fmt: off
EVENTS = (
    "APPLICATION_STARTUP", "QRCODE_UPDATED", "MESSAGES_SET", "MESSAGES_UPSERT", "MESSAGES_EDITED",
    "MESSAGES_UPDATE", "MESSAGES_DELETE", "SEND_MESSAGE", "SEND_MESSAGE_UPDATE", "CONTACTS_SET",
    "CONTACTS_UPSERT", "CONTACTS_UPDATE", "PRESENCE_UPDATE", "CHATS_SET", "CHATS_UPSERT", "CHATS_UPDATE",
    "CHATS_DELETE", "GROUPS_UPSERT", "GROUP_UPDATE", "GROUP_PARTICIPANTS_UPDATE", "CONNECTION_UPDATE",
    "LABELS_EDIT", "LABELS_ASSOCIATION", "CALL", "TYPEBOT_START", "TYPEBOT_CHANGE_STATUS",
    "REMOVE_INSTANCE", "LOGOUT_INSTANCE", "INSTANCE_CREATE", "INSTANCE_DELETE", "STATUS_INSTANCE",
)
# fmt: on

SETTING_FLAGS = (
    "rejectCall",
    "groupsIgnore",
    "alwaysOnline",
    "readMessages",
    "readStatus",
    "syncFullHistory",
)

# What "fail on purpose" knows. Each is used up by one send; see sandbox.sending for what it does.
FAULTS = (
    "not_on_whatsapp",
    "error_500",
    "error_500_after_send",
    "number_check_timeout",
    "timeout_after_send",
    "reset_before_send",
    "reset_after_send",
    "license_required",
    "slow",
    "nacked",
)
SERVER_MODES = ("up", "down", "license_required")


def row_id() -> str:
    """A row id as Prisma makes them (cuid: 25 characters, the first a ``c``)."""
    return "c" + "".join(random.choices(string.ascii_lowercase + string.digits, k=24))


def timestamp() -> str:
    """Now in UTC with milliseconds, as in ``createdAt``."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def gateway_message_id() -> str:
    """An id as the gateway's client makes it (``3EB0`` and 18 hex digits)."""
    return "3EB0" + secrets.token_hex(9).upper()


def phone_message_id() -> str:
    """An id as a customer's iPhone makes it (``3A`` and 18 hex digits)."""
    return "3A" + secrets.token_hex(9).upper()


@dataclass
class Webhook:
    """One instance's webhook, as /webhook/find shows it."""

    url: str
    headers: Json | None
    enabled: bool
    events: list[str]
    by_events: bool
    base64: bool
    id: str = field(default_factory=row_id)
    created_at: str = field(default_factory=timestamp)
    updated_at: str = field(default_factory=timestamp)


@dataclass
class StoredMessage:
    """A row of the gateway's message table, and what the phones show of it."""

    record: Json
    statuses: list[str] = field(default_factory=list)
    stored_at: float = field(default_factory=time.time)

    @property
    def key(self) -> Json:
        key: Json = self.record["key"]
        return key

    def answer(self) -> Json:
        """The record as findMessages answers it."""
        return {**self.record, "MessageUpdate": [{"status": status} for status in self.statuses]}


@dataclass
class Bubble:
    """A message on a customer's phone.

    ``mine`` means: written by the customer. ``status``: sent, delivered, read or failed. ``file``: the type of what
    came with it.
    """

    id: str
    text: str
    at: float
    mine: bool
    status: str = "sent"
    file: str = ""


@dataclass
class Chat:
    """The conversation between one customer and one instance, as the customer's phone has it."""

    jid: str
    name: str | None = None
    lid: str | None = None
    bubbles: list[Bubble] = field(default_factory=list)
    unread: int = 0
    touched_at: float = 0.0
    # Whether the customer's phone shows "typing…", and how often it has.
    typing: bool = False
    typed: int = 0


@dataclass
class Instance:
    """One Evolution instance (channel WHATSAPP-BAILEYS) and the unit's phone behind it."""

    name: str
    token: str
    number: str | None
    flags: Json
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    setting_id: str = field(default_factory=row_id)
    created_at: str = field(default_factory=timestamp)
    updated_at: str = field(default_factory=timestamp)
    setting_updated_at: str = field(default_factory=timestamp)
    webhook: Webhook | None = None
    # None: the row exists, the process no longer (or not yet) has the instance. connectionState then answers
    # without a state.
    state: str | None = "close"
    started: bool = False  # a connection was tried in this process: before that Evolution has no client object
    paired: bool = False  # credentials are stored: reconnects without a QR code
    offline: bool = False  # WhatsApp unreachable from the gateway
    inbound_dead: bool = False  # the trap: API logout destroys the message queue until the process ends
    # Of the webhook as it was when the connection last opened: a change waits for the next time.
    sends_base64: bool = False
    was_open: bool = False  # ``sender`` is in the envelope from the first ``open`` on
    owner_jid: str | None = None
    profile_name: str | None = None
    disconnection: Json | None = None
    qr: Json | None = None
    qr_count: int = 0
    qr_loop: asyncio.Task[None] | None = None
    reconnect_loop: asyncio.Task[None] | None = None
    messages: dict[str, StoredMessage] = field(default_factory=dict)
    chats: dict[str, Chat] = field(default_factory=dict)
    contacts: dict[str, str | None] = field(default_factory=dict)
    faults: deque[Json] = field(default_factory=deque)
    held: list[Callable[[], None]] = field(default_factory=list)  # what WhatsApp keeps while the gateway is offline


class State:
    """The whole memory of the sandbox. ``changed`` counts changes: a page knows when to look again."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.changed = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._clear()

    def _clear(self) -> None:
        self.instances: dict[str, Instance] = {}
        self.owners: dict[str, Instance] = {}
        self.server_mode = "up"
        # Shared by all instances like Evolution's on-WhatsApp table: numbers asked about before, and LIDs
        # whose phone is known.
        self.known_jids: set[str] = set()
        self.phone_of_lid: dict[str, str] = {}
        # Well-formed numbers that are not on WhatsApp (baileys-sendText-number-not-on-whatsapp.json).
        self.absent: set[str] = {"5511988880404@s.whatsapp.net"}
        # What reached WhatsApp, by instance name; outlives the instance.
        self.wire: dict[str, list[Json]] = {}
        self.files: dict[str, bytes] = {}  # media by message id
        self.deliveries: deque[Json] = deque(maxlen=20_000)

    async def reset(self) -> None:
        """Forget everything and stop what runs in the background."""
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._clear()
        self.touch()

    def touch(self) -> None:
        """Say that something a page shows has changed."""
        self.changed += 1

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run ``work`` in the background; kept so that it is neither collected early nor left behind by
        ``reset``.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def take_fault(self, instance: Instance) -> Json | None:
        """The next fault set for this instance, used up by taking it."""
        if not instance.faults:
            return None
        self.touch()
        return instance.faults.popleft()

    def put_on_wire(self, instance: Instance, message_id: str, to: str, text: str, kind: str) -> None:
        """Note that a message left for WhatsApp now."""
        self.wire.setdefault(instance.name, []).append(
            {"id": message_id, "to": to, "text": text, "kind": kind, "at": steady_time()}
        )
        self.touch()


_clock_offset = time.time() - time.monotonic()


def steady_time() -> float:
    """Wall clock at the start of the process plus monotonic time: gaps between two values are true."""
    return _clock_offset + time.monotonic()
