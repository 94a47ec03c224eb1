"""Every page of the console, as the resolver has it, in a real browser: in both themes, on a desk and on a phone.

A page that is added is walked by itself; one that there is no way to open fails.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.test import Client, override_settings
from django.utils import translation
from django.utils.cache import patch_cache_control
from playwright.sync_api import Browser, Page, ViewportSize, expect
from pytest_django.live_server_helper import LiveServer

from campaigns.models import CampaignStatus
from tests import axe
from tests.access.routes import Route, every_route, model_of
from tests.browser import Watched, log_in, needs_chromium, open_page
from tests.console import leftovers
from tests.console.furnished import Furnished, furnish
from tests.emptying import empty_tables

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("every page")]

ROUTES = [route for route in every_route() if route.path.startswith("app/")]
DESK = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=360, height=800)
HTMX = {"HX-Request": "true"}
# What only leads on: to a page of its own, or, without htmx, to the page that it is a part of.
LEADS_ON = {
    "app/",
    "app/u/<uuid:unit_id>",
    "app/language",
    "settings",
    "contacts/chosen/undo",
    "contacts/chosen/export",
    "conversations/<uuid:conversation_id>/state",
    "conversations/<uuid:conversation_id>/contact",
    "conversations/<uuid:conversation_id>/contact/edit",
}
# In which state a campaign has to be for a page of it; else it is on its way.
CAMPAIGN = {
    "edit": CampaignStatus.DRAFT,
    "rehearsal": CampaignStatus.DRAFT,
    "start": CampaignStatus.DRAFT,
    "schedule": CampaignStatus.DRAFT,
    "unschedule": CampaignStatus.SCHEDULED,
    "resume": CampaignStatus.PAUSED,
}
# By the end of a route, what else is worth seeing there.
SEARCHES = {
    "": ["?q=nada-que-exista", "?status=resolved", "?unread=1"],
    "contacts": ["?q=nada-que-exista"],
    "campaigns": ["?status=draft"],
}
LANDMARKS = """() => ({
  title: document.title.trim(),
  h1: [...document.querySelectorAll('h1')].filter((each) => each.checkVisibility()).length,
  main: document.querySelectorAll('main').length,
})"""
SIDEWAYS = """() => [...document.querySelectorAll('body *')]
  .filter((each) => each.getBoundingClientRect().right > innerWidth + 1 && each.checkVisibility())
  .map((each) => `${each.tagName.toLowerCase()}.${each.className}`).slice(0, 3)"""
CONTRAST = ["color-contrast", "link-in-text-block"]
# The stream is another process's, which does not run here: it is there, and has nothing to tell. Not by a route of
# Playwright's, which would switch off the browser's cache.
QUIET_STREAM = """globalThis.EventSource = class extends EventTarget {
  static CLOSED = 2;
  readyState = 1;
  constructor() {
    super();
    setTimeout(() => this.dispatchEvent(new Event('ready')));
  }
  close() {}
};"""
# Menus that are not yet open, by what they are made of: the same one of another page or row is looked at once.
MENUS = """() => {
  const kind = (each) => `${each.tagName}.${each.className}.${each.getAttribute('role')}`;
  return [...document.querySelectorAll('[popover][id]')]
    .map((menu) => [menu.id, [...new Set([...menu.querySelectorAll('*')].map(kind))].join()]);
}"""


@dataclass(frozen=True)
class Place:
    """An address, and what is told of it in a failure."""

    name: str
    path: str


@dataclass(frozen=True)
class Walk:
    """The console with its furnished unit, the owner's client, and her browser."""

    furnished: Furnished
    client: Client
    watched: Watched
    # Of menus that were looked at.
    seen: set[str]


