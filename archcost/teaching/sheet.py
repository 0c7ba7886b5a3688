"""`worksheet`: questions with blanks, as Markdown or LaTeX, and the same with the answers.

The first line says of which network, seed and settings a sheet is, so that whoever grades it needs nothing else. A hash
over that line, and one over the answers, tell a line that was edited and a network that has become another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from archcost.costs import ModelCost, cost
from archcost.errors import ArchcostError, shorten
from archcost.graph import build
from archcost.report.writers import latex_escape
from archcost.spec.given import spec_of
from archcost.spec.overrides import override
from archcost.teaching.questions import Question, chosen
from archcost.tensors import format_shape
from archcost.units import count

VERSION = 1
DEFAULT = 9
"""One question of each kind."""

MOST = 100

HEAD = re.compile(r"(?:<!--|%) archcost worksheet (\d{1,9}) (\{.*\})(?: -->)?\s*")

BLANK = "_" * 12

CONVENTIONS = (
    "Unless you state otherwise here: parameters are counted with biases, a MAC is two FLOPs, and kB, MB and GB are "
    "powers of 1,000, KiB, MiB and GiB of 1,024. Numbers of up to six digits are wanted exactly, larger ones to three."
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a sheet is made of."""

    network: str
    seed: int
    questions: int = DEFAULT
    batch: int = 1
    set: tuple[str, ...] = ()
    input: tuple[str, ...] = ()
    sequence: int | None = None

    def cost(self) -> ModelCost:
        """The network, which is one that ships, or a file: a sheet runs nobody's Python. Raises ArchcostError."""
        spec = override(spec_of(self.network), self.set, self.input, self.sequence)
        return cost(build(spec, self.batch))


@dataclass(frozen=True)
class Worksheet:
    """The sheet of a recipe. `str` is its Markdown, with blanks."""

    recipe: Recipe
    network: str
    questions: tuple[Question, ...]

    def __str__(self) -> str:
        return self.markdown()

    @cached_property
    def head(self) -> str:
        from archcost import __version__

        told: dict[str, Any] = {
            **asdict(self.recipe),
            "archcost": __version__,
            "answers": answers_digest(self.questions),
        }
        written = json.dumps({**told, "check": head_digest(told)}).replace(">", "\\u003e")  # which ends a comment
        return f"archcost worksheet {VERSION} {written}"

    @property
    def title(self) -> str:
        return f"{self.network}: worksheet {self.recipe.seed}"

    def markdown(self, key: bool = False) -> str:
        """With the `key`, the answers stand in the blanks, and their working below."""
        lines = [f"<!-- {self.head} -->", f"# {self.title}{', with answers' if key else ''}", "", f"Name: {BLANK}", ""]
        lines += [CONVENTIONS, "", f"**Conventions:** {'' if key else BLANK}".rstrip()]
        for number, question in enumerate(self.questions, 1):
            lines += [
                "",
                f"## {number}",
                "",
                question.text,
                "",
                f"**Answer {number}:** {_filled(question) if key else BLANK}",
            ]
            lines += ["", f"Working: {question.working}" if key else "Working:"]
        return "\n".join([*lines, ""])

    def latex(self, key: bool = False) -> str:
        """A whole document, of letters that every TeX has: the answers are arguments of \\answer."""
        lines = [
            f"% {self.head}",
            _PREAMBLE,
            f"\\section*{{{latex_escape(self.title)}{', with answers' if key else ''}}}",
        ]
        lines += ["\\noindent Name: \\hrulefill", "", latex_escape(CONVENTIONS), "", "\\conventions{}", ""]
        lines.append("\\begin{enumerate}")
        for number, question in enumerate(self.questions, 1):
            answer = _in_latex(_filled(question)).replace(",", "{,}") if key else ""
            room = _indexed(_in_latex(question.working)) if key else "\\vspace{2.5cm}"
            lines += [f"\\item {_in_latex(question.text)}", "", f"\\answer{{{number}}}{{{answer}}}"]
            lines += ["", f"Working: {room}", ""]
        return "\n".join([*lines, "\\end{enumerate}", "\\end{document}", ""])


_PREAMBLE = r"""\documentclass[a4paper,11pt]{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage[margin=2.5cm]{geometry}
\setlength{\parindent}{0pt}\setlength{\parskip}{4pt}\sloppy
\newcommand{\answer}[2]{\textbf{Answer #1:} \underline{\makebox[8cm][l]{\strut #2}}}
\newcommand{\conventions}[1]{\textbf{Conventions:} \underline{\makebox[11cm][l]{\strut #1}}}
\begin{document}"""

_LETTERS = {
    "×": r"$\times$", "·": r"$\cdot$", "−": "$-$", "⌊": r"$\lfloor$", "⌋": r"$\rfloor$", "→": r"$\to$", "…": r"\dots{}",
}  # fmt: skip


def _in_latex(text: str) -> str:
    """Words between backquotes are code."""
    parts = [latex_escape(part) for part in text.split("`")]
    coded = "".join(rf"\texttt{{{part}}}" if index % 2 else part for index, part in enumerate(parts))
    return "".join(_LETTERS.get(letter, letter) for letter in coded)


def _indexed(text: str) -> str:
    """Letters of a formula as they are set: C with a small `in` below it."""
    return re.sub(r"\b([A-Za-z]+)\\_([A-Za-z]+)\b", r"$\1_{\\mathrm{\2}}$", text)


def _filled(question: Question) -> str:
    return count(question.answer) if isinstance(question.answer, int) else format_shape(question.answer)


def answers_digest(questions: Sequence[Question]) -> str:
    return _digest([[question.key, question.answer] for question in questions])


def head_digest(told: dict[str, Any]) -> str:
    return _digest(told)


def _digest(values: object) -> str:
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def worksheet(
    network: str,
    seed: int = 1,
    questions: int = DEFAULT,
    *,
    batch: int = 1,
    settings: Sequence[str] = (),
    inputs: Sequence[str] = (),
    sequence: int | None = None,
) -> Worksheet:
    """A sheet of questions on a network that ships, or on a file. The same seed gives the same sheet.

    `settings` and `inputs` are those of `--set` and `--input`. Raises ArchcostError for what is wrong in these, and
    where the network has not as many questions.
    """
    if not 1 <= questions <= MOST:
        raise ArchcostError("no such number of questions", expected=f"1 to {MOST}", found=shorten(questions))
    if str(network) == "-":
        raise ArchcostError(
            "a sheet says of which network it is, so that it can be graded",
            expected="a shipped name, or a file",
            found="standard input",
        )
    return made(Recipe(str(network), seed, questions, batch, tuple(settings), tuple(inputs), sequence))


def made(recipe: Recipe) -> Worksheet:
    """The sheet of a recipe. Raises ArchcostError."""
    found = recipe.cost()
    return Worksheet(recipe, found.network, chosen(found, recipe.seed, recipe.questions))
