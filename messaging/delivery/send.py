"""One message on its way, and the call to the gateway."""

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.core.files.storage import default_storage

from messaging.events import MessageKind
from units.gateways import evolution_contents as contents
from units.gateways.errors import GatewayError, NotSent, OutcomeUnknown, Rejected
from units.gateways.evolution import EvolutionService, SentMessage

log = structlog.get_logger(__name__)

# A process frozen for longer than this after it committed `dispatching` may not send any more: its lease could run
# out under way. Far below SEND_GRACE, which covers what remains between this check and the first byte.
MAX_FREEZE_SECONDS = 10.0

# Kinds that say the same when they are sent twice: an emoji that hangs on a message already. Of all others the customer
# would see two.
HARMLESS_TWICE = frozenset({MessageKind.REACTION})


# No answer, or one of a proxy that has given up waiting: Evolution itself says none of them to a send.
NOBODYS_WORD = frozenset({None, 408, 502, 503, 504})


@dataclass(slots=True, kw_only=True)
class Send:
    """One message in this process's hands, from claim to record."""

    message_id: UUID
    connection_id: UUID
    instance_name: str
    recipient: str
    kind: str = "text"
    body: str
    # JSON, by `messaging.events` and `messaging.outgoing.contents`.
    details: str = "{}"
    # WhatsApp's ids of the message that is quoted, and of the one that a reaction is for.
    reply_to: str = ""
    target: str = ""
    # Where the file lies in the storage, and its type by its bytes.
    file: str = ""
    mime_type: str = ""
    origin: str
    attempts: int
    token: UUID
    # Of a campaign's: when the window closes that was open at the claim.
    window_closes_at: datetime | None = None
    # time.monotonic() when `dispatching` was committed.
    committed_at: float = 0.0
    outcome: SentMessage | GatewayError | None = None

    @property
    def certainly_not_sent(self) -> bool:
        """Nothing went on the wire, so it counts for no cap."""
        return isinstance(self.outcome, NotSent | Rejected)

    @property
    def was_answered(self) -> bool:
        """Whether the gateway has had its last word, so that it can no longer act on this send."""
        return not isinstance(self.outcome, OutcomeUnknown) or self.outcome.status not in NOBODYS_WORD

    def post(self) -> None:
        """The call itself, and its outcome. Runs in a thread, without the database; never raises."""
        try:
            with ExitStack() as files:
                content, quote = self._built(files)
                # After the file was opened, which a bucket may take its time for.
                if time.monotonic() - self.committed_at > MAX_FREEZE_SECONDS:
                    self.outcome = NotSent(answer="too late after dispatching was committed")
                    return
                gateway = EvolutionService(self.instance_name)
                self.outcome = gateway.send(self.recipient, content, quote=quote)
        except GatewayError as error:
            self.outcome = error
        except Exception as error:
            log.exception("send_crashed", message_id=str(self.message_id))
            self.outcome = OutcomeUnknown(answer=type(error).__name__)

    def _built(self, files: ExitStack) -> tuple[contents.Content, contents.Quote | None]:
        try:
            details: dict[str, Any] = json.loads(self.details)
            return self._content(details, files), self._quote(details)
        except (KeyError, TypeError, ValueError) as error:
            # A row that makes no sense; nothing has been sent, and nothing ever will.
            log.exception("message_makes_no_sense", message_id=str(self.message_id))
            raise Rejected("invalid_message", answer=type(error).__name__) from None

    def _content(self, details: dict[str, Any], files: ExitStack) -> contents.Content:
        """Raises Rejected for a kind that nobody sends, and for a file that is gone; NotSent for a silent storage."""
        match self.kind:
            case MessageKind.TEXT:
                return contents.Text(text=self.body, link_preview=details.get("link_preview", True))
            case MessageKind.AUDIO if (details.get("media") or {}).get("voice"):
                return contents.VoiceNote(file=self._file(files))
            case MessageKind.STICKER:
                return contents.Sticker(file=self._file(files))
            case MessageKind.IMAGE | MessageKind.VIDEO | MessageKind.AUDIO | MessageKind.DOCUMENT:
                return contents.Media(
                    kind=self.kind,  # type: ignore[arg-type] # one of these four
                    file=self._file(files),
                    mime_type=self.mime_type,
                    name=(details.get("media") or {}).get("file_name") or self.file.rpartition("/")[2],
                    caption=self.body,
                )
            case MessageKind.LOCATION:
                names = ("latitude", "longitude", "name", "address")
                return contents.Location(**{name: details[name] for name in names if name in details})
            case MessageKind.CONTACT:
                cards = tuple((card["name"], phone) for card in details["contacts"] for phone in card["phones"][:1])
                return contents.Contacts(cards=cards)
            case MessageKind.REACTION:
                return contents.Reaction(target=self._key(self.target, details.get("target") or {}), emoji=self.body)
            case MessageKind.POLL:
                options = tuple(option["title"] for option in details["options"])
                return contents.Poll(name=details["question"], options=options, selectable=details["selectable"])
        raise Rejected("not_supported", answer=f"no message of kind {self.kind} is sent")

    def _file(self, files: ExitStack) -> contents.File:
        try:
            file = files.enter_context(default_storage.open(self.file))
            return contents.File(content=file, size=file.size)
        except (FileNotFoundError, ValueError, IsADirectoryError):
            # ValueError: no name, the row of the file is gone.
            log.error("file_to_send_missing", message_id=str(self.message_id), name=self.file)
            raise Rejected("media_unreadable", answer="the file is not in the storage") from None
        except Exception as error:
            # A disk or a bucket that does not answer: each storage has errors of its own.
            log.exception("file_to_send_not_read", message_id=str(self.message_id))
            raise NotSent(answer=f"the storage: {type(error).__name__}") from None

    def _quote(self, details: dict[str, Any]) -> contents.Quote | None:
        if not self.reply_to:
            return None
        told = details.get("quoted") or {}
        return contents.Quote(key=self._key(self.reply_to, told), message=_in_short(told))

    def _key(self, external_id: str, told: dict[str, Any]) -> contents.Key:
        """Of a message in this chat, which `told` says a little about: {from_me, participant}."""
        jid = self.recipient if "@" in self.recipient else f"{self.recipient}@s.whatsapp.net"
        return contents.Key(
            external_id=external_id,
            jid=jid,
            from_me=bool(told.get("from_me")),
            participant=told.get("participant") or "",
        )


def _in_short(quoted: dict[str, Any]) -> dict[str, Any]:
    """What stands in a quote, as a WhatsApp message object: what kind of thing it was, and its words."""
    kind, words = quoted.get("kind"), quoted.get("text") or ""
    match kind:
        case MessageKind.IMAGE | MessageKind.VIDEO | MessageKind.DOCUMENT:
            return {f"{kind}Message": {"caption": words} if words else {}}
        case MessageKind.AUDIO | MessageKind.STICKER:
            return {f"{kind}Message": {}}
    return {"conversation": words}
