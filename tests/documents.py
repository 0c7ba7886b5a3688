"""Documents that are run: every command and every number in README.md and docs/ comes out of a run.

A ```console block holds `$ archcost …` lines, each with the output it prints; a ```python block is a doctest.
Prose may state a number only when a block of the same page prints it, or when `CITED` says where it is from.
"""

from __future__ import annotations

import doctest
import io
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from archcost.cli import main

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "tutorials").glob("*.md")])

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?<![\w.,/-])\d[\d,]*(?:\.\d+)?(?![\w/]|-\w)")


def output_of(command: str) -> str:
    """What the terminal shows for `archcost …`, without trailing blanks."""
    words = shlex.split(command)
    assert words[0] == "archcost", command
    screen = io.StringIO()
    with redirect_stdout(screen), redirect_stderr(screen):
        main(words[1:])
    return "".join(f"{line.rstrip()}\n" for line in screen.getvalue().rstrip().splitlines())


def commands(block: str) -> list[str]:
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ archcost")]


def rerun(block: str) -> str:
    """The block as it should be: its commands with what they print now."""
    return "\n".join(f"$ {command}\n{output_of(command)}" for command in commands(block))


def console_blocks(text: str) -> list[str]:
    return [match.group(1) for match in CONSOLE.finditer(text) if commands(match.group(1))]


def refresh(text: str) -> str:
    """A page with the output of every command brought up to date."""

    def renew(match: re.Match[str]) -> str:
        return f"```console\n{rerun(match.group(1))}```" if commands(match.group(1)) else match.group(0)

    return CONSOLE.sub(renew, text)


def yaml_blocks(text: str) -> list[str]:
    """Specs shown whole, which have layers; a part of one stands for itself."""
    found = (match.group(2) for match in BLOCK.finditer(text) if match.group(1) == "yaml")
    return [block for block in found if "\nlayers:" in block]


def python_blocks(text: str) -> list[str]:
    return [match.group(2) for match in BLOCK.finditer(text) if match.group(1) == "python"]


def run_doctest(block: str, name: str) -> str:
    """Failures of a python block, as doctest words them; empty when all is well."""
    report = io.StringIO()
    test = doctest.DocTestParser().get_doctest(block, {}, name, name, 0)
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS).run(test, out=report.write)
    return report.getvalue()


def numbers_in_prose(text: str) -> Iterator[str]:
    """Numbers of three digits and more outside of blocks, links and inline code of paths."""
    prose = BLOCK.sub("", text)
    prose = re.sub(r"\]\([^)]*\)|<[^>]*>|arXiv:\S+", "", prose)
    for match in NUMBER.finditer(prose):
        if len(re.sub(r"\D", "", match.group())) >= 3:
            yield match.group().rstrip(",")
