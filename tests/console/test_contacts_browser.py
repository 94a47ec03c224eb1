"""Choosing people in a real browser, by hand and by filter."""

import pytest
from playwright.sync_api import Page, expect

from messaging.contacts import tags
from messaging.models import ContactTag, Segment
from tests import factories
from tests.browser import needs_chromium
from tests.console.helpers import at
from units.models import Unit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("console"),
    needs_chromium,
    pytest.mark.django_db(transaction=True),
]


def test_a_run_of_rows_is_chosen_and_tagged_and_that_is_undone(page: Page, unit: Unit) -> None:
    for number in range(55):
        factories.contact(unit, name=f"Cliente {number:02d}")
    page.goto(at(unit, "contacts"))
    boxes, bar = page.locator("input[name=contact]"), page.locator("[data-bulk]")
    expect(bar).to_be_hidden()
    top = boxes.nth(4).bounding_box()
    boxes.nth(1).check()
    boxes.nth(4).click(modifiers=["Shift"])
    expect(bar.locator("[data-words]")).to_contain_text("4")
    # The bar lies over the head of the table: no row moves.
    assert boxes.nth(4).bounding_box() == top
    page.locator("[data-everybody]").click()
    expect(bar.locator("[data-words]")).to_contain_text("55")
    boxes.nth(0).uncheck()
    expect(bar.locator("[data-words]")).to_contain_text("49")
    bar.locator("button[formaction$='add-tag']").click()
    dialog = page.locator("dialog")
    expect(dialog.locator(".figure")).to_contain_text("49")
    dialog.locator("[name=tag_name]").fill("VIP")
    dialog.locator("button[type=submit]").click()
    undo = page.locator("[name=undo] + button")
    expect(undo).to_be_visible()
    assert ContactTag.objects.count() == 49
    undo.click()
    expect(undo).to_be_hidden()
    assert not ContactTag.objects.exists()


def test_a_filter_keeps_the_address_and_becomes_a_segment(page: Page, unit: Unit) -> None:
    tags.replace(factories.contact(unit, name="Ana"), ["VIP"])
    factories.contact(unit, name="Bia")
    page.goto(at(unit, "contacts"))
    page.locator("select[name=tag]").select_option(label="VIP")
    expect(page.locator("input[name=contact]")).to_have_count(1)
    page.reload()
    expect(page.locator("input[name=contact]")).to_have_count(1)
    page.locator("a[href*='segments/new']").click()
    # Its scripts have to be there before the first choice.
    page.wait_for_load_state()
    page.locator("[name=name]").fill("Clientes VIP")
    page.locator("select[name=condition]").last.select_option("opted_out|is|false")
    expect(page.locator("select[name=condition]")).to_have_count(3)
    expect(page.locator("#segment-count .figure")).to_have_text("1")
    page.locator("[name=save]").click()
    page.get_by_role("link", name="Clientes VIP", exact=True).click()
    expect(page.locator("input[name=contact]")).to_have_count(1)
    assert len(Segment.objects.get().filters) == 2


def test_on_a_phone_a_row_has_two_lines_and_the_bar_is_at_the_thumb(page: Page, unit: Unit) -> None:
    for number in range(20):
        tags.replace(
            factories.contact(unit, name=f"Adalberto Francisco dos Santos Figueiredo {number}"), ["Multifocal"]
        )
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(at(unit, "contacts"))
    page.locator("input[name=contact]").first.check()
    bar = page.locator("[data-bulk]")
    expect(bar).to_be_in_viewport()
    assert page.locator("tbody tr").first.bounding_box()["height"] < 90  # type: ignore[index]
    assert page.evaluate("document.querySelector('main').scrollWidth") <= 360
