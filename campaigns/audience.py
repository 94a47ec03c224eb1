"""Who gets a campaign: what a person chose, and who of those is left out for which reason. All of it in the database.

`Campaign.audience` is JSON; each member may be missing, a person given by several is one:

    {"everyone": true}                      all contacts of the unit
    {"tags": [id], "segments": [id]}        whoever has one of the tags, or is in one of the segments when it starts
    {"import": id}                          whom a CSV file brought: everybody with all the tags that it gave
    {"contacts": [id]}                      these
    {"exclude_tags": [id],                  but nobody who has one of these tags,
     "exclude_contacted_within_days": 7}    or to whom another campaign wrote in the last so many days

Whoever is left out becomes a recipient too, skipped, with the reason: so everybody is counted and listed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection as database
from django.db.models import QuerySet, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from campaigns.models import Campaign
from campaigns.refusals import NotPossible
from campaigns.remembering import remembered
from messaging.contacts import segments
from messaging.imports.services import told_apart
from messaging.models import Contact, ContactImport, ContactMerge, ImportStatus, Segment, Tag
from units.models import Unit

# More come as an import or get a tag: the list is read with every slice.
MOST_LISTED = 10_000
MOST_CHOSEN = 50
MOST_DAYS = 3650
# So many times as long as a count took it is good enough for a page that is looked at again.
LOOKED_AT_AGAIN = 100
# Of so many somebody is shown as an example.
FIRST_GIVEN = 2000

# Why somebody gets nothing, as `CampaignRecipient.error_message` says it; in the order in which the first one counts.
REASONS = {
    "group": pgettext_lazy("left out", "Group"),
    "blocked": pgettext_lazy("left out", "Blocked"),
    "opted_out": pgettext_lazy("left out", "Opted out"),
    "no_address": pgettext_lazy("left out", "No number"),
    "invalid_number": pgettext_lazy("left out", "Not a valid number"),
    "not_on_whatsapp": pgettext_lazy("left out", "Not on WhatsApp"),
    "excluded_tag": pgettext_lazy("left out", "Has a tag that was excluded"),
    "contacted_lately": pgettext_lazy("left out", "Got another campaign lately"),
    "duplicate": pgettext_lazy("left out", "Same person, given twice"),
    "unsettled": pgettext_lazy("left out", "Nobody knows whether an earlier message arrived"),
    "missing_value": pgettext_lazy("left out", "Has no value for a variable"),
    "too_long": pgettext_lazy("left out", "Text too long for WhatsApp"),
    "empty": pgettext_lazy("left out", "Text empty"),
    "broken_text": pgettext_lazy("left out", "Text with an error"),
    "campaign_ended": pgettext_lazy("left out", "The campaign had ended"),
}
SOURCES = ("everyone", "tags", "segments", "import", "contacts")
_KNOWN = (*SOURCES, "exclude_tags", "exclude_contacted_within_days")

type _SQL = tuple[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Tally:
    """Of an audience, in people. `total`: everybody given, each once. `people`: who of them gets it.

    `excluded`: reason (a key of REASONS) → number, of those who do not: together `total - people`; the greatest first.
    `duplicates`: how many times somebody was given once more.
    """

    total: int = 0
    people: int = 0
    excluded: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0


# What a person chooses


def validate(unit: Unit, spec: Any) -> dict[str, Any]:
    """`spec` as it is kept, for `Campaign.audience`. Raises NotPossible (field "audience") for what makes no sense.

    What is not of `unit` is unknown, as if it were not there (I7).
    """
    if not isinstance(spec, Mapping):
        raise _refusal(_('An audience is an object, like {"tags": […]}.'))
    if unknown := [name for name in spec if name not in _KNOWN]:
        raise _refusal(_("An audience has no “%(name)s”.") % {"name": unknown[0]})
    kept: dict[str, Any] = {}
    if _flag(spec, "everyone"):
        kept["everyone"] = True
    for name, model in (("tags", Tag), ("segments", Segment), ("exclude_tags", Tag)):
        if ids := _ids(spec, name, MOST_CHOSEN):
            kept[name] = _of_unit(model, unit, ids, name)
    if contacts := _ids(spec, "contacts", MOST_LISTED):
        # A contact that has been merged into another since counts as that other one.
        kept["contacts"] = contacts
        known = set(Contact.objects.filter(unit=unit, pk__in=contacts).values_list("pk", flat=True))
        merged = ContactMerge.objects.filter(unit=unit, absorbed_id__in=contacts, undone_at=None)
        _all_known(contacts, known.union(merged.values_list("absorbed_id", flat=True)), "contacts")
    if (file := spec.get("import")) not in (None, ""):
        kept["import"] = _import_of(unit, file)
    days = spec.get("exclude_contacted_within_days")
    if days not in (None, 0):
        if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= MOST_DAYS:
            raise _refusal(
                _("The days without another campaign are a whole number, up to %(most)d.") % {"most": MOST_DAYS}
            )
        kept["exclude_contacted_within_days"] = days
    return kept


def is_empty(spec: Mapping[str, Any]) -> bool:
    """Whether `spec` gives nobody: only those who were added one by one get the campaign."""
    return not any(spec.get(source) for source in SOURCES)


def _refusal(message: Any) -> NotPossible:
    return NotPossible(message, "audience")


def _flag(spec: Mapping[str, Any], name: str) -> bool:
    value = spec.get(name, False)
    if not isinstance(value, bool):
        raise _refusal(_("“%(name)s” is true or false.") % {"name": name})
    return value


def _ids(spec: Mapping[str, Any], name: str, most: int) -> list[str]:
    """Each once, in order, in one spelling."""
    values = spec.get(name) or []
    if not isinstance(values, list | tuple | set):
        raise _refusal(_("“%(name)s” is a list of ids.") % {"name": name})
    if len(values) > most:
        raise _refusal(_("“%(name)s” takes %(most)d at most.") % {"name": name, "most": most})
    return list(dict.fromkeys(str(_uuid(value, name)) for value in values))


def _uuid(value: Any, name: str) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        raise _unknown(value, name) from None


def _unknown(value: Any, name: str) -> NotPossible:
    return _refusal(_("There is no %(id)s for “%(name)s” in this unit.") % {"id": str(value)[:60], "name": name})


def _of_unit(model: type[Tag | Segment], unit: Unit, ids: list[str], name: str) -> list[str]:
    rows: Any = model._default_manager.filter(unit=unit, pk__in=ids)
    return _all_known(ids, set(rows.values_list("pk", flat=True)), name)


def _all_known(ids: list[str], known: set[UUID], name: str) -> list[str]:
    for one in ids:
        if UUID(one) not in known:
            raise _unknown(one, name)
    return ids


def _import_of(unit: Unit, value: Any) -> str:
    found = ContactImport.objects.filter(unit=unit, pk=_uuid(value, "import")).first()
    if found is None:
        raise _unknown(value, "import")
    if not told_apart(unit).filter(pk=found.pk).exists():
        raise _refusal(_("This import gave its contacts no tag, so nobody can tell who came with it."))
    return str(found.pk)


# Who that is


def people(campaign: Campaign) -> QuerySet[Contact]:
    """Those who would get `campaign` now: of its audience and its recipients, without whoever is left out."""
    given, parameters = _given(campaign)
    judged, more = _judged(campaign, given, parameters)
    chosen = RawSQL(f"SELECT id FROM ({judged}) AS judged WHERE reason IS NULL", more)  # noqa: S608, S611 (all of it is ours)
    return Contact.objects.filter(unit_id=campaign.unit_id, pk__in=chosen)


def count(campaign: Campaign) -> Tally:
    """How many get `campaign` if it starts now, and why the others do not; nothing is written."""
    given, parameters = _given(campaign)
    judged, more = _judged(campaign, given, parameters)
    with database.cursor() as cursor:
        cursor.execute(f"SELECT reason, count(*) FROM ({judged}) AS judged GROUP BY 1 ORDER BY 2 DESC, 1", more)  # noqa: S608
        counts = dict(cursor.fetchall())
        branches = [f"SELECT count(*) FROM ({sql}) AS branch" for sql, _parameters in _branches(campaign)]  # noqa: S608
        times = 0
        if len(branches) > 1:
            everything = [value for _sql, values in _branches(campaign) for value in values]
            cursor.execute(f"SELECT sum(count) FROM ({' UNION ALL '.join(branches)}) AS times", everything)  # noqa: S608
            times = int(cursor.fetchone()[0])
    total = sum(counts.values())
    excluded = {reason: number for reason, number in counts.items() if reason}
    return Tally(total, counts.get(None, 0), excluded, max(times - total, 0))


def recent_count(campaign: Campaign) -> Tally:
    """`count`, but for pages that ask again and again: what took long to count is remembered for a while.

    For LOOKED_AT_AGAIN times as long as it took: few people are counted anew each time, a million every few minutes.
    """
    spec = json.dumps(campaign.audience, sort_keys=True)
    whose = "" if campaign._state.adding else campaign.pk
    key = f"audience:{campaign.unit_id}:{whose}:{hashlib.sha256(spec.encode()).hexdigest()}"
    return remembered(key, lambda: count(campaign), times=LOOKED_AT_AGAIN)


def first_people(campaign: Campaign, number: int) -> list[Contact]:
    """So many of those who would get `campaign`, the first by their ids, with their addresses: a sample.

    Only the first FIRST_GIVEN are looked at, so that a sample of a million takes no longer than one of ten.
    """
    branches, parameters = [], []
    for sql, values in _branches(campaign):
        branches.append(f"(SELECT id FROM ({sql}) AS branch ORDER BY id LIMIT %s)")  # noqa: S608
        parameters += [*values, FIRST_GIVEN]
    given = f"SELECT id FROM ({' UNION '.join(branches)}) AS given ORDER BY id LIMIT %s"  # noqa: S608
    judged, more = _judged(campaign, given, [*parameters, FIRST_GIVEN], few=True)
    with database.cursor() as cursor:
        first = f"SELECT id FROM ({judged}) AS judged WHERE reason IS NULL ORDER BY id LIMIT %s"  # noqa: S608
        cursor.execute(first, [*more, number])
        ids = [row[0] for row in cursor.fetchall()]
    return list(Contact.objects.filter(pk__in=ids).order_by("pk").prefetch_related("addresses"))


def still_to_come(campaign: Campaign) -> int:
    """Of a campaign that has begun: how many of its audience get it who are no recipients yet."""
    if campaign.audience_done_at is not None or is_empty(campaign.audience):
        return 0
    return people(campaign).exclude(pk__in=campaign.recipients.values("contact")).count()


def listed(campaign: Campaign) -> list[str]:
    """Ids of those who were chosen one by one and are still here; a merged contact counts as the one it became."""
    with database.cursor() as cursor:
        cursor.execute(*_listed(campaign.unit_id, campaign.audience.get("contacts", [])))
        return [str(pk) for (pk,) in cursor.fetchall()]


def has_anybody(campaign: Campaign) -> bool:
    """Whether the audience or the recipients hold anybody at all, who may yet be left out."""
    branches = _branches(campaign)
    some = " OR ".join(f"EXISTS ({sql})" for sql, _parameters in branches)
    with database.cursor() as cursor:
        cursor.execute(f"SELECT {some}", [value for _sql, values in branches for value in values])
        return bool(cursor.fetchone()[0])


def is_importing(campaign: Campaign) -> bool:
    """Whether the import that brings its people is still running: nobody knows yet who they are."""
    imports = ContactImport.objects.filter(unit_id=campaign.unit_id, pk=campaign.audience.get("import"))
    return imports.filter(status__in=[ImportStatus.WAITING, ImportStatus.RUNNING]).exists()


def slice_of(campaign: Campaign, size: int) -> _SQL:
    """The statement that makes the next `size` of the audience recipients, in the order of the contacts' ids.

    It returns one row: the id it came to (null: nobody is left), how many it looked at, and how many are new.
    """
    after = campaign.audience_cursor or UUID(int=0)
    branches, parameters = [], []
    for sql, values in _branches(campaign, with_recipients=False):
        branches.append(f"(SELECT id FROM ({sql}) AS branch WHERE id > %s ORDER BY id LIMIT %s)")  # noqa: S608
        parameters += [*values, after, size]
    given = f"SELECT id FROM ({' UNION '.join(branches)}) AS given ORDER BY id LIMIT %s"  # noqa: S608
    judged, more = _judged(campaign, "SELECT id FROM given", [], few=True)
    return (
        f"WITH given AS MATERIALIZED ({given}), inserted AS ("  # noqa: S608
        "INSERT INTO campaign_recipients (unit_id, campaign_id, contact_id, status, error_message)"
        " SELECT %s, %s, judged.id, CASE WHEN reason IS NULL THEN 'pending' ELSE 'skipped' END, reason"
        f" FROM ({judged}) AS judged ON CONFLICT (campaign_id, contact_id) DO NOTHING RETURNING 1)"
        " SELECT (SELECT id FROM given ORDER BY id DESC LIMIT 1), (SELECT count(*) FROM given),"
        " (SELECT count(*) FROM inserted)",
        [*parameters, size, campaign.unit_id, campaign.pk, *more],
    )


def _given(campaign: Campaign) -> _SQL:
    # Everyone are all whom recipients and lists may add; but for groups, of which a list may have some.
    is_all = campaign.audience.get("everyone") and not campaign.audience.get("contacts")
    branches = _branches(campaign)[: 1 if is_all else None]
    return " UNION ".join(sql for sql, _parameters in branches), [
        value for _sql, values in branches for value in values
    ]


def _branches(campaign: Campaign, *, with_recipients: bool = True) -> list[_SQL]:
    """A statement with a column `id`, a contact's, for each of what was chosen; to be read in the order of ids."""
    spec, unit_id = campaign.audience, campaign.unit_id
    branches: list[_SQL] = []
    if spec.get("everyone"):
        branches.append(("SELECT id FROM contacts WHERE unit_id = %s AND NOT is_group", [unit_id]))
    else:
        for tag in spec.get("tags", []):
            branches.append((_WITH_TAG, [unit_id, tag]))
        if brought := tags_of_import(unit_id, spec.get("import")):
            first, *others = brought
            branches.append((_WITH_TAG + _AND_TAG * len(others), [unit_id, first, *others]))
        for segment in Segment.objects.filter(unit_id=unit_id, pk__in=spec.get("segments", [])).select_related("unit"):
            rows = _people_of(segment).order_by()
            sql, parameters = rows.values("id").query.sql_with_params()
            branches.append((f"SELECT id FROM ({sql}) AS segment", list(parameters)))  # noqa: S608
    if listed := spec.get("contacts"):
        branches.append(_listed(unit_id, listed))
    if with_recipients or not branches:
        recipients = "SELECT contact_id AS id FROM campaign_recipients WHERE campaign_id = %s AND status = 'pending'"
        branches.append((recipients, [campaign.pk]))
    return branches


