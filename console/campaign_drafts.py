"""A campaign while it is written: how it reads for one of its people, what is wrong with it, and how many get it."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4, uuid5

from campaigns import audience, content
from campaigns.audience import Tally
from campaigns.content import Rendered, Texts, Variant
from campaigns.language import Problem, parse
from campaigns.models import Campaign, CampaignStatus, CampaignVariant
from campaigns.rehearsal import Timing, timing
from console.campaign_forms import MAX_PASTED, CampaignForm, chosen_audience
from messaging import people
from messaging.contacts.segments import InvalidFilter
from messaging.events import Chat, ChatAddress
from messaging.models import AttributeDefinition, Contact
from messaging.phones import InvalidPhone, parse_phone, split_phones
from units.models import Unit, WhatsAppConnection

# One steps through so many people; more would be read for each step.
MOST_STEPS = 200
# Of more people than this the rehearsal counts who lacks a value: it takes too long while somebody writes.
MOST_LOOKED_INTO = 20_000


@dataclass(frozen=True, slots=True)
class Written:
    """One of the texts. `key`: the id of its field on the page."""

    key: str
    content: str
    problems: list[Problem]
    label: str = ""

    @property
    def places(self) -> list[tuple[Problem, int]]:
        """Each problem, with how many characters are wrong from its place on: to be marked."""
        return [(problem, _length(self.content, problem)) for problem in self.problems]


@dataclass(frozen=True, slots=True)
class Pasted:
    """Of a list of numbers: who is a contact already, how many are new, and what is no number."""

    known: list[str] = field(default_factory=list)
    new: int = 0
    refused: list[str] = field(default_factory=list)
    too_many: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What the preview is to show: which person (counted from 0), which text, and which draw of the choices."""

    place: int = 0
    text: int | None = None
    draw: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """`missing`: variable → people without a value; None when they are too many to be looked into."""

    texts: list[Written]
    asked: Asked
    person: Contact | None
    shown: Rendered | None
    variations: int
    tally: Tally
    missing: dict[str, int] | None
    pasted: Pasted
    timing: Timing | None
    problem: str = ""

    @property
    def text(self) -> str:
        """What the person gets; empty while a text has a mistake, or nobody is there."""
        return self.shown.text if self.shown else ""

    @property
    def is_wrong(self) -> bool:
        """Whether a text has a mistake."""
        return any(text.problems for text in self.texts)

    @property
    def trouble(self) -> str:
        """Why this person gets nothing."""
        return str(audience.REASONS[self.shown.problem]) if self.shown and self.shown.problem else ""

    @property
    def number(self) -> int:
        """Which person it is, from 1."""
        return self.asked.place + 1

    @property
    def before(self) -> int | None:
        """The person before."""
        return self.asked.place - 1 if self.asked.place else None

    @property
    def after(self) -> int | None:
        """The person after."""
        following = self.asked.place + 1
        return following if following < min(self.tally.people, MOST_STEPS) else None


def draft(form: CampaignForm, asked: Asked, *, has_file: bool) -> Draft:
    """The draft of a form that was sent, as it would be kept; nothing is. `form.full_clean()` has been called."""
    unit, campaign = form.unit, form.campaign
    line = form.data.get("opt_out_line", "").strip()
    texts = _texts(form, line, has_file=has_file)
    made = _campaign(unit, campaign, line)
    made.content = texts[0].content
    pasted = _pasted(unit, form.data.get("phones", "")) if form.data.get("to") == "pasted" else Pasted()
    made.audience = _audience(form, campaign, pasted)
    # Whoever was added one by one counts no more once others are chosen.
    whose = made if form.keeps_added or made.started_at else _campaign(unit, None, line)
    whose.content, whose.audience = made.content, made.audience
    is_right = not any(text.problems for text in texts)
    drawn = _drawn(unit, texts, line)
    try:
        tally = _with_new(audience.recent_count(whose), pasted.new)
        place = min(asked.place, max(min(tally.people, MOST_STEPS) - 1, 0))
        found = audience.first_people(whose, place + 1) if tally.people else []
        missing = _missing(whose, drawn, tally) if is_right else {}
    except InvalidFilter as error:
        return Draft(texts, asked, None, None, 1, Tally(), {}, pasted, None, str(error.message))
    person = found[min(place, len(found) - 1)] if found else Contact.objects.people().filter(unit=unit).first()
    shown = None
    if person and texts[0].content.strip() and is_right:
        key = uuid5(person.pk, str(asked.draw)) if asked.draw else person.pk
        shown = content.render(drawn, person, key, variant=asked.text)
    waits = form.data.get("when") == "later"
    made.scheduled_at = form.cleaned_data.get("scheduled_at") if waits else None
    can_tell = tally.people and not made.started_at and (made.scheduled_at or not waits)
    has_number = can_tell and WhatsAppConnection.objects.filter(unit=unit).exists()
    return Draft(
        texts,
        Asked(place, shown.variant if shown else asked.text, asked.draw),
        person,
        shown,
        content.variations(drawn.variants[shown.variant if shown else 0].parsed.nodes),
        tally,
        missing,
        pasted,
        timing(made, tally.people, may_be_old=True) if has_number else None,
    )


