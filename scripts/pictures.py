"""`make pictures`: screenshots of the console for the README and the papers, from the product as it runs."""

import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page, expect  # noqa: E402 - after the path is set

from tests.browser import chromium, open_page  # noqa: E402
from tests.stack import Stack, wait_for  # noqa: E402

IMAGES = ROOT / "docs" / "images"
MARINA = "5511900000208"


def main() -> int:
    """Make every picture; the exit status."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="crm-pictures-") as directory,
        Stack(Path(directory)) as stack,
        chromium() as browser,
    ):
        page = open_page(browser, viewport={"width": 1280, "height": 800}).page
        page.goto(f"{stack.url}/app/")
        page.get_by_label("E-mail").fill(stack.email)
        page.get_by_label("Senha").fill(stack.password)
        page.get_by_role("button", name="Entrar").click()
        connect(stack, page)
        inbox(stack, page)
        campaign(stack, page)
    return 0


def shoot(page: Page, name: str) -> None:
    page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")
    print(f"docs/images/{name}.png")


def unit_page(stack: Stack, page: Page, path: str = "") -> None:
    page.goto(f"{stack.url}/app/u/{stack.unit}/{path}")


def connect(stack: Stack, page: Page) -> None:
    unit_page(stack, page, "number")
    page.get_by_role("button", name="Conectar").first.click()
    expect(page.get_by_text("Aguardando leitura").first).to_be_visible()
    shoot(page, "connect")
    stack.sandbox.scan(stack.instance, number="5511900000142", profile_name="Ótica Aurora")
    expect(page.locator("main").get_by_text("Conectado", exact=True)).to_be_visible()


def inbox(stack: Stack, page: Page) -> None:
    unit_page(stack, page)
    page.get_by_role("link", name=re.compile("Marina")).click()
    answer = "Marcado! Quinta, 26/11, às 15h com a Célia."
    page.get_by_role("textbox", name=re.compile("Resposta para")).fill(answer)
    page.keyboard.press("Enter")
    (sent,) = wait_for(lambda: stack.sent(answer), what="the answer on the phone")
    stack.sandbox.receipt(stack.instance, sent["id"], "READ")
    expect(page.get_by_role("log").get_by_title("Lida")).to_be_visible()
    stack.sandbox.inbound(stack.instance, MARINA, "Perfeito, obrigada! 😊", "Marina")
    expect(page.get_by_role("log").get_by_text("Perfeito, obrigada!")).to_be_visible()
    shoot(page, "inbox")


def campaign(stack: Stack, page: Page) -> None:
    phones = [row["phone"] for row in stack.get("/contacts")["results"]]
    started = stack.campaign(phones, "Volta às aulas: lentes com 30% até sábado. Responda SIM e a gente te chama.")
    wait_for(lambda: stack.get(f"/campaigns/{started}")["progress"]["sent"] >= 3, what="three messages")
    unit_page(stack, page, f"campaigns/{started}")
    expect(page.get_by_text("Enviando").first).to_be_visible()
    shoot(page, "campaign")


if __name__ == "__main__":
    sys.exit(main())
