"""Staff write a campaign, choose who gets it, and move it along."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from campaigns import audience
from campaigns.models import Campaign, CampaignVariant
from messaging.models import Contact, Tag
from tests.admin.conftest import Rows, stated
from units.models import Unit, User, WhatsAppConnection
from units.services import create_unit


def act(page: Client, campaign: Campaign, name: str, **fields: Any) -> Any:
    address = reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])
    return page.post(address, stated(page, address) | fields)


def in_status(campaign: Campaign, status: str) -> Campaign:
    Campaign.objects.filter(pk=campaign.pk).update(status=status, scheduled_at=timezone.now() + timedelta(days=1))
    return campaign


def status_of(campaign: Campaign) -> str:
    campaign.refresh_from_db()
    return campaign.status


def variants(*texts: str) -> dict[str, Any]:
    """The rows of other texts below the form."""
    counts = {"variants-TOTAL_FORMS": len(texts), "variants-INITIAL_FORMS": 0}
    rows = [{f"variants-{place}-content": text, f"variants-{place}-weight": 2} for place, text in enumerate(texts)]
    return counts | {name: value for row in rows for name, value in row.items()}


def new_campaign(rows: Rows, **fields: Any) -> dict[str, Any]:
    empty = {"phones": "", "scheduled_at_0": "", "scheduled_at_1": "", "weight": "1", **variants()}
    return empty | {"unit": rows.unit.pk, "name": "Sale", "content": "Hello"} | fields


@pytest.mark.parametrize(
    ("before", "name", "after"),
    [
        ("draft", "start", "processing"),
        ("scheduled", "start", "processing"),
        ("processing", "pause", "paused"),
        ("paused", "resume", "processing"),
        ("draft", "cancel", "cancelled"),
        ("paused", "cancel", "cancelled"),
    ],
)
def test_an_action_moves_the_campaign(page: Client, rows: Rows, before: str, name: str, after: str) -> None:
    response = act(page, in_status(rows.campaign, before), name)
    assert response.status_code == 302
    assert status_of(rows.campaign) == after


def test_scheduling_sets_the_time(page: Client, rows: Rows) -> None:
    at = timezone.localtime(timezone.now() + timedelta(days=2)).replace(second=0, microsecond=0)
    act(page, rows.campaign, "schedule", at=at.strftime("%Y-%m-%dT%H:%M"))
    assert status_of(rows.campaign) == "scheduled"
    assert rows.campaign.scheduled_at == at


def test_a_time_that_has_passed_schedules_nothing(page: Client, rows: Rows) -> None:
    assert act(page, rows.campaign, "schedule", at="2020-01-01T10:00").status_code == 200
    assert status_of(rows.campaign) == "draft"


def test_what_is_not_possible_is_said_in_a_sentence(page: Client, rows: Rows) -> None:
    response = act(page, in_status(rows.campaign, "completed"), "pause")
    assert status_of(rows.campaign) == "completed"
    assert [message.level_tag for message in get_messages(response.wsgi_request)] == ["error"]


def test_htmx_is_sent_on_to_the_campaign(page: Client, rows: Rows) -> None:
    address = reverse("admin:campaigns_campaign_start", args=[rows.campaign.pk])
    response = page.post(address, stated(page, address), headers={"HX-Request": "true"})
    assert response["HX-Redirect"] == reverse("admin:campaigns_campaign_change", args=[rows.campaign.pk])


@pytest.mark.parametrize("name", ["start", "schedule", "pause", "resume", "cancel", "add_recipients"])
def test_looking_at_an_action_only_asks(page: Client, rows: Rows, name: str) -> None:
    response = page.get(reverse(f"admin:campaigns_campaign_{name}", args=[rows.campaign.pk]))
    assert response.status_code == 200
    assert status_of(rows.campaign) == "draft"


def test_who_may_only_look_starts_nothing(client: Client, rows: Rows) -> None:
    user = User.objects.create_user("looks@example.com", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_campaign"))
    client.force_login(user)
    assert act(client, rows.campaign, "start").status_code == 403
    assert status_of(rows.campaign) == "draft"


def test_a_new_campaign_goes_to_the_pasted_numbers(page: Client, rows: Rows) -> None:
    phones = "(11) 91200-0001\n+55 21 98765-4321, 21 98765-4321"
    response = page.post(reverse("admin:campaigns_campaign_add"), new_campaign(rows, phones=phones))
    campaign = Campaign.objects.get(name="Sale")
    assert response.status_code == 302
    assert campaign.status == "draft"
    assert campaign.created_by == User.objects.get(email="staff@example.com")
    assert {r.contact.phone_number for r in campaign.recipients.all()} == {"+5511912000001", "+5521987654321"}


def test_a_number_that_cannot_be_read_is_named_and_nothing_is_stored(page: Client, rows: Rows) -> None:
    response = page.post(reverse("admin:campaigns_campaign_add"), new_campaign(rows, phones="21987654321\nabc"))
    assert "abc" in str(response.context["adminform"].form.errors["phones"])
    assert Campaign.objects.count() == 1
    assert Contact.objects.count() == 1


def test_a_new_campaign_can_go_to_everyone_of_the_unit(page: Client, rows: Rows) -> None:
    page.post(reverse("admin:campaigns_campaign_add"), new_campaign(rows, everyone="on"))
    made = Campaign.objects.get(name="Sale")
    assert made.audience == {"everyone": True}
    assert list(audience.people(made)) == [rows.contact]


def test_a_new_campaign_has_other_texts_and_whoever_has_a_tag(page: Client, rows: Rows) -> None:
    tag = Tag.objects.create(unit=rows.unit, name="VIP")
    texts = variants("Oi {{ nome | você }}", "Olá")
    page.post(reverse("admin:campaigns_campaign_add"), new_campaign(rows, tags=[tag.pk], **texts))
    made = Campaign.objects.get(name="Sale")
    assert made.audience == {"tags": [str(tag.pk)]}
    assert [(v.position, v.weight, v.content) for v in made.variants.order_by("position")] == [
        (1, 2, "Oi {{ nome | você }}"),
        (2, 2, "Olá"),
    ]


@pytest.mark.parametrize("texts", [{"content": "{{ x }}"}, {"everyone": "on", **variants("{{ x }}")}])
def test_a_text_with_an_unknown_variable_is_not_kept(page: Client, rows: Rows, texts: dict[str, Any]) -> None:
    answer = page.post(reverse("admin:campaigns_campaign_add"), new_campaign(rows, **texts))
    assert "“x”" in answer.content.decode()
    assert Campaign.objects.count() == 1


def test_a_tag_of_another_unit_is_refused(page: Client, rows: Rows) -> None:  # I7
    theirs = Tag.objects.create(unit=create_unit("Outra"), name="VIP")
    page.post(reverse("admin:campaigns_campaign_add"), new_campaign(rows, tags=[theirs.pk]))
    assert Campaign.objects.count() == 1


def test_a_draft_is_changed_with_its_texts(page: Client, rows: Rows) -> None:
    changed = {"name": "Sale 2", "content": "Tchau", "weight": "3", "everyone": "on", **variants("B")}
    page.post(reverse("admin:campaigns_campaign_change", args=[rows.campaign.pk]), changed)
    rows.campaign.refresh_from_db()
    assert (rows.campaign.name, rows.campaign.content, rows.campaign.weight) == ("Sale 2", "Tchau", 3)
    assert rows.campaign.audience == {"everyone": True}
    assert rows.campaign.variants.get().content == "B"


def test_tags_are_offered_with_their_unit(page: Client, rows: Rows) -> None:
    Tag.objects.create(unit=rows.unit, name="Aniversário")
    offered = page.get(reverse("admin:campaigns_campaign_tags"), {"term": "aniv"}).json()["results"]
    assert [row["text"] for row in offered] == [f"Aniversário · {rows.unit}"]


@pytest.mark.parametrize("name", ["rehearse", "show_results"])
def test_the_rehearsal_and_the_results_are_pages(page: Client, rows: Rows, name: str) -> None:
    rows.campaign.recipients.update(message=None, status="pending")
    answer = page.get(reverse(f"admin:campaigns_campaign_{name}", args=[rows.campaign.pk]))
    assert answer.status_code == 200
    assert rows.campaign.name in answer.content.decode()


def test_the_results_compare_texts_and_hours_in_the_units_zone(page: Client, rows: Rows) -> None:
    at = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)
    Unit.objects.update(time_zone="America/Manaus")
    CampaignVariant.objects.create(unit=rows.unit, campaign=rows.campaign, position=1, content="Hi")
    rows.campaign.recipients.update(status="read", variant=1, sent_at=at)
    shown = page.get(reverse("admin:campaigns_campaign_show_results", args=[rows.campaign.pk])).context
    assert [label for label, _counts in shown["texts"]["lines"]] == ["A", "B"]
    (hour,) = shown["over_time"]["lines"]
    assert hour == ("22/11/2026 11:00", [1, 1, 1, 0])


def test_the_rehearsal_tells_times_in_the_units_zone(page: Client, rows: Rows) -> None:
    rows.campaign.recipients.update(message=None, status="pending")
    Unit.objects.update(time_zone="Pacific/Kiritimati")
    WhatsAppConnection.objects.update(status="connected")
    answer = page.get(reverse("admin:campaigns_campaign_rehearse", args=[rows.campaign.pk]))
    first = answer.context["rehearsal"].timing.first_at
    with timezone.override("Pacific/Kiritimati"):
        assert date_format(timezone.localtime(first), "SHORT_DATETIME_FORMAT") in answer.text


def test_times_are_typed_and_told_by_the_clocks_of_the_unit(page: Client, rows: Rows) -> None:
    Unit.objects.update(time_zone="Pacific/Kiritimati")  # UTC+14, where the staff is not.
    at = datetime(2031, 5, 4, 19, 0, tzinfo=UTC)
    typed = {"scheduled_at_0": "2031-05-05", "scheduled_at_1": "09:00", "phones": "21987654321"}
    page.post(reverse("admin:campaigns_campaign_add"), new_campaign(rows, **typed))
    made = Campaign.objects.get(name="Sale")
    assert made.scheduled_at == at
    shown = page.get(reverse("admin:campaigns_campaign_change", args=[made.pk])).text
    # "Pode", where a word of ours is taken for the month.
    assert "5 de Maio de 2031 às 09:00" in shown
    assert "Pacific/Kiritimati" in shown
    assert "Pacific/Kiritimati" in page.get(reverse("admin:campaigns_campaign_schedule", args=[rows.campaign.pk])).text
    act(page, rows.campaign, "schedule", at="2031-05-05T09:00")
    rows.campaign.refresh_from_db()
    assert rows.campaign.scheduled_at == at
    # Of all units, by nobody's clocks but the installation's.
    assert "America/Sao_Paulo" in page.get(reverse("admin:campaigns_campaign_changelist")).text


def test_the_recipients_are_a_file(page: Client, rows: Rows) -> None:
    answer: Any = page.get(reverse("admin:campaigns_campaign_export", args=[rows.campaign.pk]))
    assert rows.contact.name in b"".join(answer.streaming_content).decode()


@pytest.mark.parametrize(
    ("before", "name", "after"),
    [("scheduled", "unschedule", "draft"), ("completed", "retry_failed", "processing")],
)
def test_a_campaign_goes_back(page: Client, rows: Rows, before: str, name: str, after: str) -> None:
    rows.campaign.recipients.update(status="failed", error_message="not_on_whatsapp")
    act(page, in_status(rows.campaign, before), name)
    assert status_of(rows.campaign) == after


def test_a_clone_is_another_campaign(page: Client, rows: Rows) -> None:
    act(page, in_status(rows.campaign, "completed"), "clone")
    assert set(Campaign.objects.values_list("status", flat=True)) == {"completed", "draft"}


def test_a_test_goes_to_one_number(page: Client, rows: Rows) -> None:
    act(page, rows.campaign, "test_send", phone="21987654321")
    assert Contact.objects.filter(addresses__value="+5521987654321", conversations__messages__body="Hello").exists()


def test_an_archived_campaign_says_since_when(page: Client, rows: Rows) -> None:
    act(page, rows.campaign, "archive")
    rows.campaign.refresh_from_db()
    assert rows.campaign.archived_at


def test_recipients_can_be_added_to_a_draft(page: Client, rows: Rows) -> None:
    act(page, rows.campaign, "add_recipients", phones="21987654321")
    assert rows.campaign.recipients.count() == 2


def test_the_text_of_a_running_campaign_is_fixed(page: Client, rows: Rows) -> None:
    in_status(rows.campaign, "processing")
    page.post(reverse("admin:campaigns_campaign_change", args=[rows.campaign.pk]), {"name": "x", "content": "y"})
    rows.campaign.refresh_from_db()
    assert (rows.campaign.name, rows.campaign.content) == ("Winter 1", "Hello")


def test_the_campaigns_page_counts_recipients_by_status(page: Client, rows: Rows) -> None:
    response = page.get(reverse("admin:campaigns_campaign_change", args=[rows.campaign.pk]))
    assert f"campaign__id__exact={rows.campaign.pk}&amp;status__exact=pending" in response.content.decode()


def test_the_recipients_list_shows_one_campaign(page: Client, rows: Rows) -> None:
    other = Campaign.objects.create(unit=rows.unit, name="Other", content="x")
    address = reverse("admin:campaigns_campaignrecipient_changelist")
    assert not page.get(address, {"campaign__id__exact": str(other.pk)}).context["cl"].result_list
    assert page.get(address, {"campaign__id__exact": str(rows.campaign.pk)}).context["cl"].result_list


@pytest.mark.parametrize(
    ("status", "offered"),
    [
        ("draft", {"start", "cancel"}),
        ("processing", {"pause", "cancel"}),
        ("paused", {"resume", "cancel"}),
        ("completed", set()),
    ],
)
def test_a_row_of_the_list_offers_what_its_status_allows(
    page: Client, rows: Rows, status: str, offered: set[str]
) -> None:
    in_status(rows.campaign, status)
    listed = page.get(reverse("admin:campaigns_campaign_changelist")).content.decode()
    steps = ("start", "pause", "resume", "cancel")
    addresses = {name: reverse(f"admin:campaigns_campaign_{name}", args=[rows.campaign.pk]) for name in steps}
    assert {name for name, address in addresses.items() if f'hx-get="{address}"' in listed} == offered
