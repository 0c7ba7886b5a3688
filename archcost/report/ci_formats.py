"""What `archcost check` has found, for machines that show it: GitHub's annotations, and JUnit's XML."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from archcost.errors import Place
from archcost.guarding.check import Guarded
from archcost.report.guarding import changes, sentence, title, told


def github(checked: Guarded) -> str:
    """Workflow commands, which GitHub shows beside the lines of a pull request; and below them a sentence.

    Files are named from the root of the checkout, wherever in it the command runs.
    """
    lines = [
        *(_command(finding.place, title(finding), told(finding)) for finding in checked.broken),
        *(_command(failure.place, f"{failure.network}: not checked", failure.message) for failure in checked.failures),
        *(_command(lock.place, f"{lock.network}: changed", changes(lock)) for lock in checked.locks if not lock.ok),
    ]
    return "".join(f"{line}\n" for line in (*lines, f"archcost check: {checked.headline}"))


def _command(place: Place | None, title: str, message: str) -> str:
    at = f"file={_property(_from_root(place.file))},line={place.line}," if place else ""
    return f"::error {at}title={_property(title)}::{_message(message)}"


def _from_root(file: str) -> str:
    root = os.environ.get("GITHUB_WORKSPACE")
    try:
        return Path(os.path.relpath(file, root)).as_posix() if root else file
    except ValueError:  # on another drive
        return file


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def junit(checked: Guarded) -> str:
    """The XML that CI systems read as tests: a case for each budget and each locked network.

    It keeps to what all of them read, by the schema of Jenkins (xunit-plugin's junit-10.xsd), which knows no file and
    no line: the file is the class of a case, and a place stands in the text.
    """
    failed = len(checked.broken) + sum(not lock.ok for lock in checked.locks)
    counts = {
        "tests": str(len(checked.findings) + len(checked.locks) + len(checked.failures)),
        "failures": str(failed),
        "errors": str(len(checked.failures)),
    }
    top = Element("testsuites", {"name": "archcost check", **counts, "time": "0"})
    suite = SubElement(top, "testsuite", {"name": "archcost check", **counts, "skipped": "0", "time": "0"})
    for finding in checked.findings:
        case = _case(suite, finding.place, title(finding))
        if finding.status != "held":
            _outcome(case, "failure", sentence(finding), finding.place, told(finding))
    for lock in checked.locks:
        case = _case(suite, lock.place, f"{lock.network}: layers")
        if not lock.ok:
            _outcome(case, "failure", f"{lock.network}: changed", lock.place, "\n".join(lock.outcome.changes))
    for failure in checked.failures:
        case = _case(suite, failure.place, f"{failure.network}: {failure.of}")
        _outcome(case, "error", f"{failure.network} cannot be checked", failure.place, failure.message)
    indent(top)
    # the first line says whose file it is, so that `-o` knows it again
    return f'<?xml version="1.0" encoding="UTF-8"?><!-- archcost check -->\n{tostring(top, "unicode")}\n'


def _case(suite: Element, place: Place | None, name: str) -> Element:
    file = place.file if place else "archcost"
    return SubElement(suite, "testcase", {"classname": _xml(file), "name": _xml(name), "time": "0"})


def _outcome(case: Element, kind: str, message: str, place: Place | None, told: str) -> None:
    found = SubElement(case, kind, {"message": _xml(message), "type": kind})
    found.text = _xml(f"{place.file}:{place.line}: {told}" if place else told)


def _xml(text: str) -> str:
    """Without characters that XML has no place for."""
    return "".join(character for character in text if character in "\n\t" or character.isprintable())
