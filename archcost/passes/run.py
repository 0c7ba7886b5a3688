"""`Run`: the settings of a step, as a planner chooses them for a given network and batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from archcost.errors import ArchcostError, nearest, shorten
from archcost.passes.offload import Part, Target, offload
from archcost.passes.optimizer import method
from archcost.terms.torch_releases import Torch, installed

Mode = Literal["train", "infer", "infer-autograd"]
"""A training step; a forward pass in evaluation mode without autograd; the same with autograd left on."""

Precision = Literal["fp32", "tf32", "bf16", "fp16", "amp-bf16", "amp-fp16"]
"""`bf16` and `fp16`: all floating tensors in 16 bits. `amp-`: torch.autocast over weights in float32."""

OptimizerImpl = Literal["loop", "foreach", "fused"]
"""Torch's three ways through the parameters: one by one, all at once in lists, in one kernel."""


@dataclass(frozen=True, slots=True)
class Run:
    """Settings of one run. Raises ArchcostError for a word that is not one of those.

    `optimizer` is a name of `archcost.passes.optimizer`, which may have options: `sgd-momentum:nesterov`.
    `optimizer_impl` None is torch's own choice: foreach on a GPU, loop on a CPU. `in_place` None leaves activations as
    the spec has them. `master_weights` keeps a float32 copy of 16-bit weights for the optimizer to work on.
    `channels_last` has images lie with their channels innermost, as after `to(memory_format=torch.channels_last)`.
    `keep_gradients` zeroes gradients after a step, `zero_grad(set_to_none=False)`, where they are dropped otherwise;
    `clip_norm` clips them by their norm before it. `optimizer_in_backward` has each gradient used as soon as backward
    has it, and dropped. `offload` names what lies off the card (`archcost.passes.offload`).
    `cache` has a step of inference keep what the next token needs, where the network makes a cache.
    `recompute` is `none`, `blocks`, `every:K`, names of layers or blocks with commas between, or `auto`. `torch` is the
    release whose rules hold: the installed one, or where there is none the newest that is known.
    """

    mode: Mode = "train"
    precision: Precision = "fp32"
    optimizer: str = "adam"
    optimizer_impl: OptimizerImpl | None = None
    accumulation: int = 1
    recompute: str = "none"
    in_place: bool | None = None
    master_weights: bool = False
    channels_last: bool = False
    keep_gradients: bool = False
    clip_norm: bool = False
    optimizer_in_backward: bool = False
    cache: bool = True
    offload: str = "none"
    torch: Torch = field(default_factory=installed)

    def __post_init__(self) -> None:
        _require_one_of("mode", self.mode, get_args(Mode))
        _require_one_of("precision", self.precision, get_args(Precision))
        method(self.optimizer)
        offload(self.offload)
        _require_one_of("torch", self.torch, get_args(Torch))
        if self.optimizer_impl is not None:
            _require_one_of("optimizer_impl", self.optimizer_impl, get_args(OptimizerImpl))
        if type(self.accumulation) is not int or not 1 <= self.accumulation <= MOST:
            raise ArchcostError(
                "accumulation is the number of backward passes before a step",
                expected=f"an integer from 1 to {MOST:,}",
                found=shorten(self.accumulation),
            )
        if type(self.recompute) is not str:
            raise ArchcostError(
                "recompute is text",
                expected="none, blocks, every:K, auto, or names of layers or blocks with commas between",
                found=shorten(self.recompute),
            )
        if self.master_weights and self.precision not in ("bf16", "fp16"):
            raise ArchcostError(
                "master weights are float32 copies of 16-bit weights",
                expected="precision bf16 or fp16",
                found=f"precision {self.precision}",
            )
        if self.optimizer_in_backward:
            self._require_steps_in_backward()
        if offload(self.offload):
            self._require_offloads()

    def _require_offloads(self) -> None:
        """What lies off the card has to be there, and nothing may ask for it in another way."""
        parts = offload(self.offload)
        steps, drops = "optimizer" in parts, "gradients" in parts or ("weights" in parts and self.trains)
        alone = self.mode != "train" and [part for part in parts if part != "weights"]
        paged = "paged" in method(self.optimizer).options
        against = {
            "mode": (bool(alone), "mode train: of inference only weights can be offloaded"),
            "optimizer": (steps and self.optimizer == "none", "an optimizer, to have its step on the host"),
            "recompute": (self.recompute == "auto", "recompute none, blocks, every:K or names"),
            "optimizer_in_backward": (
                self.optimizer_in_backward and (steps or drops),
                "either of both: the host's step comes after backward",
            ),
            "clip_norm": (
                self.clip_norm and (steps or drops),
                "no clip_norm: gradients leave the card before their norm is known",
            ),
            "accumulation": (
                drops and self.accumulation > 1,
                "accumulation 1 where gradients leave the card as they come",
            ),
            "keep_gradients": (drops and self.keep_gradients, "no keep_gradients where they leave the card"),
        }
        for name, (is_against, expected) in against.items():
            if is_against:
                found = f"{name} {getattr(self, name)}"
                raise ArchcostError(f"offload {self.offload}", expected=expected, found=found)
        if steps and paged:
            expected = "either of both: paged states lie on the host already"
            raise ArchcostError(f"offload {self.offload}", expected=expected, found=f"optimizer {self.optimizer}")
        if not steps and self.optimizer != "none" and drops:
            what = "gradients" if "gradients" in parts else "weights"
            expected = f"optimizer,{what}: what is on the host is updated there"
            raise ArchcostError(f"offload of {what} while training", expected=expected, found=f"offload {self.offload}")

    def _require_steps_in_backward(self) -> None:
        """An optimizer that steps in backward sees one gradient at a time, once."""
        against = {
            "mode": (self.mode != "train", "mode train, which has a backward"),
            "optimizer": (self.optimizer == "none", "an optimizer"),
            "accumulation": (self.accumulation > 1, "accumulation 1: each backward is a step"),
            "keep_gradients": (self.keep_gradients, "no keep_gradients: each is dropped when it is used"),
            "clip_norm": (self.clip_norm, "no clip_norm: the norm of all gradients needs all of them"),
            "recompute": (self.recompute == "auto", "recompute none, blocks, every:K or names"),
        }
        for name, (is_against, expected) in against.items():
            if is_against:
                found = f"{name} {getattr(self, name)}"
                raise ArchcostError("the optimizer cannot step in backward", expected=expected, found=found)

    def to_dict(self) -> dict[str, str | int]:
        """What every answer repeats of the question; of what is offloaded it tells more."""
        return {
            "mode": self.mode,
            "precision": self.precision,
            "optimizer": self.optimizer,
            "accumulation": self.accumulation,
            "recompute": self.recompute,
            "master_weights": self.master_weights,
            "keep_gradients": self.keep_gradients,
            "clip_norm": self.clip_norm,
            "optimizer_in_backward": self.optimizer_in_backward,
            "cache": self.cache and not self.trains,
            "torch": self.torch,
        }

    @property
    def trains(self) -> bool:
        return self.mode == "train"

    @property
    def offloaded(self) -> Mapping[Part, Target]:
        """Where each part lies that is not on the card."""
        return offload(self.offload)

    @property
    def has_passes_apart(self) -> bool:
        """Whether forward and backward are the same whichever optimizer comes after them."""
        return not self.optimizer_in_backward and not self.offloaded

    @property
    def autocast(self) -> str | None:
        """The dtype that autocast casts to."""
        return {"amp-bf16": "bfloat16", "amp-fp16": "float16"}.get(self.precision)

    @property
    def matmul_dtype(self) -> str:
        """The dtype in which matrices are multiplied, by the names of a profile's rates."""
        return self.autocast or self.weight_dtype or ("tf32" if self.precision == "tf32" else "float32")

    @property
    def weight_dtype(self) -> str | None:
        """The dtype that every floating weight and input is turned into; None leaves them as declared."""
        return {"bf16": "bfloat16", "fp16": "float16"}.get(self.precision)


MOST = 2**31 - 1


def _require_one_of(field: str, value: object, words: tuple[str, ...]) -> None:
    if value in words:
        return
    raise ArchcostError(
        f"{field} is not one of those known",
        expected=", ".join(words),
        found=shorten(value),
        hint=nearest(str(value), words),
    )
