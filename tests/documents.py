"""Documents that are run: every command and every number in README.md and docs/ comes out of a run.

A ```console block holds `$ archcost …` or `$ pytest …` lines, each with the output it prints; a ```python block is a
doctest. A block whose first line is `# net.py` is a file: such a page is run in a folder of its own, which has it from
there on. Prose may state a number only when a block of the same page prints it, or when `CITED` says where it is from.
"""

from __future__ import annotations

import doctest
import importlib
import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, chdir, contextmanager, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest

from archcost.cli import main

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "tutorials").glob("*.md")])

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w/]+\.(?:py|ya?ml|toml))\n")
BY_ITSELF = ("--rootdir=.", "-c", os.devnull, "-p", "no:cacheprovider", "-p", "no:warnings", "--color=no")
"""For a run of pytest within another, which is to see nothing of it."""

NUMBER = re.compile(r"(?<![\w.,/-])\d[\d,]*(?:\.\d+)?(?![\w/]|-\w)")


def output_of(command: str) -> str:
    """What the terminal shows for `archcost …`, or `pytest …` without its seconds; without trailing blanks."""
    program, *words = shlex.split(command)
    screen = io.StringIO()
    with redirect_stdout(screen), redirect_stderr(screen), patch.dict(os.environ, COLUMNS="100"):
        if program == "pytest":
            for name in ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS"):  # where it shortens no line, or is given options
                os.environ.pop(name, None)
            pytest.main([*words, *BY_ITSELF])
        else:
            main(words)
    shown = re.sub(r" in \d+\.\d+s$", "", screen.getvalue().rstrip())
    return "".join(f"{line.rstrip()}\n" for line in shown.splitlines())


def commands(block: str) -> list[str]:
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith(("$ archcost", "$ pytest"))]


def console_blocks(text: str) -> list[str]:
    return [match.group(1) for match in CONSOLE.finditer(text) if commands(match.group(1))]


def refresh(text: str) -> str:
    """A page with the output of every command brought up to date."""

    def renew(match: re.Match[str]) -> str:
        language, block = match.groups()
        if file := FILE.match(block):
            Path(file[1]).write_text(block)
            forget_modules()
        if language == "console" and (words := commands(block)):
            return "```console\n" + "\n".join(f"$ {each}\n{output_of(each)}" for each in words) + "```"
        return match[0]

    shows_files = any(FILE.match(match[2]) for match in BLOCK.finditer(text))
    with folder_of_its_own() if shows_files else nullcontext():
        return BLOCK.sub(renew, text)


@contextmanager
def folder_of_its_own() -> Generator[None]:
    """The root of a repository, with the settings that its own files have, and without compiled files: the next version
    of a module may be as long and of the same second.
    """
    with ExitStack() as stack:
        stack.enter_context(chdir(stack.enter_context(tempfile.TemporaryDirectory())))
        stack.enter_context(patch.object(sys, "path", [*sys.path]))
        stack.enter_context(patch.object(sys, "dont_write_bytecode", True))
        stack.enter_context(patch.dict(os.environ))
        os.environ.pop("ARCHCOST_CONFIG", None)
        Path(".git").mkdir()
        yield
        forget_modules()


def forget_modules() -> None:
    """Those of the current folder, which are to be imported anew."""
    here = str(Path.cwd())
    for name, module in [*sys.modules.items()]:
        if (getattr(module, "__file__", None) or "").startswith(here):
            del sys.modules[name]
    importlib.invalidate_caches()


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
