"""What a campaign is made of, checked: used when it is made, changed and started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.db import connection as database
from django.utils.translation import gettext_lazy as _

from campaigns import audience, content, lost
from campaigns.models import Campaign, CampaignVariant
from campaigns.refusals import NotPossible
from messaging.contacts.segments import InvalidFilter
from messaging.events import MessageKind
from messaging.models import Attachment, AttributeDefinition
from units.models import Unit

# What `CampaignService.create` and `edit` take, besides `scheduled_at`, which `schedule` sets.
FIELDS = (
    "name",
    "content",
    "attachment",
    "weight",
    "variants",
    "opt_out_line",
    "audience",
    "ends_at",
    "interval_seconds",
)
MOST_VARIANTS = 25
MOST_WEIGHT = 1000
SLOWEST = 86_400
WITHOUT_WORDS = (MessageKind.AUDIO, MessageKind.STICKER)


@dataclass(frozen=True, slots=True)
class VariantText:
    """One more text of a campaign, as it is given: the variants are 1, 2, … in their order; 0 is the campaign's own."""

    content: str
    weight: int = 1
    attachment: Attachment | None = None


@dataclass(slots=True)
class Cleaned:
    """What may be saved: columns of the campaign, and all of its variants, or None when they stay."""

    columns: dict[str, Any] = field(default_factory=dict)
    variants: list[VariantText] | None = None


def clean(campaign: Campaign, changes: Mapping[str, Any]) -> Cleaned:
    """`changes` to `campaign` (FIELDS), checked against what stays. Raises NotPossible, with the field at fault."""
    if unknown := set(changes) - set(FIELDS):
        raise TypeError(f"a campaign has no {', '.join(sorted(unknown))}")
    cleaned = Cleaned()
    for name in ("name", "content", "opt_out_line"):
        if name in changes:
            cleaned.columns[name] = str(changes[name] or "").replace("\r\n", "\n").strip()
    if "name" in changes and not cleaned.columns["name"]:
        raise NotPossible(_("A campaign needs a name and a text."), "name")
    if len(cleaned.columns.get("opt_out_line", "")) > 300:
        raise NotPossible(_("The opt-out line has 300 characters at most."), "opt_out_line")
    if "attachment" in changes:
        cleaned.columns["attachment"] = _of_unit(changes["attachment"], campaign.unit, "attachment")
    if "weight" in changes:
        cleaned.columns["weight"] = _weight(changes["weight"], "weight")
    if "variants" in changes:
        cleaned.variants = _variants(changes["variants"], campaign.unit)
    if "audience" in changes:
        cleaned.columns["audience"] = audience.validate(campaign.unit, changes["audience"])
    if "interval_seconds" in changes:
        cleaned.columns["interval_seconds"] = _interval(changes["interval_seconds"])
    if "ends_at" in changes:
        cleaned.columns["ends_at"] = changes["ends_at"]
        require_end(changes["ends_at"])
    if {"content", "attachment", "opt_out_line", "variants"} & set(changes):
        _check_texts(campaign, cleaned)
    return cleaned


def store(campaign: Campaign, cleaned: Cleaned) -> None:
    """Write what was cleaned, within a transaction."""
    if cleaned.columns:
        Campaign.objects.filter(pk=campaign.pk).update(**cleaned.columns)
    if cleaned.variants is not None:
        CampaignVariant.objects.filter(campaign=campaign).delete()
        CampaignVariant.objects.bulk_create(
            CampaignVariant(
                unit_id=campaign.unit_id,
                campaign=campaign,
                position=position,
                content=variant.content,
                weight=variant.weight,
                attachment=variant.attachment,
            )
            for position, variant in enumerate(cleaned.variants, 1)
        )


def require_ready(campaign: Campaign) -> None:
    """Raises NotPossible for a campaign whose texts, audience or end would not do (any more): it is about to start."""
    _check_texts(campaign, Cleaned())
    try:
        # One that goes on may have nobody left, and is done then.
        if campaign.started_at is None and not audience.has_anybody(campaign):
            raise NotPossible(_("This campaign has no recipients. Choose who gets it first."), "audience")
    except InvalidFilter as error:
        raise NotPossible(error.message, "audience") from error
    lost.require_whole(campaign)
    require_end(campaign.ends_at)


