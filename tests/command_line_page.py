"""docs/command_line.md: every command with its options and examples, from the parsers themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from archcost.cli.examples import EXAMPLES
from archcost.cli.offered import Offered, Option, offered
from archcost.cli.parser import GROUPS
from archcost.cli.parsing import NETWORK
from tests.documents import ROOT

PAGE = ROOT / "docs" / "command_line.md"

SHARED = 4
"""An option that as many commands have, in the same words, stands in one table for all."""

HEAD = """\
# The command line

`archcost --help` lists the commands, `archcost COMMAND --help` has the options of one, with examples. Words may stand
in any order behind the command. A wrong word is answered with the nearest one that there is.

NETWORK is the name of a network that ships (`archcost list`), the path of a `.yaml`, `.json` or `.onnx` file, a
`config.json` of Hugging Face, or `module:callable`, your own Python that makes a torch module.

**Exit codes.** 0: fine. 1: a check failed, or it does not fit. 2: the input is wrong; standard error says where, what
was expected, what was found and what to try. 130: interrupted.

**Format.** `--format` wins; without it the ending of `-o FILE` tells it (`.md`, `.csv`, `.json`, `.html`, `.tex`), and
else it is text. [JSON](json.md) has a published form. `-o` writes a file whole or not at all, and replaces nothing but
what the same command wrote there before.

**`--quiet`** prints the answer in one line and no progress; the exit code says the same. A file has the whole report
all the same.

**Width.** On a terminal text is as wide as the terminal is (or as `COLUMNS` says): prose is broken, and where a table
is too wide its headers take several lines and long names lose their middle. No number is cut, and no two names become
one. Through a pipe or in a file nothing is cut.

**Colours** are for headings and verdicts, on a terminal alone, and words say the same. `NO_COLOR` turns them off, and
so does `TERM=dumb`; `FORCE_COLOR` has them in a pipe as well.

**Several values.** An option that may stand once per value takes several words where that can be read in one way:
`--freeze conv1 conv2` is `--freeze conv1 --freeze conv2`.

**Completion** of commands, options, networks, devices, layers and files:

| shell | |
|---|---|
| bash | `archcost completion bash -o ~/.local/share/bash-completion/completions/archcost` |
| zsh | `eval "$(archcost completion zsh)"` in `~/.zshrc`, behind `compinit` |
| fish | `archcost completion fish -o ~/.config/fish/completions/archcost.fish` |

The words stand in the script, so no Python starts when a key is pressed; only the layers of a network are asked for.
After a new version is installed, write it again.
"""

TITLES = {"": "Of a network, and of what is written"}


def page() -> str:
    commands = {command.name: command for command in offered()}
    shared = _shared(list(commands.values()))
    blocks = [HEAD]
    for title, entries in GROUPS.items():
        blocks.append(f"## {title[0].upper()}{title[1:]}\n")
        for entry in entries:
            names = [entry.name, *(f"{entry.name} {inner}" for inner in commands[entry.name].commands)]
            blocks += ["\n".join(_command(commands[name], shared)) for name in names]
    blocks.append("## Options of several commands\n")
    by_title: defaultdict[str, list[Option]] = defaultdict(list)
    for option in shared:
        by_title[TITLES.get(option.title, option.title.split(",")[0].capitalize())].append(option)
    for title, options in by_title.items():
        blocks.append("\n".join([f"### {title}\n", *_table(options)]))
    return "\n".join(blocks)


def _shared(commands: list[Offered]) -> list[Option]:
    counts: defaultdict[Option, int] = defaultdict(int)
    for command in commands:
        for option in command.options:
            counts[option] += 1
    return [option for option, count in counts.items() if count >= SHARED and "--help" not in option.names]


def _command(command: Offered, shared: list[Option]) -> Iterator[str]:
    yield f"### `archcost {' '.join([command.name, *(place.text for place in command.places)])}`\n"
    yield f"{command.help[0].upper()}{command.help[1:]}.\n"
    rows = [
        f"| `{place.metavar}` | {_cell(place.help)} |" for place in command.places if place.help not in ("", NETWORK)
    ]
    own = [option for option in command.options if option not in shared and "--help" not in option.names]
    if rows or own:
        yield from (*HEADER, *rows, *map(_row, own), "")
    also = [f"`{option.names[-1]}`" for option in command.options if option in shared]
    if also:
        yield f"[Also](#options-of-several-commands): {', '.join(also)}.\n"
    if examples := EXAMPLES.get(command.name):
        yield "```bash"
        for line, told in examples:
            yield f"{line}  # {told}"
        yield "```\n"


HEADER = ("| | |", "|---|---|")


def _table(options: list[Option]) -> Iterator[str]:
    yield from (*HEADER, *map(_row, options), "")


def _row(option: Option) -> str:
    names = ", ".join(f"`{name}`" for name in option.names)
    value = f" `{_cell(option.metavar)}`" if option.metavar else ""
    return f"| {names}{value} | {_cell(option.help)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")
