"""Campaigns: write one, confirm it with its number of people, watch it."""

from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from campaigns import audience
from campaigns.drafting import VariantText
from campaigns.models import Campaign, CampaignStatus, RecipientStatus
from campaigns.services import CampaignService
from console.forms import local_input
from messaging.models import Contact, Message, Tag
from tests import factories
from tests.campaigns.test_feeding import picture
from tests.console.helpers import HTMX, at, confirm
from units.models import ConnectionStatus, Unit, WhatsAppConnection

NO_TEXTS = {"texts-TOTAL_FORMS": "0", "texts-INITIAL_FORMS": "0"}
DRAFT = {"name": "Volta às aulas", "content": "Lentes com 30%", "to": "all", "when": "now"} | NO_TEXTS


def test_a_new_campaign_is_a_draft_that_is_rehearsed_first(browser_client: Client, unit: Unit) -> None:
    factories.contact(unit)
    answer = browser_client.post(at(unit, "campaigns/new"), DRAFT)
    made = Campaign.objects.get()
    assert made.status == CampaignStatus.DRAFT
    assert answer.headers["Location"] == at(unit, f"campaigns/{made.id}/rehearsal")


def test_chosen_contacts_and_nobody_else_receive_it(browser_client: Client, unit: Unit) -> None:
    chosen, _other = factories.contact(unit), factories.contact(unit)
    browser_client.post(at(unit, "campaigns/new"), DRAFT | {"to": "chosen", "contacts": [chosen.id]})
    assert list(audience.people(Campaign.objects.get())) == [chosen]


def test_a_contact_of_another_unit_cannot_be_chosen(browser_client: Client, unit: Unit, stranger: object) -> None:
    theirs = factories.contact(Unit.objects.exclude(id=unit.id).get())
    browser_client.post(at(unit, "campaigns/new"), DRAFT | {"to": "chosen", "contacts": [theirs.id]})
    assert not Campaign.objects.exists()


def test_pasted_numbers_become_contacts_once(browser_client: Client, unit: Unit) -> None:
    phones = "(11) 90000-0142\n\n+55 11 90000-0142\n(11) 90000-0208"
    browser_client.post(at(unit, "campaigns/new"), DRAFT | {"to": "pasted", "phones": phones})
    assert Campaign.objects.get().recipients.count() == 2


def test_one_bad_number_stops_the_list_and_changes_nothing(browser_client: Client, unit: Unit) -> None:
    phones = "(11) 90000-0142\nbanana"
    answer = browser_client.post(at(unit, "campaigns/new"), DRAFT | {"to": "pasted", "phones": phones})
    assert "banana: Isto não é um telefone" in answer.text
    assert not Contact.objects.exists()
    assert not Campaign.objects.exists()


def test_what_was_typed_is_kept_beside_the_error(browser_client: Client, unit: Unit) -> None:
    factories.contact(unit)
    answer = browser_client.post(at(unit, "campaigns/new"), DRAFT | {"name": ""})
    assert "Dê um nome à campanha" in answer.text
    assert "Lentes com 30%" in answer.text


def test_the_confirmation_states_the_count_and_the_end(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=3, start=False)
    dialog = browser_client.get(at(unit, f"campaigns/{campaign.id}/start"), headers=HTMX).text
    assert "Enviar para 3 pessoas?" in dialog
    assert "deve terminar" in dialog


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        (["start"], CampaignStatus.PROCESSING),
        (["start", "pause"], CampaignStatus.PAUSED),
        (["start", "pause", "resume"], CampaignStatus.PROCESSING),
        (["start", "cancel"], CampaignStatus.CANCELLED),
    ],
)
def test_each_step_is_one_confirmation(browser_client: Client, unit: Unit, steps: list[str], status: str) -> None:
    campaign = factories.campaign(unit, start=False)
    for step in steps:
        answer = confirm(browser_client, unit, campaign, step)
        assert answer.headers["HX-Redirect"] == at(unit, f"campaigns/{campaign.id}")
    campaign.refresh_from_db()
    assert campaign.status == status


def test_a_step_that_is_not_possible_says_so(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit, start=False)
    answer = browser_client.post(at(unit, f"campaigns/{campaign.id}/resume"), headers=HTMX)
    assert "A campanha mudou nesse meio-tempo" in answer.text
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.DRAFT


