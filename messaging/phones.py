"""Phone numbers: one normal form for each person."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import phonenumbers
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

DEFAULT_REGION = "BR"

# A Brazilian number with one of the 67 area codes: a mobile, one from before the ninth digit, or a landline.
_AREA = "[14689][1-9]|2[12478]|3[1-578]|5[13-5]|7[13-579]"
_LINE = "9[0-9]{8}|[2-9][0-9]{7}"
_BRAZILIAN = re.compile(rf"(?:(?P<international>\+)?55)?(?P<area>{_AREA})(?P<line>{_LINE})")
_USUAL = str.maketrans("", "", " ()-.")


class InvalidPhone(ValueError):
    """Not a phone number; `message` says so to a person."""

    message: str | _StrPromise = _("This is not a phone number. Example: (11) 91234-5678 or +55 11 91234-5678.")


class AreaCodeMissing(InvalidPhone):
    """A Brazilian line of eight or nine digits, without the two of its area code."""

    message = _("The area code is missing. Example: (11) 91234-5678.")


def normal_form(digits: str) -> str:
    """`+` and the digits in the one form that we keep, for a number that WhatsApp itself gave us.

    Nothing is refused: WhatsApp knows numbers that no numbering plan does.
    - Brazil: a mobile has its ninth digit, a landline never has. WhatsApp's own JIDs lack it for many (DDD 31 and up).
      After the two digits of the DDD, eight that start with 6 to 9 are a mobile from before the ninth digit.
    - Mexico: WhatsApp's 521… is 52…; the 1 for mobiles was given up in 2019.
    - Argentina: 54… is 549…, as WhatsApp writes mobiles and as they are called from abroad. Its ten national digits are
      one line, with or without the 9. A landline gets it as well: no numbering plan tells the two apart.
    The same again is the same. Evolution drops the third digit of these two before it asks WhatsApp, and sends to the
    JID that WhatsApp answers, so either spelling reaches the person (baileys-sendText-ar.json, -mx.json).
    """
    digits = re.sub(r"\D", "", digits)
    if re.match(r"55\d\d[6-9]\d{7}$", digits):
        digits = f"{digits[:4]}9{digits[4:]}"
    elif re.match(r"521\d{10}$", digits):
        digits = f"52{digits[3:]}"
    elif re.match(r"54[1-3]\d{9}$", digits):
        digits = f"549{digits[2:]}"
    return f"+{digits}"


def parse_phone(text: str, *, region: str = DEFAULT_REGION) -> str:
    """The normal form of a number that a person typed, in E.164. Raises InvalidPhone, of which AreaCodeMissing is one.

    Of Brazil only what its numbering plan has is taken: a slip of the finger is a stranger's number, or nobody's. Of
    other countries whatever has a length that is possible there: their plans change faster than what is known of them.
    """
    # Nearly all of them, 20 times as fast, which a file of a million waits for; the same that follows says of them.
    brazilian = _BRAZILIAN.fullmatch(text.translate(_USUAL))
    if brazilian and (region == "BR" or brazilian["international"]):
        area, line = brazilian["area"], brazilian["line"]
        return f"+55{area}{'9' if len(line) == 8 and line[0] >= '6' else ''}{line}"
    return _parsed(text, region)


def _parsed(text: str, region: str) -> str:
    # What phonenumbers cannot place it leaves out, and so would take two numbers for the first of them.
    if not re.fullmatch(r"[\d\s()+./\-\u2010-\u2015]+", text):
        raise InvalidPhone
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise InvalidPhone from None
    normal = normal_form(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    # Checked after normalising: the old eight-digit mobile is how many Brazilians still write theirs.
    found = phonenumbers.parse(normal)
    if found.country_code != 55:
        if not phonenumbers.is_possible_number(found):
            raise InvalidPhone
    # 0900… is in the plan, for what is paid by the minute, and is what a mobile that begins with 900 is without its
    # area code. Of services with numbers of their own (0800…, 4004…) many are on WhatsApp.
    elif phonenumbers.number_type(found) in _NOBODYS:
        is_line = region == "BR" and re.fullmatch(_LINE, text.translate(_USUAL))
        raise AreaCodeMissing if is_line else InvalidPhone
    return normal


_NOBODYS = (phonenumbers.PhoneNumberType.UNKNOWN, phonenumbers.PhoneNumberType.PREMIUM_RATE)


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
