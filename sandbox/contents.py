"""What a person sends from a phone besides text and files, as WhatsApp message objects in the recorded shapes."""

import time
from typing import Any

from sandbox.state import Json

# Of these the gateway tells no `contextInfo` when they have none, of all others null.
WITHOUT_CONTEXT = {"conversation", "ephemeralMessage", "reactionMessage"}


def location(place: Json) -> Json:
    """``{latitude, longitude, name?, address?, live?}``; raises KeyError for missing coordinates."""
    part = {"degreesLatitude": float(place["latitude"]), "degreesLongitude": float(place["longitude"])}
    if place.get("live"):
        return {"liveLocationMessage": {**part, "sequenceNumber": int(time.time() * 1000)}}
    words = {name: str(place[name]) for name in ("name", "address") if place.get(name)}
    return {"locationMessage": {**part, **words}}


def contacts(cards: list[Json]) -> Json:
    """``[{name, number}]``, one or several."""
    made = [_card(str(card["name"]), str(card["number"])) for card in cards]
    if len(made) == 1:
        return {"contactMessage": made[0]}
    return {"contactsArrayMessage": {"displayName": f"{len(made)} contatos", "contacts": made}}


def _card(name: str, number: str) -> Json:
    digits = "".join(filter(str.isdigit, number))
    vcard = f"BEGIN:VCARD\nVERSION:3.0\nFN:{name}\nTEL;waid={digits}:{number}\nEND:VCARD"
    return {"displayName": name, "vcard": vcard}


def sent_contacts(cards: list[Json]) -> Json:
    """What the gateway makes of ``[{fullName, wuid?, phoneNumber}]`` (baileys-sendContact.json)."""
    made = []
    for card in cards:
        number = str(card["phoneNumber"])
        digits = str(card.get("wuid") or "".join(filter(str.isdigit, number)))
        name = str(card["fullName"])
        lines = [f"N:{name}", f"FN:{name}", f"item1.TEL;waid={digits}:{number}", "item1.X-ABLabel:Celular"]
        vcard = "\n".join(["BEGIN:VCARD", "VERSION:3.0", *lines, "END:VCARD"])
        made.append({"displayName": name, "vcard": vcard})
    if len(made) == 1:
        return {"contactMessage": made[0]}
    return {"contactsArrayMessage": {"displayName": f"{len(made)} contacts", "contacts": made}}


def poll(wanted: Json) -> Json:
    """``{name, options: [text], selectable?}``. Its votes never reach the gateway's webhook."""
    options = [{"optionName": str(option)} for option in wanted["options"]]
    selectable = int(wanted.get("selectable", 1))
    return {
        "pollCreationMessageV3": {
            "options": options,
            "name": str(wanted["name"]),
            "selectableOptionsCount": selectable,
        }
    }


def reaction(key: Json, emoji: str) -> Json:
    """A reaction to the message of `key`, as the one who reacts sees it; an empty one takes it back."""
    milliseconds = int(time.time() * 1000)
    sent_at = {"low": _signed(milliseconds & 0xFFFFFFFF), "high": milliseconds >> 32, "unsigned": False}
    return {"reactionMessage": {"key": key, "text": emoji, "senderTimestampMs": sent_at}}


def _signed(low: int) -> int:
    """A Long's lower half, as JavaScript has it."""
    return low - (1 << 32) if low & (1 << 31) else low


def ephemeral(text: str) -> Json:
    """A text of a chat whose messages disappear after a week."""
    context = {"mentionedJid": [], "groupMentions": [], "expiration": 604_800}
    return {"ephemeralMessage": {"message": {"extendedTextMessage": {"text": text, "contextInfo": context}}}}


def ad_click(advert: Json) -> Json:
    """What stands in ``contextInfo`` of the first message after a click on an advert."""
    return {
        "conversionSource": "FB_Ads",
        "externalAdReply": {
            "title": str(advert.get("title") or "Promo"),
            "body": str(advert.get("body") or "Compre"),
            "mediaType": 1,
            "sourceType": "ad",
            "sourceId": str(advert.get("source_id") or "120000"),
            "sourceUrl": str(advert.get("source_url") or "https://example.invalid/ad"),
            "ctwaClid": str(advert.get("click_id") or "CLID"),
        },
        "entryPointConversionSource": "ctwa_ad",
    }


def read(body: Json) -> Json | None:
    """The content that a request of the phone's API asks for; None: text, or a file.

    Raises KeyError, TypeError or ValueError for one that makes no sense.
    """
    readers: dict[str, Any] = {"location": location, "contacts": contacts, "poll": poll}
    for name, reader in readers.items():
        if body.get(name):
            content: Json = reader(body[name])
            return content
    return ephemeral(str(body["text"])) if body.get("ephemeral") and body.get("text") else None
