"""Campaigns in a real browser, on a phone."""

import re
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Dialog, Page, expect

from campaigns.services import CampaignService
from messaging.models import Tag
from tests import factories
from tests.browser import needs_chromium
from tests.console.helpers import at
from tests.files import picture
from units.models import Unit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("console"),
    needs_chromium,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def screen() -> dict[str, Any]:
    """A phone."""
    return {"viewport": {"width": 360, "height": 740}}


def test_the_start_stays_in_reach_of_the_thumb(page: Page, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=8, start=False)
    page.goto(at(unit, f"campaigns/{campaign.id}/rehearsal"))
    start = page.locator("#campaign-go")
    expect(start).to_be_in_viewport(ratio=1)
    page.locator(".sample").last.scroll_into_view_if_needed()
    expect(start).to_be_in_viewport(ratio=1)
    start.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_a_pace_that_cannot_be_is_said_where_it_was_typed(page: Page, unit: Unit) -> None:
    page.goto(at(unit, "settings/number"))
    page.locator("[name=interval_seconds]").fill("0.2")
    page.locator("#pace button[type=submit]").click()
    expect(page.locator("#pace [role=alert]")).to_be_in_viewport()
    expect(page.locator("[name=interval_seconds]")).to_have_value("0.2")
    expect(page.locator("#id_interval_seconds_error")).to_be_visible()


def test_writing_shows_what_arrives_and_what_is_wrong(page: Page, unit: Unit) -> None:
    factories.contact(unit, name="Marina Alves")
    factories.contact(unit)
    page.goto(at(unit, "campaigns/new"))
    text = page.get_by_label("Texto", exact=True)
    text.fill("{Oi|Oi}, {{ nmoe }}!")
    expect(page.locator(".marks .is-wrong")).to_have_text("{{ nmoe }}")
    expect(page.locator("#id_content_error")).to_contain_text("nmoe")
    expect(text).to_have_attribute("aria-invalid", "true")

    text.fill("{Oi|Oi}, ")
    page.locator("[data-variable=primeiro_nome]").click()
    expect(text).to_have_value("{Oi|Oi}, {{ primeiro_nome }}")
    expect(page.locator("#check .bubble")).to_contain_text("Oi, Marina")
    expect(page.locator(".marks .is-variable")).to_have_text("{{ primeiro_nome }}")
    expect(page.locator(".marks .is-wrong")).to_have_count(0)

    # One of the two has no name: what stands for it is written where the text is.
    page.locator("[data-fallback]").click()
    page.keyboard.type("cliente")
    expect(text).to_have_value("{Oi|Oi}, {{ primeiro_nome | cliente }}")
    expect(page.locator("[data-fallback]")).to_have_count(0)
    page.locator("#person-after").click()
    expect(page.locator("#check .bubble")).to_contain_text("Oi, cliente")

    page.locator("#id_file").set_input_files({"name": "oferta.png", "mimeType": "image/png", "buffer": picture("PNG")})
    expect(page.locator("#preview-file img")).to_be_visible()


def test_the_count_follows_the_choice_of_people(page: Page, unit: Unit) -> None:
    marina = factories.contact(unit, name="Marina")
    factories.contact(unit)
    tag = Tag.objects.create(unit=unit, name="VIP")
    marina.contact_tags.create(unit=unit, tag=tag)
    page.goto(at(unit, "campaigns/new"))
    receive = page.locator(".waterfall .total").last
    expect(receive).to_contain_text("2")
    page.locator("[name=to][value=groups]").check()
    expect(page.locator("#tally")).not_to_contain_text("2")
    page.locator(f"[name=tags][value='{tag.pk}']").check()
    expect(receive).to_contain_text("1")
    page.locator("[name=to][value=pasted]").check()
    page.locator("#id_phones").fill("(11) 95555-0001\n(11) 95555-0002\n(11) 95555-0003\nbanana")
    expect(receive).to_contain_text("3")
    expect(page.locator("#tally")).to_contain_text("banana")


def test_under_way_nothing_jumps_and_each_tenth_is_said(page: Page, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=60)
    people = list(campaign.recipients.order_by("id").values_list("pk", flat=True))
    campaign.recipients.filter(pk__in=people[:6]).update(status="sent", sent_at=timezone.now())
    page.goto(at(unit, f"campaigns/{campaign.pk}"))
    page.locator("#more-recipients").click()
    expect(page.locator("#recipients .person")).to_have_count(60)
    page.locator("#chart-table summary").click()
    page.locator(f"#recipient-{people[55]}").focus()

    campaign.recipients.filter(pk__in=people[:30]).update(status="sent", sent_at=timezone.now())
    page.evaluate(f"document.body.dispatchEvent(new CustomEvent('live:campaign-{campaign.pk}'))")
    expect(page.get_by_text("30 de 60 pessoas")).to_be_visible()
    expect(page.locator("#announcer")).to_contain_text("50 %")
    expect(page.locator("#recipients-queue .num")).to_have_text("30")
    expect(page.locator("#chart-table table")).to_be_visible()
    expect(page.locator("#recipients .person")).to_have_count(60)
    expect(page.locator(f"#recipient-{people[55]}")).to_be_focused()


def test_a_word_in_the_list_of_campaigns_finds_them_while_it_is_typed(page: Page, unit: Unit) -> None:
    made = factories.campaign(unit, start=False)
    other = factories.campaign(unit, start=False)
    type(other).objects.filter(pk=other.pk).update(name="Natal")
    page.goto(at(unit, "campaigns"))
    page.locator("#campaign-q").fill("nat")
    expect(page.locator(f"#campaign-{made.pk}")).to_have_count(0)
    expect(page.locator(f"#campaign-{other.pk}")).to_be_visible()
    expect(page.locator("#campaign-q")).to_be_focused()


def test_a_number_that_grew_while_the_dialog_was_open_is_stated_anew(page: Page, unit: Unit) -> None:
    made = factories.campaign(unit, people=2, start=False)
    page.goto(at(unit, f"campaigns/{made.id}/rehearsal"))
    page.locator("#campaign-go").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("Enviar para 2 pessoas?")
    CampaignService(made).add_contacts([factories.contact(unit)])
    dialog.locator("button[type=submit]").click()
    expect(dialog.get_by_role("alert")).to_contain_text("3")
    expect(dialog.get_by_role("heading")).to_have_text("Enviar para 3 pessoas?")
    dialog.locator("button[type=submit]").click()
    expect(page.locator("#campaign-pause")).to_be_visible()


def test_leaving_with_a_text_that_was_not_kept_asks_first(page: Page, unit: Unit) -> None:
    factories.contact(unit)
    asked: list[str] = []

    def accept(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", accept)
    page.goto(at(unit, "campaigns/new"))
    page.get_by_label("Texto", exact=True).press_sequentially("Oi")
    page.get_by_role("link", name="Contatos").first.click()
    expect(page).to_have_url(re.compile("/contacts"))
    assert asked == ["beforeunload"]
