"""The commands that write a network in another format: `archcost import` and `export`."""

from __future__ import annotations

import argparse

from archcost.cli.command import Command
from archcost.cli.given import cost_of, known, spec_of
from archcost.cli.options import add_run
from archcost.errors import ArchcostError


def _import(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    add_run(added)


def import_network(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.costs import cost
    from archcost.graph import build

    spec = spec_of(options.network, options)
    known(cost(build(spec, options.batch)), options)  # what cannot be built is not written
    if not (options.output or "").endswith(".json"):
        return spec.to_yaml(), 0
    from archcost.cli.outputs import spec_json

    return spec_json(spec.to_dict()), 0


def _export(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    add_run(added, any_batch=True)


def export(options: argparse.Namespace) -> tuple[bytes, int]:
    if options.output is None:
        raise ArchcostError("no file to write to", expected="-o FILE.onnx", hint="archcost export NETWORK -o FILE.onnx")
    if options.strict:
        cost_of(options.network, options)
    from archcost.exporters import onnx_bytes

    return onnx_bytes(spec_of(options.network, options), options.batch), 0


COMMANDS = {
    "import": Command(import_network, _import, "spec"),
    "export": Command(export, _export, "onnx"),
}
