"""The language of a campaign's text: variables, choices of words. Written by people, so never executed.

With an example of each in docs/campaigns.md. A text is read once into a tree; values are put in as they are and never
read again (`campaigns.content`), so that a contact named "{{ telefone }}" or "{a|b}" is called just that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# Choices within choices.
MAX_DEPTH = 5
# Mistakes that are told of a text; what was parsed is kept.
MOST_PROBLEMS = 20

# Every name of what each contact has; the attributes of the unit come besides.
NAMES = {
    "nome": "name",
    "name": "name",
    "primeiro_nome": "first_name",
    "first_name": "first_name",
    "telefone": "phone",
    "phone": "phone",
}

# No two ways to match the same, so that it takes no longer than the text is long.
_VARIABLE = re.compile(r"\{\{([^{}|\\]*)(?:\|((?:\\.|[^{}\\])*))?\}\}", re.DOTALL)
_ESCAPED = re.compile(r"\\([{}|\\])")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a text cannot be saved.

    `code`: empty, unknown_variable, unclosed, unopened, no_choice, too_deep or too_long. `at`: the character, from 0.
    `name`: the variable, as it was written. `message`: all this as a sentence.
    """

    code: str
    message: str | _StrPromise
    at: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """`{{ name | fallback }}`; `fallback` is None without one, `at` where it stands."""

    name: str
    fallback: str | None
    at: int

    @property
    def key(self) -> str:
        """What it means, whichever of its names was written: name, first_name, phone, or the key of an attribute."""
        folded = self.name.casefold()
        return NAMES.get(folded, folded)


@dataclass(frozen=True, slots=True)
class Choice:
    """`{one|another}`; `number` is its place among the choices of the text."""

    options: tuple[tuple[Node, ...], ...]
    number: int


type Node = str | Variable | Choice


@dataclass(frozen=True, slots=True)
class Parsed:
    nodes: tuple[Node, ...]
    problems: tuple[Problem, ...] = ()

    def variables(self) -> Iterator[Variable]:
        """All of them, in whichever choice."""
        return _variables(self.nodes)


def _variables(nodes: Iterable[Node]) -> Iterator[Variable]:
    for node in nodes:
        if isinstance(node, Variable):
            yield node
        elif isinstance(node, Choice):
            for option in node.options:
                yield from _variables(option)


@dataclass(slots=True)
class _Reader:
    """Reads a text once, from left to right."""

    text: str
    at: int = 0
    choices: int = 0
    problems: list[Problem] = field(default_factory=list)

    def nodes(self, depth: int) -> tuple[Node, ...]:
        """Until the text ends or, within a choice, until its next `|` or `}`."""
        found: list[Node] = []
        plain: list[str] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            if depth and character in "|}":
                break
            node: Node | None = None
            if escaped := _ESCAPED.match(self.text, self.at):
                plain.append(escaped[1])
                self.at = escaped.end()
            elif variable := _VARIABLE.match(self.text, self.at):
                fallback = variable[2]
                meant = None if fallback is None else _ESCAPED.sub(r"\1", fallback.strip())
                node = Variable(variable[1].strip(), meant, self.at)
                self.at = variable.end()
            elif character == "{":
                node = self._choice(depth)
            else:
                if character == "}":
                    self._wrong(
                        "unopened", _("The } at character %(at)d closes nothing. Write \\} for the sign itself.")
                    )
                plain.append(character)
                self.at += 1
            if node is not None:
                found += ["".join(plain)] if plain else []
                plain.clear()
                found.append(node)
        return (*found, "".join(plain)) if plain else tuple(found)

    def _choice(self, depth: int) -> Node:
        begin, number = self.at, self.choices
        self.choices += 1
        if depth == MAX_DEPTH:
            self._wrong("too_deep", _("At character %(at)d there are more than five choices in one another."))
            self.at = len(self.text)
            return ""
        options = []
        while True:
            self.at += 1
            options.append(self.nodes(depth + 1))
            if self.at >= len(self.text):
                if not self.problems:
                    self._wrong(
                        "unclosed", _("The { at character %(at)d is not closed. Write \\{ for the sign itself."), begin
                    )
                return ""
            if self.text[self.at] == "}":
                break
        self.at += 1
        if len(options) < 2:
            self._wrong(
                "no_choice",
                _("The braces at character %(at)d hold no choice like {Oi|Olá}. A variable has two: {{ nome }}."),
                begin,
            )
        return Choice(tuple(options), number)

    def _wrong(self, code: str, sentence: _StrPromise, at: int | None = None) -> None:
        at = self.at if at is None else at
        self.problems.append(Problem(code, sentence % {"at": at + 1}, at))
        if len(self.problems) == MOST_PROBLEMS:
            self.at = len(self.text)


@lru_cache(maxsize=256)
def parse(text: str) -> Parsed:
    """The tree of a text. Raises nothing: what is wrong is in `problems`."""
    reader = _Reader(text)
    nodes = reader.nodes(0)
    return Parsed(nodes, tuple(reader.problems))
