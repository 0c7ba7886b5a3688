"""What the commands do that compute nothing: what ships, what can be named, what a spec says."""

from __future__ import annotations

import argparse

from archcost.cli.command import Command
from archcost.cli.given import rendered, spec_of
from archcost.cli.options import add_format, add_network


def _list(added: argparse.ArgumentParser) -> None:
    from archcost.comparison.selection import ORDERS

    added.add_argument("words", nargs="*", metavar="WORD", help="only networks with it in name, title or citation")
    added.add_argument("--min-parameters", metavar="N", help="only networks with so many at least: 25000000, 25M")
    added.add_argument("--max-parameters", metavar="N", help="only networks with so many at most")
    added.add_argument("--sort", default="name", choices=ORDERS, help="name (default), or the largest first")
    add_format(added)


def list_networks(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.comparison.selection import selected
    from archcost.comparison.totals import shipped

    sizes = {"min_parameters": options.min_parameters, "max_parameters": options.max_parameters}
    return rendered(selected(shipped(), options.words, **sizes, by=options.sort), options), 0


def _layers(added: argparse.ArgumentParser) -> None:
    added.add_argument(
        "type",
        nargs="?",
        metavar="TYPE",
        help="one of them in full: what it costs and keeps; or a word, for those with it",
    )
    add_format(added)


def show_layers(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.costs.layer_types import about_layers, layer_types

    return rendered(layer_types() if options.type is None else about_layers(options.type), options), 0


def _show(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    add_network(added)
    add_format(added, ("text", "markdown", "json"))


def show(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.spec.shown import show

    return rendered(show(spec_of(options.network, options)), options), 0


def _schema(added: argparse.ArgumentParser) -> None:
    added.add_argument("answer", nargs="?", metavar="ANSWER", help="estimate, fit, …: of that JSON instead of a spec's")


def schema(options: argparse.Namespace) -> tuple[str, int]:
    if options.answer is None:
        from archcost.spec.schema import schema_text

        return schema_text(), 0
    import json

    from archcost.schemas import schema

    return json.dumps(schema(options.answer), indent=2, ensure_ascii=False) + "\n", 0


COMMANDS = {
    "list": Command(list_networks, _list),
    "layers": Command(show_layers, _layers),
    "show": Command(show, _show),
    "schema": Command(schema, _schema),
}
