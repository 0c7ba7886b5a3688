"""docs/add_a_layer.md as a program: layers that archcost does not have are added to a copy of it, step by step.

What each step is for is shown by what fails without it. tests/test_add_a_layer.py takes the steps, and the page shows
them; how many files a person edits by hand, and how many lines, is written into docs/architecture.md.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.documents import ROOT

GUIDE = ROOT / "docs" / "add_a_layer.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- begin: made by tests/add_a_layer.py -->\n", "<!-- end -->"

BEFORE = (13, 17)
"""Files and edits that `atan2` took in the house before: measured at commit b3d2680."""


class Step(NamedTuple):
    """What a person writes into a file: imports at its head, text at its end."""

    file: str
    what: str
    imports: str
    text: str
    check: tuple[str, ...]
    """What tells that the step is lacking: arguments of Python, run in the copy."""
    message: str
    """What that says before the step is taken."""


@dataclass(frozen=True)
class Guide:
    """How one layer is added. `kind` is the name of its class, `family` the file that it stands in."""

    kind: str
    type: str
    family: str
    steps: tuple[Step, ...]

    @property
    def files(self) -> int:
        return len({step.file for step in self.steps})

    @property
    def lines(self) -> int:
        written = [line for step in self.steps for line in (step.imports + step.text).splitlines()]
        return sum(bool(line.strip()) for line in written)


def pytest(*arguments: str) -> tuple[str, ...]:
    return ("-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments)


def imported(call: str, inputs: str) -> tuple[str, ...]:
    """Whether a module that calls it has the layer."""
    program = (
        "import torch, archcost\n"
        f"module = type('M', (torch.nn.Module,), {{'forward': lambda self, *x: {call}}})()\n"
        f"print([layer.type for layer in archcost.from_torch(module, {inputs}).layers])"
    )
    return ("-c", program)


NEXTAFTER = Guide(
    "NextAfter",
    "nextafter",
    "binary",
    (
        Step(
            "archcost/layers/binary/functions.py",
            "the layer: its card, and its formula",
            "",
            '''

class NextAfter(PairFunction):
    """The floating number next to the first value on the way to the second (torch.nextafter)."""

    type: Literal["nextafter"] = "nextafter"
    prefix: ClassVar[str] = "nextafter"
    card: ClassVar[Card] = card("torch.nextafter", ("nextafter",))
    formula: ClassVar[PairFormula] = PairFormula("nextafter(a, b)", ("where(a != b, dy, 0)", "0"))
    what: ClassVar[str] = "stepped"
''',
            ("-c", "import archcost; archcost.layers.NextAfter"),
            "has no attribute 'NextAfter'",
        ),
        Step(
            "tests/layers/binary_cases.py",
            "its rows: what it comes to on given inputs, by hand",
            "from archcost.layers import NextAfter\n",
            """
