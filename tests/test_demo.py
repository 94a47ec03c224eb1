"""The shop that `make run` shows."""

from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from attention.models import Episode, Kind
from campaigns.models import Campaign, CampaignStatus
from messaging.models import ChatAction, Conversation, ConversationStatus, Message, MessageStatus
from units.models import Role, Unit, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(settings: Any, tmp_path: Any) -> Unit:
    settings.DEBUG, settings.MEDIA_ROOT = True, tmp_path
    call_command("seed_demo")
    return Unit.objects.get()


def test_every_list_of_the_demo_has_something_and_nothing_is_ever_sent_by_itself(shop: Unit) -> None:
    assert set(Conversation.objects.values_list("status", flat=True)) == set(ConversationStatus.values)
    assert {Kind.HELD, Kind.FAILED, Kind.UNCONFIRMED, Kind.MEDIA} == set(
        Episode.objects.filter(ended_at=None).values_list("kind", flat=True)
    )
    assert set(shop.memberships.filter(user__is_integration=False).values_list("role", flat=True)) == set(Role.values)
    moving = [MessageStatus.QUEUED, MessageStatus.CLAIMED, MessageStatus.DISPATCHING]
    assert not Message.objects.filter(status__in=moving).exists()
    assert not Message.objects.exclude(look_up_due_at=None, receipt_due_at=None).exists()
    assert not ChatAction.objects.exists()
    asleep = [CampaignStatus.DRAFT, CampaignStatus.PAUSED, CampaignStatus.COMPLETED, CampaignStatus.CANCELLED]
    assert set(Campaign.objects.values_list("status", flat=True)) == set(asleep)
    assert not Episode.objects.filter(told_at=None).exists()
    client = Client()
    client.force_login(User.objects.get(email="ana@example.com"))
    pages = ["campaigns", "contacts", "contacts/segments", "contacts/imports", "attention", "overview"]
    for page in [*pages, *(f"settings/{tab}" for tab in ("webhooks", "tokens", "replies", "labels", "audit"))]:
        assert 'class="empty' not in client.get(f"/app/u/{shop.id}/{page}").text, page


def test_a_second_time_it_is_the_same_shop(shop: Unit) -> None:
    messages = Message.objects.count()
    call_command("seed_demo")
    assert Unit.objects.get() == shop
    assert Message.objects.count() == messages
