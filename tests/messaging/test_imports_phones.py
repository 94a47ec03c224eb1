"""The short way of reading a Brazilian number says what the long one does."""

import phonenumbers
from hypothesis import example, given
from hypothesis import strategies as st

from messaging.phones import InvalidPhone, normal_form, parse_phone

AREA = st.integers(11, 99).map(str)
LINE = st.one_of(st.from_regex(r"[2-9][0-9]{7}", fullmatch=True), st.from_regex(r"[0-9]{7,10}", fullmatch=True))
PLACES = st.lists(st.tuples(st.integers(0, 20), st.sampled_from(" ()-.")), max_size=6)


def by_the_plan(text: str, region: str) -> str | None:
    """What phonenumbers alone makes of it."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    normal = normal_form(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    found = phonenumbers.parse(normal)
    if found.country_code != 55:
        return normal if phonenumbers.is_possible_number(found) else None
    paid_for = phonenumbers.number_type(found) == phonenumbers.PhoneNumberType.PREMIUM_RATE
    return normal if phonenumbers.is_valid_number(found) and not paid_for else None


def read(text: str, region: str) -> str | None:
    try:
        return parse_phone(text, region=region)
    except InvalidPhone:
        return None


@given(
    st.sampled_from(["", "+55", "55", "0", "+", "+1", "055"]), AREA, LINE, PLACES, st.sampled_from(["BR", "US", "PT"])
)
@example("", "55", "912345678", [], "BR")
@example("55", "55", "32123456", [], "BR")
def test_a_number_is_read_as_the_numbering_plan_says(
    code: str, area: str, line: str, places: list[tuple[int, str]], region: str
) -> None:
    text = f"{code}{area}{line}"
    for place, mark in places:
        text = text[:place] + mark + text[place:]
    assert read(text, region) == by_the_plan(text, region)


def test_a_number_without_its_area_code_is_none() -> None:
    assert read("91234-5678", "BR") is None
    assert read("4004-0001", "BR") == "+5540040001"