ROWS += (
    Row(
        NextAfter(),
        inputs=((2, 3, 5), (2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5: a step
        backward_input=30,  # 2*3*5: a comparison for the first, zeros for the second
    ),
)
""",
            pytest("tests/layers/test_rows.py", "-k", "complete and nextafter"),
            "has no row",
        ),
        Step(
            "archcost/exporters/binary.py",
            "how it is drawn in ONNX: as an operator of archcost's own, since there is none",
            "from archcost.layers import NextAfter\n",
            """

@draws(NextAfter)
def nextafter(part: Part) -> str:
    return part.draw_unknown("NextAfter", 1, part.cast(0), part.cast(1))[0]
""",
            pytest("tests/exporters/test_rows.py", "-k", "nextafter"),
            "NextAfter has no rendering",
        ),
    ),
)

ISIN = Guide(
    "IsIn",
    "isin",
    "comparison",
    (
        Step(
            "archcost/layers/comparison.py",
            "the layer: its card, its shapes, its work, and what autograd keeps",
            "",
            '''

class IsIn(Layer):
    """Whether each value of the first input is one of the second's (torch.isin). There is no gradient.

    Counted as a comparison of each with each; torch puts them in order where they are many.
    """

    type: Literal["isin"] = "isin"
    prefix: ClassVar[str] = "isin"
    card: ClassVar[Card] = card("torch.isin", ("isin",))
    arity: ClassVar[Arity] = Arity(2, 2)

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(inputs[0].shape, "bool"),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Elementwise(inputs[0].numel * inputs[1].numel, 1, {}, "compared"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), (None, None))
''',
            ("-c", "import archcost; archcost.layers.IsIn"),
            "has no attribute 'IsIn'",
        ),
        Step(
            "tests/layers/comparison_cases.py",
            "its rows",
            "from archcost.layers import IsIn\n",
            """
ROWS += (
    Row(
        IsIn(),
        inputs=((2, 3), (7,)),
        outputs=((2, 3),),
        forward=42,  # 2*3 * 7
        dtypes=("bool",),
    ),
)
""",
            pytest("tests/layers/test_rows.py", "-k", "complete and isin"),
            "has no row",
        ),
        Step(
            "archcost/exporters/comparison.py",
            "how it is drawn in ONNX, which has no operator for it",
            "from archcost.layers import IsIn\n",
            """

@draws(IsIn)
def isin(part: Part) -> str:
    return part.draw_unknown("IsIn", 1, *part.inputs)[0]
""",
            pytest("tests/exporters/test_rows.py", "-k", "isin"),
            "IsIn has no rendering",
        ),
    ),
)

GUIDES = (NEXTAFTER, ISIN)


class Copy:
    """A copy of the project in a folder, in which steps are taken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in ("archcost", "tests", "specs"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "measurements"))
        shutil.copy(ROOT / "pyproject.toml", folder)

    def run(self, *arguments: str) -> tuple[int, str]:
        """Exit code and what was printed."""
        environment = os.environ | {"PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def take(self, step: Step) -> None:
        path = self.folder / step.file
        head = "from __future__ import annotations\n"
        written = path.read_text(encoding="utf-8").replace(head, f"{head}{step.imports}", 1)
        path.write_text(written + step.text, encoding="utf-8")


INTRODUCTION = """\
# Adding a layer

Made by `make docs` from tests/add_a_layer.py, which adds these layers to a copy of archcost and runs every check below.

A layer is one operation of torch's eager autograd. All that is known of it stands in its class: a **card** with the
names by which others know it, and rules. Mirror, import, ONNX, precision, times and pages follow from the card; a
function of one's own is written only where a call, a file or torch has arguments to interpret.

| on the card | what follows |
|---|---|
| `torch` | the module, function or method that the mirror makes, which proves the numbers |
| `calls` | the calls that are heard as this layer, when a module is imported |
| `onnx` | the operator that is read and written as this layer |
| `autocast`, `promotion` | in which dtypes it works, and which comes out (words in archcost/layers/dtypes.py) |
| `fvcore` | what fvcore counts; found out by running it |
| `time` | its class in time (archcost/terms/time_classes.py) |
| `blas` | whether a library of linear algebra runs it, with a workspace of its own |

| rule | what it says |
|---|---|
| `output_types` | the shapes and dtypes that come out, or a `ShapeError` |
| `weights` | parameters and buffers, in torch's order |
| `work` | contractions, elementwise operations, reductions, copies; and what the gradient of each operand costs |
| `autograd` | what is kept for backward, which gradients are new, handed on or views, and what is made and dropped |
| `placement` | where the results lie: in storages of their own, or an input's; in which order of values |
| `precision`, `timing` | where an option or a size makes it another operator than the card says |
| `windows`, `working` | which positions it looks at; how its sizes come about, for `explain` |

A function of one value or of pairs is a formula: operations, what is kept, temporaries and the shown text are read from
it (archcost/layers/derivative.py). Backward is torch's own, from tools/autograd/derivatives.yaml.
"""

CLOSING = """
## And then

`make docs` writes the index of the layers, their pages and the schema. `make test` holds the rows against the rules,
and the same rows against torch, fvcore and onnx: shapes, FLOPs, what is kept in every setting, temporaries to the byte,
autocast on both devices. `make test-newest` does so with the newest torch and its CUDA build: a rule that differs by
release asks `setting.since("…")`, one that differs by device `setting.device`.

What a layer refuses goes to tests/layers/test_shape_errors.py, word for word.
"""


def page() -> str:
    return INTRODUCTION + "".join(map(_section, GUIDES)) + CLOSING


def _section(guide: Guide) -> str:
    text = f"\n## `{guide.type}`\n"
    for number, step in enumerate(guide.steps, 1):
        code = (step.imports + step.text).strip("\n")
        text += f"\n{number}. {step.file}: {step.what}. Without it: *{step.message}*.\n\n```py\n{code}\n```\n"
    return text


def renew(text: str) -> str:
    """docs/architecture.md with what adding a layer takes now."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{rest[rest.index(END) :]}"


def table() -> str:
    files, edits = BEFORE
    rows = [f"| `{guide.type}` | {guide.files} | {len(guide.steps)} | {guide.lines} |" for guide in GUIDES]
    head = ["| layer | files edited by hand | edits | lines |", "|---|---|---|---|"]
    return "\n".join([*head, f"| `atan2`, before cards | {files} | {edits} | |", *rows]) + "\n"


def without_card(step: Step) -> str:
    """The class of the first step without its card."""
    return re.sub(r"    card: .*\n", "", step.text)
