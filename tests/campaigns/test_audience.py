"""Who gets a campaign, and who is left out for which reason."""

import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from campaigns import audience
from campaigns.feeder import feed_campaigns
from campaigns.filling import fill_audiences, fill_slice
from campaigns.models import Campaign, CampaignStatus, RecipientStatus
from campaigns.services import CampaignService, NotPossible
from crm_whatsapp.db import ClockNow
from messaging import merging, people
from messaging.contacts import tags
from messaging.models import Contact, ContactAddress, ContactImport, Message, Segment, Tag
from tests.factories import contact, group, opt_out, tag
from units.models import Unit
from units.services import create_unit

pytestmark = pytest.mark.django_db

C = CampaignStatus
R = RecipientStatus


def to(unit: Unit, **spec: Any) -> Campaign:
    """A campaign to an audience, not started."""
    return CampaignService.create(unit=unit, name="Promo", content="Oi", audience=spec)


def start(made: Campaign, *, size: int = 1000) -> Campaign:
    CampaignService(made).dispatch()
    fill_audiences(size=size)
    made.refresh_from_db()
    return made


def reasons(made: Campaign) -> dict[uuid.UUID, tuple[str, str | None]]:
    rows = made.recipients.values_list("contact_id", "status", "error_message")
    return {pk: (status, error) for pk, status, error in rows}


def test_everyone_is_everyone_of_the_unit_but_no_group(unit: Unit) -> None:  # I7
    ours = {contact(unit).pk for _ in range(3)}
    group(unit)
    contact(create_unit("Outra"))
    made = start(to(unit, everyone=True))
    assert set(reasons(made)) == ours
    assert made.audience_done_at is not None


def test_tags_segments_lists_and_imports_give_each_person_once(unit: Unit) -> None:
    one, two, three, four = (contact(unit, name=name) for name in ("Ana", "Bia", "Caio", "Davi"))
    contact(unit, name="Eva")
    tagged = tag(unit, "VIP", one, two)
    tag(unit, "Planilha", four)
    segment = Segment.objects.create(unit=unit, name="B", filters=[{"field": "name", "op": "contains", "value": "bia"}])
    file = ContactImport.objects.create(
        unit=unit, file_name="x.csv", file="x", size=1, tags=["planilha"], status="done"
    )
    spec = {"tags": [str(tagged.pk)], "segments": [segment.pk], "contacts": [three.pk, one.pk], "import": str(file.pk)}
    made = to(unit, **spec)
    tally = audience.count(made)
    assert (tally.total, tally.people, tally.duplicates) == (4, 4, 2)
    assert set(audience.people(made)) == {one, two, three, four}
    assert set(reasons(start(made))) == {one.pk, two.pk, three.pk, four.pk}


def test_whoever_is_left_out_is_listed_and_counted_with_the_reason(unit: Unit) -> None:  # I9
    fine, out, blocked, absent, nowhere, wrong, tagged, lately = (contact(unit) for _ in range(8))
    opt_out(out)
    Contact.objects.filter(pk=blocked.pk).update(blocked_at=ClockNow())
    absent.addresses.update(not_on_whatsapp_at=ClockNow())
    nowhere.addresses.all().delete()
    wrong.addresses.update(value="+123")
    no = tag(unit, "Não enviar", tagged)
    other = CampaignService.create(unit=unit, name="Ontem", content="Oi", contacts=[lately])
    other.recipients.update(sent_at=ClockNow() - timedelta(days=6))
    chat = group(unit).contact
    made = to(
        unit,
        contacts=[one.pk for one in (fine, out, blocked, absent, nowhere, wrong, tagged, lately, chat)],
        exclude_tags=[no.pk],
        exclude_contacted_within_days=7,
    )
    expected = {
        out.pk: "opted_out",
        blocked.pk: "blocked",
        absent.pk: "not_on_whatsapp",
        nowhere.pk: "no_address",
        wrong.pk: "invalid_number",
        tagged.pk: "excluded_tag",
        lately.pk: "contacted_lately",
        chat.pk: "group",
    }
    tally = audience.count(made)
    assert (tally.total, tally.people) == (9, 1)
    assert tally.excluded == dict.fromkeys(expected.values(), 1)
    assert set(expected.values()) <= set(audience.REASONS)
    assert list(audience.people(made)) == [fine]
    assert reasons(start(made)) == {fine.pk: (R.PENDING, None)} | {
        pk: (R.SKIPPED, reason) for pk, reason in expected.items()
    }


