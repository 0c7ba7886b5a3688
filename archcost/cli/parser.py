"""The table of commands. The module of a command is imported, and its options declared, only when it is given."""

from __future__ import annotations

from archcost import __version__
from archcost.cli.command import Entry, add_commands
from archcost.cli.parsing import Parser


def parser(named: str | None = None) -> Parser:
    """Of that command alone, or of all where none has that name."""
    top = Parser(
        prog="archcost",
        description="What does this neural network cost? Weights, operations and receptive fields, layer by layer.",
        epilog="NETWORK is the name of a shipped network, the path of a .yaml, .json or .onnx file, a "
        "config.json of Hugging Face, - for a spec on standard input, or module:callable, "
        "your own Python that makes a torch module (with --args and --input).",
        allow_abbrev=False,
    )
    top.groups = {title: [(entry.name, entry.help) for entry in group] for title, group in GROUPS.items()}
    top.add_argument("--version", action="version", version=f"archcost {__version__}")
    add_commands(top, [entry for entry in COMMANDS if entry.name == named] or COMMANDS)
    return top


GROUPS = {
    "what there is": (
        Entry("list", "the networks that ship, with parameters, MACs and citation", "showing_commands"),
        Entry("layers", "the layers that a spec can name, or what one of them costs and keeps", "showing_commands"),
        Entry("show", "a network's spec, and the parameters that --set takes", "showing_commands"),
        Entry("hardware", "the devices that ship, one of them in full, or a check of one's own", "hardware_commands"),
    ),
    "what a network costs": (
        Entry("summary", "the table of layers: output shape, parameters, MACs, FLOPs", "layer_commands"),
        Entry("lint", "what is odd in a network: unread outputs, strides that leave pixels out, …", "lint_commands"),
        Entry("explain", "the working of each number: formula, numbers put in, result", "layer_commands"),
        Entry("estimate", "the memory that a step takes on a device, and whether it fits", "step_commands"),
        Entry("timeline", "the memory of a step through time, and what is alive at the peak", "step_commands"),
        Entry("plot", "a picture, as SVG, PNG or PDF; of the graph also as Graphviz or Mermaid", "picture_commands"),
        Entry(
            "serve",
            "inference with a cache: memory, the largest context and concurrency, time to first and per token",
            "serving_commands",
        ),
    ),
    "which device, which settings": (
        Entry(
            "fit", "where a network fits, the largest batch there, what binds, and what to change", "planning_commands"
        ),
        Entry("plan", "a whole run on each device: steps, hours, energy, money, CO2, checkpoints", "planning_commands"),
        Entry("sweep", "many configurations at once, as a table: memory and time of each", "planning_commands"),
    ),
    "networks beside each other, and beside torch": (
        Entry("compare", "networks side by side, and which layers differ", "comparing_commands"),
        Entry("diff", "what each number has grown by, from one network or revision to another", "guard_commands"),
        Entry("verify", "cross-check every number with torch and fvcore, or with the module itself", "step_commands"),
        Entry("lock", "write a reviewable table of layers, for archcost check", "comparing_commands"),
        Entry("check", "hold networks to budgets, and to the tables of archcost lock", "guard_commands"),
    ),
    "for a class": (
        Entry("worksheet", "an exercise sheet with blanks, or the same with its answers", "class_commands"),
        Entry("grade", "the marks of a filled worksheet, and the slips that wrong numbers are", "class_commands"),
    ),
    "files, and the shell": (
        Entry("report", "one page that opens offline: layers, charts, devices, and controls", "page_commands"),
        Entry("import", "write any NETWORK as a spec that loads again", "file_commands"),
        Entry("export", "an ONNX file of the network: its shapes, and weights without values", "file_commands"),
        Entry("completion", "a script that completes what is typed, for bash, zsh or fish", "completion_commands"),
        Entry("schema", "the JSON Schema of the spec format, or of a command's JSON", "showing_commands"),
    ),
}
"""Every command, in the groups and the order of `archcost --help`."""

COMMANDS = tuple(entry for group in GROUPS.values() for entry in group)
