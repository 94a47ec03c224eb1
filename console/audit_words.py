"""What the audit log has in its details, in words."""

import re
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from console import time_zones
from console.webhook_forms import KINDS
from messaging.phones import shown
from units.models import AuditEntry
from units.roles import Action, Role

# By the key in `AuditEntry.details`. What is not here means nothing to people, such as ids.
_WORDS: dict[str, str | Promise] = {
    "role": gettext_lazy("role"),
    "scopes": pgettext_lazy("token", "may"),
    "of": gettext_lazy("of"),
    "expires_at": gettext_lazy("valid until"),
    "tokens_revoked": gettext_lazy("tokens revoked"),
    "interval_seconds": gettext_lazy("seconds between campaign messages"),
    "jitter_seconds": gettext_lazy("random extra seconds"),
    "daily_cap": gettext_lazy("campaign messages per day"),
    "window_start": gettext_lazy("send campaigns from"),
    "window_end": gettext_lazy("send campaigns until"),
    "window_days": gettext_lazy("days of the week"),
    "in_use_since": gettext_lazy("number in use since"),
    "groups_enabled": gettext_lazy("show groups"),
    "name": gettext_lazy("name"),
    "time_zone": gettext_lazy("time zone"),
    "answer_goal": gettext_lazy("answer within (minutes)"),
    "contacts": gettext_lazy("contacts"),
    "messages": gettext_lazy("messages"),
    "events": gettext_lazy("events"),
    "people": gettext_lazy("people"),
    "url": gettext_lazy("address"),
    "kinds": gettext_lazy("about"),
    "sent": gettext_lazy("sent"),
    "recipients": gettext_lazy("people"),
    "is_active": gettext_lazy("switched on"),
    "choice": gettext_lazy("choice"),
    "scheduled_at": gettext_lazy("scheduled for"),
}
_LABELS: dict[str, str | Promise] = {
    **dict(Role.choices),
    **dict(Action.choices),
    **dict(KINDS),
    "send": pgettext_lazy("messages that waited", "send now"),
    "reschedule": pgettext_lazy("messages that waited", "send later"),
    "drop": pgettext_lazy("messages that waited", "do not send"),
}
# Lists that are values of their own, not [before, after].
_LISTS = ("scopes", "kinds")
# What nothing means, where it is no gap.
_NOTHING: dict[str, str | Promise] = {
    "kinds": pgettext_lazy("webhook", "everything"),
    "expires_at": gettext_lazy("until it is revoked"),
    "daily_cap": gettext_lazy("no limit"),
    "scheduled_at": gettext_lazy("not scheduled"),
}
# How a number is called in the log: by its unit, and by what WhatsApp or the server calls it.
_NUMBER = re.compile(r".* · (?:(?P<phone>\+\d+)|unit_[0-9a-f-]{36})", re.DOTALL)


def object_name(entry: AuditEntry) -> str:
    """What it was done to; empty for a number that had none yet."""
    if found := _NUMBER.fullmatch(entry.object_name):
        return shown(found["phone"]) if found["phone"] else ""
    return entry.object_name


def in_words(entry: AuditEntry) -> list[tuple[str, str]]:
    """What was changed or counted: name and value each, such as ("role", "Agent → Manager")."""
    told = []
    for key, value in entry.details.items():
        if key not in _WORDS:
            continue
        is_change = isinstance(value, list) and len(value) == 2 and (key not in _LISTS or isinstance(value[0], list))
        text = " → ".join(_value(key, one) for one in value) if is_change else _value(key, value)
        told.append((str(_WORDS[key]), text))
    return told


def _value(key: str, value: Any) -> str:
    match value:
        case None | "" | []:
            return str(_NOTHING.get(key, "—"))
        case bool():
            return _("yes") if value else _("no")
        case int() if key == "window_days":
            return str(WEEKDAYS_ABBR[value - 1]).lower()
        case int() | float():
            return number_format(value, force_grouping=True)
        case list():
            return ", ".join(_value(key, one) for one in value)
        case str() if value in _LABELS:
            return str(_LABELS[value])
        case str() if key == "time_zone":
            return time_zones.name_of(value)
        case str() if key.endswith("_seconds"):
            # As JSON has decimals: 2.000.
            return number_format(f"{Decimal(value).normalize():f}")
        case str() if key not in ("name", "url", "of"):
            return _moment(value)
    return str(value)


def _moment(text: str) -> str:
    """A day, a time of day or both; what is none of them stays as it is."""
    try:
        if len(text) == 10:
            return date_format(date.fromisoformat(text), "SHORT_DATE_FORMAT")
        if "T" in text:
            return date_format(timezone.localtime(datetime.fromisoformat(text)), "SHORT_DATETIME_FORMAT")
        return f"{time.fromisoformat(text):%H:%M}"
    except ValueError:
        return text
