"""What people type about outgoing webhooks."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from outgoing_webhooks import services

KINDS = [
    ("message", pgettext_lazy("webhook", "Messages and their receipts")),
    ("conversation", pgettext_lazy("webhook", "Conversations")),
    ("contact", pgettext_lazy("webhook", "Contacts: name, tags, opt-outs")),
    ("connection", pgettext_lazy("webhook", "The number")),
    ("campaign", pgettext_lazy("webhook", "Campaigns")),
    ("attention", pgettext_lazy("webhook", "What needs a person")),
]


class WebhookForm(forms.Form):
    """An address, and what is posted to it."""

    url = forms.CharField(
        label=_("Address"),
        max_length=2000,
        help_text=_("A public address that begins with https://, on port 443 or 8443."),
        error_messages={"required": _("Where shall it be posted to?")},
        widget=forms.URLInput(attrs={"placeholder": "https://", "autocomplete": "off", "class": "input"}),
    )
    kinds = forms.MultipleChoiceField(
        label=_("What is posted"),
        choices=KINDS,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {"kinds": services.KINDS} | kwargs.get("initial", {})
        super().__init__(*args, **kwargs)

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"].strip()
        try:
            services.check(url)
        except services.InvalidAddress:
            self.add_error("url", services.PUBLIC_ONLY)
        return url
