"""What optimizers keep and need, by hand. What torch's own do is measured in tests/pytorch/test_optimizers.py."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from archcost.costs.optimizer_operations import operations
from archcost.costs.optimizer_steps import Burst
from archcost.costs.optimizers import (
    clipping,
    forms,
    implementation,
    master_gradients,
    master_weights,
    optimized,
    shared_state,
    state,
    step,
)
from archcost.errors import ArchcostError
from archcost.passes.optimizer import Optimizer
from archcost.passes.run import OptimizerImpl, Run
from archcost.tensors import TensorType
from archcost.terms.autograd import Device, Own

BF16 = "bfloat16"


def nbytes(tensors: tuple[Own, ...]) -> int:
    return sum(own.tensor.nbytes for own in tensors)


def kept(optimizer: str, shape: tuple[int, ...], dtype: str = "float32", device: Device = "cuda") -> int:
    """Bytes of state, in the form that the library chooses."""
    return nbytes(state(optimizer, TensorType(shape, dtype), forms(optimizer, device)[0], device))


@pytest.mark.parametrize(
    ("optimizer", "on_cpu", "on_cuda"),
    [
        ("none", "loop", "loop"),
        ("sgd", "loop", "foreach"),
        ("sgd-momentum", "loop", "foreach"),
        ("adam", "loop", "foreach"),
        ("adamw", "loop", "foreach"),
        ("adafactor", "loop", "loop"),
        ("rmsprop", "loop", "foreach"),
        ("radam:weight_decay", "loop", "foreach"),
        ("muon", "loop", "foreach"),
        ("lion", "loop", "loop"),
        ("adamw-8bit", "fused", "fused"),
    ],
)
def test_what_the_library_chooses(optimizer: str, on_cpu: str, on_cuda: str) -> None:
    run = Run(optimizer=optimizer)
    assert (implementation(run, "cpu"), implementation(run, "cuda")) == (on_cpu, on_cuda)


def test_a_form_that_exists_is_taken() -> None:
    assert implementation(Run(optimizer="adam", optimizer_impl="fused"), "cpu") == "fused"
    assert implementation(Run(optimizer="lion", optimizer_impl="fused"), "cuda") == "fused"


@pytest.mark.parametrize(
    ("optimizer", "impl", "device", "expected"),
    [
        ("adafactor", "fused", "cuda", "loop, foreach"),
        ("lion", "fused", "cpu", "loop, foreach"),
        ("adamw-8bit", "foreach", "cuda", "fused"),
        ("rmsprop", "fused", "cuda", "foreach, loop"),
    ],
)
def test_a_form_that_does_not_exist(optimizer: str, impl: OptimizerImpl, device: Device, expected: str) -> None:
    with pytest.raises(ArchcostError) as raised:
        implementation(Run(optimizer=optimizer, optimizer_impl=impl), device)
    assert raised.value.problem == f"{optimizer} has no such implementation on {device}"
    assert (raised.value.expected, raised.value.found) == (expected, impl)


@pytest.mark.parametrize(
    ("optimizer", "shape", "dtype", "expected"),
    [
        ("sgd", (7, 11), "float32", 0),
        ("sgd-momentum", (7, 11), "float32", 7 * 11 * 4),
        ("adam", (7, 11), "float32", 2 * 7 * 11 * 4),
        ("adamw", (7, 11), BF16, 2 * 7 * 11 * 2),
        ("adafactor", (7, 11), "float32", (7 + 11) * 4),
        ("adafactor", (5, 7, 3, 3), "float32", 5 * 7 * (3 + 3) * 4),  # the last two axes are factored
        ("adafactor", (11,), "float32", 11 * 4),
        ("lion", (7, 11), BF16, 7 * 11 * 2),
        ("adam:amsgrad", (7, 11), "float32", 3 * 7 * 11 * 4),
        ("sgd-momentum:nesterov,weight_decay", (7, 11), "float32", 7 * 11 * 4),
        ("rmsprop", (7, 11), "float32", 7 * 11 * 4),
        ("rmsprop:centered,momentum", (7, 11), "float32", 3 * 7 * 11 * 4),
        ("adagrad", (7, 11), "float32", 7 * 11 * 4),
        ("nadam", (7, 11), "float32", 2 * 7 * 11 * 4),  # step and product of momenta are on the CPU
        ("muon", (7, 11), "float32", 7 * 11 * 4),
        ("muon", (11,), "float32", 2 * 11 * 4),  # AdamW's
        ("muon", (5, 7, 3, 3), "float32", 2 * 315 * 4),
        # lion-pytorch: exp_avg = zeros_like(p), and nothing else.
        # bitsandbytes 0.50.2 on a CPU, seen: (4095,) float32 twice; (4097,) uint8 twice and (17,) float32 twice.
        ("adamw-8bit", (4095,), BF16, 2 * 4095 * 4),
        ("adamw-8bit", (64, 64), BF16, 2 * 4096 + 2 * 16 * 4),
        ("adamw-8bit", (4097,), "float32", 2 * 4097 + 2 * 17 * 4),
        ("adamw-8bit", (17, 19, 3, 5), "float32", 2 * 4845 + 2 * 19 * 4),  # 4845 = 18·256 + 237
        # the same, seen of 3,000 and 51,200 values: one state, and 200 scales
        ("lion-8bit", (3000,), BF16, 3000 * 4),
        ("sgd-8bit", (51_200,), BF16, 51_200 + 200 * 4),
        ("rmsprop-8bit", (51_200,), "float32", 51_200 + 200 * 4),
        ("adagrad-8bit", (51_200,), "float32", 51_200 + 200 * 4),
        ("adam-8bit", (51_200,), "float32", 2 * (51_200 + 200 * 4)),
        # torchao 0.18, seen: of (64, 64) codes, 16 or 32 scales and a table for each state; 4,097 make no whole blocks
        ("adamw-8bit:torchao", (64, 64), BF16, 2 * (4096 + 16 * 4 + 256 * 4)),
        ("adamw-8bit:torchao", (4097,), BF16, 2 * 4097 * 2),
        ("adamw-8bit:torchao", (4095,), "float32", 2 * 4095 * 4),
        ("adam-4bit", (64, 64), BF16, 2 * (2048 + 32 * 4 + 16 * 4)),
        ("adamw-fp8", (64, 64), BF16, 2 * (4096 + 16 * 4)),
    ],
)
def test_state_on_a_gpu(optimizer: str, shape: tuple[int, ...], dtype: str, expected: int) -> None:
    assert kept(optimizer, shape, dtype) == expected


def test_the_step_counter_is_a_float32_scalar_where_the_form_keeps_it() -> None:
    weight = TensorType((7, 11), BF16)
    without, with_counter = 2 * 7 * 11 * 2, 2 * 7 * 11 * 2 + 4
    assert nbytes(state("adam", weight, "fused", "cuda")) == with_counter
    assert nbytes(state("adam", weight, "foreach", "cuda")) == without
    assert nbytes(state("adam", weight, "loop", "cpu")) == with_counter
    assert kept("lion", (7, 11), BF16, "cpu") == kept("lion", (7, 11), BF16)
    assert kept("adamw-8bit", (64, 64), device="cpu") == kept("adamw-8bit", (64, 64))


def test_the_codes_of_8_bit_states_are_there_once() -> None:
    small, large = TensorType((4095,)), TensorType((4096,))
    assert nbytes(shared_state("adamw-8bit", [large, small, large])) == 2 * 256 * 4
    assert shared_state("adamw-8bit", [small]) == ()
    assert shared_state("adamw", [large]) == ()


def test_8_bit_adam_keeps_two_bytes_a_parameter_and_the_scales() -> None:
    """Dettmers et al. 2021: 8-bit states take a quarter of 32-bit ones; a scale a block of 256 adds 1/64 of a byte."""
    weight = TensorType((4096, 4096))
    assert nbytes(state("adamw-8bit", weight, "fused", "cuda")) == 2 * 4096**2 + 2 * 4096**2 // 64


def bursts(optimizer: str, impl: OptimizerImpl, *types: TensorType, device: Device = "cuda") -> list[int]:
    return [burst.nbytes for burst in step(optimizer, impl, types, device)]


LARGE, MIDDLE, SMALL = TensorType((5, 7)), TensorType((11,)), TensorType((2,), BF16)


@pytest.mark.parametrize(
    ("optimizer", "impl"),
    [
        ("none", "loop"),
        ("sgd", "loop"),
        ("sgd", "foreach"),
        ("sgd", "fused"),
        ("sgd-momentum", "loop"),
        ("sgd-momentum", "foreach"),
        ("sgd-momentum", "fused"),
        ("adam", "fused"),
        ("adamw", "fused"),
        ("lion", "fused"),
        ("adamw-8bit", "fused"),
    ],
)
def test_steps_in_place(optimizer: str, impl: OptimizerImpl) -> None:
    assert step(optimizer, impl, [LARGE, MIDDLE, SMALL], "cuda") == ()


def test_adam_in_a_loop_holds_the_last_divisor_while_it_makes_the_next() -> None:
    # 2·140; 2·44 + 140; 2·4 + 44
    assert bursts("adam", "loop", LARGE, MIDDLE, SMALL) == [280, 228, 52]
    first, second = step("adamw", "loop", [LARGE, MIDDLE], "cpu")
    root, divisor = "root of the second moment", "divisor"
    assert first == Burst(0, (Own(root, LARGE), Own(divisor, LARGE)))
    assert second == Burst(1, (Own(divisor, LARGE), Own(root, MIDDLE), Own(divisor, MIDDLE)))


def test_adam_in_lists_makes_one_copy_of_all() -> None:
    (burst,) = step("adam", "foreach", [LARGE, MIDDLE], "cuda")
    assert (burst.parameter, burst.nbytes) == (None, 140 + 44)
    assert bursts("adam", "foreach", LARGE, SMALL, MIDDLE) == [140 + 44 + 4], "both dtypes live together"


def test_lists_wrap_the_one_that_counts_steps_on_the_cpu() -> None:
    scalar = TensorType((), BF16)
    assert bursts("adam", "foreach", scalar, device="cuda") == [2]
    assert bursts("adam", "foreach", scalar, device="cpu") == [4]


def test_of_three_dtypes_two_neighbours_live_together() -> None:
    # The dtype seen last comes first: float64's 80 and bfloat16's 4, then bfloat16's and float32's 140.
    assert bursts("adam", "foreach", LARGE, SMALL, TensorType((10,), "float64")) == [4 + 140]


def test_no_parameters() -> None:
    for optimizer in get_args(Optimizer):
        for impl in forms(optimizer, "cpu"):
            assert sum(burst.nbytes for burst in step(optimizer, impl, [], "cuda")) == 0


def test_lion() -> None:
    """lion-pytorch 0.2.5, seen: a clone and a sum a parameter; its foreach clones of all."""
    assert bursts("lion", "loop", LARGE, SMALL) == [2 * 140, 2 * 4]
    assert bursts("lion", "foreach", LARGE, MIDDLE, SMALL) == [140 + 44 + 4]


@pytest.mark.parametrize(
    ("values", "dtype", "each"),
    # Bytes a parameter of the CPU allocator's peak in bitsandbytes 0.50.2, by the profiler.
    [(3000, "float32", 12), (50_000, "float32", 20), (3000, BF16, 16), (50_000, BF16, 24)],
)
def test_8_bit_adam_works_in_float32_on_a_cpu(values: int, dtype: str, each: int) -> None:
    assert bursts("adamw-8bit", "fused", TensorType((values,), dtype), device="cpu") == [each * values]
    assert bursts("lion-8bit", "fused", TensorType((values,), dtype), device="cpu") == [each * values]


@pytest.mark.parametrize(
    ("optimizer", "values", "dtype", "each"),
    [
        ("rmsprop-8bit", 3000, "float32", 12),
        ("rmsprop-8bit", 51_200, "float32", 12),
        ("adagrad-8bit", 51_200, BF16, 16),
        ("sgd-8bit", 3000, BF16, 8),
        ("adamw:paged", 51_200, "float32", 12),
        ("adam:paged", 51_200, BF16, 16),
        ("lion:paged", 3000, BF16, 16),
    ],
)
def test_others_of_bitsandbytes_on_a_cpu(optimizer: str, values: int, dtype: str, each: int) -> None:
    """Bytes a parameter, seen as above."""
    assert bursts(optimizer, "fused", TensorType((values,), dtype), device="cpu") == [each * values]


def test_8_bit_momentum_on_a_cpu_holds_new_codes_beside_the_old() -> None:
    """461,620 bytes of 51,200 values seen, 9.016 each: gradient and momentum in float32, codes and 200 scales."""
    weight = TensorType((51_200,))
    assert bursts("sgd-8bit", "fused", weight, device="cpu") == [51_200 * (4 + 4 + 1) + 200 * 4]


def test_what_is_compiled_makes_nothing() -> None:
    for optimizer in ("adamw-8bit:torchao", "adamw-4bit", "adam-fp8", "adamw:paged"):
        assert bursts(optimizer, "fused", TensorType((64, 64))) == []


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_adam_holds_16_bytes_a_parameter(precision: str) -> None:
    """Rajbhandari et al. 2020 (ZeRO, arXiv 1910.02054): 2 + 2 for weight and gradient, 12 for the optimizer."""
    run = Run(precision="bf16" if precision == "bf16" else "fp16", master_weights=True, optimizer="adam")
    weight = TensorType((1000, 1000), run.weight_dtype or "")
    (copy,) = optimized([weight], run)
    states = nbytes(master_weights([weight], run)) + nbytes(state("adam", copy, "foreach", "cuda"))
    assert states == 12 * weight.numel
    assert weight.nbytes + weight.nbytes + states == 16 * weight.numel
    assert nbytes(master_gradients([weight], run)) == 4 * weight.numel


def test_without_master_weights_the_optimizer_works_on_the_parameters() -> None:
    run = Run(precision="bf16")
    assert optimized([LARGE, SMALL], run) == (LARGE, SMALL)
    assert master_weights([LARGE, SMALL], run) == master_gradients([LARGE, SMALL], run) == ()


def test_a_checkpoint_of_weights_and_two_moments() -> None:
    """karpathy/nanoGPT, transformer_sizing.ipynb: 124,337,664 float32 parameters with Adam's buffers, 1.49 GB."""
    weights = TensorType((124_337_664,))
    nbytes_of_all = weights.nbytes + nbytes(state("adamw", weights, "foreach", "cuda"))
    assert nbytes_of_all == 12 * 124_337_664
    assert f"{nbytes_of_all / 1e9:.2f}" == "1.49"


