"""What the staff of the installation and developers open, on the product as it runs."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import needs_chromium
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("flows"), needs_chromium]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/admin/", "Como está o sistema"),
        ("/admin/campaigns/campaign/add/", "CRM WhatsApp"),
        ("/admin/units/whatsappconnection/", "CRM WhatsApp"),
        ("/api/docs", "CRM WhatsApp"),
    ],
)
def test_staff_and_developers_have_pages_without_complaints(shop: Stack, page: Page, path: str, shown: str) -> None:
    page.goto(shop.url + path, wait_until="load")
    expect(page.get_by_text(re.compile(shown)).first).to_be_visible()