def test_a_time_is_set_by_the_confirmation(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit, start=False)
    at_time = timezone.now() + timedelta(days=1)
    confirm(browser_client, unit, campaign, "schedule", at=local_input(at_time))
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.SCHEDULED
    assert campaign.scheduled_at == at_time.replace(second=0, microsecond=0)


def test_a_time_that_has_passed_is_refused(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit, start=False)
    at_time = local_input(timezone.now() - timedelta(hours=1))
    answer = confirm(browser_client, unit, campaign, "schedule", at=at_time)
    assert "Este horário já passou" in answer.text


@pytest.mark.parametrize(("typed", "starts"), [("3", True), ("2", False), ("", False)])
def test_many_people_ask_for_the_number_typed(
    browser_client: Client, unit: Unit, monkeypatch: pytest.MonkeyPatch, typed: str, starts: bool
) -> None:
    monkeypatch.setattr("console.campaign_confirmations.TYPED_ABOVE", 2)
    campaign = factories.campaign(unit, people=3, start=False)
    confirm(browser_client, unit, campaign, "start", typed=typed)
    campaign.refresh_from_db()
    assert (campaign.status == CampaignStatus.PROCESSING) is starts


def test_the_live_page_says_why_nothing_is_sent(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit)
    WhatsAppConnection.objects.filter(unit=unit).update(status=ConnectionStatus.DISCONNECTED)
    page = browser_client.get(at(unit, f"campaigns/{campaign.id}/progress")).text
    assert "Pausada: número desconectado" in page


def test_the_progress_counts_people(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=4)
    first, second, *_rest = campaign.recipients.order_by("id")
    campaign.recipients.filter(id=first.id).update(status=RecipientStatus.READ)
    campaign.recipients.filter(id=second.id).update(status=RecipientStatus.FAILED, error_message="not_on_whatsapp")
    page = browser_client.get(at(unit, f"campaigns/{campaign.id}")).text
    assert "2 de 4 pessoas" in page
    assert "este número não tem WhatsApp" in page


def test_a_cancelled_campaign_counts_only_those_whose_turn_came(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=4)
    CampaignService(campaign).cancel()
    assert "0 de 4 pessoas" in browser_client.get(at(unit, f"campaigns/{campaign.id}")).text


