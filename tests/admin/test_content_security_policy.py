"""The admin's relaxed policy is the admin's alone."""

from django.conf import settings
from django.test import Client
from django.urls import reverse

from tests.admin.conftest import Rows
from units.models import User


def test_the_login_and_the_pages_allow_what_alpine_needs(page: Client, rows: Rows) -> None:
    for address in (reverse("admin:index"), reverse("admin:units_unit_changelist")):
        assert "'unsafe-eval'" in page.get(address)["Content-Security-Policy"]
    assert "'unsafe-eval'" in Client().get(reverse("admin:login"), follow=True)["Content-Security-Policy"]


def test_inline_scripts_stay_refused(page: Client) -> None:
    policy = page.get(reverse("admin:index"))["Content-Security-Policy"]
    script = next(part for part in policy.split(";") if part.strip().startswith("script-src"))
    assert "unsafe-inline" not in script


def test_the_rest_of_the_product_keeps_the_strict_policy() -> None:
    assert "unsafe" not in str(settings.SECURE_CSP)


def test_who_logs_in_lands_in_the_admin(client: Client, staff: User) -> None:
    staff.set_password("correct horse 7")
    staff.save(update_fields=["password"])
    form = client.get(reverse("admin:login"))["Location"]
    response = client.post(form, {"username": "Staff@example.com", "password": "correct horse 7"})
    assert response["Location"] == reverse("admin:index")
