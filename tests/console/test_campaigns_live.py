"""The list of campaigns and the page of one under way: filters, pace, chart, people, another try."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns.models import Campaign, RecipientStatus
from campaigns.results import results
from campaigns.services import CampaignService
from console.campaign_charts import chart
from tests import factories
from tests.console.helpers import HTMX, at, dialog_of
from units.models import Unit, WhatsAppConnection

R = RecipientStatus


def named(unit: Unit, name: str, *, start: bool = False) -> Campaign:
    made = factories.campaign(unit, people=1, start=start)
    Campaign.objects.filter(pk=made.pk).update(name=name)
    made.refresh_from_db()
    return made


def fail(campaign: Campaign, code: str, people: int = 1) -> None:
    ids = list(campaign.recipients.filter(status=R.PENDING).values_list("pk", flat=True)[:people])
    campaign.recipients.filter(pk__in=ids).update(status=R.FAILED, error_message=code)


@pytest.mark.parametrize(
    ("query", "shown"),
    [("", {"Rascunho A", "Andando"}), ("?show=running", {"Andando"}), ("?show=drafts", {"Rascunho A"}),
     ("?show=archived", {"Guardada"}), ("?q=ANDA", {"Andando"}), ("?show=nada", {"Rascunho A", "Andando"})],
)  # fmt: skip
def test_the_list_shows_what_is_asked_for(browser_client: Client, unit: Unit, query: str, shown: set[str]) -> None:
    named(unit, "Rascunho A")
    named(unit, "Andando", start=True)
    CampaignService(named(unit, "Guardada")).archive()
    page = browser_client.get(at(unit, f"campaigns{query}"), headers=HTMX).text
    assert set(re.findall(r'title="([^"]+)">', page)) == shown


def test_a_filter_without_campaigns_leads_back(browser_client: Client, unit: Unit) -> None:
    named(unit, "Andando", start=True)
    page = browser_client.get(at(unit, "campaigns?q=natal")).text
    assert "natal" in page
    assert f'href="{at(unit, "campaigns")}"' in page


def test_a_campaign_that_is_held_says_so_in_the_list(browser_client: Client, unit: Unit) -> None:
    named(unit, "Andando", start=True)
    WhatsAppConnection.objects.filter(unit=unit).update(daily_cap=0)
    page = browser_client.get(at(unit, "campaigns"), headers=HTMX).text
    assert 'class="chip warn"' in page


def test_the_list_costs_the_same_however_many_are_sending(browser_client: Client, unit: Unit) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            browser_client.get(at(unit, "campaigns"))
        return len(queries)

    factories.campaign(unit)
    few = cost()
    for _ in range(4):
        factories.campaign(unit)
    assert cost() == few


def test_another_try_is_offered_when_somebody_would_get_one(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=4)
    page = at(unit, f"campaigns/{campaign.pk}/progress")
    # They may have it: it is not tried again by itself.
    fail(campaign, "unconfirmed", 2)
    assert 'id="campaign-retry"' not in browser_client.get(page).text
    # A person has looked at the phone; and a message that certainly did not go.
    fail(campaign, "not_sent_by_word")
    fail(campaign, "rejected")
    assert 'id="campaign-retry"' in browser_client.get(page).text
    dialog, stated = dialog_of(browser_client, unit, campaign, "retry")
    assert "2 " in re.findall(r"<h2[^>]*>([^<]+)", dialog)[0]
    browser_client.post(at(unit, f"campaigns/{campaign.pk}/retry"), stated)
    assert campaign.recipients.filter(status=R.PENDING).count() == 2


def test_the_pace_is_that_of_the_last_hour(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=40)
    now = timezone.now()
    Campaign.objects.filter(pk=campaign.pk).update(started_at=now - timedelta(hours=3))
    ids = list(campaign.recipients.values_list("pk", flat=True))
    campaign.recipients.filter(pk__in=ids[:30]).update(status=R.SENT, sent_at=now - timedelta(minutes=10))
    campaign.recipients.filter(pk__in=ids[30:]).update(status=R.SENT, sent_at=now - timedelta(hours=2))
    assert "0,5 / min" in browser_client.get(at(unit, f"campaigns/{campaign.pk}/progress")).text


def test_the_chart_has_every_hour_and_its_table_those_with_something(unit: Unit) -> None:
    campaign = factories.campaign(unit, people=3)
    hour = timezone.now().replace(minute=30) - timedelta(hours=8)
    for recipient, hours, status in zip(
        campaign.recipients.order_by("id"), (0, 4, 4), (R.READ, R.DELIVERED, R.FAILED), strict=True
    ):
        campaign.recipients.filter(pk=recipient.pk).update(status=status, sent_at=hour + timedelta(hours=hours))
    drawn = chart(results(campaign))
    assert drawn is not None
    assert (len(drawn.columns), len(drawn.rows)) == (5, 2)
    assert [number for _name, _word, number in drawn.series] == [2, 2, 1, 0, 1]
    assert drawn.axis == [2, 1, 0]
    assert all(bar.y >= 0 and bar.y + bar.height <= 1000 for column in drawn.columns for bar in column.bars)


def test_people_are_found_by_state_and_by_name(browser_client: Client, unit: Unit) -> None:
    marina, osvaldo = factories.contact(unit, name="Marina"), factories.contact(unit, name="Osvaldo")
    campaign = CampaignService.create(unit=unit, name="A", content="B", contacts=[marina, osvaldo])
    CampaignService(campaign).dispatch()
    campaign.recipients.filter(contact=marina).update(status=R.FAILED, error_message="not_on_whatsapp")

    def found(query: str) -> set[str]:
        page = browser_client.get(at(unit, f"campaigns/{campaign.pk}/recipients?{query}")).text
        return {name for name in ("Marina", "Osvaldo") if f">{name}<" in page}

    assert found("show=all") == {"Marina", "Osvaldo"}
    assert found("show=failed") == {"Marina"}
    assert found("show=queue") == {"Osvaldo"}
    assert found("show=all&q=osv") == {"Osvaldo"}
    assert found("show=failed&q=osv") == set()


def test_whoever_did_not_get_it_comes_with_what_to_do(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=1)
    fail(campaign, "not_on_whatsapp")
    page = browser_client.get(at(unit, f"campaigns/{campaign.pk}/recipients")).text
    assert 'class="advice"' in page


def test_a_list_that_was_unfolded_stays_so_when_it_is_read_anew(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=130)
    address = at(unit, f"campaigns/{campaign.pk}/recipients")
    first = browser_client.get(address).text
    more = re.search(r'hx-get="([^"]*after=[^"]*)"', first)
    assert more
    second = browser_client.get(more[1].replace("&amp;", "&")).text
    shown = re.search(r'name="shown" value="(\d+)"', second)
    assert shown
    assert shown[1] == "100"
    assert browser_client.get(f"{address}?shown=100").text.count('class="person"') == 100
