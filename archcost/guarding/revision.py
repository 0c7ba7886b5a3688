"""A network as it was at a revision of git: `archcost diff --git HEAD~1 FILE`.

The files of that revision are written to a temporary folder, by an index of their own, so that neither the working
files nor what is staged are touched. A file is read there with all that it extends. A module is imported there by
another Python, since this one may have imported it as it is now, and comes back as a spec.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from archcost.comparison.recipe import Recipe
from archcost.errors import ArchcostError, Place, first_line, listing, nearest, shorten
from archcost.importers.networks import is_callable
from archcost.spec import ModelSpec
from archcost.spec.changes import Changes
from archcost.spec.load import loads

OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")
"""Variables that git sets for its hooks, which would lead elsewhere."""

THERE = (
    "import sys; sys.path.insert(0, sys.argv[1]); from archcost.guarding.revision import import_there; import_there()"
)


class Checkout(NamedTuple):
    """The root of a repository, and the commit that a revision is."""

    root: Path
    commit: str


@contextmanager
def at_revision(recipe: Recipe, revision: str) -> Generator[ModelSpec]:
    """The network of a recipe as it was; inside, its files are there, and an error says where it was, not where they
    are. Raises ArchcostError where there is no repository, revision or file of that name.
    """
    called = is_callable(recipe.network)
    if not called and not recipe.is_file:
        expected = "a file, or module:callable, of a repository"
        raise ArchcostError("no revision has such a network", expected=expected, found=shorten(recipe.network))
    file = Path(os.path.realpath(recipe.network))
    checkout = _checkout(Path.cwd() if called else file.parent, revision)
    path = Path() if called else file.relative_to(checkout.root)
    if not called:
        _require_file(checkout, path.as_posix(), revision)
    folder = "" if path.parent == Path() else f"{path.parent.as_posix()}/"
    with TemporaryDirectory(prefix="archcost-") as made:
        there = Path(os.path.realpath(made))
        tree = there / "tree"
        with _told_of(f"{revision}:{folder}", tree):
            _export(checkout, folder, there)
            yield _imported(recipe, checkout, tree, revision) if called else recipe.at(tree / path.name).load()


def _checkout(folder: Path, revision: str) -> Checkout:
    root = _git(folder, "rev-parse", "--show-toplevel")
    if root is None:
        expected = "a file in a repository with working files"
        raise ArchcostError("not in a repository of git", expected=expected, found=str(folder))
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        expected, hint = "a commit, a branch, a tag, HEAD~1", "git log --oneline"
        raise ArchcostError("unknown revision", expected=expected, found=shorten(revision), hint=hint)
    return Checkout(Path(os.path.realpath(root)), commit)


def _require_file(checkout: Checkout, path: str, revision: str) -> None:
    if _git(checkout.root, "cat-file", "-e", f"{checkout.commit}:{path}") is not None:
        return
    there = (_git(checkout.root, "ls-tree", "-r", "--name-only", "-z", checkout.commit) or "").split("\0")
    raise ArchcostError(
        f"{path} is not in {revision}",
        expected="a file that was there, under the same name",
        found="none",
        hint=nearest(path, filter(None, there)),
    )


def _export(checkout: Checkout, folder: str, there: Path) -> None:
    """Write the files of a folder, as they were, to `there/tree`."""
    index = {"GIT_INDEX_FILE": str(there / "index")}
    tree = there / "tree"
    read = _git(checkout.root, "read-tree", f"{checkout.commit}:{folder}", **index)
    written = (
        read
        if read is None
        else _git(checkout.root, "checkout-index", "--all", "--quiet", f"--prefix={tree}{os.sep}", **index)
    )
    if written is None:
        raise ArchcostError("git cannot write the files of that revision", expected="room in the temporary folder")
    tree.mkdir(exist_ok=True)


def _git(folder: Path, *words: str, **variables: str) -> str | None:
    """What a command prints; None where it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in OF_A_HOOK}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            env={**environment, **variables},
            check=False,
        )
    except FileNotFoundError:
        raise ArchcostError("git is not installed", expected="git, for a network as it was", found="none") from None
    return done.stdout.removesuffix("\n") if done.returncode == 0 else None


@contextmanager
def _told_of(where: str, tree: Path) -> Generator[None]:
    """Errors name files as git does, `HEAD~1:nets/net.yaml`, and not by the temporary folder that they are in."""

    def told(text: str | None) -> str | None:
        return None if text is None else text.replace(f"{tree}{os.sep}", where)

    try:
        yield
    except ArchcostError as error:
        place = error.place and Place(told(error.place.file) or "", error.place.line, error.place.column)
        raise type(error)(
            told(error.problem) or "",
            expected=told(error.expected),
            found=told(error.found),
            hint=told(error.hint),
            layer=error.layer,
            place=place,
        ) from None


