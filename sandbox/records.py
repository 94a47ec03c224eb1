"""Messages as Evolution records them: their keys, their kinds, and what a phone shows of them."""

import re
import secrets

from sandbox.numbers import LID
from sandbox.state import Json


def phone_key(message_id: str, jid: str, lid: str | None, *, by_lid: bool, from_me: bool, group: str | None) -> Json:
    """The key of a message that was written on a phone."""
    who: Json = {"remoteJid": lid if lid and by_lid else jid}
    if lid:
        who["remoteJidAlt"] = jid if by_lid else lid
    named = {"fromMe": from_me, "id": message_id}
    addressing = {"addressingMode": "lid" if by_lid or jid.endswith(LID) else "pn"}
    if not group:
        return who | named | {"participant": ""} | addressing
    # As baileys-messages.upsert-in-group-text-lid.json: who spoke stands where the chat stands elsewhere.
    speaker = {f"participant{name.removeprefix('remoteJid')}": value for name, value in who.items()}
    return {"remoteJid": group} | named | speaker | addressing


def kind_of(content: Json) -> str:
    """The member that says what a WhatsApp message object is."""
    return next(name for name in content if name != "messageContextInfo")


def file_of(content: Json) -> str:
    """The type of the file that is in a WhatsApp message object; empty without one."""
    part = content[kind_of(content)]
    return str(part["mimetype"]) if isinstance(part, dict) and "mediaKey" in part else ""


def describe(content: Json) -> str:
    """A WhatsApp message object in one line, as a phone's chat list shows it."""
    kind = kind_of(content)
    part = content[kind]
    if kind == "conversation":
        return str(part)
    if not isinstance(part, dict):
        return kind
    labels = {
        "imageMessage": "📷 Foto",
        "videoMessage": "🎥 Vídeo",
        "audioMessage": "🎤 Áudio",
        "documentMessage": "📄 Documento",
    }
    labels |= {
        "locationMessage": "📍 Localização",
        "liveLocationMessage": "📍 Localização em tempo real",
        "contactMessage": "👤 Contato",
        "contactsArrayMessage": "👤 Contatos",
        "pollCreationMessageV3": "📊 Enquete",
        "reactionMessage": "Reação",
        "stickerMessage": "Figurinha",
    }
    if kind == "ephemeralMessage":
        return f"⏱ {describe(part['message'])}"
    if kind == "extendedTextMessage":
        return str(part.get("text"))
    detail = part.get("caption") or part.get("fileName") or part.get("name") or part.get("text")
    detail = detail or part.get("displayName")
    return ": ".join(str(word) for word in (labels.get(kind, kind), detail) if word)


def device_of(message_id: str) -> str:
    """``source``, guessed from the id as Baileys does."""
    if re.fullmatch(r"3A.{18}", message_id):
        return "ios"
    if re.fullmatch(r"3E.{20}", message_id):
        return "web"
    if re.fullmatch(r".{21}|.{32}", message_id):
        return "android"
    return "desktop" if re.fullmatch(r"3F.*|.{18}", message_id) else "unknown"


def context_info(now: int) -> Json:
    """contextInfo of a message sent through the gateway.

    The setting's time is 48 h before the message's in every recording.
    """
    return {
        "mentionedJid": [],
        "groupMentions": [],
        "ephemeralSettingTimestamp": {"low": now - 172_800, "high": 0, "unsigned": False},
        "disappearingMode": {"initiator": 0},
    }


def as_sent_poll(record: Json) -> None:
    """A poll that the gateway sends has its secret, and its context with that (baileys-sendPoll.json)."""
    part = record["message"]["pollCreationMessageV3"]
    part.pop("contextInfo", None)
    secret = {str(position): byte for position, byte in enumerate(secrets.token_bytes(32))}
    beside = {"messageSecret": secret, "contextInfo": record.pop("contextInfo")}
    record["message"] = {"messageContextInfo": beside, "pollCreationMessageV3": part}
