"""`make pictures`: screenshots of the console for the README and the papers, from the product as it runs."""

import re
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402 - after the path is set
from playwright.sync_api import Page, expect  # noqa: E402

from tests.browser import chromium, open_page  # noqa: E402
from tests.stack import Stack, wait_for  # noqa: E402

IMAGES = ROOT / "docs" / "images"
MARINA = "5511900000208"
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
type Colour = tuple[int, ...]
# Of two colours no further apart than this (squared) the commoner stands for both.
CLOSE = 24
# Name of the picture → page of the unit, with the ids of what the scenes have made.
PAGES = {
    "overview": "overview",
    "campaigns": "campaigns",
    "campaign-editor": "campaigns/new",
    "rehearsal": "campaigns/{draft}/rehearsal",
    "search": "search?q=mar",
    "contacts": "contacts",
    "contact": "contacts/{contact}",
    "segments": "contacts/segments",
    "import": "contacts/imports",
    "profile": "profile",
    "settings-number": "settings/number",
    "settings-unit": "settings/unit",
    "settings-members": "settings/members",
    "settings-tokens": "settings/tokens",
    "settings-webhooks": "settings/webhooks",
    "settings-replies": "settings/replies",
    "settings-labels": "settings/labels",
    "settings-secret": "settings/secret",
    "settings-audit": "settings/audit",
}


def main() -> int:
    """Make every picture; the exit status."""
    shutil.rmtree(IMAGES, ignore_errors=True)
    IMAGES.mkdir(parents=True)
    with (
        tempfile.TemporaryDirectory(prefix="crm-pictures-") as directory,
        Stack(Path(directory)) as stack,
        chromium() as browser,
    ):
        page = open_page(browser, viewport=DESK).page
        page.goto(f"{stack.url}/app/")
        page.get_by_label("E-mail").fill(stack.email)
        page.get_by_label("Senha").fill(stack.password)
        page.get_by_role("button", name="Entrar").click()
        connect(stack, page)
        inbox(stack, page)
        campaign(stack, page)
        contact = next(each for each in stack.get("/contacts?search=Osvaldo")["results"])
        draft = next(each["id"] for each in stack.get("/campaigns")["results"] if each["status"] == "draft")
        for name, path in PAGES.items():
            unit_page(stack, page, path.format(contact=contact["id"], draft=draft))
            shoot(page, name)
        attention(stack, page)
    # Only now: what is on the pictures goes on meanwhile.
    for taken in IMAGES.iterdir():
        with Image.open(taken) as picture:
            compressed(picture.convert("RGB")).save(taken, optimize=True)
    return 0


def shoot(page: Page, name: str) -> None:
    """The page as it is now."""
    expect(page.locator(".htmx-request")).to_have_count(0)
    page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")
    print(f"docs/images/{name}.png")


def compressed(picture: Image.Image) -> Image.Image:
    """A third of the size, with flat colours as they are: the commonest that differ, and the nearest for the rest."""
    colours = Counter(zip(*(channel.tobytes() for channel in picture.split()), strict=True))
    chosen: list[Colour] = []
    for colour, _count in colours.most_common():
        if len(chosen) < 256 and all(_apart(colour, other) > CLOSE for other in chosen):
            chosen.append(colour)
    nearest = {colour: min(range(len(chosen)), key=lambda n: _apart(colour, chosen[n])) for colour in colours}
    pixels = zip(*(channel.tobytes() for channel in picture.split()), strict=True)
    small = Image.frombytes("P", picture.size, bytes(nearest[pixel] for pixel in pixels))
    small.putpalette([part for colour in chosen for part in colour])
    return small


def _apart(one: Colour, other: Colour) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def shoot_each(page: Page, name: str) -> None:
    """The page in light and in dark, and on a phone."""
    shoot(page, name)
    page.emulate_media(color_scheme="dark")
    shoot(page, f"{name}-dark")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    shoot(page, f"{name}-phone")
    page.set_viewport_size(DESK)  # type: ignore[arg-type]


def unit_page(stack: Stack, page: Page, path: str = "") -> None:
    page.goto(f"{stack.url}/app/u/{stack.unit}/{path}")


def connect(stack: Stack, page: Page) -> None:
    unit_page(stack, page, "number")
    page.get_by_role("button", name=re.compile("QR|Conectar")).first.click()
    expect(page.locator("img[src^='data:image/png']")).to_be_visible()
    shoot_each(page, "connect")
    stack.sandbox.scan(stack.instance, number="5511900000142", profile_name="Ótica Aurora")
    expect(page.get_by_role("heading", name="Ótica Aurora")).to_be_visible()
    shoot(page, "connected")


def inbox(stack: Stack, page: Page) -> None:
    unit_page(stack, page)
    shoot(page, "inbox-list")
    page.get_by_role("link", name=re.compile("Marina")).click()
    answer = "Marcado! Quinta, 26/11, às 15h com a Célia."
    page.get_by_role("textbox", name=re.compile("Resposta para")).fill(answer)
    page.keyboard.press("Enter")
    (sent,) = wait_for(lambda: stack.sent(answer), what="the answer on the phone")
    stack.sandbox.receipt(stack.instance, sent["id"], "READ")
    said = page.get_by_role("log").locator("[id^=message-]").filter(has_text=answer)
    expect(said.get_by_title("Lida")).to_be_visible()
    stack.sandbox.inbound(stack.instance, MARINA, "Perfeito, obrigada! 😊", "Marina")
    expect(page.get_by_role("log").get_by_text("Perfeito, obrigada!")).to_be_visible()
    shoot_each(page, "inbox")


def campaign(stack: Stack, page: Page) -> None:
    """One on its way: some have read it, one has answered."""
    phones = [row["phone"] for row in stack.get("/contacts?page_size=100")["results"]]
    text = "Volta às aulas: lentes com 30% até sábado. Responda SIM e a gente te chama."
    started = stack.campaign(phones, text)
    on_phone = wait_for(lambda: found if len(found := campaign_messages(stack)) >= 9 else None, seconds=60)
    for place, message in enumerate(on_phone):
        stack.sandbox.receipt(stack.instance, message["id"], "DELIVERY_ACK" if place % 3 == 2 else "READ")
    stack.sandbox.inbound(stack.instance, on_phone[0]["to"].partition("@")[0], "SIM! Tem para sábado?")
    wait_for(lambda: stack.get(f"/campaigns/{started}/results")["figures"]["replied"], what="the answer")
    unit_page(stack, page, f"campaigns/{started}")
    expect(page.locator("main").get_by_text(re.compile("Enviando|Concluída")).first).to_be_visible()
    shoot_each(page, "campaign")


def campaign_messages(stack: Stack) -> list[dict[str, Any]]:
    return [message for message in stack.sent() if message["text"].startswith("Volta às aulas")]


def attention(stack: Stack, page: Page) -> None:
    """What waits for a person; then also a number that was logged out on the phone."""
    unit_page(stack, page, "attention")
    shoot(page, "attention")
    stack.sandbox.logout(stack.instance)
    expect(page.locator("main").get_by_text(re.compile("desconectado", re.IGNORECASE)).first).to_be_visible()
    shoot_each(page, "attention-disconnected")


if __name__ == "__main__":
    sys.exit(main())
