"""What a campaign says to each person: its texts in their variants, checked and written out (`campaigns.language`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import reduce
from hashlib import blake2b
from operator import or_
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, Trim
from django.utils import formats, translation
from django.utils.translation import gettext_lazy as _

from campaigns import audience
from campaigns.language import MOST_PROBLEMS, NAMES, Choice, Node, Parsed, Problem, Variable, parse
from campaigns.models import Campaign, CampaignVariant
from messaging.models import AddressKind, Attachment, AttributeDefinition, AttributeKind, Contact, ContactAddress
from messaging.names import first_name
from messaging.outgoing.contents import MAX_CAPTION, MAX_TEXT, Media, Text
from messaging.phones import shown
from units.models import Unit


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one person gets. `problem`: why he gets nothing (missing_value, too_long, empty, broken_text), or empty."""

    variant: int
    text: str
    attachment: Attachment | None = None
    problem: str = ""


# Checking


def check(unit: Unit, text: str, *, caption: bool = False, opt_out_line: str = "") -> list[Problem]:
    """What is wrong with a text of a campaign of `unit`, in the order of the text; nothing when it can be saved.

    `caption`: it goes below a file, where less fits and nothing is enough. `opt_out_line` counts as its last line.
    """
    return problems_of(text, keys=_keys(unit), caption=caption, opt_out_line=opt_out_line)


def problems_of(text: str, *, keys: Iterable[str], caption: bool = False, opt_out_line: str = "") -> list[Problem]:
    """As `check`, for a unit whose attributes have these keys."""
    if not text.strip():
        return [] if caption else [Problem("empty", _("The text is empty."))]
    parsed = parse(text)
    known = {*NAMES.values(), *keys}
    problems = list(parsed.problems)
    for variable in parsed.variables():
        if variable.key not in known and len(problems) < MOST_PROBLEMS:
            sentence = _("There is no variable “%(name)s” (at character %(at)d). There are: %(known)s.")
            names = ", ".join(["nome", "primeiro_nome", "telefone", *sorted(keys)])
            told = sentence % {"name": variable.name, "at": variable.at + 1, "known": names}
            problems.append(Problem("unknown_variable", told, variable.at, variable.name))
    most, length = MAX_CAPTION if caption else MAX_TEXT, _longest(parsed.nodes)
    length += len(_with_line("", opt_out_line))
    if length > most:
        sentence = _("The text has up to %(length)d characters. WhatsApp takes %(most)d at most.")
        problems.append(Problem("too_long", sentence % {"length": length, "most": most}))
    return sorted(problems, key=lambda problem: problem.at)


def _keys(unit: Unit) -> list[str]:
    return list(AttributeDefinition.objects.filter(unit=unit).values_list("key", flat=True))


def _longest(nodes: Iterable[Node]) -> int:
    """The length with the longest of each choice; values, which nobody knows yet, count nothing."""
    total = 0
    for node in nodes:
        if isinstance(node, str):
            total += len(node)
        elif isinstance(node, Choice):
            total += max(_longest(option) for option in node.options)
    return total


def variations(nodes: Iterable[Node]) -> int:
    """How many ways the choices of a text have to be drawn."""
    ways = 1
    for node in nodes:
        if isinstance(node, Choice):
            ways *= sum(variations(option) for option in node.options)
    return ways


def _with_line(text: str, line: str) -> str:
    """The opt-out line stands alone at the end, after an empty line."""
    return f"{text}\n\n{line}" if line and text else text or line


# Rendering


