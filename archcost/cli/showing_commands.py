"""What the commands do that compute nothing: what ships, what can be named, what a spec says."""

from __future__ import annotations

import argparse

from archcost.cli.commands import rendered, spec_of


def list_networks(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.comparison.totals import shipped

    return rendered(shipped(), options), 0


def show_layers(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.costs.layer_types import layer_type, layer_types

    return rendered(layer_types() if options.type is None else layer_type(options.type), options), 0


def show(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.spec.shown import show

    return rendered(show(spec_of(options.network, options)), options), 0


def schema(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.spec.schema import schema_text

    return schema_text(), 0
