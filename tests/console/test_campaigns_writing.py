"""Writing a campaign: how it reads for real people, what is wrong with it, and who drops out, before it is kept."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from campaigns.models import Campaign
from campaigns.services import CampaignService
from messaging.models import ContactImport, ImportStatus
from tests import factories
from tests.campaigns.test_feeding import picture
from tests.console.helpers import HTMX, at
from tests.console.test_campaigns import DRAFT
from units.models import Unit


def check(client: Client, unit: Unit, **changes: Any) -> str:
    """What the page shows beside a form filled in so."""
    return client.post(at(unit, "campaigns/new/check"), DRAFT | changes, headers=HTMX).text


def test_one_steps_from_person_to_person(browser_client: Client, unit: Unit) -> None:
    factories.contact(unit, name="Marina")
    factories.contact(unit, name="Osvaldo")
    text = "Oi, {{ primeiro_nome }}"
    assert "Oi, Marina" in check(browser_client, unit, content=text)
    second = check(browser_client, unit, content=text, person="1")
    assert "Oi, Osvaldo" in second
    # Nobody is behind the last.
    assert "Oi, Osvaldo" in check(browser_client, unit, content=text, person="9")
    assert re.search(r'id="person-after"[^>]* disabled', second)


def test_the_choices_are_drawn_again(browser_client: Client, unit: Unit) -> None:
    factories.contact(unit, name="Marina")
    text = "{" + "|".join(f"palavra{number}" for number in range(30)) + "}"
    drawn = {
        found
        for n in range(5)
        for found in re.findall(r"palavra\d+", check(browser_client, unit, content=text, draw=str(n)))
    }
    assert len(drawn) > 1


def test_who_lacks_a_value_is_counted_before_the_start(browser_client: Client, unit: Unit) -> None:
    factories.contact(unit, name="Marina")
    factories.contact(unit)
    told = check(browser_client, unit, content="Oi, {{ primeiro_nome }}")
    assert 'data-fallback="primeiro_nome"' in told
    assert "data-fallback" not in check(browser_client, unit, content="Oi, {{ primeiro_nome | cliente }}")


def test_of_very_many_the_rehearsal_counts_who_lacks_a_value(
    browser_client: Client, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.campaign_drafts.MOST_LOOKED_INTO", 1)
    factories.contact(unit, name="Marina")
    factories.contact(unit)
    told = check(browser_client, unit, content="Oi, {{ primeiro_nome }}")
    assert "data-fallback" not in told
    assert "Oi, Marina" in told


def test_a_mistake_is_told_with_its_place(browser_client: Client, unit: Unit) -> None:
    factories.contact(unit, name="Marina")
    told = check(browser_client, unit, content="Oi 👓 {{ nmoe }}, tudo bem?")
    # Counted in whole characters.
    assert 'data-at="5" data-length="10"' in told
    assert 'id="id_content_error"' in told


def test_each_text_has_its_own_mistakes_and_its_own_preview(browser_client: Client, unit: Unit) -> None:
    factories.contact(unit, name="Marina")
    more = {"texts-TOTAL_FORMS": "1", "texts-0-content": "Boa tarde, {{ nome }}", "texts-0-same_file": "on"}
    assert "Boa tarde, Marina" in check(browser_client, unit, content="Oi", text="1", **more)
    wrong = check(browser_client, unit, content="Oi", **more | {"texts-0-content": "Oi {a"})
    assert re.search(r'id="id_texts-0-content_error"[^>]*>\s*<p class="field-error" data-at="3"', wrong)


def test_who_drops_out_is_told_with_the_reason(browser_client: Client, unit: Unit) -> None:
    _kept, gone, lately, excluded = (factories.contact(unit) for _ in range(4))
    factories.opt_out(gone)
    earlier = CampaignService.create(unit=unit, name="Antes", content="Oi", contacts=[lately])
    earlier.recipients.update(status="sent", sent_at=timezone.now() - timedelta(days=2))
    tag = factories.tag(unit, "VIP", excluded)
    told = check(browser_client, unit, days="7", exclude_tags=[str(tag.pk)])
    numbers = re.findall(r'<td class="num right">(− )?(\d+)</td>', told)
    assert numbers == [("", "4"), ("− ", "1"), ("− ", "1"), ("− ", "1"), ("", "1")]


def test_a_pasted_list_says_who_is_new_and_what_is_no_number(browser_client: Client, unit: Unit) -> None:
    known = factories.contact(unit)
    typed = f"{known.phone_number}\n(11) 95555-0001\nbanana"
    told = check(browser_client, unit, to="pasted", phones=typed)
    assert [number for _minus, number in re.findall(r'<td class="num right">(− )?(\d+)</td>', told)] == ["2", "2"]
    assert "banana" in told


def test_people_of_a_file_are_chosen_and_a_tag_left_out(browser_client: Client, unit: Unit) -> None:
    first, second = factories.contact(unit), factories.contact(unit)
    factories.tag(unit, "Feira", first, second)
    excluded = factories.tag(unit, "Fornecedor", second)
    brought = ContactImport.objects.create(
        unit=unit, file_name="feira.csv", file="x.csv", size=1, tags=["Feira"], status=ImportStatus.DONE
    )
    body = DRAFT | {"to": "groups", "file_of": str(brought.pk), "exclude_tags": [str(excluded.pk)]}
    browser_client.post(at(unit, "campaigns/new"), body)
    made = Campaign.objects.get()
    assert made.audience == {"import": str(brought.pk), "exclude_tags": [str(excluded.pk)]}
    page = browser_client.get(at(unit, f"campaigns/{made.pk}/edit")).text
    assert re.search(r'value="groups"[^>]*checked', page)


def test_days_that_the_api_has_set_stay(browser_client: Client, unit: Unit) -> None:
    factories.contact(unit)
    made = CampaignService.create(
        unit=unit, name="A", content="B", audience={"everyone": True, "exclude_contacted_within_days": 14}
    )
    assert re.search(r'value="14"[^>]*selected', browser_client.get(at(unit, f"campaigns/{made.pk}/edit")).text)


def test_what_chose_the_people_and_is_gone_is_said(browser_client: Client, unit: Unit) -> None:
    tag = factories.tag(unit, "VIP", factories.contact(unit))
    made = CampaignService.create(unit=unit, name="A", content="B", audience={"tags": [str(tag.pk)]})
    address = at(unit, f"campaigns/{made.pk}/edit")
    assert 'class="banner warn"' not in browser_client.get(address).text
    tag.delete()
    assert 'class="banner warn"' in browser_client.get(address).text


def test_a_file_of_the_campaign_is_shown_and_nobody_elses(
    browser_client: Client, unit: Unit, stranger: object
) -> None:  # I7
    mine, theirs = picture(unit), picture(Unit.objects.exclude(id=unit.id).get())
    assert browser_client.get(at(unit, f"campaigns/files/{mine.pk}")).status_code == 200
    assert browser_client.get(at(unit, f"campaigns/files/{theirs.pk}")).status_code == 404


@pytest.mark.parametrize("person", ["-1", "x", "9" * 30])
def test_a_step_that_makes_no_sense_shows_the_first(browser_client: Client, unit: Unit, person: str) -> None:
    factories.contact(unit, name="Marina")
    assert "Marina" in check(browser_client, unit, person=person)
