"""What a confirmation states is what happens, whatever changed since it was shown."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone, translation
from django.utils.translation import gettext

from campaigns.filling import fill_audiences
from campaigns.models import Campaign, CampaignStatus, RecipientStatus
from campaigns.services import CampaignService, NotPossible
from console.forms import local_input
from messaging import merging
from messaging.contacts import tags
from messaging.models import AttributeDefinition, Contact, Segment
from tests import factories
from tests.console.helpers import HTMX, at, confirm, dialog_of
from tests.console.test_campaigns import DRAFT, typed
from units.models import Unit


def everybody(unit: Unit, *, number: int, **more: Any) -> Campaign:
    """A draft to all contacts of the unit, who are so many."""
    for _ in range(number):
        factories.contact(unit)
    return CampaignService.create(
        unit=unit, **{"name": "Promo", "content": "Oi", "audience": {"everyone": True}, **more}
    )


@pytest.mark.parametrize("step", ["start", "schedule"])
def test_more_people_than_were_stated_are_asked_about_again(browser_client: Client, unit: Unit, step: str) -> None:
    campaign = everybody(unit, number=2)
    dialog, sent = dialog_of(browser_client, unit, campaign, step)
    assert "para 2 pessoas" in dialog
    factories.contact(unit)
    sent |= {"at": local_input(timezone.now() + timedelta(hours=2))}
    again = browser_client.post(at(unit, f"campaigns/{campaign.id}/{step}"), sent, headers=HTMX)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.DRAFT
    assert "para 3 pessoas" in again.text
    assert 'role="alert"' in again.text


def test_whoever_opted_out_meanwhile_stops_nobody_else(browser_client: Client, unit: Unit) -> None:
    campaign = everybody(unit, number=3)
    _dialog, sent = dialog_of(browser_client, unit, campaign, "start")
    factories.opt_out(Contact.objects.first())  # type: ignore[arg-type]
    browser_client.post(at(unit, f"campaigns/{campaign.id}/start"), sent, headers=HTMX)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.PROCESSING


@pytest.mark.parametrize(
    "change", [{"content": "Outro"}, {"opt_out_line": "SAIR"}, {"variants": [{"content": "B"}]}, {"name": "Outra"}]
)
def test_a_text_that_was_changed_meanwhile_is_looked_at_first(
    browser_client: Client, unit: Unit, change: dict[str, Any]
) -> None:
    campaign = everybody(unit, number=2)
    _dialog, sent = dialog_of(browser_client, unit, campaign, "start")
    CampaignService(campaign).edit(**change)
    again = browser_client.post(at(unit, f"campaigns/{campaign.id}/start"), sent, headers=HTMX)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.DRAFT
    assert "mudou nesse meio-tempo" in again.text


def test_whoever_failed_since_is_asked_about_before_another_try(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=3)
    CampaignService(campaign).pause()
    campaign.recipients.filter(pk=campaign.recipients.values("pk")[:1]).update(status="failed", error_message="refused")
    dialog, sent = dialog_of(browser_client, unit, campaign, "retry")
    assert "Repetir para 1 pessoa" in dialog
    campaign.recipients.update(status="failed", error_message="refused")
    again = browser_client.post(at(unit, f"campaigns/{campaign.id}/retry"), sent, headers=HTMX)
    assert campaign.recipients.filter(status="failed").count() == 3
    assert "Repetir para 3 pessoas" in again.text
    assert 'role="alert"' in again.text
    # Between what the page counts and what is done, too.
    with pytest.raises(NotPossible):
        CampaignService(campaign).retry_failed(at_most=2)
    assert campaign.recipients.filter(status="failed").count() == 3
    confirm(browser_client, unit, campaign, "retry")
    assert campaign.recipients.filter(status="pending").count() == 3


def test_whoever_comes_after_the_question_is_cancelled_too_and_it_says_so(browser_client: Client, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=2)
    dialog, sent = dialog_of(browser_client, unit, campaign, "cancel")
    assert "Cancelar para 2 pessoas" in dialog
    with translation.override("pt-br"):
        assert gettext("This is the count right now. Whoever is added meanwhile will not get it either.") in dialog
    CampaignService(campaign).pause()
    CampaignService(campaign).add_contacts([factories.contact(unit)])
    browser_client.post(at(unit, f"campaigns/{campaign.id}/cancel"), sent, headers=HTMX)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.CANCELLED
    assert campaign.recipients.filter(status="cancelled").count() == 3


def test_cancelling_counts_whoever_is_no_recipient_yet(browser_client: Client, unit: Unit) -> None:
    campaign = everybody(unit, number=4)
    CampaignService(campaign).dispatch()
    assert "Cancelar para 4 pessoas" in dialog_of(browser_client, unit, campaign, "cancel")[0]


@pytest.mark.parametrize("has_begun", [False, True])
def test_a_segment_whose_attribute_was_deleted_locks_nobody_out(
    browser_client: Client, unit: Unit, has_begun: bool
) -> None:
    definition = AttributeDefinition.objects.create(unit=unit, key="cidade", name="Cidade")
    filters = [{"field": "attribute.cidade", "op": "is", "value": "Santos"}]
    segment = Segment.objects.create(unit=unit, name="Da praia", filters=filters)
    Contact.objects.filter(pk=factories.contact(unit).pk).update(attributes={"cidade": "Santos"})
    campaign = CampaignService.create(unit=unit, name="P", content="Oi", audience={"segments": [str(segment.pk)]})
    if has_begun:
        CampaignService(campaign).dispatch()
    definition.delete()
    fill_audiences()
    for step in ("", "/resume" if has_begun else "/start"):
        assert "Da praia" in browser_client.get(at(unit, f"campaigns/{campaign.id}{step}")).text
    if has_begun:
        confirm(browser_client, unit, campaign, "cancel")
        campaign.refresh_from_db()
        assert campaign.status == CampaignStatus.CANCELLED


def test_a_yes_to_no_number_starts_nothing(browser_client: Client, unit: Unit) -> None:
    campaign = everybody(unit, number=2)
    answer = browser_client.post(at(unit, f"campaigns/{campaign.id}/start"), headers=HTMX)
    campaign.refresh_from_db()
    assert (campaign.status, "para 2 pessoas" in answer.text) == (CampaignStatus.DRAFT, True)


def test_sending_a_scheduled_one_now_tells_when_that_ends(browser_client: Client, unit: Unit) -> None:
    campaign = everybody(unit, number=2)
    CampaignService(campaign).schedule(timezone.now() + timedelta(days=3))
    dialog, _sent = dialog_of(browser_client, unit, campaign, "start")
    assert "começa agora e deve terminar" in dialog
    # Three days from now it would be a date.
    assert not re.search(r"terminar[^.]*\d/\d", dialog)


def test_the_rehearsal_of_a_later_start_tells_when_that_ends(browser_client: Client, unit: Unit) -> None:
    campaign = everybody(unit, number=2)
    later = timezone.localtime(timezone.now() + timedelta(days=3))
    page = browser_client.get(at(unit, f"campaigns/{campaign.id}/rehearsal"), {"at": local_input(later)}).text
    assert later.strftime("%d/%m") in page.partition('class="verdict"')[2].partition("</dl>")[0]


def test_resuming_states_those_who_were_added_while_it_was_paused(browser_client: Client, unit: Unit) -> None:
    first, second, *others = [factories.contact(unit) for _ in range(5)]
    tags.replace(first, ["Um"])
    tags.replace(second, ["Um"])
    for another in others:
        tags.replace(another, ["Dois"])
    one, two = (str(pk) for pk in unit.tags.order_by("-name").values_list("id", flat=True))
    campaign = CampaignService.create(unit=unit, name="Promo", content="Oi", audience={"tags": [one]})
    service = CampaignService(campaign)
    service.dispatch()
    fill_audiences()
    campaign.recipients.filter(contact=first).update(status=RecipientStatus.SENT)
    service.pause()
    service.edit(audience={"tags": [one, two]})
    dialog, _sent = dialog_of(browser_client, unit, campaign, "resume")
    assert "Retomar para 4 pessoas" in dialog


def test_whoever_lacks_a_value_is_not_counted_on_the_button(browser_client: Client, unit: Unit) -> None:
    AttributeDefinition.objects.create(unit=unit, key="cidade", name="Cidade")
    campaign = everybody(unit, number=3, content="Oi {{ cidade }}")
    somebody = Contact.objects.first()
    assert somebody
    Contact.objects.filter(pk=somebody.pk).update(attributes={"cidade": "Santos"})
    dialog, _sent = dialog_of(browser_client, unit, campaign, "start")
    assert "Enviar para 1 pessoa" in dialog
    assert "Enviar para 1 pessoa" in browser_client.get(at(unit, f"campaigns/{campaign.id}/rehearsal")).text


def test_other_people_take_the_place_of_a_pasted_list(browser_client: Client, unit: Unit) -> None:
    browser_client.post(at(unit, "campaigns/new"), DRAFT | {"to": "pasted", "phones": "(11) 90000-0142"})
    campaign = Campaign.objects.get()
    other = factories.contact(unit)
    address = at(unit, f"campaigns/{campaign.id}/edit")
    browser_client.post(address, typed(browser_client.get(address).text) | {"to": "chosen", "contacts": str(other.id)})
    assert "para 1 pessoa" in dialog_of(browser_client, unit, campaign, "start")[0]
    service = CampaignService(campaign)
    service.dispatch()
    fill_audiences()
    assert [row.contact for row in campaign.recipients.all()] == [other]


def test_a_chosen_contact_that_was_merged_stays_chosen(browser_client: Client, unit: Unit) -> None:
    kept, absorbed, other = (factories.contact(unit, name=name) for name in ("Marina", "Marina A.", "Otto"))
    chosen = {"contacts": [str(absorbed.id), str(other.id)]}
    campaign = CampaignService.create(unit=unit, name="Promo", content="Oi", audience=chosen)
    merging.merge(kept, absorbed)
    address = at(unit, f"campaigns/{campaign.id}/edit")
    page = browser_client.get(address).text
    boxes = re.findall(r'name="contacts" value="([^"]+)" checked', page)
    assert set(boxes) == {str(kept.id), str(other.id)}
    browser_client.post(address, typed(page) | {"contacts": boxes, "name": "Outro"})
    assert "para 2 pessoas" in dialog_of(browser_client, unit, campaign, "start")[0]


def test_what_somebody_else_changed_is_not_overwritten(browser_client: Client, unit: Unit) -> None:
    campaign = everybody(unit, number=2)
    tags.named(unit, ["Reclamou"])
    address = at(unit, f"campaigns/{campaign.id}/edit")
    mine = typed(browser_client.get(address).text)
    spec = {"everyone": True, "exclude_tags": [str(unit.tags.get().pk)]}
    CampaignService(campaign).edit(audience=spec)
    answer = browser_client.post(address, mine | {"name": "Meu nome"})
    campaign.refresh_from_db()
    assert (campaign.name, campaign.audience) == ("Promo", spec)
    assert "Meu nome" in answer.text
    assert 'role="alert"' in answer.text


def test_the_form_sent_twice_makes_one_draft(browser_client: Client, unit: Unit) -> None:
    factories.contact(unit)
    sent = typed(browser_client.get(at(unit, "campaigns/new")).text) | DRAFT
    browser_client.post(at(unit, "campaigns/new"), sent)
    # By a second click, or after the way back.
    answer = browser_client.post(at(unit, "campaigns/new"), sent | {"content": "Outro"})
    made = Campaign.objects.get()
    assert made.content == "Outro"
    assert answer.headers["Location"] == at(unit, f"campaigns/{made.id}/rehearsal")


@pytest.mark.parametrize(
    "path",
    [
        "campaigns?q=%00",
        "campaigns/{}/recipients?shown=²",
        "campaigns/{}/recipients?q=%00",
        "campaigns/{}?show=%00",
        "campaigns/new/contacts?q=%00",
        "campaigns/{}/rehearsal?at=%00&by=%00",
        "campaigns/{}/start?at=%00",
        "contacts?q=%00",
        "contacts?after=%00&at=²",
        "contacts/segments/new?q=%00",
    ],
)
def test_nonsense_in_an_address_breaks_nothing(browser_client: Client, unit: Unit, path: str) -> None:
    campaign = everybody(unit, number=1)
    assert browser_client.get(at(unit, path.format(campaign.id))).status_code < 500
