"""The options of the commands: how they are declared, checked, and turned into the library's words."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from archcost.cli.parsing import OnceEither
from archcost.cli.values import accumulation, batch, json_value, sequence, threads
from archcost.errors import ArchcostError

if TYPE_CHECKING:
    from archcost.passes.run import Run
    from archcost.spec.changes import Changes

TABLE_FORMATS = ("text", "markdown", "latex", "html", "csv", "json")
WORKING_FORMATS = ("text", "markdown", "latex", "json")

DEVICE = "a device by name (archcost hardware list) or file"
EACH_DEVICE = "a device by name or file, once per device, or all that ship; default: those that are common"

Action = Callable[[argparse.Namespace], "tuple[str, int] | tuple[bytes, int]"]
"""Options → what is printed or written, and the exit code."""


SAVED = {
    "report": "to a new file, or over the last report of this kind, instead of to the terminal",
    "spec": "to a new file, or over what archcost import wrote there and nobody changed, instead of to the terminal",
    "lock": "to a new file, or into a lock, whose other tables stay, instead of to the terminal",
    "onnx": "the new file, or the last export, to write to",
    "page": "the new file, or the last page on the same networks, to write to",
    "calibration": "the new file, or the last calibration, to write to",
    "sheet": "to a new file, or over a worksheet that nobody has filled, instead of to the terminal",
    "picture": "the new file, or the last picture of this kind of the same network: .svg, .png, .pdf; of a graph also "
    ".dot, .gv, .mmd, .md",
}
"""What a command may write over, by the kind of its file. `archcost.cli.outputs` says how each is known."""


def add_output(added: argparse.ArgumentParser, saves: str) -> None:
    added.add_argument("-o", "--output", metavar="FILE", help=f"write {SAVED[saves]}")
    added.add_argument("--debug", action="store_true", help="show the traceback of an error")


def add_format(added: argparse.ArgumentParser, formats: Sequence[str] = TABLE_FORMATS) -> None:
    """Without one it is told by the ending of the file to write to; `settle_format` does so."""
    added.add_argument("--format", choices=formats, help=f"default: that of -o FILE by its ending, else {formats[0]}")
    added.add_argument(
        "-q", "--quiet", action="store_true", help="print the answer in one line, no report and no progress"
    )
    added.set_defaults(formats=tuple(formats))


ENDINGS = {
    ".txt": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".tex": "latex",
    ".html": "html",
    ".htm": "html",
    ".csv": "csv",
    ".json": "json",
}


def settle_format(options: argparse.Namespace) -> None:
    """Where none is given. Raises ArchcostError where the command has none of the file's ending."""
    formats: tuple[str, ...] = getattr(options, "formats", ())
    if not formats or options.format is not None:
        return
    _, dot, ending = (options.output or "").rpartition(".")
    options.format = ENDINGS.get(dot + ending.lower(), formats[0])
    if options.format not in formats:
        raise ArchcostError(
            f"{options.output}: this command writes no {options.format}",
            expected=", ".join(each for each, format in ENDINGS.items() if format in formats),
            found=dot + ending,
            hint=f"another ending, or --format {formats[0]}",
        )


def add_devices(added: argparse.ArgumentParser) -> None:
    """Several devices; `archcost.cli.given.devices_of` reads which."""
    added.add_argument("--hardware", action="append", default=[], metavar="H", help=EACH_DEVICE)
    add_selection(added)


def add_selection(added: argparse.ArgumentParser) -> None:
    added.add_argument("--vendor", metavar="NAME", help="only devices of this vendor: NVIDIA, AMD, Apple, …")
    added.add_argument("--kind", metavar="K", help="only devices of this kind: gpu, cpu, tpu, soc, microcontroller")
    added.add_argument("--min-memory", metavar="SIZE", help="only devices with at least so much memory: 24GiB")


def add_run(added: argparse.ArgumentParser, any_batch: bool = False) -> None:
    """Which network. With `any_batch`, none means that the number of samples stays open."""
    added.add_argument(
        "--batch",
        type=batch,
        default=None if any_batch else 1,
        metavar="N",
        help=f"samples at once (default {'any number' if any_batch else 1})",
    )
    add_network(added)


def add_network(added: argparse.ArgumentParser) -> None:
    """What of the network is another than its spec says."""
    added.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="KEY=VALUE",
        help="a parameter of the network (depth3=4), of a block (stage.channels=32), or of one use of it",
    )
    added.add_argument(
        "--input",
        action="append",
        default=[],
        dest="inputs",
        metavar="SHAPE",
        help="shape of one sample, 3x384x384 or 3x384x384:float16, once per input or as NAME=SHAPE; "
        "2x500:int64:unbatched has no batch axis, a B says where it is (2xBx128), and scalar is a single number",
    )
    added.add_argument(
        "--sequence",
        type=sequence,
        metavar="N",
        help="tokens of one sample, where a parameter or an axis is their number",
    )
    added.add_argument(
        "--args",
        type=json_value,
        metavar="JSON",
        help="what a module:callable is called with: '{\"num_classes\": 10}', or a list",
    )
    add_changes(added)
    added.add_argument("--strict", action="store_true", help="fail when any number is unknown")