def _imported(recipe: Recipe, checkout: Checkout, tree: Path, revision: str) -> ModelSpec:
    """The module of a callable, followed by another Python in the folder of the revision."""
    here = Path(os.path.realpath(Path.cwd())).relative_to(checkout.root)
    if not (tree / here).is_dir():
        raise ArchcostError(f"the current folder is not in {revision}", expected="one that was there", found=str(here))
    archcost = str(Path(__file__).resolve().parents[2])
    asked = {**_plain(recipe), "working": str(checkout.root), "tree": str(tree), "revision": revision}
    done = subprocess.run(
        [sys.executable, "-P", "-c", THERE, archcost],
        input=json.dumps(asked),
        stdout=subprocess.PIPE,
        text=True,
        cwd=tree / here,
        check=False,
    )
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        found = f"Python ends with {done.returncode}"
        raise ArchcostError(f"{recipe.network} cannot be followed at {revision}", found=found) from None
    if "error" in answer:
        raise ArchcostError(**answer["error"])
    return loads(answer["spec"], f"{recipe.network} at {revision}")


def _plain(recipe: Recipe) -> dict[str, Any]:
    names = ("network", "settings", "inputs", "args", "changes", "sequence")
    return {name: getattr(recipe, name) for name in names}


def import_there() -> None:
    """What that other Python does: the recipe on standard input, the spec as JSON on standard output."""
    asked: dict[str, Any] = json.loads(sys.stdin.read())
    working, tree, revision = Path(asked.pop("working")), Path(asked.pop("tree")), asked.pop("revision")
    inside = [tree / Path(path).relative_to(working) for path in sys.path if Path(path).is_relative_to(working)]
    sys.path[:0] = [os.getcwd(), *(str(path) for path in inside if path.is_dir())]
    recipe = Recipe(
        asked["network"],
        settings=tuple(asked["settings"]),
        inputs=tuple(asked["inputs"]),
        args=asked["args"],
        changes=Changes(*map(tuple, asked["changes"])),
        sequence=asked["sequence"],
    )
    try:
        spec = recipe.load()
        require_of_revision(asked["network"].partition(":")[0], working, tree, revision)
        answer = {"spec": spec.to_yaml()}
    except ArchcostError as error:
        place = f"{error.place}: " if error.place else ""
        details = {name: getattr(error, name) for name in ("expected", "found", "hint", "layer")}
        answer = {"error": {"problem": f"{place}{error.problem}", **details}}
    except Exception as error:
        answer = {"error": {"problem": f"{asked['network']} fails: {type(error).__name__}: {first_line(error)}"}}
    sys.__stdout__.write(f"{json.dumps(answer)}\n")  # pyright: ignore[reportOptionalMemberAccess]


def require_of_revision(module: str, working: Path, tree: Path, revision: str) -> None:
    """Raises ArchcostError where what was imported is as it is now: a package that is installed from its checkout."""
    files = {name: _file_of(each) for name, each in list(sys.modules.items()) if name.partition(".")[0] != "archcost"}
    now = [
        name
        for name, file in files.items()
        if file and file.is_relative_to(working) and (tree / file.relative_to(working)).exists()
    ]
    own = files.get(module)
    if own is not None and not own.is_relative_to(tree) and module not in now:
        now.append(module)
    if now:
        raise ArchcostError(
            f"{listing(now, 3)} cannot be had as in {revision}",
            expected="modules that are imported from the repository itself",
            found=", ".join(str(files[name]) for name in now[:3]),
            hint="in the folder that holds the package, without it installed",
        )
    _refuse_own_layers(tree, revision)


def _refuse_own_layers(tree: Path, revision: str) -> None:
    """A layer's rules at that revision are in the other Python alone."""
    from archcost.layers import own

    found = [type_ for type_, each in own.registered().items() if _defined_in(each.kind.__module__, tree)]
    if found:
        raise ArchcostError(
            f"the repository has layers of its own, whose rules in {revision} may be others",
            expected="a network of layers that archcost has",
            found=listing(found, 3),
        )


def _defined_in(module: str, tree: Path) -> bool:
    file = _file_of(sys.modules.get(module))
    return file is not None and file.is_relative_to(tree)


def _file_of(module: object) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(os.path.realpath(file)) if isinstance(file, str) else None
