"""What a request about a campaign says, as CampaignService takes it, and what that refuses, as an answer."""

from collections.abc import Callable
from typing import Any

from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from campaigns import content
from campaigns.models import Campaign
from campaigns.services import CampaignService, NotPossible
from crm_whatsapp.api import Conflict
from messaging import people
from messaging.contacts.segments import InvalidFilter
from messaging.models import Attachment, Contact
from messaging.phones import InvalidPhone, parse_phone
from units.models import Unit


def read(form: type[Any], request: Request) -> dict[str, Any]:
    """The body, as `form` takes it. Raises ValidationError."""
    serializer = form(data=request.data)
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


def refusing[T](do: Callable[[], T]) -> T:
    """The result of `do`, whose NotPossible is a 400 when a field is at fault, and else a 409."""
    try:
        return do()
    except NotPossible as error:
        if error.field:
            raise ValidationError({error.field: [error.message]}) from error
        raise Conflict(error.message) from error
    except InvalidFilter as error:
        # A segment that asks for an attribute which has been deleted since.
        raise Conflict(error.message) from error


def checked[T](do: Callable[[], T]) -> T:
    """The result of `do`, whose NotPossible is a 400: of something that does not exist yet nothing is in the way."""
    try:
        return do()
    except NotPossible as error:
        raise ValidationError({error.field or "content": [error.message]}) from error
    except InvalidFilter as error:
        raise ValidationError({"audience": [error.message]}) from error


def plain(chosen: dict[str, Any]) -> dict[str, Any]:
    """An audience as JSON has it."""
    return {
        name: [str(one) for one in value] if isinstance(value, list) else str(value) if name == "import" else value
        for name, value in chosen.items()
    }


def columns(unit: Unit, wanted: dict[str, Any]) -> dict[str, Any]:
    """What was sent, as CampaignService takes it. Raises ValidationError for a file that is not of the unit."""
    changes = dict(wanted)
    if "attachment_id" in changes:
        changes["attachment"] = attachment(unit, changes.pop("attachment_id"), {"attachment_id": []})
    if "audience" in changes:
        changes["audience"] = plain(changes["audience"])
    if "variants" in changes:
        changes["variants"] = [
            {
                "content": variant["content"],
                "weight": variant["weight"],
                "attachment": attachment(unit, variant["attachment_id"], {"variants": {place: {"attachment_id": []}}}),
            }
            for place, variant in enumerate(changes["variants"])
        ]
    return changes


def attachment(unit: Unit, wanted: Any, place: dict[str, Any]) -> Attachment | None:
    if wanted is None:
        return None
    found = Attachment.objects.filter(unit=unit, id=wanted).first()
    if found is None:
        raise ValidationError(_at(place, [ErrorDetail(str(wanted), "not_found")]))
    return found


def _at(place: Any, errors: list[ErrorDetail]) -> Any:
    """`errors` in the innermost list of `place`."""
    return errors if isinstance(place, list) else {key: _at(value, errors) for key, value in place.items()}


def check_texts(unit: Unit, wanted: dict[str, Any], campaign: Campaign | None = None) -> None:
    """Raise ValidationError with everything that is wrong with the texts: the field, the code, and the character."""
    line = wanted.get("opt_out_line", campaign.opt_out_line if campaign else "")
    errors: dict[str, Any] = {}
    if "content" in wanted or campaign is None:
        file = wanted.get("attachment", campaign and campaign.attachment_id)
        if found := _problems(unit, wanted["content"], file, line):
            errors["content"] = found
    for place, variant in enumerate(wanted.get("variants", [])):
        if found := _problems(unit, variant["content"], variant["attachment"], line):
            errors.setdefault("variants", {})[place] = {"content": found}
    if errors:
        raise ValidationError(errors)


def _problems(unit: Unit, text: str, file: Any, line: str) -> list[ErrorDetail]:
    problems = content.check(unit, text, caption=file is not None, opt_out_line=line)
    return [ErrorDetail(str(problem.message), problem.code) for problem in problems]


def create(unit: Unit, wanted: dict[str, Any], by: Any) -> Campaign:
    """Make the campaign of a body that was read; within a transaction. Raises ValidationError."""
    changes = columns(unit, wanted)
    check_texts(unit, changes)
    ids, phones = changes.pop("contact_ids", []), changes.pop("phones", [])
    if changes.pop("everyone", False):
        changes["audience"] = changes.get("audience", {}) | {"everyone": True}
    contacts = recipients(unit, ids, phones)
    return checked(lambda: CampaignService.create(unit=unit, contacts=contacts, created_by=by, **changes))


def recipients(unit: Unit, ids: list[Any], phones: list[str]) -> list[Contact]:
    """The contacts of `unit` that were named one by one. Raises ValidationError, with the place in the list."""
    contacts = list(Contact.objects.filter(unit=unit, id__in=ids))
    if missing := set(ids) - {contact.id for contact in contacts}:
        raise ValidationError({"contact_ids": [f"{next(iter(missing))}"]}, "not_found")
    for place, phone in enumerate(phones):
        try:
            parse_phone(phone)
        except InvalidPhone as error:
            raise ValidationError({"phones": {str(place): [error.message]}}) from error
    return contacts + people.contacts_by_phone(unit, phones)