@pytest.mark.parametrize(
    ("optimizer", "each"),
    [
        ("none", 0),
        ("sgd", 2),  # product, difference
        ("sgd-momentum", 2 + 2),
        ("adam", 3 + 4 + 6),
        ("adamw", 3 + 4 + 6 + 1),
        ("adafactor", 2 + 2 + 3 + 2 + 4 + 2),
        ("lion", 4 + 1 + 2 + 3),
        ("sgd-momentum:nesterov,weight_decay", 2 + 2 + 2 + 2),
        ("adam:amsgrad", 3 + 4 + 6 + 1),
        ("rmsprop", 4 + 5),
        ("rmsprop:centered,momentum,weight_decay=0.1", 4 + 5 + 5 + 2 + 2),
        ("adagrad", 2 + 5),
        ("adagrad:weight_decay=0", 2 + 5),
        ("adadelta", 4 + 4 + 2 + 4 + 2),
        ("adamax", 3 + 4 + 3),
        ("rprop", 2 + 3 + 3 + 2 + 2),
        ("nadam", 3 + 4 + 3 + 6),
        ("radam", 3 + 4 + 7 + 1),
        ("adamw-8bit", 7 + 5 + 1),  # below 4,096 values in 32 bits
        ("adam-8bit", 7 + 5),
        ("adam:paged", 7 + 5),
        ("lion-8bit", 4 + 1 + 2 + 3),
        ("sgd-8bit", 2 + 2),
        ("adamw-4bit", 3 + 4 + 6 + 1),
    ],
)
def test_operations(optimizer: str, each: int) -> None:
    assert operations(optimizer, LARGE) == 35 * each