def test_those_added_one_by_one_are_left_out_for_the_same_reasons_when_it_is_their_turn(unit: Unit) -> None:
    lately, fine = contact(unit), contact(unit)
    other = CampaignService.create(unit=unit, name="Ontem", content="Oi", contacts=[lately])
    other.recipients.update(sent_at=ClockNow())
    made = CampaignService.create(
        unit=unit, name="X", content="Oi", contacts=[lately, fine], audience={"exclude_contacted_within_days": 1}
    )
    assert audience.count(made).excluded == {"contacted_lately": 1}
    start(made)
    feed_campaigns()
    assert reasons(made) == {lately.pk: (R.SKIPPED, "contacted_lately"), fine.pk: (R.QUEUED, None)}


def test_a_number_that_was_not_on_whatsapp_long_ago_is_given_another_chance(unit: Unit) -> None:
    contact(unit).addresses.update(not_on_whatsapp_at=ClockNow() - timedelta(days=90), checked_at=None)
    made = start(to(unit, everyone=True))
    feed_campaigns()
    assert [status for status, _error in reasons(made).values()] == [R.PENDING]
    assert ContactAddress.objects.filter(check_due_at__isnull=False).count() == 1


@pytest.mark.parametrize(
    "spec",
    [
        "everyone",
        {"everyone": "yes"},
        {"nobody": True},
        {"tags": "x"},
        {"tags": ["x"]},
        {"tags": [str(uuid.uuid4())]},
        {"segments": [str(uuid.uuid4())]},
        {"contacts": [str(uuid.uuid4())]},
        {"contacts": [str(uuid.uuid4()) for _ in range(10_001)]},
        {"import": str(uuid.uuid4())},
        {"exclude_tags": [str(uuid.uuid4())]},
        {"exclude_contacted_within_days": -1},
        {"exclude_contacted_within_days": True},
    ],
)
def test_an_audience_that_makes_no_sense_is_refused(unit: Unit, spec: Any) -> None:
    with pytest.raises(NotPossible) as refused:
        audience.validate(unit, spec)
    assert refused.value.field == "audience"


def test_what_is_another_units_is_as_if_it_were_not_there(unit: Unit) -> None:  # I7
    other = create_unit("Outra")
    theirs = tag(other, "VIP")
    for spec in ({"tags": [theirs.pk]}, {"contacts": [contact(other).pk]}, {"exclude_tags": [theirs.pk]}):
        with pytest.raises(NotPossible):
            audience.validate(unit, spec)


def test_nobody_is_no_audience(unit: Unit) -> None:
    made = to(unit, tags=[tag(unit, "Vazia").pk])
    with pytest.raises(NotPossible):
        CampaignService(made).dispatch()


def test_a_segment_whose_attribute_is_gone_keeps_the_campaign_from_starting(unit: Unit) -> None:
    contact(unit)
    filters = [{"field": "attribute.cidade", "op": "is", "value": "Recife"}]
    segment = Segment.objects.create(unit=unit, name="R", filters=filters)
    with pytest.raises(NotPossible):
        CampaignService(to(unit, segments=[segment.pk])).dispatch()


def test_it_comes_in_slices_and_sending_begins_meanwhile(unit: Unit) -> None:
    for _ in range(5):
        contact(unit)
    made = to(unit, everyone=True)
    CampaignService(made).dispatch()
    assert fill_slice(made.pk, size=2) == 2
    feed_campaigns()
    assert (made.progress()["total"], Message.objects.count()) == (2, 2)
    Message.objects.update(status="sent")
    made.recipients.update(status=R.SENT)
    feed_campaigns()
    made.refresh_from_db()
    # Nobody is left, but the audience is not through.
    assert made.status == C.PROCESSING
    fill_audiences(size=2)
    assert made.progress()["total"] == 5


def test_pausing_acts_between_slices_and_resuming_goes_on_behind(unit: Unit) -> None:
    for _ in range(5):
        contact(unit)
    made = to(unit, everyone=True)
    CampaignService(made).dispatch()
    fill_slice(made.pk, size=2)
    CampaignService(made).pause()
    assert fill_audiences(size=2) == 0
    CampaignService(made).resume()
    fill_audiences(size=2)
    assert made.progress()["total"] == 5


def test_cancelling_in_the_middle_leaves_nobody_pending(unit: Unit) -> None:
    for _ in range(5):
        contact(unit)
    made = to(unit, everyone=True)
    CampaignService(made).dispatch()
    fill_slice(made.pk, size=2)
    CampaignService(made).cancel()
    fill_audiences(size=2)
    assert (made.progress()["total"], made.progress()["cancelled"]) == (2, 2)


def test_whoever_was_merged_since_he_was_chosen_is_the_one_he_became(unit: Unit) -> None:
    kept, absorbed = contact(unit), contact(unit)
    made = to(unit, contacts=[kept.pk, absorbed.pk])
    merging.merge(kept, absorbed)
    assert audience.validate(unit, made.audience)
    assert set(reasons(start(made))) == {kept.pk}


