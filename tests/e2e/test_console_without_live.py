"""The other way of living: without live events, without a network, and back."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import needs_chromium
from tests.e2e.desk import Customer, answer, row, seat, thread, ticked
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("flows"), needs_chromium]

STREAM = re.compile(r"/events(\?|$)")


def test_without_events_it_asks_and_without_a_network_it_keeps_what_was_written(
    connected: Stack, browser: Browser
) -> None:
    hugo = Customer(connected, "5511977776001", "Hugo")
    hugo.writes("Oi")
    with seat(connected, browser, forgiven="net::ERR_(FAILED|INTERNET_DISCONNECTED)|^htmx:sendError,") as watched:
        page = watched.page
        page.route(STREAM, lambda route: route.abort())
        page.goto("")
        row(page, "Hugo").click()
        expect(page.locator("#live-note")).to_contain_text("Atualizando a cada 5 s")
        hugo.writes("Sem eventos")
        expect(thread(page).get_by_text("Sem eventos")).to_be_visible()
        expect(row(page, "Hugo").locator(".preview")).to_contain_text("Sem eventos")

        page.context.set_offline(True)
        expect(page.locator("#live-note")).to_contain_text("Sem conexão")
        answer(page, "Escrito no elevador")
        answer(page, "E mais uma linha")
        waiting = page.locator("#messages .aside:not([hidden])").first
        expect(waiting).to_contain_text("Esperando a conexão")
        hugo.writes("Enquanto isso")
        page.unroute(STREAM)
        page.context.set_offline(False)
        expect(page.locator("#messages > li.out[id^=message-]")).to_have_count(2)
        expect(thread(page).get_by_text("Enquanto isso")).to_be_visible()
        expect(page.locator("#live-note")).to_be_hidden()
        expect(ticked(page, "Enviada")).to_have_count(2)
        assert hugo.got() == ["Escrito no elevador", "E mais uma linha"]
