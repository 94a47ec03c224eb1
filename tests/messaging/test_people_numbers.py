"""Every spelling of a number that WhatsApp or a person uses is one address."""

import pytest

from messaging.phones import normal_form, parse_phone

# One person each: the normal form, then what WhatsApp's JIDs and people make of it.
SPELLINGS = {
    "Brazil, a DDD that WhatsApp files with the ninth digit": ["+5511977776666", "5511977776666", "551177776666"],
    "Brazil, a DDD that WhatsApp files without it": ["+5531999991234", "553199991234", "5531999991234"],
    "Brazil, an old mobile that began with 6": ["+5585965432109", "558565432109"],
    "Brazil, landlines": ["+551133334444", "551133334444"],
    "Brazil, landlines that begin with 5": ["+555133334444", "555133334444"],
    "Mexico": ["+525512345678", "5215512345678", "525512345678"],
    "Argentina, Buenos Aires": ["+5491112345678", "5491112345678", "541112345678"],
    "Argentina, a long area code": ["+5493541123456", "543541123456", "5493541123456"],
    "Argentina, a toll-free number": ["+548005551234", "548005551234"],
    "United States": ["+14155550123", "14155550123"],
    "Portugal": ["+351912345678", "351912345678"],
    "no number of any plan": ["+123", "123"],
}
ALL = [(spelling, normal) for normal, *spellings in SPELLINGS.values() for spelling in [normal, *spellings]]


@pytest.mark.parametrize(("spelling", "normal"), ALL)
def test_every_spelling_has_one_normal_form(spelling: str, normal: str) -> None:
    assert normal_form(spelling) == normal


@pytest.mark.parametrize(
    ("typed", "region", "normal"),
    [
        ("011 15-4321-1234", "AR", "+5491143211234"),
        ("+54 11 4321-1234", "BR", "+5491143211234"),
        ("+54 9 11 4321-1234", "BR", "+5491143211234"),
        ("+52 1 55 1234 5678", "BR", "+525512345678"),
        ("55 1234 5678", "MX", "+525512345678"),
        ("(11) 3333-4444", "BR", "+551133334444"),
    ],
)
def test_what_people_type_is_the_same_address_as_what_whatsapp_says(typed: str, region: str, normal: str) -> None:
    assert parse_phone(typed, region=region) == normal
