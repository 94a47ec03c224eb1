"""From a number as typed to the JID under which WhatsApp files it: createJid, then what WhatsApp answers."""

import re

USER = "@s.whatsapp.net"
GROUP = "@g.us"
LID = "@lid"

# Digits from which a number can be on WhatsApp here. "123" is not (baileys-sendText-short-number.json).
SHORTEST_NUMBER = 10


def create_jid(number: str) -> str:
    """The JID Evolution asks WhatsApp about.

    A full JID is taken as is; everything else is stripped to its digits.
    """
    number = re.sub(r":\d+", "", number)
    if any(server in number for server in (GROUP, USER, LID, "@broadcast")):
        return number
    if "-" in number and len(number) >= 24:
        return re.sub(r"[^\d-]", "", number) + GROUP
    digits = re.sub(r"\D", "", number)
    if len(digits) >= 18:
        return digits + GROUP
    if digits[:2] in {"52", "54"} and len(digits) == 13:
        digits = digits[:2] + digits[3:]
    # Brazil: the ninth digit goes for area codes from 31 up, if what remains looks like a mobile number.
    if (match := re.fullmatch(r"55(\d\d)\d(\d{8})", digits)) and int(match[1]) >= 31 and match[2][0] >= "7":
        digits = f"55{match[1]}{match[2]}"
    return digits + USER


def filed_as(jid: str) -> str:
    """The JID WhatsApp answers with for a user JID, as the recordings show it.

    Brazil: 12 digits for area codes from 31 up, 13 below (551198765432 became 5511998765432). Mexico and
    Argentina: with the 1 and the 9.
    """
    if not jid.endswith(USER):
        return jid
    digits = jid.removesuffix(USER)
    if match := re.fullmatch(r"55(\d\d)9?([7-9]\d{7})", digits):
        ninth = "9" if int(match[1]) < 31 else ""
        digits = f"55{match[1]}{ninth}{match[2]}"
    elif match := re.fullmatch(r"52(?!1\d{10})(\d{10})", digits):
        digits = f"521{match[1]}"
    elif match := re.fullmatch(r"54(?!9\d{10})(\d{10})", digits):
        digits = f"549{match[1]}"
    return digits + USER


def phone_of(jid: str) -> str:
    """The digits of a user JID, or the JID itself when there is no phone number in it."""
    return jid.removesuffix(USER)