@pytest.fixture(scope="module")
def furnished(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[Furnished]:
    """The rows are committed, as another thread serves them, and gone afterwards."""
    media = tmp_path_factory.mktemp("media")
    with django_db_blocker.unblock(), override_settings(MEDIA_ROOT=media, LIVE_URL="", EVOLUTION_URL="http://[::1]:9"):
        try:
            with translation.override("pt-br"):
                made = furnish()
            yield made
        finally:
            empty_tables()


@pytest.fixture(scope="module")
def client(furnished: Furnished) -> Client:
    client = Client(headers={"accept-language": "pt-BR"})
    client.force_login(furnished.owner)
    return client


_serve = StaticFilesHandler.serve


def _serve_for_an_hour(handler: StaticFilesHandler, request: HttpRequest) -> HttpResponseBase:
    answer: HttpResponseBase = _serve(handler, request)
    patch_cache_control(answer, max_age=3600)
    return answer


@pytest.fixture(scope="module")
def walk(browser: Browser, furnished: Furnished, client: Client) -> Iterator[Walk]:
    """One browser, one session, one page for all addresses."""
    server = LiveServer("localhost")
    # Once for all pages, as in an installation.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StaticFilesHandler, "serve", _serve_for_an_hour)
        watched = open_page(browser, viewport=DESK, base_url=server.url, reduced_motion="reduce")
        context = watched.page.context
        log_in(watched.page, server.url, furnished.owner)
        axe.prepare(context)
        context.add_init_script(QUIET_STREAM)
        yield Walk(furnished, client, watched, set())
        context.close()
    server.stop()


def places(route: Route, furnished: Furnished) -> list[Place]:
    """Where a route can be opened: in the full unit, in each state of what it shows, and in the empty unit."""
    end = end_of(route)
    found = [Place(path, path) for path in _steps(route, furnished)]
    if route.names == ["unit_id"] and "<" not in end:
        found += [Place(query, f"{found[0].path}{query}") for query in SEARCHES.get(end, [])]
        found.append(Place("empty", route.at({"unit_id": furnished.empty.pk})))
    for name, rows in (("campaign_id", furnished.campaigns), ("import_id", furnished.imports)):
        if end.endswith(f"<uuid:{name}>"):
            ids = _ids(route, furnished)
            found += [Place(status, route.at(ids | {name: pk})) for status, pk in rows.items()]
    if end == "number":
        found += [Place(name, route.at({"unit_id": unit.pk})) for name, unit in furnished.numbers.items()]
    return found


def end_of(route: Route) -> str:
    """Of its path, what tells it from others of the unit."""
    return route.path.removeprefix("app/u/<uuid:unit_id>/")


def _ids(route: Route, furnished: Furnished) -> dict[str, Any]:
    ids: dict[Any, Any] = dict(furnished.full.ids)
    if "<uuid:message_id>/media" in route.path:
        ids["message_id"] = furnished.pictured
    return {name: ids.get(name) or ids[model_of(name)] for name in route.names}


def _steps(route: Route, furnished: Furnished) -> Iterator[str]:
    """One address, or one for each of its steps."""
    ids = _ids(route, furnished) | {"uidb64": "x", "token": "y"}
    steps = sys.modules[route.view.__module__].STEPS if "<slug:action>" in route.path else [end_of(route)]
    for step in steps:
        state = CAMPAIGN.get(step.rpartition("/")[2])
        suitable = {"campaign_id": furnished.campaigns[state]} if state and "campaign_id" in ids else {}
        yield route.at(ids | suitable | {"action": step})


@needs_chromium
@pytest.mark.browser
@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_page_is_for_everybody(walk: Walk, route: Route) -> None:
    """axe-core finds nothing, nothing fails, nothing scrolls sideways."""
    wrong = []
    first, *others = places(route, walk.furnished)
    if opens(walk.client, first):
        wrong += [f"{first.name}: {each}" for each in look(walk, first)]
    elif leads_on(walk.client, first):
        assert end_of(route) in LEADS_ON, first
    for place in others:
        if opens(walk.client, place):
            wrong += [f"{place.name}: {each}" for each in look(walk, place, briefly=True)]
    assert not wrong, "\n".join(wrong)


@cache
def got(client: Client, path: str) -> tuple[int, str]:
    """Status of an answer and, if it is HTML, the text: asked for once for all tests."""
    answer = client.get(path)
    is_html = answer.headers.get("Content-Type", "").startswith("text/html")
    return answer.status_code, answer.text if is_html else ""


def leads_on(client: Client, place: Place) -> bool:
    status, _text = got(client, place.path)
    return status in (302, 303)


def opens(client: Client, place: Place) -> bool:
    """Whether there is a whole page; what is only posted to, leads on, is a file or a part of a page is none."""
    is_for_anybody = "/password" in place.path or "/log" in place.path
    status, text = got(Client() if is_for_anybody else client, place.path)
    assert status in (200, 204, 302, 303, 405), f"{place} answers {status}"
    return status == 200 and "<!doctype html>" in text.lower()


def look(walk: Walk, place: Place, *, briefly: bool = False) -> Iterator[str]:
    """What is wrong with a page: light on a desk and dark on a phone, where other things are shown.

    Each pair of colours is also calculated, in both themes (test_look.py). `briefly`: on the phone, colours alone.
    """
    page = walk.watched.page
    walk.watched.complaints.clear()
    page.set_viewport_size(DESK)
    page.emulate_media(color_scheme="light")
    page.goto(place.path)
    expect(page.locator(".htmx-request")).to_have_count(0)
    told = page.evaluate(LANDMARKS)
    if not told["title"] or told["h1"] != 1 or told["main"] != 1:
        yield str(told)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    yield from axe.violations(page)
    yield from menus(walk)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)
    yield from (f"dark phone: {each}" for each in axe.violations(page, only=CONTRAST if briefly else None))
    yield from sideways(page)
    if page.locator("main form.dialog-body").count():
        yield from dialog(page, place)
    yield from walk.watched.complaints


def sideways(page: Page) -> Iterator[str]:
    if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
        yield f"scrolls sideways: {page.evaluate(SIDEWAYS)}"


def menus(walk: Walk) -> Iterator[str]:
    """What is wrong with what opens over the page."""
    page = walk.watched.page
    for name, made_of in page.evaluate(MENUS):
        if made_of in walk.seen:
            continue
        walk.seen.add(made_of)
        page.evaluate("(name) => document.getElementById(name).showPopover()", name)
        yield from (f"menu: {each}" for each in axe.violations(page, within=f"[id='{name}']"))
        page.evaluate("(name) => document.getElementById(name).hidePopover()", name)


def dialog(page: Page, place: Place) -> Iterator[str]:
    """What is wrong with a dialog that has a page of its own, too, as it opens over one: dark, on a phone."""
    # Over its own page each id would be there twice.
    page.evaluate("document.querySelector('main').replaceChildren()")
    page.evaluate("(path) => htmx.ajax('GET', path, '#dialog-slot')", place.path)
    expect(page.locator("dialog[open]")).to_be_visible()
    yield from sideways(page)
    yield from (f"dialog: {each}" for each in axe.violations(page, within="dialog[open]"))


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_no_word_of_english_is_left_in_portuguese(furnished: Furnished, client: Client, route: Route) -> None:
    found: set[str] = set()
    for place in places(route, furnished):
        _status, page = got(client, place.path)
        found |= set(leftovers.in_page(page))
        part = client.get(place.path, headers=HTMX)
        if part.headers.get("Content-Type", "").startswith("text/html"):
            found |= set(leftovers.in_page(part.text))
    assert not found, "\n".join(sorted(found))
