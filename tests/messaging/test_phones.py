"""One person, one number: both spellings of a Brazilian mobile are the same."""

import pytest

from messaging.phones import InvalidPhone, normal_form, parse_phone, shown, split_phones


@pytest.mark.parametrize(
    ("jid_digits", "normal"),
    [
        ("5511977776666", "+5511977776666"),
        ("553199991234", "+5531999991234"),
        ("5531999991234", "+5531999991234"),
        ("551133334444", "+551133334444"),
        ("5215512345678", "+525512345678"),
        ("5491112345678", "+5491112345678"),
        ("14155550123", "+14155550123"),
    ],
)
def test_the_normal_form_of_what_whatsapp_gives(jid_digits: str, normal: str) -> None:
    assert normal_form(jid_digits) == normal


@pytest.mark.parametrize("typed", ["(11) 91234-5678", "11 91234 5678", "+55 11 91234-5678", "5511912345678"])
def test_what_people_type(typed: str) -> None:
    assert parse_phone(typed) == "+5511912345678"


def test_the_ninth_digit_is_added_to_what_a_person_types_without_it() -> None:
    assert parse_phone("(31) 9999-1234") == parse_phone("(31) 99999-1234") == "+5531999991234"


TWO = ["11988880002; 5511988880003", "11988880002, 5511988880003", "11988880002 5511988880003", "11988880002x5"]


@pytest.mark.parametrize("nonsense", ["", "abc", "123", "+", "9" * 30, "(11)", "\0", *TWO])
def test_what_is_no_number_is_refused(nonsense: str) -> None:
    with pytest.raises(InvalidPhone):
        parse_phone(nonsense)


def test_a_number_is_shown_as_people_write_it() -> None:
    assert shown("+5511912345678") == "(11) 91234-5678"
    assert shown("+14155550123").startswith("+1 ")


def test_pasted_numbers_are_split_where_people_split_them() -> None:
    pasted = "11988880002; 5511988880003\n(11) 91234-5678,"
    assert split_phones(pasted) == ["11988880002", "5511988880003", "(11) 91234-5678"]
