"""From what WhatsApp calls somebody to a contact: in batches, in any order, with others at the same work."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from messaging import merging, people
from messaging.events import Chat, ChatAddress
from messaging.models import AddressKind, Contact, ContactAddress, ContactMerge
from messaging.people import Sighting
from units import live
from units.models import Unit
from units.services import create_unit

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def by_phone(digits: str, lid: str | None = None) -> ChatAddress:
    return ChatAddress(jid=f"{digits}@s.whatsapp.net", kind=Chat.INDIVIDUAL, phone=f"+{digits}", lid=lid)


def by_lid(lid: str, phone: str | None = None) -> ChatAddress:
    return ChatAddress(jid=f"{lid}@lid", kind=Chat.LID, phone=f"+{phone}" if phone else None, lid=lid)


def group(local: str) -> ChatAddress:
    return ChatAddress(jid=f"{local}@g.us", kind=Chat.GROUP)


def seen(address: ChatAddress, name: str = "", minute: int | None = None) -> Sighting:
    at = None if minute is None else NOON + timedelta(minutes=minute)
    return Sighting(address=address, name=name, at=at)


def meet(unit: Unit, *sightings: Sighting) -> list[Contact]:
    return people.contacts_of(unit, sightings)


def graph(unit: Unit) -> set[tuple[Any, ...]]:
    """Who has which addresses under which name: all that does not depend on who came first."""
    contacts = Contact.objects.filter(unit=unit).prefetch_related("addresses")
    return {(frozenset((a.kind, a.value) for a in one.addresses.all()), one.name, one.named_at) for one in contacts}


ANA, ANA_OLD = by_phone("5531999991234"), by_phone("553199991234")
ANA_LID = by_lid("111222333")
ANA_BOTH = by_lid("111222333", "553199991234")
BIA = by_phone("5511977776666")


def test_the_same_person_under_a_phone_then_a_lid_then_both_is_one(unit: Unit) -> None:
    first, second, third = meet(unit, seen(ANA_OLD), seen(ANA_LID), seen(ANA_BOTH))
    assert first == second == third
    assert Contact.objects.count() == 1
    assert set(ContactAddress.objects.values_list("kind", "value", "jid")) == {
        (AddressKind.PHONE, "+5531999991234", "553199991234@s.whatsapp.net"),
        (AddressKind.LID, "111222333", "111222333@lid"),
    }


def test_two_known_contacts_that_are_one_are_merged_and_told(unit: Unit) -> None:
    (phone,), (lid,) = meet(unit, seen(ANA)), meet(unit, seen(ANA_LID))
    chats = [people.conversation_with(phone), people.conversation_with(lid)]
    changes: list[live.Change] = []
    assert people.contacts_of(unit, [seen(ANA_BOTH), seen(ANA_LID)], changes) == [phone, phone]
    assert {change.object_id for change in changes} == {phone.pk, lid.pk, *(chat.id for chat in chats)}
    assert ContactMerge.objects.get().absorbed_id == lid.id


def test_without_a_list_for_them_the_changes_are_published(unit: Unit) -> None:
    (phone,) = meet(unit, seen(ANA))
    people.conversation_with(phone)
    people.conversation_with(*meet(unit, seen(ANA_LID)))
    meet(unit, seen(ANA_BOTH))
    assert unit.live_events.filter(kind="conversation").count() == 2


def test_whoever_staff_has_parted_stays_two_and_the_phone_decides(unit: Unit) -> None:
    (phone,), (lid,) = meet(unit, seen(ANA)), meet(unit, seen(ANA_LID))
    meet(unit, seen(ANA_BOTH))
    merging.undo(ContactMerge.objects.get(), None)
    assert meet(unit, seen(ANA_BOTH), seen(ANA_LID), seen(ANA_OLD)) == [phone, lid, phone]


def test_the_parted_stay_two_also_under_what_they_were_merged_into_since(unit: Unit) -> None:
    (phone,), (lid,) = meet(unit, seen(ANA)), meet(unit, seen(ANA_LID))
    meet(unit, seen(ANA_BOTH))
    merging.undo(ContactMerge.objects.get(), None)
    # The person of the LID turns out to be Bia.
    (bia,) = meet(unit, seen(BIA))
    assert meet(unit, seen(by_phone("5511977776666", "111222333"))) == [bia]
    assert meet(unit, seen(ANA_BOTH)) == [phone]
    assert not Contact.objects.filter(pk=lid.pk).exists()


@pytest.mark.parametrize(
    ("sightings", "name"),
    [
        ([seen(ANA, "Ana", 1), seen(ANA, "Ana Maria", 2)], "Ana Maria"),
        ([seen(ANA, "Ana Maria", 2), seen(ANA, "Ana", 1)], "Ana Maria"),
        ([seen(ANA, "Ana", 1), seen(ANA, "Aninha", 1)], "Aninha"),
        ([seen(ANA, "Ana", 1), seen(ANA, "Zé")], "Ana"),
        ([seen(ANA, "Zé"), seen(ANA, "Ana", 1)], "Ana"),
        ([seen(ANA, "Ana", 1), seen(ANA, "", 2)], "Ana"),
        ([seen(ANA, "x" * 300, 1)], "x" * 200),
    ],
)
def test_the_latest_name_stays_whether_it_comes_in_one_batch_or_in_several(
    unit: Unit, sightings: list[Sighting], name: str
) -> None:
    other = create_unit("Outra")
    assert meet(unit, *sightings)[0].name == name
    assert [meet(other, one) for one in sightings][-1][0].name == name
    assert graph(unit) == graph(other)


def test_a_name_that_staff_typed_stays(unit: Unit) -> None:
    people.contact_by_phone(unit, "+5531999991234", "Dona Ana")
    assert meet(unit, seen(ANA, "aninha", 1))[0].name == "Dona Ana"
    assert Contact.objects.get().name == "Dona Ana"


def test_a_group_is_a_contact_under_its_subject(unit: Unit) -> None:
    (contact,) = meet(unit, seen(group("120363000000000001"), "Família", 1))
    assert (contact.is_group, contact.name) == (True, "Família")
    address = people.send_address(contact)
    assert address
    assert (address.kind, address.jid) == (AddressKind.GROUP, "120363000000000001@g.us")


@pytest.mark.parametrize(
    "address",
    [
        ChatAddress(jid="status@broadcast", kind=Chat.BROADCAST),
        ChatAddress(jid="120363@newsletter", kind=Chat.NEWSLETTER),
        ChatAddress(jid="abc@lid", kind=Chat.LID),
        ChatAddress(jid="x" * 60 + "@g.us", kind=Chat.GROUP),
    ],
)
def test_an_address_that_is_nobody_s_is_refused(unit: Unit, address: ChatAddress) -> None:
    assert not people.is_somebody(address)
    with pytest.raises(ValueError, match="neither"):
        meet(unit, seen(BIA), seen(address))
    assert not Contact.objects.exists()


def test_the_jid_that_whatsapp_used_last_is_where_we_send(unit: Unit) -> None:
    (contact,) = meet(unit, seen(ANA, minute=1))
    meet(unit, seen(ANA_OLD, minute=3), seen(ANA, minute=2))
    address = people.send_address(contact)
    assert address
    assert address.jid == ANA_OLD.jid


def test_a_number_that_is_not_on_whatsapp_is_no_place_to_send_to_while_there_is_another(unit: Unit) -> None:
    contact, _again = meet(unit, seen(by_phone("5531999991234", "7")), seen(by_phone("5531999995678", "7")))
    ContactAddress.objects.filter(value="+5531999995678").update(not_on_whatsapp_at=NOON)
    address = people.send_address(contact)
    assert address
    assert address.value == "+5531999991234"


def test_looking_somebody_up_writes_nothing_and_is_one_query(unit: Unit) -> None:
    (ana,) = meet(unit, seen(ANA))
    with CaptureQueriesContext(database) as queries:
        assert people.known_contacts_of(unit, [BIA, ANA_BOTH, ANA_LID]) == [None, ana, None]
    assert len(queries) == 1
    assert ContactAddress.objects.count() == 1


def test_another_unit_s_people_are_others(unit: Unit) -> None:  # I7
    other = create_unit("Outra")
    assert meet(unit, seen(ANA_BOTH)) != meet(other, seen(ANA_BOTH))
    assert meet(unit, seen(ANA))[0].unit_id == unit.id


def crowd(first: int, last: int) -> list[Sighting]:
    """People with a LID, each seen twice, the second time by the LID alone."""
    numbers = range(first, last)
    both = [seen(by_phone(f"55119{n:08d}", f"9{n:08d}"), f"Pessoa {n}", n) for n in numbers]
    return both + [seen(by_lid(f"9{n:08d}"), f"Pessoa {n}", n + 1) for n in numbers]


def test_a_batch_costs_the_same_however_large_it_is(unit: Unit) -> None:
    counts = []
    for known, new in ((2, 1), (40, 30)):
        place = create_unit(f"Loja {known}")
        meet(place, *crowd(0, known))
        with CaptureQueriesContext(database) as queries:
            meet(place, *[seen(s.address, s.name, 9_000) for s in crowd(0, known)], *crowd(known, known + new))
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 8


PHONES = ["553199991234", "5531999991234", "5511977776666", "5521988887777"]
LIDS = ["101", "102", "103"]
ADDRESSES = st.one_of(
    st.sampled_from(PHONES).map(by_phone),
    st.sampled_from(LIDS).map(by_lid),
    st.builds(by_phone, st.sampled_from(PHONES), st.sampled_from(LIDS)),
    st.builds(by_lid, st.sampled_from(LIDS), st.sampled_from(PHONES)),
    st.sampled_from(["120363000000000001", "5511977776666-1600000000"]).map(group),
)
SIGHTINGS = st.builds(seen, ADDRESSES, st.sampled_from(["", "Ana", "Bia", "Caio"]), st.integers(0, 3))


def batches(draw: Callable[..., Any], sightings: list[Sighting]) -> list[list[Sighting]]:
    """The same again in another order, with repetitions, cut into batches."""
    again = draw(st.permutations([*sightings, *draw(st.lists(st.sampled_from(sightings), max_size=4))]))
    size = draw(st.integers(1, len(again)))
    return [again[start : start + size] for start in range(0, len(again), size)]


@hypothesis_settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_order_of_any_mix_gives_the_same_people_and_names(db: None, data: st.DataObject) -> None:  # I2
    sightings = data.draw(st.lists(SIGHTINGS, min_size=1, max_size=10))
    with transaction.atomic():
        one, other = create_unit("Uma"), create_unit("Outra")
        meet(one, *sightings)
        for batch in batches(data.draw, sightings):
            meet(other, *batch)
        assert graph(one) == graph(other)
        transaction.set_rollback(True)


# With real concurrency


def at_once(*jobs: Callable[[], Any]) -> list[Any]:
    """Run `jobs` in threads with connections of their own; results in order, an error as itself."""
    results: list[Any] = [None] * len(jobs)
    start = threading.Barrier(len(jobs))

    def run(place: int, job: Callable[[], Any]) -> None:
        try:
            start.wait(10)
            results[place] = job()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results[place] = error
        finally:
            database.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


@pytest.mark.django_db(transaction=True)
def test_several_who_meet_the_same_new_people_at_once_make_them_once(unit: Unit) -> None:
    people_seen = crowd(0, 30)
    jobs = [lambda order=order: meet(unit, *order) for order in (people_seen, people_seen[::-1], people_seen[7:])]
    for result in at_once(*jobs):
        assert isinstance(result, list), result
    assert Contact.objects.count() == 30
    assert ContactAddress.objects.count() == 60


@pytest.mark.django_db(transaction=True)
def test_somebody_who_is_added_by_hand_at_the_moment_is_waited_for(unit: Unit) -> None:
    added = threading.Event()

    def by_hand() -> Contact:
        with transaction.atomic():
            contact = people.contact_by_phone(unit, "+5531999991234", "Dona Ana")
            added.set()
            # Long enough for the other to come to its insert, which waits for us.
            threading.Event().wait(0.3)
            return contact

    def by_webhook() -> Contact:
        added.wait(10)
        return meet(unit, seen(ANA_BOTH, "aninha", 1))[0]

    typed, found = at_once(by_hand, by_webhook)
    assert typed == found
    assert Contact.objects.get().name == "Dona Ana"
    assert ContactAddress.objects.count() == 2
