"""What a person sets for himself."""

import pytest
from django.test import Client

from tests.console.helpers import at
from units.models import Membership, Unit, User

pytestmark = pytest.mark.django_db

ABOUT = {"part": "about", "first_name": "Ana", "last_name": "Prado", "theme": "dark"}


def test_another_theme_is_seen_on_the_next_page(browser_client: Client, unit: Unit, ana: User) -> None:
    assert "data-theme" not in browser_client.get(at(unit, "profile")).text
    assert 'data-theme="dark"' in browser_client.post(at(unit, "profile"), ABOUT, follow=True).text
    ana.refresh_from_db()
    assert (str(ana), ana.has_shortcuts) == ("Ana Prado", False)


def test_only_what_there_is_can_be_chosen(browser_client: Client, unit: Unit, ana: User) -> None:
    browser_client.post(at(unit, "profile"), ABOUT | {"theme": "pink"})
    ana.refresh_from_db()
    assert (ana.theme, ana.last_name) == ("auto", "")


def test_mail_of_a_unit_is_turned_off_and_on(browser_client: Client, unit: Unit) -> None:
    mine = Membership.objects.get()
    browser_client.post(at(unit, "profile"), {"part": "mail"})
    assert not Membership.objects.get().gets_mail
    browser_client.post(at(unit, "profile"), {"part": "mail", "units": [str(mine.id)]})
    assert Membership.objects.get().gets_mail


def test_nobody_turns_the_mail_of_others_off(browser_client: Client, unit: Unit, stranger: User) -> None:  # I7
    theirs = Membership.objects.get(user=stranger)
    browser_client.post(at(unit, "profile"), {"part": "mail", "units": [str(theirs.id)]})
    assert Membership.objects.get(user=stranger).gets_mail


def test_another_password_logs_out_everywhere_else(browser_client: Client, unit: Unit, ana: User) -> None:
    elsewhere = Client()
    elsewhere.force_login(ana)
    typed = {"old_password": "correct horse battery", "new_password1": "staple the horse", "part": "password"}
    browser_client.post(at(unit, "profile"), typed | {"new_password2": "staple the horse"})
    assert browser_client.get(at(unit, "profile")).status_code == 200
    assert elsewhere.get(at(unit, "profile")).status_code == 302


def test_a_wrong_password_changes_nothing(browser_client: Client, unit: Unit, ana: User) -> None:
    typed = {"old_password": "wrong", "new_password1": "staple the horse", "new_password2": "staple the horse"}
    page = browser_client.post(at(unit, "profile"), typed | {"part": "password"})
    assert 'id="id_old_password_error"' in page.text
    ana.refresh_from_db()
    assert ana.check_password("correct horse battery")
