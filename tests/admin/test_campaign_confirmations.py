"""Before a campaign moves, the admin says for how many people; and whom it may choose."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from campaigns.admin import dialogs
from campaigns.models import Campaign, CampaignRecipient, RecipientStatus
from messaging.models import ContactImport, Tag
from messaging.people import contact_by_phone
from tests.admin.conftest import Rows, make_rows, stated
from units.models import User, WhatsAppConnection


def address(row: Any, page: str) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}", args=[row.pk])


def asked(page: Client, campaign: Campaign, name: str) -> str:
    return " ".join(page.get(address(campaign, name)).content.decode().split())


@pytest.fixture
def campaign(rows: Rows) -> Campaign:
    """For everyone: 1 contact."""
    Campaign.objects.filter(pk=rows.campaign.pk).update(audience={"everyone": True})
    rows.campaign.refresh_from_db()
    return rows.campaign


@pytest.fixture(autouse=True)
def english(page: Client) -> None:
    page.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"


def test_the_audience_is_counted_before_it_starts(page: Client, campaign: Campaign) -> None:
    CampaignRecipient.objects.all().delete()
    assert "It goes to 1 person." in asked(page, campaign, "start")
    assert "It goes to 1 person." in asked(page, campaign, "schedule")
    Campaign.objects.update(audience={})
    assert "Nobody would get it" in asked(page, campaign, "start")


def test_no_end_is_promised_while_the_number_is_away(page: Client, rows: Rows, campaign: Campaign) -> None:
    CampaignRecipient.objects.update(message=None, status=RecipientStatus.PENDING)
    for name, promise in (("start", "It should end"), ("rehearse", "Last message")):
        assert promise not in asked(page, campaign, name)
        assert "disconnected" in asked(page, campaign, name)
    WhatsAppConnection.objects.update(status="connected")
    for name, promise in (("start", "It should end"), ("rehearse", "Last message")):
        assert promise in asked(page, campaign, name)


def test_many_people_are_typed(page: Client, campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialogs, "TYPED_ABOVE", 0)
    answer = stated(page, address(campaign, "start"))
    assert page.post(address(campaign, "start"), answer).status_code == 200
    assert page.post(address(campaign, "start"), answer | {"typed": "2"}).status_code == 200
    campaign.refresh_from_db()
    assert campaign.status == "draft"
    assert page.post(address(campaign, "start"), answer | {"typed": "1"}).status_code == 302
    campaign.refresh_from_db()
    assert campaign.status == "processing"


@pytest.mark.parametrize(
    ("status", "of_recipient", "name", "sentence"),
    [
        ("processing", "pending", "pause", "1 person has not got it yet and waits."),
        ("paused", "pending", "resume", "1 person has not got it yet."),
        ("processing", "pending", "cancel", "0 are done or on the way; 1 will not get it."),
        ("completed", "failed", "retry_failed", "1 person is tried again."),
        ("completed", "sent", "retry_failed", "Nobody failed in a way that allows another try."),
    ],
)
def test_each_step_says_for_how_many(
    page: Client, campaign: Campaign, status: str, of_recipient: str, name: str, sentence: str
) -> None:
    Campaign.objects.update(status=status)
    CampaignRecipient.objects.update(status=RecipientStatus(of_recipient))
    assert sentence in asked(page, campaign, name)


def test_whoever_failed_since_is_asked_about_before_another_try(page: Client, rows: Rows, campaign: Campaign) -> None:
    Campaign.objects.update(status="paused")
    CampaignRecipient.objects.update(status=RecipientStatus.FAILED, error_message="refused")
    answer = stated(page, address(campaign, "retry_failed"))
    other = contact_by_phone(rows.unit, "+5511912000077")
    CampaignRecipient.objects.create(unit=rows.unit, campaign=campaign, contact=other, status=RecipientStatus.FAILED)
    again = page.post(address(campaign, "retry_failed"), answer)
    assert campaign.recipients.filter(status=RecipientStatus.FAILED).count() == 2
    assert "2 people are tried again." in again.text
    assert 'role="alert"' in again.text
    page.post(address(campaign, "retry_failed"), stated(page, address(campaign, "retry_failed")))
    assert campaign.recipients.filter(status=RecipientStatus.PENDING).count() == 2


def test_whoever_came_with_an_import_can_be_chosen(page: Client, rows: Rows, campaign: Campaign) -> None:
    tag = Tag.objects.get()
    brought = ContactImport.objects.create(
        unit=rows.unit, file_name="feira.csv", file="imports/b.csv", size=1, tags=[tag.name]
    )
    offered = page.get(reverse("admin:campaigns_campaign_imports"), {"term": "csv"}).json()["results"]
    # The other import gave no tag: nobody can tell who came with it.
    assert [each["id"] for each in offered] == [str(brought.pk)]
    form = {"name": campaign.name, "content": "Hello", "weight": "1", "from_import": brought.pk}
    rows_below = {"variants-TOTAL_FORMS": 0, "variants-INITIAL_FORMS": 0}
    assert page.post(address(campaign, "change"), form | rows_below).status_code == 302
    campaign.refresh_from_db()
    assert campaign.audience == {"import": str(brought.pk)}
    shown = page.get(address(campaign, "change")).context["adminform"].form
    assert shown["from_import"].value() == str(brought.pk)


def test_an_import_of_another_unit_is_refused(page: Client, rows: Rows, campaign: Campaign) -> None:
    other = make_rows("Loja Norte", 2)
    theirs = ContactImport.objects.create(unit=other.unit, file_name="b.csv", file="imports/c", size=1, tags=["x"])
    form = {"name": campaign.name, "content": "Hello", "weight": "1", "from_import": theirs.pk}
    rows_below = {"variants-TOTAL_FORMS": 0, "variants-INITIAL_FORMS": 0}
    assert page.post(address(campaign, "change"), form | rows_below).status_code == 200


def test_contacts_that_a_program_chose_stay_when_a_form_is_saved(page: Client, rows: Rows, campaign: Campaign) -> None:
    chosen = {"contacts": [str(rows.contact.pk)]}
    Campaign.objects.update(audience=chosen)
    form = {"name": "Spring", "content": "Hello", "weight": "1"}
    rows_below = {"variants-TOTAL_FORMS": 0, "variants-INITIAL_FORMS": 0}
    assert page.post(address(campaign, "change"), form | rows_below).status_code == 302
    campaign.refresh_from_db()
    assert (campaign.name, campaign.audience) == ("Spring", chosen)


def test_the_progress_of_one_that_sends_is_read_again_and_the_page_anew_at_its_end(
    page: Client, campaign: Campaign
) -> None:
    Campaign.objects.update(status="processing")
    assert address(campaign, "progress") in page.get(address(campaign, "change")).content.decode()
    assert "0 of 1 sent" in page.get(address(campaign, "progress")).content.decode()
    Campaign.objects.update(status="completed")
    assert page.get(address(campaign, "progress"))["HX-Refresh"] == "true"


def test_what_was_sent_has_nothing_to_save(page: Client, campaign: Campaign) -> None:
    assert "_save" in page.get(address(campaign, "change")).content.decode()
    Campaign.objects.update(status="completed")
    assert 'name="_save"' not in page.get(address(campaign, "change")).content.decode()


def test_the_code_to_scan_is_read_again_by_who_may_connect(page: Client, client: Client, rows: Rows) -> None:
    number = rows.unit.connection
    WhatsAppConnection.objects.update(status="awaiting_scan", qr_code="data:image/png;base64,AAAA")
    code = f"{address(number, 'code')}?status=awaiting_scan"
    assert address(number, "code") in page.get(address(number, "change")).content.decode()
    assert "data:image/png;base64,AAAA" in page.get(code).content.decode()
    WhatsAppConnection.objects.update(status="connected")
    assert page.get(code)["HX-Refresh"] == "true"
    client.force_login(User.objects.create_user("desk@example.com", is_staff=True))
    assert client.get(code).status_code == 403


def test_disconnecting_names_the_number(page: Client, rows: Rows) -> None:
    WhatsAppConnection.objects.update(status="connected", phone_number="+5511912000001")
    assert "+5511912000001" in page.get(address(rows.unit.connection, "disconnect")).content.decode()


@pytest.mark.parametrize("name", ["start", "schedule", "resume"])
def test_more_people_than_were_stated_are_asked_about_again(
    page: Client, rows: Rows, campaign: Campaign, name: str
) -> None:
    Campaign.objects.update(status="paused" if name == "resume" else "draft")
    answer = stated(page, address(campaign, name)) | {"at": "2099-01-01T10:00"}
    made = contact_by_phone(rows.unit, "+5511955550001")
    if name == "resume":
        CampaignRecipient.objects.create(unit=rows.unit, campaign=campaign, contact=made)
    response = page.post(address(campaign, name), answer)
    assert response.status_code == 200
    assert "2 people" in " ".join(response.content.decode().split())
    assert ('value="2099-01-01T10:00"' in response.content.decode()) is (name == "schedule")
    campaign.refresh_from_db()
    assert campaign.status in ("draft", "paused")
    again = dict(re.findall(r'name="(people|seen)" value="([^"]*)"', response.content.decode()))
    assert page.post(address(campaign, name), answer | again).status_code == 302


def test_a_text_that_was_changed_meanwhile_is_not_sent(page: Client, campaign: Campaign) -> None:
    answer = stated(page, address(campaign, "start"))
    Campaign.objects.update(content="Something else")
    page.post(address(campaign, "start"), answer)
    campaign.refresh_from_db()
    assert campaign.status == "draft"


def test_support_staff_export_nobody_and_see_no_names(client: Client, rows: Rows, campaign: Campaign) -> None:
    user = User.objects.create_user("support@example.com", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_campaign"))
    client.force_login(user)
    assert client.get(address(campaign, "export")).status_code == 403
    rehearsal = client.get(address(campaign, "rehearse"))
    assert rehearsal.status_code == 200
    assert rows.contact.name not in rehearsal.content.decode()
    shown = client.get(address(campaign, "change")).content.decode()
    assert address(campaign, "export") not in shown
