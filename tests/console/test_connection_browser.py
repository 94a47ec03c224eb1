"""Connecting a number, and going from unit to unit, in a real browser."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests.browser import needs_chromium
from tests.console.helpers import at
from tests.console.test_connection import QR, S, becomes
from units import live
from units.models import Unit, User
from units.services import ConnectionService, create_unit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("console"),
    needs_chromium,
    pytest.mark.django_db(transaction=True),
]


def waits_for_the_scan(unit: Unit, **fields: Any) -> None:
    until = timezone.now() + timedelta(seconds=40)
    becomes(unit, status=S.AWAITING_SCAN, qr_code=QR, qr_expires_at=until, **fields)


def test_the_code_counts_down_and_the_page_changes_by_itself(page: Page, unit: Unit) -> None:
    waits_for_the_scan(unit)
    page.goto(at(unit, "number"))
    expect(page.locator("#ring img")).to_be_visible()
    expect(page.locator(".way-code")).to_be_hidden()
    before = page.locator(".way-qr [data-countdown]").inner_text()
    expect(page.locator(".way-qr [data-countdown]")).not_to_have_text(before)
    service = ConnectionService(unit)
    with transaction.atomic():
        service.hint_open(phone="+5511900000142", profile_name="Ótica", profile_picture_url=None)
        live.publish(service.changes)
    expect(page.locator("#connection")).to_have_attribute("data-scene", "connected", timeout=15_000)
    expect(page.locator("#connection")).to_contain_text("(11) 90000-0142")


def test_a_phone_begins_with_the_code_to_type_and_shows_the_other_when_asked(page: Page, unit: Unit) -> None:
    waits_for_the_scan(unit, pairing_code="K7QM4TXA")
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(at(unit, "number"))
    expect(page.locator(".code")).to_be_visible()
    expect(page.locator("#ring")).to_be_hidden()
    assert page.evaluate("document.querySelector('main').scrollWidth") <= 360
    page.locator("[data-way-to=qr]").click()
    expect(page.locator("#ring img")).to_be_visible()
    expect(page.locator(".code")).to_be_hidden()
    # The choice outlasts what changes by itself.
    page.evaluate("document.body.dispatchEvent(new CustomEvent('live:connection', { detail: {} }))")
    page.wait_for_load_state("networkidle")
    expect(page.locator("#ring img")).to_be_visible()


def test_the_camera_can_be_done_without_on_a_desktop_too(page: Page, unit: Unit) -> None:
    becomes(unit, status=S.DISCONNECTED)
    page.goto(at(unit, "number"))
    page.locator("[data-way-to=code]").click()
    expect(page.locator("[name=phone_number]")).to_be_focused()
    page.keyboard.type("banana")
    page.keyboard.press("Enter")
    expect(page.locator("#id_phone_number_error")).to_be_visible()
    expect(page.locator("[name=phone_number]")).to_have_value("banana")


def test_one_of_many_units_is_found_by_a_few_letters(page: Page, ana: User, unit: Unit) -> None:
    units = [
        create_unit(f"Ótica {name}", owner=ana)
        for name in ["Moema", "Lapa", "Osasco", "Santos", "Penha", "Tatuapé", "Belém", "Sé"]
    ]
    page.goto(at(unit, "contacts"))
    page.locator("[popovertarget=unit-menu]").press("Enter")
    field = page.locator("#unit-menu [data-narrows]")
    expect(field).to_be_focused()
    field.fill("tatuape")
    expect(page.locator("#unit-menu a:visible")).to_have_count(1)
    field.fill("nada disso")
    expect(page.locator("#unit-menu [data-nothing]")).to_be_visible()
    field.fill("otica")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#unit-menu a").nth(1)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#unit-menu")).to_be_hidden()
    page.locator("[popovertarget=unit-menu]").press("Enter")
    page.locator("#unit-menu [data-narrows]").fill("penha")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{at(units[4])}**")


def test_more_units_than_a_menu_holds_are_asked_for_when_it_opens(page: Page, ana: User, unit: Unit) -> None:
    units = [create_unit(f"Loja {number:02d}", owner=ana) for number in range(60)]
    page.goto(at(unit, "contacts"))
    menu = page.locator("#unit-menu")
    expect(menu.locator("a")).to_have_count(1)
    page.locator("[popovertarget=unit-menu]").press("Enter")
    expect(menu.locator("a")).to_have_count(50)
    expect(menu).to_contain_text("11")
    page.keyboard.type("loja 58")
    expect(menu.locator("a")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(menu.locator("a")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    menu.locator("input").fill("nada disso")
    expect(menu.locator("a")).to_have_count(0)
    expect(menu.locator("p")).to_be_visible()
    menu.locator("input").fill("loja 59")
    expect(menu.locator("a")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{at(units[59])}**")
