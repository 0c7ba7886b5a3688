"""What the CPU's convolutions allocate for themselves.

They are oneDNN's (`aten/src/ATen/native/mkldnn/Conv.cpp`). It computes in layouts of its own, so that a layer's input,
weight and result each exist a second time while it runs, in blocks of channels and padded to whole blocks, with a
workspace beside them (ideep takes both from torch's allocator). Which layout it takes was read from its own account
(`ONEDNN_VERBOSE`), and every size from torch's profiler: torch 2.13 with oneDNN 3.12, on an AMD EPYC (family 26) with
AVX-512 and bfloat16. Summed over the convolutions of VGG, ResNet and DenseNet the rules are within 1 % on one or two
threads in float32 and 3 % in bfloat16; on eight within 4 % and 12 % (`tests/studies/cpu_kernels.py`). Another
instruction set (AMX, AVX2, Arm) takes other layouts; float16 and images whose channels come last were not measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from archcost.costs.cpu_call import FLOAT, Call, whole_blocks
from archcost.layers.convolution.conv import Convolution, Kernel
from archcost.tensors import DTYPE_BYTES

LANES = 16
"""Channels in a block: the float32 values of an AVX-512 register. oneDNN takes as many of bfloat16."""

PAGES = 12288
"""What a strided gradient's workspace begins with."""