def add_changes(added: argparse.ArgumentParser) -> None:
    """What of the network is frozen, trained or adapted; `changes_of` reads it."""

    def change(name: str, metavar: str, told: str) -> None:
        added.add_argument(name, action="append", default=[], metavar=metavar, help=told)

    change("--freeze", "PATTERN", "layers that are not trained, by their names or those of blocks: 'layer1', '*.mlp'")
    change("--train", "PATTERN", "layers that are trained all the same, though --freeze or --adapt freezes them")
    change(
        "--adapt",
        "ADAPTER",
        "adapters beside layers, all else frozen: lora:r=16,alpha=32,dropout=0.05,targets=q_proj,v_proj; so with dora, "
        "rslora and ia3; targets=all-linear is every linear layer but the head",
    )
    change(
        "--weights",
        "FORMAT",
        "how linear layers but the head keep frozen weights: nf4, fp4, int8, fp8 or int4; nf4:group=64,double, and "
        "layers=q_proj,v_proj or exclude=… for others",
    )


def changes_of(options: argparse.Namespace) -> Changes:
    """What `add_changes` has read."""
    from archcost.spec.changes import Changes

    return Changes(*(tuple(getattr(options, name)) for name in Changes._fields))


def add_settings(added: argparse.ArgumentParser, several: bool = False) -> None:
    """How the network is run. Words are checked by `Run`, which knows the nearest ones. With `several`, an option may
    come once per value, and without any it is None.
    """
    group = added.add_argument_group("how it is run, an option once per value" if several else "how it is run")

    def setting(name: str, default: str | int | None = None, **fields: Any) -> None:
        group.add_argument(name, **({"action": "append"} if several else {"default": default}), **fields)

    setting("--mode", "train", metavar="MODE", help="train (default), infer, infer-autograd")
    setting(
        "--precision",
        "fp32",
        metavar="P",
        help="fp32 (default), tf32, bf16, fp16, or autocast's amp-bf16, amp-fp16",
    )
    setting(
        "--optimizer",
        "adam",
        metavar="O",
        help="none, sgd, sgd-momentum, adam (default), adamw, adafactor, lion, rmsprop, adagrad, nadam, radam, muon, "
        "and with states of few bits adamw-8bit, adamw-4bit, adamw-fp8, lion-8bit, sgd-8bit; with options that each "
        "has, as in sgd-momentum:nesterov,weight_decay, adam:amsgrad or adamw-8bit:paged",
    )
    setting(
        "--optimizer-impl", metavar="I", help="loop, foreach, fused; default torch's: foreach on a GPU, loop on a CPU"
    )
    setting("--accumulation", 1, type=accumulation, metavar="N", help="batches whose gradients add up to one step")
    setting(
        "--recompute",
        "none",
        metavar="R",
        help="none (default), blocks, every:K, names of layers or blocks with commas between, or auto, with --hardware",
    )
    group.add_argument(
        "--loss",
        metavar="L",
        help="cross_entropy, mse, l1, sum, none; default: what the spec says. With options that cross_entropy has: "
        "float32, shifted, shifted=logits, chunks=K, fused, fused=torch, as in cross_entropy:float32,shifted",
    )
    group.add_argument(
        "--in-place",
        action=OnceEither,
        help="activations overwrite their input, or none does; default: what the spec says",
    )
    group.add_argument(
        "--torch", metavar="T", help="by the rules of 2.13 or 2.14; default: the installed, else the newest"
    )
    group.add_argument("--channels-last", action="store_true", help="images in torch.channels_last")
    group.add_argument(
        "--keep-gradients", action="store_true", help="zero_grad(set_to_none=False): zeroed after a step, not dropped"
    )
    group.add_argument(
        "--optimizer-in-backward",
        action="store_true",
        help="each gradient is used when backward has it, and dropped: gradients are never all there",
    )
    setting(
        "--offload",
        "none",
        metavar="PARTS",
        help="what lies off the card, with commas between: optimizer (its state and step), gradients, weights, "
        "activations, each with :cpu (default) or :nvme",
    )
    group.add_argument("--clip-norm", action="store_true", help="clip_grad_norm_ before the optimizer's step")
    group.add_argument(
        "--cache",
        action=OnceEither,
        default=True,
        help="in inference, keys and values are kept where the network makes a cache (default), or nothing is",
    )
    group.add_argument("--master-weights", action="store_true", help="float32 copies of bf16 or fp16 weights")


def add_engine(added: argparse.ArgumentParser, several: bool = False) -> None:
    """What the time of a step rests on."""
    group = added.add_argument_group("how long it takes")
    action = "append" if several else "store"
    group.add_argument(
        "--engine",
        action=action,
        metavar="E",
        help="what runs it: eager (default), or another that the device has calibrations of",
    )
    group.add_argument("--calibration", metavar="FILE", help="one of archcost hardware calibrate")


def add_threads(added: argparse.ArgumentParser) -> None:
    added.add_argument(
        "--threads", type=threads, metavar="N", help="threads of a CPU that will run it; default: as calibrated"
    )


def run_of(options: argparse.Namespace) -> Run:
    """The settings that `add_settings` has read; `--loss` is the spec's."""
    from archcost.passes.run import Run

    given = {field: getattr(options, field) for field in Run.__dataclass_fields__}
    if given["torch"] is None:
        del given["torch"]
    return Run(**given)