def require_end(ends_at: datetime | None) -> None:
    """Raises NotPossible for an end that has passed, by the database's clock."""
    if ends_at is None:
        return
    with database.cursor() as cursor:
        cursor.execute("SELECT %s <= crm_now()", [ends_at])
        (passed,) = cursor.fetchone()
    if passed:
        raise NotPossible(_("The end of this campaign has passed. Set a later one."), "ends_at")


def require_more(unit: Unit, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Raises NotPossible when `after` gives fewer people than `before`: some may have it already.

    What has been deleted gives nobody any more.
    """
    if after.get("everyone"):
        return
    gone = lost.gone(unit.pk, before)
    for source in ("tags", "segments", "contacts"):
        if set(before.get(source, [])) - set(after.get(source, [])) - gone.get(source, set()):
            raise NotPossible(_only_more(), "audience")
    for source in ("everyone", "import"):
        if before.get(source) and before[source] != after.get(source) and source not in gone:
            raise NotPossible(_only_more(), "audience")


def _only_more() -> Any:
    return _("Once a campaign has started, people can only be added. Clone it for another audience.")


def _check_texts(campaign: Campaign, cleaned: Cleaned) -> None:
    """Every text with its file and the opt-out line, those that change and those that stay."""
    columns = cleaned.columns
    keys = list(AttributeDefinition.objects.filter(unit_id=campaign.unit_id).values_list("key", flat=True))
    line = columns.get("opt_out_line", campaign.opt_out_line)
    own = columns.get("content", campaign.content), columns.get("attachment", campaign.attachment)
    stored: Iterable[Any] = () if campaign._state.adding else campaign.variants.select_related("attachment")
    others = stored if cleaned.variants is None else cleaned.variants
    texts = [("content", *own), *(("variants", other.content, other.attachment) for other in others)]
    for name, text, attachment in texts:
        if attachment is not None and attachment.kind in WITHOUT_WORDS and (text.strip() or line):
            raise NotPossible(
                _("Sounds and stickers have no caption: leave the text and the opt-out line empty."), name
            )
        found = content.problems_of(text, keys=keys, caption=attachment is not None, opt_out_line=line)
        if found:
            empty = found[0].code == "empty"
            raise NotPossible(_("A campaign needs a name and a text.") if empty else found[0].message, name)


def _variants(given: Any, unit: Unit) -> list[VariantText]:
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) > MOST_VARIANTS:
        raise NotPossible(_("A campaign has up to %(most)d more texts.") % {"most": MOST_VARIANTS}, "variants")
    variants = []
    for one in given:
        values = one if isinstance(one, VariantText) else VariantText(**one)
        text = values.content.replace("\r\n", "\n").strip()
        attachment = _of_unit(values.attachment, unit, "variants")
        variants.append(VariantText(text, _weight(values.weight, "variants"), attachment))
    return variants


def _of_unit(attachment: Any, unit: Unit, name: str) -> Attachment | None:
    """A file of the unit, given as such or by its id."""
    if attachment is None or attachment == "":
        return None
    pk = attachment.pk if isinstance(attachment, Attachment) else attachment
    found = Attachment.objects.filter(unit=unit, pk=pk).first() if isinstance(pk, UUID | str) else None
    if found is None:
        raise NotPossible(_("There is no such file."), name)
    return found


def _weight(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_WEIGHT:
        raise NotPossible(_("A weight is a whole number from 1 to 1,000."), name)
    return value


def _interval(value: Any) -> Decimal | None:
    if value in (None, ""):
        return None
    try:
        seconds = Decimal(str(value)).quantize(Decimal("0.001"))
    except InvalidOperation:
        seconds = Decimal(0)
    if not 1 <= seconds <= SLOWEST:
        raise NotPossible(_("The seconds between messages are from 1 to 86,400."), "interval_seconds")
    return seconds
