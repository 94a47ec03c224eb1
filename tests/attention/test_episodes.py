"""Episodes begin and end, and each is told once."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection as database
from django.utils import timezone

from attention import episodes
from attention.models import Episode, Kind
from attention.tasks import prune
from outgoing_webhooks import services
from tests.attention import helpers
from tests.attention.helpers import connect, disconnect, kinds
from tests.attention.mail_server import mail_server
from tests.outgoing_webhooks.helpers import run_beside
from units.models import DisconnectCause, LiveEvent, Membership, Role, Unit, User
from units.services import ConnectionService, create_unit

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


def test_every_kind_that_does_not_pass_by_itself_is_told_by_mail(unit: Unit) -> None:
    helpers.everything(unit)
    episodes.look()
    subjects = sorted(letter.subject for letter in mail.outbox)
    assert subjects == [
        "As campanhas de Ótica Aurora pararam",
        "Ótica Aurora: a campanha “Volta às aulas” parou",
        "Ótica Aurora: mensagens esperam sua escolha",
        "Ótica Aurora: o número está desconectado",
        "Ótica Aurora: um webhook de saída foi desligado",
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


def test_a_webhook_that_was_switched_off_is_told_to_owners_without_what_opens_it(unit: Unit, stranger: User) -> None:
    Membership.objects.create(unit=unit, user=User.objects.create_user("gil@example.com"), role=Role.MANAGER)
    off = helpers.webhook_off(unit)
    episodes.look()
    episodes.look()
    (letter,) = mail.outbox
    assert letter.to == ["ana@example.com"]
    assert "erp.example.com" in letter.body
    assert f"/app/u/{unit.id}/settings/webhooks" in letter.body
    assert "segredo" not in letter.body
    assert "/hook" not in letter.body
    services.change(off, is_active=True)
    episodes.look()
    assert kinds(unit) == []


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


def test_an_address_that_is_refused_keeps_nobody_else_from_his_one_mail(
    unit: Unit, stranger: User, settings: Any
) -> None:
    for address in ("bea@example.com", "joão@example.com", "zoe@example.com"):
        Membership.objects.create(unit=unit, user=User.objects.create_user(address), role=Role.OWNER)
    alone = create_unit("Sem ninguém", owner=User.objects.create_user("ninguem@example.com"))
    theirs = Unit.objects.of_member(stranger).get()
    for each in (alone, unit, theirs):
        disconnect(each)
    with mail_server() as server:
        server.refused = {"bea@example.com": "550 nobody here", "ninguem@example.com": "451 not now"}
        settings.MAILERS = server.mailers
        for _round in range(3):
            episodes.look()
        assert sorted(server.reached) == ["ana@example.com", "saulo@example.com", "zoe@example.com"]
        assert Episode.objects.get(told_at=None).unit == alone
        # Asked again, not given up.
        server.refused = {}
        episodes.look()
        assert server.reached[3:] == ["ninguem@example.com"]


@pytest.mark.django_db(transaction=True)
def test_two_workers_write_one_mail_for_an_episode(unit: Unit, ana: User, settings: Any) -> None:
    ours = [create_unit(f"Loja {place}", owner=ana) for place in range(5)]
    for each in ours:
        disconnect(each)

    def work() -> None:
        for _round in range(5):
            episodes.look()

    with mail_server() as server:
        settings.MAILERS = server.mailers
        two = [run_beside(work) for _ in range(2)]
        for thread in two:
            thread.join()
        # Who looked while the other wrote has left it to him.
        episodes.look()
        subjects = sorted(letter["Subject"] for _person, letter in server.taken)
    assert subjects == [f"Loja {place}: o número está desconectado" for place in range(5)]
    assert sorted(live(ours[0])) == [("disconnected", True)]


def test_what_ended_long_ago_is_forgotten_and_what_is_open_is_not(unit: Unit) -> None:
    disconnect(unit)
    helpers.dead_letter(unit)
    episodes.look()
    connect(unit)
    episodes.look()
    later(days=89)
    assert episodes.forget_old() == 0
    later(days=91)
    prune()
    assert kinds(unit) == ["dead_letters"]
    assert kinds(unit, is_open=False) == []


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
