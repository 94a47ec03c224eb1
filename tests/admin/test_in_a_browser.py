"""The admin in a real browser: a campaign from its first word to its end, a number from its code to its connection."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from campaigns.models import Campaign, CampaignRecipient, RecipientStatus
from tests.admin.conftest import Rows
from tests.browser import log_in, needs_chromium, open_page
from units.models import User, WhatsAppConnection

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("console"),
    needs_chromium,
    pytest.mark.django_db(transaction=True),
]
# A page that looks again does so every 3 to 5 s.
LOOKS_AGAIN = 20_000


@pytest.fixture
def tab(browser: Browser, live_server: LiveServer, rows: Rows, staff: User) -> Iterator[Page]:
    """A browser in which `staff` is logged in; nothing in it may go wrong."""
    watched = open_page(browser, base_url=live_server.url, locale="en-US")
    log_in(watched.page, live_server.url, staff)
    yield watched.page
    assert watched.complaints == []
    watched.page.context.close()


def action(tab: Page, name: str) -> Locator:
    """A button above the page; its icon is a word too."""
    return tab.locator("a[hx-get], button[hx-get]", has_text=name)


def test_a_campaign_is_run_wholly_from_the_admin(tab: Page, rows: Rows) -> None:
    WhatsAppConnection.objects.update(status="connected", phone_number="+5511912000099")
    Campaign.objects.all().delete()
    tab.goto("/admin/")
    expect(tab.locator("#health")).to_contain_text("No campaign is sending at the moment.")
    tab.goto("/admin/campaigns/campaign/add/")
    tab.locator("#id_unit + .select2").click()
    tab.locator(".select2-results__option", has_text="Loja Centro").click()
    tab.fill("#id_name", "Spring")
    tab.fill("#id_content", "Hello")
    tab.locator("#id_everyone").check()
    tab.get_by_role("button", name="Save", exact=True).click()
    tab.get_by_role("link", name="Spring").first.click()

    action(tab, "Start now").click()
    expect(tab.locator("#dialog")).to_contain_text("It goes to 1 person.")
    tab.locator("#dialog button[type=submit]").click()
    expect(tab.get_by_text("The campaign was started.")).to_be_visible()
    expect(action(tab, "Pause")).to_be_visible()

    campaign = Campaign.objects.get()
    CampaignRecipient.objects.update_or_create(
        unit=rows.unit, campaign=campaign, contact=rows.contact, defaults={"status": RecipientStatus.SENT}
    )
    expect(tab.get_by_text("1 of 1 sent")).to_be_visible(timeout=LOOKS_AGAIN)
    # The page goes on by itself to what can be done with one that has ended.
    Campaign.objects.update(status="completed")
    expect(action(tab, "Pause")).to_have_count(0, timeout=LOOKS_AGAIN)
    expect(tab.get_by_role("button", name="Save", exact=True)).to_have_count(0)


def test_the_page_of_a_number_notices_that_its_code_was_read(tab: Page, rows: Rows) -> None:
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    WhatsAppConnection.objects.update(status="preparing")
    tab.goto(f"/admin/units/whatsappconnection/{rows.unit.connection.pk}/change/")
    expect(tab.get_by_text("The code appears here in a moment.")).to_be_visible()
    WhatsAppConnection.objects.update(status="awaiting_scan", qr_code=f"data:image/png;base64,{pixel}")
    expect(tab.get_by_alt_text("QR code to scan with WhatsApp on the phone")).to_be_visible(timeout=LOOKS_AGAIN)
    WhatsAppConnection.objects.update(status="connected", phone_number="+5511912000099", qr_code="")
    expect(tab.get_by_text("Connected", exact=True)).to_be_visible(timeout=LOOKS_AGAIN)
    action(tab, "Disconnect").click()
    expect(tab.locator("#dialog")).to_contain_text("+5511912000099")