def test_operations_of_muon() -> None:
    """A 5 × 7 matrix: 12 a value, and five times 2·5·5·7, 2·5³ + 3·5² and 2·5·5·7 + 3·5·7 (Jordan et al. 2024)."""
    assert operations("muon", LARGE) == 12 * 35 + 5 * (350 + 250 + 75 + 350 + 105)
    assert operations("muon", MIDDLE) == operations("adamw", MIDDLE)


def test_decay_of_momentum_in_lists_needs_a_second_copy_of_the_weights() -> None:
    """8,388,608 B of weights, as many of gradients and of momentum: 25.2 MB; 33.6 MB with the decayed gradients."""
    weight = TensorType((2048, 1024))
    (burst,) = step("sgd-momentum:weight_decay", "foreach", [weight], "cuda")
    assert burst.nbytes == weight.nbytes
    assert (3 * weight.nbytes, 3 * weight.nbytes + burst.nbytes) == (25_165_824, 33_554_432)


def test_muon_of_a_square_matrix_needs_three_times_the_weights() -> None:
    """The update in float32 twice its bfloat16, and two squares beside: 4 + 2 + 2 + 2 + 2 bytes a value."""
    square = TensorType((16, 16))
    assert max(burst.nbytes for burst in step("muon", "foreach", [square], "cuda")) == 12 * 256


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("adma", "optimizer is not one of those known\n  expected: none, sgd, "),
        (
            "lbfgs",
            "lbfgs calls the network as often as its search wants, which no one step is\n  expected: none, sgd, ",
        ),
        ("sgd:nesterov", "sgd has no such option\n  expected: weight_decay\n  found: 'nesterov'"),
        ("lion:weight_decay", "lion has no such option\n  expected: paged"),
        (
            "adam:amsgrade",
            "adam has no such option\n  expected: amsgrad, weight_decay, paged\n  found: 'amsgrade'\n  try: 'amsgrad'",
        ),
        ("adam:weight_decay=much", "optimizer option weight_decay\n  expected: a number, 0 or more\n  found: 'much'"),
        ("adam:weight_decay=", "optimizer option weight_decay\n  expected: a number, 0 or more\n  found: ''"),
        ("adam:weight_decay=nan", "optimizer option weight_decay\n  expected: a number, 0 or more\n  found: 'nan'"),
        ("adam:weight_decay=-1", "optimizer option weight_decay\n  expected: a number, 0 or more\n  found: '-1'"),
        ("adam:", "adam has no such option\n  expected: amsgrad, weight_decay, paged\n  found: ''"),
        ("adam:amsgrad,amsgrad=0", "optimizer option amsgrad stands twice\n  expected: once"),
        ("adam:paged,amsgrad", "adam:paged has no other option\n  expected: paged\n  found: amsgrad"),
        ("adamw-8bit:torchao,paged", "adamw-8bit:paged has no other option\n  expected: paged\n  found: torchao"),
        ("sgd:paged", "sgd has no such option\n  expected: weight_decay\n  found: 'paged'"),
        ("adamw-8bits", "optimizer is not one of those known"),
        (7, "optimizer is not one of those known"),
    ],
)
def test_words_that_name_no_optimizer(words: Any, message: str) -> None:
    with pytest.raises(ArchcostError) as raised:
        Run(optimizer=words)
    assert str(raised.value).startswith(message)


def test_clipping_has_a_norm_for_each_gradient() -> None:
    # 4 + 4 + 2 B of norms, 3 · 4 B of these in one tensor, 4 B of their norm
    assert nbytes(clipping([LARGE, MIDDLE, SMALL])) == 10 + 12 + 4


def test_operations_that_depend_on_the_parameter() -> None:
    assert operations("adafactor", MIDDLE) == 11 * (2 + 2 + 3 + 2 + 1 + 3)
    large = TensorType((4096,))
    assert operations("adamw-8bit", large) == 4096 * (7 + 5 + 1 + 2 * (1 + 2 + 1 + 11))
    assert operations("sgd-8bit", large) == 4096 * (4 + 1 + 2 + 1 + 11)
    assert operations("adamw-8bit:torchao", large) == 4096 * (14 + 2 * (1 + 2 + 1 + 11))
    assert operations("adam-4bit", large) == 4096 * (13 + 2 * (1 + 2 + 1 + 7))
    assert operations("adamw-fp8", large) == 4096 * (14 + 2 * (1 + 2 + 1))
