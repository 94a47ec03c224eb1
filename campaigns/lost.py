"""What an audience names and somebody has deleted since. It must not drop out silently: least of all an exclusion."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from django.db import connection as database
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign
from campaigns.refusals import NotPossible
from messaging.models import ContactImport, Segment, Tag

NO_EXCLUSION = _("A tag whose people this campaign leaves out has been deleted. Choose again who gets it.")
NO_SOURCE = _("A tag, segment or file to whose people this campaign goes has been deleted. Choose again who gets it.")


def require_whole(campaign: Campaign) -> None:
    """Raises NotPossible (field "audience") when something that the audience of `campaign` still needs is gone.

    Asked after people were read: what is here now was here then, since a deleted id never comes back.
    """
    found = gone(campaign.unit_id, campaign.audience)
    if "exclude_tags" in found:
        raise NotPossible(NO_EXCLUSION, "audience")
    # Where people came from does not matter once all of them are recipients.
    if found and campaign.audience_done_at is None:
        raise NotPossible(NO_SOURCE, "audience")


def gone(unit_id: UUID, spec: Mapping[str, Any]) -> dict[str, set[str]]:
    """Ids by member of `spec`. Not its single contacts: who is deleted is meant to be gone."""
    found = {}
    for name, rows in (
        ("tags", Tag.objects),
        ("segments", Segment.objects),
        ("exclude_tags", Tag.objects),
        ("import", ContactImport.objects),
    ):
        ids = [spec[name]] if isinstance(spec.get(name), str) else spec.get(name, [])
        if ids:
            here = {str(pk) for pk in rows.filter(unit_id=unit_id, pk__in=ids).values_list("pk", flat=True)}
            if lost := set(ids) - here:
                found[name] = lost
    if spec.get("import") and "import" not in found and _has_lost_a_tag(unit_id, spec["import"]):
        found["import"] = {spec["import"]}
    return found


def _has_lost_a_tag(unit_id: UUID, import_id: str) -> bool:
    """Whether nobody can tell any more who came with an import. One under way has yet to make its tags."""
    with database.cursor() as cursor:
        cursor.execute(_LOST_A_TAG, [unit_id, import_id])
        return bool(cursor.fetchone()[0])


_LOST_A_TAG = """
SELECT EXISTS (
    SELECT 1 FROM contact_imports i CROSS JOIN jsonb_array_elements_text(i.tags) AS given (name)
    WHERE i.unit_id = %s AND i.id = %s AND i.status = 'done'
      AND NOT EXISTS (SELECT 1 FROM tags t WHERE t.unit_id = i.unit_id AND lower(t.name) = lower(given.name))
      -- One of which all rows were refused has made none.
      AND i.counts - 'refused' @? '$.* ? (@ > 0)')
"""


def without_exclusions(campaigns: Collection[Campaign]) -> set[UUID]:
    """Those campaigns that leave out a tag which is gone; one statement, and none when they leave out no tag."""
    wanted = {(one.pk, one.unit_id, pk) for one in campaigns for pk in one.audience.get("exclude_tags", [])}
    if not wanted:
        return set()
    rows = Tag.objects.filter(pk__in={pk for *_whose, pk in wanted})
    here = {(unit_id, str(pk)) for unit_id, pk in rows.values_list("unit_id", "pk")}
    return {campaign for campaign, unit_id, pk in wanted if (unit_id, pk) not in here}
