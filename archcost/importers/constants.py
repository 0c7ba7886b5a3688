"""Products of constants, which torch works out again in each forward.

They keep their values, since a module may look at them, and no other call on constants is a layer. So what goes on the
record are tensors without values in their place.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.weak import WeakIdKeyDictionary

from archcost.importers.recorder import Recorder

_PRODUCTS = """
matmul rmatmul mm bmm addmm baddbmm einsum tensordot linear scaled_dot_product_attention
conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d
chain_matmul multi_dot linalg_multi_dot matrix_power linalg_matrix_power
"""
PRODUCTS = frozenset(_PRODUCTS.split())
NAMED_AXES = ("einsum", "tensordot")
"""Products that are of matrices in the end, whatever they are given."""


class ConstantProducts:
    """`follow(name, func, args, kwargs)` makes a call and writes it on the record."""

    def __init__(self, record: Recorder, follow: Callable[[str, Any, Any, Any], Any]) -> None:
        self.record = record
        self.follow = follow
        self.stand_ins: MutableMapping[Tensor, Tensor] = WeakIdKeyDictionary()

    def note(self, name: str, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        """Products with vectors stay free, as they are to torch's counter."""
        operands = [each for each in tree_leaves(args) if isinstance(each, Tensor)]
        operands = operands[:1] if name == "linear" else operands
        if name not in NAMED_AXES and any(each.dim() < 2 for each in operands):
            return
        given, named = tree_map_only(Tensor, self._recorded_stand_in, (args, kwargs))
        sketch = self.follow(name, func, given, named)
        if isinstance(result, Tensor):
            self.stand_ins[result] = sketch

    def without_values(self, tensor: Tensor) -> Tensor:
        """What stands for a tensor that has values: where it is a product, that on the record."""
        known = self.stand_ins.get(tensor)
        if known is not None and (known.shape, known.dtype) == (tensor.shape, tensor.dtype):
            return known
        return tensor.detach().to("meta")

    def _recorded_stand_in(self, tensor: Tensor) -> Tensor:
        stand_in = self.stand_ins[tensor] = self.without_values(tensor)
        self.record.reference(stand_in)
        return stand_in
