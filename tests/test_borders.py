"""Who may import whom. The table of the design, read from the code's own imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import networkx
import pytest

import archcost

PACKAGE = Path(archcost.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# Each part may import itself and what its row names.
BASE = {"errors", "units", "tensors", "work", "terms", "files"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "units": set(),
    "tensors": {"errors"},
    "work": set(),
    "terms": {"errors", "tensors", "work"},
    "files": {"errors"},
    "layers": BASE,
    "extend": BASE | {"layers", "importers"},  # what a layer of one's own is written with
    "spec": BASE | {"layers"},
    "graph": BASE | {"layers", "spec"},
    "lints": BASE | {"layers", "spec", "graph"},
    "passes": BASE | {"layers", "spec", "graph"},
    "costs": BASE | {"layers", "spec", "graph", "passes"},
    "importers": BASE | {"layers", "spec", "graph"},
    "exporters": BASE | {"layers", "spec", "graph", "__version__"},
    "comparison": BASE | {"layers", "spec", "graph", "passes", "costs", "importers"},
    "hardware": BASE,
    "schemas": {"errors"},
    "times": BASE | {"layers", "graph", "passes", "costs", "hardware"},
    "estimates": BASE | {"layers", "spec", "graph", "passes", "costs", "hardware", "times"},
    "planning": BASE | {"layers", "spec", "graph", "passes", "costs", "hardware", "times", "estimates"},
    "sweeps": BASE | {"layers", "spec", "graph", "passes", "costs", "hardware", "times", "estimates", "planning"},
    "serving": BASE | {"layers", "spec", "graph", "passes", "costs", "hardware", "times", "estimates"},
    "guarding": BASE
    | {"layers", "spec", "graph", "passes", "costs", "importers", "comparison", "hardware", "times", "estimates"},
    "report": BASE
    | {
        "layers",
        "spec",
        "graph",
        "lints",
        "passes",
        "costs",
        "comparison",
        "hardware",
        "times",
        "estimates",
        "planning",
    }
    | {"sweeps", "serving", "guarding"},
    "page": BASE
    | {"layers", "spec", "graph", "passes", "costs", "comparison", "hardware", "times", "estimates", "planning"}
    | {"sweeps", "serving", "report", "__version__"},
    "pictures": BASE
    | {"layers", "spec", "graph", "passes", "costs", "comparison", "hardware", "times", "estimates", "planning"}
    | {"sweeps", "report"},
    "teaching": BASE | {"layers", "spec", "graph", "passes", "costs", "report", "importers", "__version__"},
    "pytest_plugin": BASE | {"spec", "graph", "costs", "comparison", "importers", "guarding", "report"},
    # Holds the rules against the witness, for whoever writes a layer: it needs both.
    "testing": BASE | {"layers", "spec", "graph", "passes", "pytorch"},
    # The witness: no layer rule, only schemas, wiring and the finished numbers to compare; it has a module imported,
    # to hold what the import says against the module.
    "pytorch": BASE | {"layers", "spec", "graph", "passes", "costs", "hardware", "times", "estimates", "importers"},
    "cli": BASE
    | {
        "lints",
        "spec",
        "graph",
        "passes",
        "costs",
        "comparison",
        "hardware",
        "report",
        "pytorch",
        "importers",
        "exporters",
    }
    | {
        "estimates",
        "planning",
        "serving",
        "sweeps",
        "schemas",
        "pictures",
        "page",
        "guarding",
        "teaching",
        "__version__",
    },
    "__main__": {"cli"},
    "__init__": BASE
    | {
        "comparison",
        "guarding",
        "layers",
        "lints",
        "spec",
        "importers",
        "exporters",
        "graph",
        "passes",
        "costs",
        "hardware",
        "estimates",
        "planning",
    }
    | {
        "serving",
        "sweeps",
        "pictures",
        "page",
        "pytorch",
        "report",
        "extend",
        "testing",
    },  # whose `render` it gives to the results
}

OWNERS = {
    "networkx": {"graph"},
    "numpy": {"sweeps", "importers", "pytorch", "pictures"},
    "tabulate": {"report"},
    "matplotlib": {"pictures"},
    "torch": {"pytorch", "importers", "testing"},
    "fvcore": {"pytorch"},
    "onnx": {"importers", "exporters"},
}


def part_of(module: Path) -> str:
    relative = module.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def imported(module: Path, with_names: bool = False) -> Iterator[tuple[str, bool]]:
    """Every imported module by its dotted name, and whether only a type checker imports it. With names, what is taken
    from a module is told behind a dot.
    """
    tree = ast.parse(module.read_text())
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{module}: relative import"
            # `from archcost import pytorch` names a part, `from archcost.errors import X` a thing in one.
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = inner if with_names or node.module == "archcost" else [node.module]
        yield from ((name, id(node) in for_types) for name in names)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_imports_point_one_way(module: Path) -> None:
    part = part_of(module)
    for name, _ in imported(module):
        head, _, rest = name.partition(".")
        if head != "archcost":
            continue
        target = rest.partition(".")[0]
        assert target == part or target in ALLOWED[part], f"{part} may not import archcost.{target}"


def name_of(module: Path) -> str:
    names = module.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def test_no_import_goes_round_in_a_circle() -> None:
    """Neither between parts nor between modules; what is imported inside a function counts, too."""
    files = {name_of(module): module for module in MODULES}
    edges = {
        (name, other if other in files else other.rpartition(".")[0])
        for name, module in files.items()
        for other, for_types in imported(module, with_names=True)
        if other.startswith("archcost.") and not for_types
    }
    parts = {(part_of(files[name]), part_of(files[other])) for name, other in edges}
    for graph in (networkx.DiGraph(edges), networkx.DiGraph((a, b) for a, b in parts if a != b)):
        assert [*networkx.simple_cycles(graph)] == []


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_heavy_packages_stay_with_their_owners(module: Path) -> None:
    for name, for_types in imported(module):
        head = name.partition(".")[0]
        if head in OWNERS and not for_types:
            assert part_of(module) in OWNERS[head], f"{part_of(module)} may not import {head}"


def test_the_witness_uses_no_rule_of_the_layers() -> None:
    """The torch half builds and counts by itself: it reads a layer's fields, never its shapes, weights or work."""
    rules = {"output_types", "weights", "work", "working", "windows", "output_sizes"}
    rules |= {"saves", "keeps", "aliases", "layouts", "overwrites", "gradients", "scratch"}
    for module in (PACKAGE / "pytorch").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in rules, f"{module.name}:{node.lineno} calls {node.func.attr}"


def test_costing_a_network_imports_nothing_heavy() -> None:
    """`import archcost` and a whole cost run work with torch absent and networkx not yet imported."""
    script = """
import sys
sys.modules.update(torch=None, fvcore=None, numpy=None)  # an import of these now fails
import archcost
archcost.cost(archcost.build(archcost.load("vgg_d")))
print(sorted({"networkx", "tabulate", "difflib"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    lengths = {str(module.relative_to(PACKAGE)): len(module.read_text().splitlines()) for module in MODULES}
    assert {module: lines for module, lines in lengths.items() if lines > 400} == {}
