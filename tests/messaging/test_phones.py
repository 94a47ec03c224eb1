"""One person, one number: both spellings of a Brazilian mobile are the same."""

import pytest

from messaging.phones import AreaCodeMissing, InvalidPhone, normal_form, parse_phone, shown, split_phones


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


@pytest.mark.parametrize("typed", ["90000-1003", "900001003", "98888-1234", "3211-0000"])
def test_a_number_without_its_area_code_is_refused_for_that(typed: str) -> None:
    with pytest.raises(AreaCodeMissing):
        parse_phone(typed)


@pytest.mark.parametrize(
    "typed", ["+55 90000-1003", "0900 123 4567", "(23) 91234-5678", "(11) 81234-5678", "(20) 3211-0000"]
)
def test_what_the_brazilian_plan_does_not_have_is_refused(typed: str) -> None:
    with pytest.raises(InvalidPhone) as refusal:
        parse_phone(typed)
    assert refusal.type is InvalidPhone


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("+55 31 9999-1234", "+5531999991234"),
        ("0800 123 4567", "+558001234567"),
        ("4004-0001", "+5540040001"),
        ("+1 415 555 0123", "+14155550123"),
        ("+54 11 1234-5678", "+5491112345678"),
        ("+52 1 55 1234 5678", "+525512345678"),
        ("+351 912 345 678", "+351912345678"),
    ],
)
def test_old_mobiles_services_and_other_countries_are_taken(typed: str, normal: str) -> None:
    assert parse_phone(typed) == normal


def test_a_number_of_another_country_needs_no_area_code_of_ours() -> None:
    assert parse_phone("91234-5678", region="PT") == "+351912345678"


def test_a_number_is_shown_as_people_write_it() -> None:
    assert shown("+5511912345678") == "(11) 91234-5678"
    assert shown("+14155550123").startswith("+1 ")


def test_pasted_numbers_are_split_where_people_split_them() -> None:
    pasted = "11988880002; 5511988880003\n(11) 91234-5678,"
    assert split_phones(pasted) == ["11988880002", "5511988880003", "(11) 91234-5678"]