def _people_of(segment: Segment) -> QuerySet[Contact]:
    """Raises InvalidFilter in words for whoever sees the campaign, not the segment."""
    try:
        return segments.queryset(segment.unit, segment.filters)
    except segments.InvalidFilter as error:
        sentence = _(
            "The segment “%(name)s” asks for something that was deleted. Mend it, or choose again who gets it."
        )
        raise segments.InvalidFilter(error.position, error.part, sentence % {"name": segment.name}) from error


_WITH_TAG = "SELECT contact_id AS id FROM contact_tags b WHERE unit_id = %s AND tag_id = %s"
_AND_TAG = " AND EXISTS (SELECT 1 FROM contact_tags o WHERE o.contact_id = b.contact_id AND o.tag_id = %s)"

_LISTED = """
SELECT id FROM contacts WHERE unit_id = %s AND id = ANY(%s::uuid[])
UNION
SELECT kept_id FROM contact_merges WHERE unit_id = %s AND absorbed_id = ANY(%s::uuid[]) AND undone_at IS NULL
"""


def _listed(unit_id: UUID, ids: list[str]) -> _SQL:
    """Those of a list; a merged contact counts as the one it became."""
    return _LISTED, [unit_id, ids, unit_id, ids]


def tags_of_import(unit_id: UUID, import_id: str | None) -> list[UUID]:
    """The tags that an import gave, as far as there are (still) tags of these names."""
    if import_id is None:
        return []
    names = ContactImport.objects.filter(unit_id=unit_id, pk=import_id).values_list("tags", flat=True).first() or []
    tags = Tag.objects.filter(unit_id=unit_id).alias(folded=Lower("name"))
    return list(tags.filter(folded__in=[Lower(Value(name)) for name in names]).values_list("pk", flat=True))


