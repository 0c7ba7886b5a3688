"""The command of inference with a cache: `archcost serve`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from archcost.cli.command import Command
from archcost.cli.given import calibration_of, refuse_unknown, rendered, spec_of
from archcost.cli.options import DEVICE, add_engine, add_format, add_network
from archcost.cli.parsing import OnceEither
from archcost.cli.values import sequences, tokens
from archcost.errors import ArchcostError

if TYPE_CHECKING:
    from archcost.spec import ModelSpec


def _serve(added: argparse.ArgumentParser) -> None:
    from archcost.serving.memory import BLOCK
    from archcost.serving.serve import CHUNK

    added.add_argument("network", metavar="NETWORK")
    added.add_argument("--hardware", metavar="H", help=f"required: {DEVICE}")
    added.add_argument("--prompt", type=tokens, default=1024, metavar="P", help="tokens that are given (default 1024)")
    added.add_argument("--new", type=tokens, default=256, metavar="N", help="tokens that are written (default 256)")
    added.add_argument("--concurrency", type=sequences, default=1, metavar="C", help="sequences at once (default 1)")
    added.add_argument(
        "--precision", metavar="P", help="bf16, fp16 or fp32; default: bf16, or fp16 where the device does not know it"
    )
    added.add_argument(
        "--cache", metavar="D", help=f"fp16, bf16, fp8, int8, in blocks of {BLOCK} tokens; default: that of the weights"
    )
    added.add_argument(
        "--chunk", type=tokens, default=CHUNK, metavar="T", help=f"tokens of prompts in one step (default {CHUNK:,})"
    )
    added.add_argument(
        "--latent",
        action=OnceEither,
        default=True,
        help="keep the latent of which keys and values are made, or these; default: the latent where there is one",
    )
    add_network(added)
    add_engine(added)
    add_format(added)


def serve(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.serving.serve import WEIGHTS, serve

    if options.hardware is None:
        raise ArchcostError("no device to serve on", expected="--hardware with a name or a file")
    dtypes = [word for word in options.weights if word in WEIGHTS]  # of all, which are no formats of few bits
    if dtypes and (len(options.weights) > 1 or options.precision):
        raise ArchcostError("the dtype of all weights stands twice", expected="one", found=", ".join(options.weights))
    options.weights = [word for word in options.weights if word not in WEIGHTS]
    result = serve(
        spec_of(options.network, options),
        hardware=options.hardware,
        prompt=options.prompt,
        new=options.new,
        concurrency=options.concurrency,
        precision=options.precision or (dtypes[-1] if dtypes else None),
        cache=options.cache,
        chunk=options.chunk,
        latent=options.latent,
        remade=_remade(options),
        engine=options.engine,
        calibration=calibration_of(options),
    )
    refuse_unknown(result.network, result.unknown, options)
    return rendered(result, options), 0 if result.fits else 1


def _remade(options: argparse.Namespace) -> Callable[[int], ModelSpec] | None:
    """Of a module that is made for one input of tokens: the same for another number of them."""
    from archcost.importers.networks import is_callable

    if not is_callable(options.network) or len(options.inputs) != 1:
        return None
    size, colon, rest = options.inputs[0].rpartition("=")[2].partition(":")
    if not size.isdigit():
        return None

    def made(tokens: int) -> ModelSpec:
        return spec_of(options.network, argparse.Namespace(**{**vars(options), "inputs": [f"{tokens}{colon}{rest}"]}))

    return made


COMMANDS = {"serve": Command(serve, _serve)}
