"""The sidebar of the admin: its lists by what people look for, not by where the code keeps them."""

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

# Model and symbol (Material Symbols). A test holds this to what is registered.
GROUPS: list[tuple[Any, list[tuple[str, str]]]] = [
    (
        gettext_lazy("Inbox"),
        [
            ("messaging.Conversation", "forum"),
            ("messaging.Message", "chat"),
            ("messaging.Note", "sticky_note_2"),
            ("messaging.MessageMedia", "perm_media"),
            ("messaging.Attachment", "attach_file"),
            ("messaging.Label", "label"),
            ("messaging.CannedReply", "quickreply"),
        ],
    ),
    (
        gettext_lazy("Campaigns"),
        [("campaigns.Campaign", "campaign"), ("campaigns.CampaignRecipient", "group")],
    ),
    (
        gettext_lazy("Contacts"),
        [
            ("messaging.Contact", "contacts"),
            ("messaging.OptOut", "notifications_off"),
            ("messaging.ContactImport", "upload_file"),
            ("messaging.ContactMerge", "merge"),
            ("messaging.Segment", "filter_alt"),
            ("messaging.Tag", "sell"),
            ("messaging.AttributeDefinition", "data_object"),
        ],
    ),
    (
        gettext_lazy("Numbers"),
        [
            ("units.WhatsAppConnection", "qr_code"),
            ("messaging.SendLane", "speed"),
            ("webhooks.Completeness", "fact_check"),
        ],
    ),
    (
        gettext_lazy("Operation"),
        [
            ("attention.Episode", "priority_high"),
            ("webhooks.WebhookEvent", "inbox"),
            ("messaging.FailedAttempt", "error"),
            ("messaging.ChatAction", "touch_app"),
            ("outgoing_webhooks.OutgoingWebhook", "webhook"),
        ],
    ),
    (
        gettext_lazy("Access"),
        [
            ("units.Unit", "storefront"),
            ("units.User", "person"),
            ("auth.Group", "groups"),
            ("units.ApiToken", "key"),
            ("units.AuditEntry", "history"),
        ],
    ),
]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """For Unfold's SIDEBAR: the front page, and what this person may see."""
    front = {"title": _("How the system is"), "icon": "monitor_heart", "link": reverse("admin:index")}
    groups = [
        {"title": str(title), "separator": True, "items": [_item(*each) for each in models]} for title, models in GROUPS
    ]
    return [{"items": [front]}, *groups]


def _item(label: str, icon: str) -> dict[str, Any]:
    model = apps.get_model(label)
    app, name = model._meta.app_label, model._meta.model_name
    return {
        "title": capfirst(str(model._meta.verbose_name_plural)),
        "icon": icon,
        "link": reverse(f"admin:{app}_{name}_changelist"),
        "permission": _sees(f"{app}.view_{name}", f"{app}.change_{name}"),
    }


def _sees(*rights: str) -> Callable[[HttpRequest], bool]:
    return lambda request: any(request.user.has_perm(right) for right in rights)
