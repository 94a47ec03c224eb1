"""Episodes begin and end, and each is told once."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection as database
from django.utils import timezone

from attention import episodes
from attention.models import Episode, Kind
from tests.attention import helpers
from tests.attention.helpers import connect, disconnect, kinds
from units.models import DisconnectCause, LiveEvent, Membership, Role, Unit, User
from units.services import ConnectionService

pytestmark = pytest.mark.django_db

# The discard port: nobody listens.
NO_MAIL = {
    "default": {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {"host": "127.0.0.1", "port": 9},
    }
}


def later(**time: float) -> None:
    """So much later by the product's clock."""
    with database.cursor() as cursor:
        cursor.execute("SET LOCAL crm.clock_offset = %s", [str(timedelta(**time))])


def live(unit: Unit) -> list[tuple[str, bool]]:
    rows = LiveEvent.objects.filter(unit=unit, kind="attention").order_by("seq")
    return [(row.data["kind"], row.data["is_open"]) for row in rows]


def test_an_episode_begins_is_told_and_ends(unit: Unit) -> None:
    disconnect(unit)
    episodes.look()
    episodes.look()
    assert kinds(unit) == ["disconnected"]
    (letter,) = mail.outbox
    assert letter.to == ["ana@example.com"]
    assert letter.subject == "Ótica Aurora: o número está desconectado"
    for words in (
        "(11) 90000-0142",
        "O número foi desconectado no celular",
        "Nada se perdeu",
        f"/app/u/{unit.id}/number",
    ):
        assert words in letter.body
    connect(unit)
    episodes.look()
    assert kinds(unit) == []
    assert live(unit) == [("disconnected", True), ("disconnected", False)]


def test_what_comes_and_goes_is_one_episode_and_one_mail(unit: Unit) -> None:
    for _ in range(3):
        disconnect(unit)
        episodes.look()
        connect(unit)
        episodes.look()
    assert Episode.objects.count() == 1
    assert len(mail.outbox) == 1


def test_after_five_good_minutes_it_is_another_episode(unit: Unit) -> None:
    disconnect(unit)
    episodes.look()
    connect(unit)
    episodes.look()
    later(minutes=6)
    disconnect(unit)
    episodes.look()
    assert Episode.objects.count() == 2
    assert len(mail.outbox) == 2


def test_every_kind_that_cannot_wait_is_told_by_mail(unit: Unit) -> None:
    helpers.everything(unit)
    episodes.look()
    subjects = sorted(letter.subject for letter in mail.outbox)
    assert subjects == [
        "As campanhas de Ótica Aurora pararam",
        "Ótica Aurora: a campanha “Volta às aulas” parou",
        "Ótica Aurora: mensagens esperam sua escolha",
        "Ótica Aurora: o número está desconectado",
        "Ótica Aurora: uma mensagem ficou sem confirmação",
        "Ótica Aurora: uma mensagem não foi enviada",
    ]
    assert episodes.count_now(unit.pk) == 6
    assert set(Kind.values) == {kind for kind, _is_open in live(unit)}


def test_only_those_who_may_act_and_want_mail_get_one(unit: Unit, stranger: User) -> None:
    for role, wants, is_active in (
        (Role.AGENT, True, True),
        (Role.MANAGER, True, True),
        (Role.MANAGER, False, True),
        (Role.MANAGER, True, False),
    ):
        person = User.objects.create_user(f"{role}-{wants}-{is_active}@example.com".lower(), is_active=is_active)
        Membership.objects.create(unit=unit, user=person, role=role, gets_mail=wants)
    disconnect(unit)
    episodes.look()
    assert [letter.to for letter in mail.outbox] == [["ana@example.com"], ["manager-true-true@example.com"]]


def test_who_disconnects_here_writes_no_mail_until_it_is_something_else(unit: Unit) -> None:
    disconnect(unit, DisconnectCause.BY_US)
    episodes.look()
    assert kinds(unit) == ["disconnected"]
    assert not mail.outbox
    disconnect(unit, DisconnectCause.QR_EXPIRED)
    episodes.look()
    assert len(mail.outbox) == 1


def test_a_mail_that_does_not_leave_is_written_again(unit: Unit, settings: Any) -> None:
    disconnect(unit)
    working, settings.MAILERS = settings.MAILERS, NO_MAIL
    episodes.look()
    assert Episode.objects.get().told_at is None
    settings.MAILERS = working
    episodes.look()
    episodes.look()
    assert len(mail.outbox) == 1


def test_whoever_dies_between_the_mail_and_its_note_is_followed_by_one_more_mail(unit: Unit) -> None:
    disconnect(unit)
    episodes.look()
    # What the next process finds: the mail has left, the note of it has not been written.
    Episode.objects.update(told_at=None)
    episodes.look()
    episodes.look()
    assert len(mail.outbox) == 2


def test_what_is_over_before_it_was_told_is_not_told(unit: Unit) -> None:
    disconnect(unit)
    found = episodes.observe()
    connect(unit)
    episodes.observe()
    assert episodes.tell(found) == 0
    assert not mail.outbox


def test_a_number_that_is_lost_rings_at_once(
    unit: Unit, rung: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        ConnectionService(unit).hint_closed(logged_out=True)
    assert "attention.tasks.look" in rung


def test_units_are_told_in_their_time_zone_and_apart(unit: Unit, stranger: User) -> None:  # I7
    theirs = Unit.objects.of_member(stranger).get()
    disconnect(theirs)
    episodes.look()
    assert kinds(unit) == []
    (letter,) = mail.outbox
    assert letter.to == ["saulo@example.com"]
    assert timezone.get_current_timezone_name() == "America/Sao_Paulo"
