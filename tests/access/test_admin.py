"""The admin is for staff of the installation, each for what he may: every address of it, as the resolver says."""

import re
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client

from tests.access.answers import told
from tests.access.conftest import taken_back
from tests.access.routes import Route, every_route
from tests.access.world import World, checksum
from units.models import Role, User

pytestmark = pytest.mark.django_db

METHODS = ("get", "post")
PAGES = [route for route in every_route() if route.path.startswith("admin/")]
# Where somebody logs in and out, and what every staff member sees: no rows of anybody.
OF_ALL_STAFF = {"admin/", "admin/login/", "admin/logout/", "admin/jsi18n/", "admin/password_change/"}
OF_ALL_STAFF |= {"admin/password_change/done/", "admin/search/", "admin/toggle-sidebar/"}


def at(world: World, route: Route) -> str:
    """The page's address, about a row of theirs where it is about one."""
    parts = route.path.split("/")
    models = {model._meta.model_name: model for model in apps.get_models()}
    model = models.get(parts[2]) if len(parts) > 2 else None
    row = str(world.theirs.ids.get(model, uuid4())) if model else "1"
    path = re.sub(r"\(\?P<app_label>[^)]*\)", "units", route.path)
    path = re.sub(r"\(\?P<url>[^)]*\)", "nothing", path).replace("^", "").replace("$", "")
    return "/" + re.sub(r"<(\w+:)?(\w+)>", row, path)


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture(scope="module")
def outsiders(world: World) -> list[Client]:
    """Nobody, and people of units: also who owns one."""
    return [Client(), *(client_of(world.ours.people[role]) for role in Role), client_of(world.both)]


@pytest.fixture(scope="module")
def clerk(world: World) -> Client:
    """Staff who may do nothing yet."""
    return client_of(User.objects.create_user("balcao@example.com", is_staff=True))


@pytest.fixture(scope="module")
def viewer(world: World) -> Client:
    """Staff who may look at everything."""
    user = User.objects.create_user("leitura@example.com", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return client_of(user)


def test_there_are_pages_to_walk() -> None:
    assert len(PAGES) > 80


@pytest.mark.parametrize("route", PAGES, ids=str)
def test_whoever_is_no_staff_stays_out(world: World, outsiders: list[Client], route: Route) -> None:
    before = checksum(world.theirs.unit.pk)
    for client in outsiders:
        for method in METHODS:
            with taken_back():
                answer = getattr(client, method)(at(world, route))
                seen = world.seen(told(answer), *world.theirs.ids.values())
                assert checksum(world.theirs.unit.pk) == before, method
            is_sent_away = answer.status_code == 302 and answer.headers["Location"].startswith(
                ("/admin/login", "/app/")
            )
            assert is_sent_away or answer.status_code in (403, 404, 405) or route.path in OF_ALL_STAFF, method
            assert not seen, method


@pytest.mark.parametrize("route", [route for route in PAGES if route.path not in OF_ALL_STAFF], ids=str)
def test_staff_without_a_permission_see_and_change_nothing(world: World, clerk: Client, route: Route) -> None:
    before = checksum(world.theirs.unit.pk)
    for method in METHODS:
        with taken_back():
            answer = getattr(clerk, method)(at(world, route))
            seen = world.seen(told(answer), *world.theirs.ids.values())
            assert checksum(world.theirs.unit.pk) == before, method
        # 302: of a row that there is none, as Django puts it.
        # Lists to choose from are empty for him.
        expected = (200, 405) if "/choices/" in route.path else (302, 400, 403, 404, 405)
        assert answer.status_code in expected, method
        assert not seen, method


@pytest.mark.parametrize("route", [route for route in PAGES if route.path not in OF_ALL_STAFF], ids=str)
def test_staff_who_may_only_look_change_nothing(world: World, viewer: Client, route: Route) -> None:
    before = checksum(world.theirs.unit.pk)
    with taken_back():
        viewer.post(at(world, route), {"_selected_action": "x", "action": "delete_selected"})
        after = checksum(world.theirs.unit.pk)
    # Whoever looks at much of it at once (an export) is written down.
    assert after | {"audit_entries": before["audit_entries"]} == before


def choices() -> list[tuple[str, str, str]]:
    """App, model and field of every list to choose a row from, as forms and filters of the admin ask for it."""
    found = set()
    for model, pages in admin.site._registry.items():
        inlines = [inline(model, admin.site) for inline in pages.inlines]
        filters = [each[0] for each in pages.list_filter if isinstance(each, tuple)]
        for name in [*pages.autocomplete_fields, *filters]:
            found.add((model, name))
        found |= {(inline.model, name) for inline in inlines for name in inline.autocomplete_fields}
    fields = [(model._meta.app_label, model._meta.model_name, name) for model, name in found if "__" not in name]
    return sorted((app, str(model), name) for app, model, name in fields if is_link(app, str(model), name))


def is_link(app: str, model: str, name: str) -> bool:
    return bool(apps.get_model(app, model)._meta.get_field(name).is_relation)


@pytest.mark.parametrize(("app", "model", "field"), choices(), ids=str)
def test_a_choice_is_for_who_may_see_what_is_chosen_from(
    world: World, clerk: Client, outsiders: list[Client], app: str, model: str, field: str
) -> None:
    asked = {"app_label": app, "model_name": model, "field_name": field, "term": ""}
    for client in [clerk, *outsiders]:
        answer = client.get("/admin/autocomplete/", asked)
        assert answer.status_code in (302, 403)
        assert not world.seen(told(answer), *world.theirs.ids.values())


def test_there_are_choices() -> None:
    assert len(choices()) > 10


def test_the_front_page_of_the_admin_names_no_unit(world: World, clerk: Client) -> None:
    for path in sorted(OF_ALL_STAFF - {"admin/logout/"}):
        assert not world.seen(told(clerk.get(f"/{path}?s=Canindé"))), path