def _judged(campaign: Campaign, given: str, parameters: list[Any], *, few: bool = False) -> _SQL:
    """A statement with `id` and `reason` (null: gets it) for each contact of the statement `given`."""
    spec, reasons = campaign.audience, always(few=few)
    values: list[Any] = [settings.NUMBER_CHECK_AGAIN]
    if tags := spec.get("exclude_tags"):
        reasons += f" WHEN EXISTS ({_TAGGED} {_one_by_one(few)}) THEN 'excluded_tag'"
        values.append(tags)
    if days := spec.get("exclude_contacted_within_days"):
        reasons += f" WHEN EXISTS ({_LATELY}) THEN 'contacted_lately'"
        values += [campaign.pk, days]
    return (
        f"SELECT c.id, CASE {reasons} END AS reason"  # noqa: S608
        f" FROM ({given}) AS given CROSS JOIN LATERAL (SELECT * FROM contacts WHERE id = given.id {_one_by_one(few)}) c"
        " WHERE c.unit_id = %s",
        [*values, *parameters, campaign.unit_id],
    )


def always(*, few: bool) -> str:
    """The reasons that hold for every campaign, of a contact `c`; one parameter: settings.NUMBER_CHECK_AGAIN.

    `few`: asked person by person, by indexes; else PostgreSQL may read all opt-outs at once, and remember them.
    Questions, and no joins with sets that are grouped beforehand: without statistics, as right after an import, such a
    set is made up anew for each person, and a sample takes minutes.
    An address counts when it may be sent to. A phone in a form that no number has never may; one that was not on
    WhatsApp a good while ago is asked about again (`messaging.number_checks.needs_check`).
    """
    return f"""
    WHEN c.is_group THEN 'group'
    WHEN c.blocked_at IS NOT NULL THEN 'blocked'
    WHEN EXISTS (
        SELECT 1 FROM contact_addresses a
        JOIN opt_outs o ON o.unit_id = a.unit_id AND o.kind = a.kind AND o.value = a.value AND o.lifted_at IS NULL
        WHERE a.contact_id = c.id {_one_by_one(few)}) THEN 'opted_out'
    WHEN NOT EXISTS ({_ADDRESS} AND {_IS_VALID} AND (a.not_on_whatsapp_at IS NULL OR a.kind = 'phone'
            AND greatest(a.not_on_whatsapp_at, a.checked_at) < crm_now() - %s) {_one_by_one(few)}) THEN CASE
        WHEN NOT EXISTS ({_ADDRESS}) THEN 'no_address'
        WHEN NOT EXISTS ({_ADDRESS} AND {_IS_VALID}) THEN 'invalid_number'
        ELSE 'not_on_whatsapp' END
    """  # noqa: S608


def _one_by_one(few: bool) -> str:
    """Behind a question about one contact: it is not to be answered for all of them first."""
    return "OFFSET 0" if few else ""


_ADDRESS = "SELECT 1 FROM contact_addresses a WHERE a.contact_id = c.id"
_IS_VALID = r"(a.kind <> 'phone' OR a.value ~ '^\+[1-9][0-9]{6,14}$')"
_TAGGED = "SELECT 1 FROM contact_tags t WHERE t.contact_id = c.id AND t.tag_id = ANY(%s::uuid[])"
# As far as it is over: who has just been chosen by another campaign is left out when it is his turn (`picking`).
_LATELY = """
    SELECT 1 FROM campaign_recipients l WHERE l.contact_id = c.id AND l.campaign_id IS DISTINCT FROM %s
      AND l.sent_at > (SELECT crm_now() - make_interval(days => %s))
"""