@dataclass(frozen=True, slots=True)
class Problem:
    """The convolution that a layer is, or whose gradient for the source it is (a transposed one).

    `source` and `product` are positions (spatial sizes); `channels` and `features` those of source and product.
    """

    batch: int
    channels: int
    features: int
    groups: int
    source: tuple[int, ...]
    product: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    itemsize: int
    threads: int

    @property
    def is_half(self) -> bool:
        return self.itemsize == 2

    @property
    def is_pointwise(self) -> bool:
        return prod(self.kernel) == 1

    @property
    def is_strided(self) -> bool:
        return prod(self.stride) > 1

    @property
    def is_dilated(self) -> bool:
        return prod(self.dilation) > 1

    @property
    def is_depthwise(self) -> bool:
        return self.groups == self.channels == self.features > 1

    @property
    def is_stem(self) -> bool:
        """Few channels come in: they are read as they lie, all of a position at once."""
        return self.groups == 1 and self.channels < LANES and not self.is_pointwise

    def source_bytes(self, block: int = 1) -> int:
        return self.batch * whole_blocks(self.channels, block) * prod(self.source) * self.itemsize

    def product_bytes(self, block: int = 1) -> int:
        return self.batch * whole_blocks(self.features, block) * prod(self.product) * self.itemsize

    def weight_numel(self, of_channels: int = 1, of_features: int = 1) -> int:
        """With the channels and features of each group padded to whole blocks; a depthwise weight's groups."""
        if self.is_depthwise:
            return whole_blocks(self.groups, of_features) * prod(self.kernel)
        channels = whole_blocks(self.channels // self.groups, of_channels)
        return self.groups * channels * whole_blocks(self.features // self.groups, of_features) * prod(self.kernel)

    @property
    def weight_bytes(self) -> int:
        return self.weight_numel() * self.itemsize

    @property
    def block(self) -> int:
        """Channels in a block; 0 where no layout suits the groups, and oneDNN multiplies matrices (`gemm`) instead."""
        if self.groups == 1 or self.is_depthwise:
            return LANES
        each = (self.channels // self.groups, self.features // self.groups)
        return next((block for block in (16, 8, 4) if not each[0] % block and not each[1] % block), 0)

    @property
    def unfolded(self) -> int:
        """Values of an image written out window by window (im2col), for one group."""
        if self.is_pointwise and not self.is_strided:
            return 0
        return self.channels // self.groups * prod(self.kernel) * prod(self.product)

    def images_at_once(self, most: int) -> int:
        """Written out: one a thread while they are small, else all threads work on one (gemm_convolution_utils.cpp)."""
        is_small = prod(self.product) < most * self.threads
        return min(self.threads, self.batch * self.groups) if is_small else 1

    @property
    def strided_source(self) -> int:
        """A pointwise kernel with a stride first gathers the values it will read: one image a thread."""
        gathers = self.is_pointwise and self.is_strided
        return self.threads * self.channels * prod(self.product) * self.itemsize if gathers else 0


def computed(p: Problem) -> int:
    """The product: source and weight reordered, the result in blocks, then the result in rows."""
    rows = p.product_bytes()
    if not p.block:
        sums = p.features // p.groups * prod(p.product) * FLOAT if p.is_half else 0
        return max(p.images_at_once(512) * (p.unfolded * p.itemsize + sums) + rows, 2 * rows)
    result = p.product_bytes(p.block)
    if p.is_stem:
        pairs = 2 if p.is_half else 1
        return max(p.weight_numel(pairs, LANES) * p.itemsize + result, result + rows)
    sums = whole_blocks(p.features, LANES) * prod(p.product) * FLOAT if p.is_half and p.is_pointwise else 0
    reordered = p.source_bytes(p.block) + p.weight_numel(p.block, p.block) * p.itemsize
    return max(p.strided_source + p.threads * sums + reordered + result, result + rows)


def source_gradient(p: Problem, biased: bool = False) -> int:
    """Product's gradient and weight reordered, the result in blocks, then in rows.

    As a layer of its own, a transposed convolution, it may be `biased`: its sums are then float32 and held apart,
    unless whole strides cover the result.
    """
    rows = p.source_bytes()
    if not p.block or (p.is_dilated and p.is_strided):
        return max(p.images_at_once(512) * p.unfolded * FLOAT + rows, 2 * rows)
    channels_last = p.is_strided and (p.groups == 1 or (p.is_half and p.is_depthwise))
    block = 1 if channels_last else p.block
    result = p.source_bytes(block)
    uneven = any(size % stride for size, stride in zip(p.source, p.stride, strict=True))
    apart = result * FLOAT // p.itemsize if biased and (uneven or not p.is_strided) else 0
    if channels_last:
        reached = prod(n + -(-k // s) for n, k, s in zip(p.product, p.kernel, p.stride, strict=True))
        copied = PAGES + p.threads * p.features * reached * p.itemsize
        reordered = p.product_bytes() + p.weight_numel(LANES) * p.itemsize
        return max(apart + copied + reordered + rows, 3 * rows)  # from channels last to row-major takes two copies
    sums = whole_blocks(p.channels, LANES) * prod(p.source) * FLOAT if p.is_half and p.is_pointwise else 0
    reordered = p.product_bytes(block) + p.weight_numel(block, block) * p.itemsize
    return max(apart + p.threads * sums + reordered + result, result + rows)


def weight_gradient(p: Problem) -> int:
    """Source and product's gradient reordered, the result in blocks with what is summed apart; then in rows."""
    rows = p.weight_bytes
    if _multiplies_matrices(p):
        images = p.images_at_once(256)
        return max(rows + images * (p.unfolded * p.itemsize + 4 * p.weight_numel() * FLOAT), 2 * rows)
    if p.is_stem and (p.channels <= 3 or p.is_half):
        source, weight, product = 0, p.weight_numel(1, LANES), p.product_bytes(LANES)
    else:
        block = min(p.block, 8) if p.is_stem else p.block
        source, weight, product = p.source_bytes(block), p.weight_numel(block, block), p.product_bytes(block)
    result = weight * p.itemsize
    return max(source + product + result + p.strided_source + _summed_apart(p, weight), result + rows)


def _multiplies_matrices(p: Problem) -> bool:
    if not p.block or (p.is_dilated and p.is_strided):
        return True
    if p.is_depthwise:
        return max(p.kernel) > 3
    if p.is_stem and p.is_half:
        return bool(p.features % LANES)
    return p.block == 4


def _summed_apart(p: Problem, weight: int) -> int:
    """Threads may each sum a whole weight, of another part of the batch, rather than share the channels.

    oneDNN weighs the traffic of memory (`balance` in jit_avx512_common_conv_kernel.cpp, and another for bfloat16); here
    stand the leading terms of its rules, made for two threads.
    """
    source = p.batch * p.channels * prod(p.source)
    product = p.batch * p.features * prod(p.product)
    if not p.is_half or p.is_pointwise or p.is_depthwise:
        apart = min(p.threads, p.batch) if 8 * weight <= min(product, 4 * source) else 1
        return apart * weight * FLOAT if p.is_half else (apart - 1) * weight * p.itemsize
    few = max(p.channels / p.features, 1) * (4 if source + product < 2 * weight else 1)
    many = max(p.features / p.channels, 1)
    cheaper = max((source + product) / 4, weight) <= min(few * source, many * product)
    apart = min(p.threads, p.batch * p.product[0]) if cheaper and p.groups == 1 else 1
    # Beside each sum an image of both is transposed: products of 16 bits take pairs of positions.
    return apart * (weight * FLOAT + (p.source_bytes() + p.product_bytes(LANES)) // p.batch)


def _layer(call: Call) -> Kernel:
    assert isinstance(call.layer, Kernel)
    return call.layer


def _problem(call: Call) -> Problem:
    """A layer over one axis is run as one over two, the first of a single value."""
    layer = _layer(call)
    source, product = call.inputs[0].shape, call.outputs[0].shape
    if not isinstance(layer, Convolution):
        source, product = product, source
    return Problem(
        source[0],
        source[1],
        product[1],
        layer.groups,
        source[2:],
        product[2:],
        layer.kernels(),
        layer.strides(),
        layer.dilations(),
        DTYPE_BYTES[call.outputs[0].dtype],
        call.threads,
    )


def _is_native(call: Call, p: Problem) -> bool:
    """Whether torch computes it without oneDNN (`use_mkldnn` in aten/src/ATen/native/Convolution.cpp)."""
    if p.itemsize != FLOAT:
        return p.itemsize > FLOAT
    spatial = call.inputs[0].shape[2:]
    kernel, places = (p.kernel, spatial[:2]) if len(spatial) > 1 else ((1, *p.kernel), spatial)
    batch, channels = call.inputs[0].shape[:2]
    alone = not p.is_strided and not p.is_dilated and batch < 16 and kernel[-2:] == (1, 1) and p.threads == 1
    small = batch == 1 and p.groups == 1 and min(kernel[-2:]) <= 3 and channels * prod(places) <= 20480
    return alone or small


def forward(call: Call) -> int:
    p = _problem(call)
    if _is_native(call, p):
        return p.batch * p.unfolded * p.itemsize
    layer = _layer(call)
    made = computed(p) if isinstance(layer, Convolution) else source_gradient(p, layer.bias)
    return made - call.outputs[0].nbytes


def backward(call: Call) -> int:
    p = _problem(call)
    if _is_native(call, p):
        return p.batch * p.unfolded * p.itemsize
    given = call.inputs[0].nbytes if 0 in call.needs else 0
    weight = p.weight_bytes if "weight" in call.needs else 0
    first = (source_gradient(p) if isinstance(call.layer, Convolution) else computed(p)) if given else 0
    second = given + weight_gradient(p) if weight else 0
    whole = call.outputs[0].nbytes if call.pieced else 0  # a copy of the piece, through it all
    return max(first + whole, second + whole, given + weight) - given - weight
