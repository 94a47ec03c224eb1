"""What a watched page complains of, and what not."""

import pytest
from django.conf import settings
from playwright.sync_api import expect

from tests.browser import chromium, needs_chromium, open_page

HTMX = settings.BASE_DIR / "console/static/console/vendor/htmx-2.0.11.min.js"
PAGE = """<input hx-get="/slow" hx-trigger="input" hx-sync="this:replace">
<button hx-get="/away" hx-on::send-error="this.textContent = 'failed'">Send</button>"""


@needs_chromium
@pytest.mark.browser
def test_a_request_that_the_page_gives_up_is_no_complaint_and_one_that_fails_is() -> None:
    with chromium() as browser:
        watched = open_page(browser, base_url="http://console.invalid")
        page = watched.page
        page.route("**/*", lambda route: route.fulfill(content_type="text/html", body=PAGE))
        page.route("**/slow", lambda route: None)
        page.route("**/away", lambda route: route.abort())
        page.goto("/")
        page.add_script_tag(path=HTMX)
        with page.expect_event("requestfailed"):
            page.locator("input").press_sequentially("ab")
        page.get_by_role("button").click()
        expect(page.get_by_role("button")).to_have_text("failed")
        said = "\n".join(watched.complaints)
        assert "htmx:sendError" in said
        assert "htmx:sendAbort" not in said
