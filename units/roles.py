"""What each role may do. `docs/access.md` shows this table to people; API, console and admin all ask it."""

from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    OWNER = "owner", _("Owner")
    MANAGER = "manager", _("Manager")
    AGENT = "agent", _("Agent")


class Action(models.TextChoices):
    """What somebody may do in a unit; also the scopes of a token."""

    READ_INBOX = "inbox:read", _("Read conversations and messages")
    WRITE_INBOX = "inbox:write", _("Answer, and sort conversations")
    READ_CONTACTS = "contacts:read", _("See contacts")
    WRITE_CONTACTS = "contacts:write", _("Add and change contacts, their tags and their consent")
    MOVE_CONTACTS = "contacts:bulk", _("Import, export, merge and delete contacts")
    READ_CAMPAIGNS = "campaigns:read", _("See campaigns and their results")
    WRITE_CAMPAIGNS = "campaigns:write", _("Write, start, pause and cancel campaigns")
    READ_NUMBER = "number:read", _("See how the number is connected, and its pace")
    WRITE_NUMBER = "number:write", _("Connect and disconnect the number, and set its pace")
    WRITE_SETTINGS = "settings:write", _("Set tags, labels, attributes, segments and canned replies")
    MANAGE_ACCESS = "access:manage", _("Manage people, tokens and secrets, and read the audit log")
    REPLAY_EVENTS = "events:replay", _("See events that could not be handled, and handle them again")


_AGENT = frozenset(
    {
        Action.READ_INBOX,
        Action.WRITE_INBOX,
        Action.READ_CONTACTS,
        Action.WRITE_CONTACTS,
        Action.READ_CAMPAIGNS,
        Action.READ_NUMBER,
    }
)
_MANAGER = _AGENT | {
    Action.MOVE_CONTACTS,
    Action.WRITE_CAMPAIGNS,
    Action.WRITE_NUMBER,
    Action.WRITE_SETTINGS,
    Action.REPLAY_EVENTS,
}

ALLOWED: Mapping[Role, frozenset[Action]] = {
    Role.AGENT: _AGENT,
    Role.MANAGER: _MANAGER,
    Role.OWNER: frozenset(Action),
}
