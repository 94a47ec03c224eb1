"""Phone numbers: one normal form for each person."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import phonenumbers
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

DEFAULT_REGION = "BR"


class InvalidPhone(ValueError):
    """Not a phone number; `message` says so to a person."""

    message: str | _StrPromise = _("This is not a phone number. Example: (11) 91234-5678 or +55 11 91234-5678.")


def normal_form(digits: str) -> str:
    """`+` and the digits in the one form that we keep, for a number that WhatsApp itself gave us.

    Nothing is refused: WhatsApp knows numbers that no numbering plan does.
    - Brazil: a mobile has its ninth digit, a landline never has. WhatsApp's own JIDs lack it for many (DDD 31 and up).
      After the two digits of the DDD, eight that start with 6 to 9 are a mobile from before the ninth digit.
    - Mexico: WhatsApp's 521… is 52….
    """
    digits = re.sub(r"\D", "", digits)
    if digits.startswith("55") and len(digits) == 12 and digits[4] in "6789":
        digits = f"{digits[:4]}9{digits[4:]}"
    elif digits.startswith("521") and len(digits) == 13:
        digits = f"52{digits[3:]}"
    return f"+{digits}"


def parse_phone(text: str, *, region: str = DEFAULT_REGION) -> str:
    """The normal form of a number that a person typed, in E.164. Raises InvalidPhone."""
    # What phonenumbers cannot place it leaves out, and so would take two numbers for the first of them.
    if not re.fullmatch(r"[\d\s()+./\-\u2010-\u2015]+", text):
        raise InvalidPhone
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise InvalidPhone from None
    normal = normal_form(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    # Checked after normalising: the old eight-digit mobile is how many Brazilians still write theirs.
    if not phonenumbers.is_possible_number(phonenumbers.parse(normal)):
        raise InvalidPhone
    return normal


def split_phones(text: str) -> list[str]:
    """The numbers that somebody pasted, one a line or between commas or semicolons, as they were typed."""
    return [part.strip() for part in re.split(r"[\n,;]", text) if part.strip()]


def shown(normal: str) -> str:
    """How a person reads it: national for Brazil, international elsewhere; the input itself when it is no number."""
    try:
        number = phonenumbers.parse(normal)
    except phonenumbers.NumberParseException:
        return normal
    form = (
        phonenumbers.PhoneNumberFormat.NATIONAL
        if number.country_code == 55
        else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    )
    return phonenumbers.format_number(number, form)