class _Addressed(Protocol):
    """What is known of a contact. A Contact is one; prefetch its `addresses` where many are rendered."""

    @property
    def name(self) -> str: ...
    @property
    def attributes(self) -> Any: ...
    @property
    def phone_number(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Person:
    """A contact, from a statement that read many."""

    name: str
    phone_number: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Variant:
    position: int
    weight: int
    parsed: Parsed
    attachment: Attachment | None


@dataclass(frozen=True, slots=True)
class Texts:
    """All that a campaign may say, read once for many people. `Texts.of(campaign)`, `texts_of(campaigns)`."""

    variants: tuple[Variant, ...]
    opt_out_line: str
    kinds: Mapping[str, str]

    @classmethod
    def of(cls, campaign: Campaign) -> Texts:
        return texts_of([campaign])[campaign.pk]


def texts_of(campaigns: Sequence[Campaign]) -> dict[UUID, Texts]:
    """By the campaign's id; three statements, however many."""
    variants = CampaignVariant.objects.filter(campaign__in=campaigns).order_by("position")
    others: dict[UUID, list[CampaignVariant]] = {}
    for variant in variants:
        others.setdefault(variant.campaign_id, []).append(variant)
    rows: list[Campaign | CampaignVariant] = [*campaigns, *variants]
    wanted = {row.attachment_id for row in rows if row.attachment_id}
    files = Attachment.objects.in_bulk(wanted) if wanted else {}
    kinds: dict[UUID, dict[str, str]] = {}
    units = {campaign.unit_id for campaign in campaigns}
    for unit, key, kind in AttributeDefinition.objects.filter(unit__in=units).values_list("unit_id", "key", "kind"):
        kinds.setdefault(unit, {})[key] = kind
    return {
        campaign.pk: Texts(
            tuple(
                Variant(position, row.weight, parse(row.content), files.get(row.attachment_id))
                for position, row in enumerate_variants(campaign, others.get(campaign.pk, []))
            ),
            campaign.opt_out_line,
            kinds.get(campaign.unit_id, {}),
        )
        for campaign in campaigns
    }


def enumerate_variants(
    campaign: Campaign, others: Iterable[CampaignVariant]
) -> Iterator[tuple[int, Campaign | CampaignVariant]]:
    """Position and row of each text: 0 is the campaign's own."""
    yield 0, campaign
    for variant in others:
        yield variant.position, variant


def render(
    campaign: Campaign | Texts,
    contact: _Addressed,
    recipient_id: UUID,
    *,
    variant: int | None = None,
    names_for_missing: bool = False,
) -> Rendered:
    """What `contact` gets: always the same for the same recipient and texts. Raises nothing.

    `variant`: that one (for a sample) instead of the recipient's own. `names_for_missing`: a variable without a value
    shows its name in brackets instead (for a test).
    """
    texts = campaign if isinstance(campaign, Texts) else Texts.of(campaign)
    chosen = next((one for one in texts.variants if one.position == variant), None) or pick(
        texts.variants, recipient_id
    )
    if chosen.parsed.problems:
        return Rendered(chosen.position, "", chosen.attachment, "broken_text")
    writer = _Writer(contact, recipient_id, chosen.position, texts.kinds)
    text = _with_line(writer.write(chosen.parsed.nodes).strip(), texts.opt_out_line)
    problem = ""
    if writer.missed and not names_for_missing:
        problem = "missing_value"
    elif len(text) > (MAX_CAPTION if chosen.attachment else MAX_TEXT):
        problem = "too_long"
    elif not text and chosen.attachment is None:
        problem = "empty"
    return Rendered(chosen.position, text, chosen.attachment, problem)


def pick(variants: Sequence[Variant], recipient_id: UUID) -> Variant:
    """The recipient's own: by weight, and the same each time."""
    ticket = _number(recipient_id, "variant", sum(one.weight for one in variants))
    for one in variants:
        ticket -= one.weight
        if ticket < 0:
            return one
    raise AssertionError("no text")


def _number(recipient_id: UUID, purpose: str, count: int) -> int:
    """From 0 up to `count`, even over recipients and for each purpose another."""
    return int.from_bytes(blake2b(recipient_id.bytes + purpose.encode(), digest_size=8).digest()) % count


def content_of(rendered: Rendered) -> Text | Media:
    """What was rendered, as everything that is sent is queued."""
    if rendered.attachment is None:
        return Text(rendered.text)
    return Media(attachment=rendered.attachment, caption=rendered.text)


@dataclass(slots=True)
class _Writer:
    contact: _Addressed
    recipient_id: UUID
    variant: int
    kinds: Mapping[str, str]
    missed: list[str] = field(default_factory=list)

    def write(self, nodes: Iterable[Node]) -> str:
        return "".join(self._one(node) for node in nodes)

    def _one(self, node: Node) -> str:
        if isinstance(node, str):
            return node
        if isinstance(node, Choice):
            place = _number(self.recipient_id, f"choice {self.variant} {node.number}", len(node.options))
            return self.write(node.options[place])
        value = value_of(self.contact, node.key, self.kinds) or node.fallback
        if value is None:
            self.missed.append(node.name)
            return f"[{node.name}]"
        return value


def value_of(contact: _Addressed, key: str, kinds: Mapping[str, str]) -> str:
    """What `contact` has of a variable, as people write it in the language of the installation; empty for nothing."""
    name = contact.name.strip()
    match key:
        case "name":
            return name
        case "first_name":
            return first_name(name)
        case "phone":
            return shown(contact.phone_number) if contact.phone_number else ""
    value = contact.attributes.get(key) if isinstance(contact.attributes, Mapping) else None
    if value is None or isinstance(value, list | dict):
        return ""
    with translation.override(settings.LANGUAGE_CODE):
        if isinstance(value, bool):
            return str(_("Yes")) if value else str(_("No"))
        if isinstance(value, int | float):
            return formats.number_format(value)
        text = str(value).strip()
        if kinds.get(key) == AttributeKind.DATE:
            try:
                return formats.date_format(date.fromisoformat(text), "SHORT_DATE_FORMAT")
            except ValueError:
                return text
        return text


# Before the start


def missing(
    campaign: Campaign, people: QuerySet[Contact] | None = None, *, texts: Texts | None = None
) -> dict[str, int]:
    """Variable, as it is written → how many of those who would get it have no value for it, where it has no fallback.

    Only variables of which somebody lacks a value. With variants or choices: how many would lack it if they got that
    text. Whoever lacks one is skipped. `people`: `audience.people(campaign)` when it is at hand; `texts` as well.
    """
    wanted: dict[str, str] = {}
    for variant in (texts or Texts.of(campaign)).variants:
        for variable in variant.parsed.variables():
            if variable.fallback is None:
                wanted.setdefault(variable.key, variable.name)
    if not wanted:
        return {}
    rows, lacks = _lacking(audience.people(campaign) if people is None else people, wanted)
    counts = {f"lack_{place}": Count("pk", filter=lacks[key]) for place, key in enumerate(wanted)}
    found = rows.order_by().aggregate(**counts)
    return {name: found[f"lack_{place}"] for place, name in enumerate(wanted.values()) if found[f"lack_{place}"]}


def without_text(people: QuerySet[Contact], texts: Texts) -> int:
    """How many of `people` get nothing for certain: each text names something that they have no value for.

    Whoever lacks it only in some texts, or in some choice of words, may get another: that is drawn at the start.
    """
    needs = [
        {node.key for node in variant.parsed.nodes if isinstance(node, Variable) and node.fallback is None}
        for variant in texts.variants
    ]
    if not all(needs):
        return 0
    rows, lacks = _lacking(people, set().union(*needs))
    for keys in needs:
        rows = rows.filter(reduce(or_, (lacks[key] for key in keys)))
    return rows.count()


def tally(campaign: Campaign) -> audience.Tally:
    """`audience.count` less those for whom there is no text: who gets `campaign` if it starts now."""
    counted, texts = audience.count(campaign), Texts.of(campaign)
    return less(counted, without_text(audience.people(campaign), texts))


def less(counted: audience.Tally, number: int) -> audience.Tally:
    """So many people fewer, who have no value for a variable."""
    if not number:
        return counted
    reasons = counted.excluded | {"missing_value": counted.excluded.get("missing_value", 0) + number}
    greatest_first = dict(sorted(reasons.items(), key=lambda one: -one[1]))
    return replace(counted, people=counted.people - number, excluded=greatest_first)


def _lacking(people: QuerySet[Contact], keys: Iterable[str]) -> tuple[QuerySet[Contact], dict[str, Any]]:
    """For each variable what is true of whoever has no value for it, and the rows of which that can be asked."""
    rows = people.alias(bare_name=Trim(F("name")))
    lacks: dict[str, Any] = {}
    for place, key in enumerate(keys):
        if key in ("name", "first_name"):
            lacks[key] = Q(bare_name="")
        elif key == "phone":
            phones = ContactAddress.objects.filter(contact=OuterRef("pk"), kind=AddressKind.PHONE)
            lacks[key] = ~Exists(phones)
        else:
            value = Coalesce(Trim(KeyTextTransform(key, "attributes")), Value("", TextField()))
            rows = rows.alias(**{f"value_{place}": value})
            lacks[key] = Q(**{f"value_{place}": ""})
    return rows, lacks
