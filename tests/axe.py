"""axe-core in a page: what keeps people from using it, as far as a machine can see."""

from pathlib import Path

from playwright.sync_api import BrowserContext, Page

SOURCE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"

# Every rule of axe-core, also those that are off by default, but for:
# - the 7:1 of level AAA (`color-contrast-enhanced`): the tokens keep 4.5:1, level AA;
# - `identical-links-same-purpose`, AAA: "Undo" stands in many rows, named by its row;
# - `hidden-content`, which finds nothing and only counts what is hidden;
# - `p-as-heading`, an experiment that takes every short bold paragraph, such as a figure, for a heading.
LEFT_OUT = ("color-contrast-enhanced", "identical-links-same-purpose", "hidden-content", "p-as-heading")

_RUN = """async ([within, left_out, only]) => {
  const options = { resultTypes: ['violations'], preload: false };
  const all = () => axe.getRules().map((rule) => rule.ruleId).filter((rule) => !left_out.includes(rule));
  options.runOnly = { type: 'rule', values: only ?? all() };
  const { violations } = await axe.run(within ?? document, options);
  return violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target.join(' ')}: ${node.html}`));
}"""


def prepare(context: BrowserContext) -> None:
    """Every page of `context` gets axe-core, past its policy."""
    context.add_init_script(path=SOURCE)


def violations(page: Page, *, within: str | None = None, only: list[str] | None = None) -> list[str]:
    """Rule, place and element of everything that is wrong with the page, or with what is `within`."""
    found: list[str] = page.evaluate(_RUN, [within, LEFT_OUT, only])
    return [each[:400] for each in found]
