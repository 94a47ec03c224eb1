"""What people type into the inbox besides messages: a note, a label, a number, until when a conversation is put off."""

from datetime import datetime, time, timedelta
from typing import Final

from django import forms
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.forms import local_time_field, not_past, phone_field
from messaging import people, settling
from messaging.models import Label, Message, Note
from messaging.outgoing.errors import CannotQueue
from messaging.phones import InvalidPhone
from units.models import User

# When a new day's work begins: what was put off comes back then.
MORNING: Final = time(8)


class NoteForm(forms.Form):
    """One note, new or changed."""

    text = forms.CharField(
        label=_("Note"),
        max_length=Note._meta.get_field("body").max_length,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"required": _("Write something before saving.")},
    )


class LabelForm(forms.Form):
    """The name of a label."""

    name = forms.CharField(
        max_length=Label._meta.get_field("name").max_length,
        error_messages={
            "required": _("Type the label's name."),
            "max_length": _("A label's name has at most 40 characters."),
        },
    )


class NumberForm(forms.Form):
    """The right number, for a message that went to a wrong one."""

    phone = phone_field()

    def send(self, message: Message, author: User) -> Message | None:
        """What goes out instead of `message`, or None with the reason beside the field."""
        try:
            with transaction.atomic():
                contact = people.contact_by_phone(
                    message.unit, self.cleaned_data["phone"], message.conversation.contact.name
                )
                return settling.send_to(message, contact, author=author)
        except (InvalidPhone, CannotQueue) as error:
            self.add_error("phone", str(error.message))
            return None


class SnoozeForm(forms.Form):
    """A day and a time in the unit's zone, in the future."""

    until = local_time_field(required=True)

    def clean_until(self) -> datetime:
        return not_past(self.cleaned_data["until"])


def snooze_choices() -> dict[str, datetime]:
    """What is offered at a click: in an hour, tomorrow morning, next Monday morning; in the unit's zone."""
    now = timezone.localtime()
    return {
        "hour": now + timedelta(hours=1),
        "tomorrow": _morning(now, 1),
        "monday": _morning(now, 7 - now.weekday()),
    }


def _morning(now: datetime, days: int) -> datetime:
    return timezone.make_aware(datetime.combine(now.date() + timedelta(days=days), MORNING))