def test_the_list_costs_the_same_for_many(
    browser_client: Client, unit: Unit, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(12):
        factories.campaign(unit, people=2, start=False)
    with django_assert_max_num_queries(10):
        browser_client.get(at(unit, "campaigns"))


def test_the_page_costs_the_same_for_many(
    browser_client: Client, unit: Unit, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    campaign = factories.campaign(unit, people=40)
    with django_assert_max_num_queries(25):
        browser_client.get(at(unit, f"campaigns/{campaign.id}"))


def test_recipients_follow_without_a_gap(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=55)
    last = campaign.recipients.order_by("id")[49]
    rest = browser_client.get(at(unit, f"campaigns/{campaign.id}/recipients?after={last.id}")).text
    assert rest.count('class="person"') == 5


def test_the_picker_keeps_who_is_chosen_while_searching(browser_client: Client, unit: Unit) -> None:
    chosen = factories.contact(unit, name="Marina")
    factories.contact(unit, name="Osvaldo")
    html = browser_client.get(at(unit, "campaigns/new/contacts"), {"q": "osv", "contacts": str(chosen.id)}).text
    assert f'value="{chosen.id}" checked' in html
    assert "Osvaldo" in html


def test_tags_choose_the_people(browser_client: Client, unit: Unit) -> None:
    tagged, _other = factories.contact(unit), factories.contact(unit)
    tag = Tag.objects.create(unit=unit, name="VIP")
    tagged.contact_tags.create(unit=unit, tag=tag)
    browser_client.post(at(unit, "campaigns/new"), DRAFT | {"to": "groups", "tags": [tag.id], "days": "7"})
    made = Campaign.objects.get()
    assert made.audience == {"tags": [str(tag.id)], "exclude_contacted_within_days": 7}
    assert list(audience.people(made)) == [tagged]


def test_an_unknown_variable_is_told_beside_the_text(browser_client: Client, unit: Unit) -> None:
    factories.contact(unit)
    answer = browser_client.post(at(unit, "campaigns/new"), DRAFT | {"content": "Oi {{ nmoe }}"})
    assert "nmoe" in answer.text
    assert not Campaign.objects.exists()


def test_while_writing_the_text_is_shown_for_a_person_and_people_are_counted(
    browser_client: Client, unit: Unit
) -> None:
    factories.contact(unit, name="Marina")
    factories.opt_out(factories.contact(unit))
    body = DRAFT | {"content": "Oi {{ nome | cliente }}", "opt_out_line": "SAIR para sair"}
    shown = browser_client.post(at(unit, "campaigns/new/check"), body, headers=HTMX).text
    assert "Oi Marina\n\nSAIR para sair" in shown
    assert '<td class="num right">1</td></tr>' in shown
    assert not Campaign.objects.exists()


def test_a_draft_is_changed_where_it_was_written(browser_client: Client, unit: Unit) -> None:
    factories.contact(unit)
    browser_client.post(at(unit, "campaigns/new"), DRAFT)
    made = Campaign.objects.get()
    assert "Lentes com 30%" in browser_client.get(at(unit, f"campaigns/{made.id}/edit")).text
    more = {"texts-TOTAL_FORMS": "1", "texts-0-content": "B", "content": "Outro", "to": "kept"}
    browser_client.post(at(unit, f"campaigns/{made.id}/edit"), DRAFT | more)
    made.refresh_from_db()
    assert (made.content, made.audience, made.variants.get().content) == ("Outro", {"everyone": True}, "B")


def test_the_rehearsal_states_the_people_on_its_button(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=3, start=False)
    page = browser_client.get(at(unit, f"campaigns/{campaign.id}/rehearsal")).text
    assert f"campaigns/{campaign.id}/start" in page
    assert "3 pessoas" in page


def test_a_pace_found_for_a_time_can_be_taken(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=30, start=False)
    address = at(unit, f"campaigns/{campaign.id}/rehearsal")
    page = browser_client.get(address, {"by": local_input(timezone.now() + timedelta(hours=3))}).text
    assert 'name="interval"' in page
    browser_client.post(address, {"interval": "300"})
    campaign.refresh_from_db()
    assert campaign.interval_seconds == 300


def test_a_test_is_sent_to_one_number(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=1, start=False)
    browser_client.post(at(unit, f"campaigns/{campaign.id}/test"), {"phone": "(11) 91234-5678"}, headers=HTMX)
    assert Message.objects.get().body == campaign.content


def test_a_copy_is_shown_and_an_archived_one_leaves_the_list(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=1, start=False)
    answer = browser_client.post(at(unit, f"campaigns/{campaign.id}/clone"), headers=HTMX)
    copy = Campaign.objects.exclude(id=campaign.id).get()
    assert answer.headers["HX-Redirect"] == at(unit, f"campaigns/{copy.id}")
    browser_client.post(at(unit, f"campaigns/{campaign.id}/archive"), headers=HTMX)
    assert str(campaign.id) not in browser_client.get(at(unit, "campaigns")).text


def test_the_recipients_are_a_file(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=2)
    answer = browser_client.get(at(unit, f"campaigns/{campaign.id}/recipients.csv"))
    assert b"".join(answer.streaming_content).count(b"\n") == 3  # type: ignore[attr-defined]


class Typed(HTMLParser):
    """What a browser sends of the campaign's form when nobody touches it: its fields, without those of the template."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sent: dict[str, str] = {}
        self._place = {"form": False, "template": False}
        self._name = self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "template" or found.get("id") == "campaign-form":
            self._place[tag] = True
        if not self._place["form"] or self._place["template"]:
            return
        name, kind = found.get("name") or "", found.get("type")
        if tag == "input" and kind not in ("file", "search"):
            if kind not in ("checkbox", "radio") or "checked" in found:
                self.sent[name] = found.get("value") or ""
        elif tag == "textarea":
            self._name = name
        elif tag == "select":
            self._select = name
        elif tag == "option" and "selected" in found:
            self.sent[self._select] = found.get("value") or ""

    def handle_data(self, data: str) -> None:
        if self._name:
            self.sent[self._name] = self.sent.get(self._name, "") + data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._place:
            self._place[tag] = False
        self._name = ""


def typed(page: str) -> dict[str, str]:
    return Typed(page).sent


def with_texts(unit: Unit) -> Campaign:
    """A draft as the API makes one: three texts with files of their own, an end, and people left out by tag."""
    tag = Tag.objects.create(unit=unit, name="VIP")
    factories.contact(unit)
    return CampaignService.create(
        unit=unit,
        name="Promo",
        content="A",
        attachment=picture(unit),
        variants=[VariantText("B", 3, picture(unit)), VariantText("C"), VariantText("D", 1, picture(unit))],
        audience={"everyone": True, "exclude_tags": [str(tag.pk)]},
        ends_at=timezone.now() + timedelta(days=1),
    )


def said(campaign: Campaign) -> Any:
    campaign.refresh_from_db()
    variants = campaign.variants.order_by("position").values_list("content", "weight", "attachment")
    return campaign.content, campaign.attachment_id, campaign.ends_at, campaign.audience, list(variants)


def test_saving_without_a_change_changes_nothing(browser_client: Client, unit: Unit) -> None:
    campaign = with_texts(unit)
    before, address = said(campaign), at(unit, f"campaigns/{campaign.id}/edit")
    answer = browser_client.post(address, typed(browser_client.get(address).text))
    assert (answer.status_code, said(campaign)) == (302, before)


def test_texts_are_added_and_removed_and_files_taken_away(browser_client: Client, unit: Unit) -> None:
    campaign = with_texts(unit)
    address = at(unit, f"campaigns/{campaign.id}/edit")
    body = typed(browser_client.get(address).text)
    body |= {"no_file": "on", "texts-0-no_file": "on", "texts-1-DELETE": "on", "texts-3-content": "E", "ends_at": ""}
    kept = campaign.variants.get(position=3).attachment_id
    assert browser_client.post(address, body).status_code == 302
    _text, file, ends_at, _audience, variants = said(campaign)
    assert (file, ends_at, variants) == (None, None, [("B", 3, None), ("D", 1, kept), ("E", 1, None)])


def test_a_file_of_another_unit_cannot_be_taken(browser_client: Client, unit: Unit, stranger: object) -> None:  # I7
    campaign = with_texts(unit)
    address, before = at(unit, f"campaigns/{campaign.id}/edit"), said(campaign)
    theirs = picture(Unit.objects.exclude(id=unit.id).get())
    body = typed(browser_client.get(address).text) | {"texts-0-attachment": str(theirs.pk)}
    assert browser_client.post(address, body).status_code == 200
    assert said(campaign) == before


@pytest.mark.parametrize(("with_file", "refused"), [("1", True), ("", False)])
def test_while_writing_a_text_with_a_file_is_judged_as_a_caption(
    browser_client: Client, unit: Unit, with_file: str, refused: bool
) -> None:
    factories.contact(unit)
    body = DRAFT | {"content": "x" * 2000, "with_file": with_file}
    shown = browser_client.post(at(unit, "campaigns/new/check"), body, headers=HTMX).text
    assert ("field-error" in shown) is refused


def test_the_archive_is_a_list_of_its_own_that_one_can_come_back_from(browser_client: Client, unit: Unit) -> None:
    made = factories.campaign(unit, start=False)
    CampaignService(made).archive()
    assert made.name in browser_client.get(at(unit, "campaigns?archived=1")).text
    browser_client.post(at(unit, f"campaigns/{made.id}/unarchive"))
    assert made.name in browser_client.get(at(unit, "campaigns")).text


def test_a_campaign_shows_its_own_pace(browser_client: Client, unit: Unit) -> None:
    made = factories.campaign(unit, start=False)
    CampaignService(made).edit(interval_seconds="20.2")
    assert "20,2 s" in browser_client.get(at(unit, f"campaigns/{made.id}")).text


def test_what_has_started_is_not_rehearsed(browser_client: Client, unit: Unit) -> None:
    made = factories.campaign(unit)
    answer = browser_client.get(at(unit, f"campaigns/{made.id}/rehearsal"))
    assert answer.headers["Location"] == at(unit, f"campaigns/{made.id}")


def test_a_start_that_has_to_wait_promises_no_time(browser_client: Client, unit: Unit) -> None:
    made = factories.campaign(unit, start=False)
    WhatsAppConnection.objects.filter(unit=unit).update(status=ConnectionStatus.DISCONNECTED)
    answer = browser_client.get(at(unit, f"campaigns/{made.id}/start"), headers=HTMX)
    assert "número desconectado" in answer.text
    assert "começa agora" not in answer.text
    rehearsed = browser_client.get(at(unit, f"campaigns/{made.id}/rehearsal")).text
    assert "Se o número pudesse enviar agora, terminaria" in rehearsed
    assert "Se começar agora" not in rehearsed
