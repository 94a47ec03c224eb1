"""What the audit log has in its details, in words."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from units.models import AuditEntry
from units.roles import Action, Role

# By the key in `AuditEntry.details`. What is not here means nothing to people, such as ids.
_WORDS: dict[str, str | Promise] = {
    "role": gettext_lazy("role"),
    "scopes": gettext_lazy("may"),
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
    "scheduled_at": gettext_lazy("scheduled for"),
}
_LABELS: dict[str, str | Promise] = {**dict(Role.choices), **dict(Action.choices)}
# Lists that are values of their own, not [before, after].
_LISTS = ("scopes", "kinds")


def in_words(entry: AuditEntry) -> list[tuple[str, str]]:
    """What was changed or counted: name and value each, such as ("role", "Agent → Manager")."""
    told = []
    for key, value in entry.details.items():
        if key not in _WORDS:
            continue
        if isinstance(value, list) and len(value) == 2 and key not in _LISTS:
            text = f"{_value(value[0])} → {_value(value[1])}"
        else:
            text = _value(value)
        told.append((str(_WORDS[key]), text))
    return told


def _value(value: Any) -> str:
    match value:
        case None | "":
            return "—"
        case bool():
            return _("yes") if value else _("no")
        case int() | float():
            return number_format(value, force_grouping=True)
        case list():
            return ", ".join(_value(one) for one in value) or "—"
        case str() if value in _LABELS:
            return str(_LABELS[value])
        case str() if len(value) > 10 and value[4:5] == "-" and value[10:11] == "T":
            return _moment(value)
    return str(value)


def _moment(text: str) -> str:
    try:
        return date_format(timezone.localtime(datetime.fromisoformat(text)), "SHORT_DATETIME_FORMAT")
    except ValueError:
        return text
