"""Matrix products of constants, which a module computes again in each forward, and which torch's counter counts.

Other calls on constants are no layers. The results keep their values, since a module may look at them, so the products
are recorded on meta tensors in their place.
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
"""Products with named axes, which are of matrices whatever the ranks of their operands."""


class ConstantProducts:
    """Records products of constants. `follow(name, func, args, kwargs)` makes a call and records it."""

    def __init__(self, record: Recorder, follow: Callable[[str, Any, Any, Any], Any]) -> None:
        self.record = record
        self.follow = follow
        self.stand_ins: MutableMapping[Tensor, Tensor] = WeakIdKeyDictionary()

    def note(self, name: str, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        """Record a product that was made. Those with vectors are left out, as torch's counter leaves them out."""
        operands = [each for each in tree_leaves(args) if isinstance(each, Tensor)]
        operands = operands[:1] if name == "linear" else operands
        if name not in NAMED_AXES and any(each.dim() < 2 for each in operands):
            return
        given, named = tree_map_only(Tensor, self._recorded_stand_in, (args, kwargs))
        sketch = self.follow(name, func, given, named)
        if isinstance(result, Tensor):
            self.stand_ins[result] = sketch

    def without_values(self, tensor: Tensor) -> Tensor:
        """A meta tensor in place of one with values: the recorded one where it is a product."""
        known = self.stand_ins.get(tensor)
        if known is not None and (known.shape, known.dtype) == (tensor.shape, tensor.dtype):
            return known
        return tensor.detach().to("meta")

    def _recorded_stand_in(self, tensor: Tensor) -> Tensor:
        stand_in = self.stand_ins[tensor] = self.without_values(tensor)
        self.record.reference(stand_in)
        return stand_in