def test_an_import_that_is_still_running_is_waited_for(unit: Unit) -> None:
    vip, first, second = tag(unit, "VIP", contact(unit)), contact(unit), contact(unit)
    brought = ContactImport.objects.create(unit=unit, file="x.csv", size=1, tags=["vip"], status="running")
    made = start(to(unit, **{"import": str(brought.pk)}))
    feed_campaigns()
    made.refresh_from_db()
    assert (made.status, made.audience_done_at) == (C.PROCESSING, None)
    for one in (first, second):
        vip.contact_tags.create(unit=unit, contact=one)
    ContactImport.objects.update(status="done")
    fill_audiences()
    assert len(reasons(made)) == 3


def test_people_added_while_paused_come_besides(unit: Unit) -> None:
    one, two = contact(unit), contact(unit)
    made = start(to(unit, contacts=[one.pk]))
    service = CampaignService(made)
    service.pause()
    with pytest.raises(NotPossible):
        service.edit(audience={"contacts": [two.pk]})
    service.edit(audience={"contacts": [one.pk, two.pk]})
    service.resume()
    fill_audiences()
    assert set(reasons(made)) == {one.pk, two.pk}


@pytest.mark.django_db(transaction=True)
def test_merges_in_the_middle_of_it_cost_nobody_and_double_nobody(unit: Unit) -> None:  # I2
    pairs = [(contact(unit), contact(unit)) for _ in range(12)]
    made = to(unit, everyone=True)
    CampaignService(made).dispatch()

    def merge() -> None:
        for kept, absorbed in pairs:
            merging.merge(kept, absorbed)
        connections.close_all()

    thread = threading.Thread(target=merge)
    thread.start()
    while fill_slice(made.pk, size=2) is not None:
        pass
    thread.join()
    made.refresh_from_db()
    assert made.audience_done_at is not None
    # Who was merged into one that the slices had passed already is there as that one.
    assert {kept.pk for kept, _absorbed in pairs} == set(reasons(made))


@pytest.mark.django_db(transaction=True)
def test_two_who_fill_at_once_fill_once(unit: Unit) -> None:
    for _ in range(30):
        people.contact_by_phone(unit, f"+551198{uuid.uuid4().int % 10**7:07d}")
    made = to(unit, everyone=True)
    CampaignService(made).dispatch()

    def fill() -> None:
        fill_audiences(size=3)
        connections.close_all()

    threads = [threading.Thread(target=fill) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fill_audiences(size=3)
    assert made.recipients.count() == Contact.objects.count()


def test_a_count_that_took_long_is_remembered_until_the_choice_changes(
    unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience, "LOOKED_AT_AGAIN", 1_000_000)
    contact(unit)
    made = Campaign.objects.create(unit=unit, name="Promo", content="Oi", audience={"everyone": True})
    assert audience.recent_count(made).people == 1
    contact(unit)
    assert audience.recent_count(made).people == 1
    made.audience |= {"exclude_contacted_within_days": 1}
    assert audience.recent_count(made).people == 2


def test_a_sample_leaves_out_whoever_gets_nothing(unit: Unit) -> None:
    opt_out(contact(unit))
    reached = [contact(unit), contact(unit)]
    made = Campaign.objects.create(unit=unit, name="Promo", content="Oi", audience={"everyone": True})
    assert audience.first_people(made, 5) == reached
    assert audience.first_people(made, 1) == reached[:1]


def brought(unit: Unit, *names: str) -> ContactImport:
    return ContactImport.objects.create(
        unit=unit, file="x.csv", size=1, tags=list(names), status="done", counts={"created": 1}
    )


def test_whom_a_file_brought_has_all_tags_that_it_gave(unit: Unit) -> None:
    """One of them may be on many others, as "never asked" is."""
    ours, others = contact(unit), contact(unit)
    tags.replace(ours, ["Feira", "Nunca perguntado"])
    tags.replace(others, ["Nunca perguntado"])
    made = to(unit, **{"import": str(brought(unit, "feira", "Nunca perguntado").pk)})
    assert list(audience.people(made)) == [ours]


def test_a_tag_of_a_file_that_is_gone_is_said(unit: Unit) -> None:
    tags.replace(contact(unit), ["Feira", "Loja"])
    made = to(unit, **{"import": str(brought(unit, "Feira", "Loja").pk)})
    tags.delete_tag(Tag.objects.get(name="Feira"))
    with pytest.raises(NotPossible, match=r"deleted|apagad"):
        CampaignService(made).dispatch()