@dataclass(frozen=True, slots=True)
class Reason:
    """Why so many are left out. `start`: where its part of the bar of everybody begins, the last reason first."""

    label: str
    people: int
    start: int


def left_out(tally: Tally) -> list[Reason]:
    """From everybody who was chosen down to those who get it."""
    rest, found = tally.total, []
    for code, number in tally.excluded.items():
        rest -= number
        found.append(Reason(str(audience.REASONS[code]), number, rest))
    return found


def _campaign(unit: Unit, campaign: Campaign | None, line: str) -> Campaign:
    if campaign is None:
        return Campaign(id=uuid4(), unit=unit, name="", opt_out_line=line, status=CampaignStatus.DRAFT, content="")
    made = copy(campaign)
    made.opt_out_line = line
    return made


def _texts(form: CampaignForm, line: str, *, has_file: bool) -> list[Written]:
    given = [("id_content", form.data.get("content", "").strip(), has_file)]
    for text in form.texts:
        words = str(text["content"].value() or "").strip()
        if words and not text["DELETE"].value():
            of_its_own = bool(text["attachment"].value() and not text["no_file"].value())
            given.append((text["content"].id_for_label, words, of_its_own or (text["same_file"].value() and has_file)))
    return [
        Written(
            key,
            words,
            content.check(form.unit, words, caption=caption, opt_out_line=line) if words else [],
            str(CampaignVariant(position=place)),
        )
        for place, (key, words, caption) in enumerate(given)
    ]


def _drawn(unit: Unit, texts: list[Written], line: str) -> Texts:
    kinds = dict(AttributeDefinition.objects.filter(unit=unit).values_list("key", "kind"))
    variants = tuple(Variant(place, 1, parse(text.content), None) for place, text in enumerate(texts))
    return Texts(variants, line, kinds)


def _audience(form: CampaignForm, campaign: Campaign | None, pasted: Pasted) -> dict[str, Any]:
    data: Mapping[str, Any] = form.cleaned_data
    spec = chosen_audience(data)
    if data.get("to") == "pasted":
        spec["contacts"] = pasted.known
    if data.get("to") == "kept" and campaign:
        spec |= {name: campaign.audience[name] for name in audience.SOURCES if name in campaign.audience}
    return spec


def _pasted(unit: Unit, typed: str) -> Pasted:
    """As far as a list may be long."""
    numbers: dict[str, None] = {}
    refused = []
    parts = split_phones(typed)
    for part in parts[:MAX_PASTED]:
        try:
            numbers[parse_phone(part)] = None
        except InvalidPhone:
            refused.append(part)
    chats = [ChatAddress(jid="", kind=Chat.INDIVIDUAL, phone=number) for number in numbers]
    known = [contact for contact in people.known_contacts_of(unit, chats) if contact]
    ids = list(dict.fromkeys(str(contact.pk) for contact in known))
    return Pasted(ids, len(numbers) - len(known), refused, len(parts) > MAX_PASTED)


def _with_new(tally: Tally, new: int) -> Tally:
    return Tally(tally.total + new, tally.people + new, tally.excluded, tally.duplicates) if new else tally


def _missing(campaign: Campaign, texts: Texts, tally: Tally) -> dict[str, int] | None:
    wanted = any(one.fallback is None for text in texts.variants for one in text.parsed.variables())
    if not wanted or not tally.people:
        return {}
    return content.missing(campaign, texts=texts) if tally.people <= MOST_LOOKED_INTO else None


def _length(text: str, problem: Problem) -> int:
    """Of what is wrong at its place: a variable to its end, anything else to the end of the word."""
    if problem.code in ("too_long", "empty"):
        return 0
    rest = text[problem.at :]
    if problem.code == "unknown_variable":
        return rest.index("}}") + 2
    return len(rest.split(maxsplit=1)[0]) if rest.strip() and not rest[0].isspace() else 1
