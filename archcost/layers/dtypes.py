"""The words in which a layer says in which dtype it works, and in which its results come out.

Autocast's classes are torch's own lists: the GPU's stand in aten/src/ATen/autocast_mode.h (`AT_FORALL_…`), the CPU's in
autocast_mode.cpp. What comes of unequal dtypes follows torch's rules of type promotion (`result_dtype` in tensors.py).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from archcost.terms.autograd import Device

Treatment = Literal["as given", "16 bits", "float32", "float32 of bfloat16", "float32 out", "widest", "refused"]
"""What autocast does to floating inputs and weights, float64 excepted, which it leaves alone. In torch's words:

- `as given`: nothing. The operator is on no list (fallthrough).
- `16 bits`: copies in its own dtype (lower_precision_fp).
- `float32`: copies in float32 (fp32).
- `float32 out`: the operator is asked for float32 and reads what is there (fp32_set_opt_dtype, fp32_append_dtype).
- `float32 of bfloat16`: so it is for an operator that copies bfloat16 itself, and reads float16 as it is (softmax).
- `widest`: copies in float32 of what is narrower, if anything is float32 (promote).
- `refused`: an error (banned).
"""

Outcome = Literal["first", "last", "promoted", "weight", "named"]
"""Which dtype floating results have: that of the first floating input, or of the last; what torch's type promotion
makes of all inputs; that of the weight; or what the layer itself names. In place, always that of the first input.

Where no input is floating, a layer's own rule stands: a root of integers is float32 in every precision.
"""


class Autocast(NamedTuple):
    """A treatment on each device."""

    cpu: Treatment
    cuda: Treatment

    def on(self, device: Device) -> Treatment:
        return self.cpu if device == "cpu" else self.cuda


AS_GIVEN = Autocast("as given", "as given")
IN_16_BITS = Autocast("16 bits", "16 bits")
IN_16_BITS_ON_CUDA = Autocast("as given", "16 bits")
IN_FLOAT32 = Autocast("float32", "float32")
IN_FLOAT32_ON_CPU = Autocast("float32", "as given")
IN_FLOAT32_ON_CUDA = Autocast("as given", "float32")
FLOAT32_OUT_ON_CUDA = Autocast("as given", "float32 out")
FLOAT32_OF_BFLOAT16_ON_CUDA = Autocast("as given", "float32 of bfloat16")
WIDEST_ON_CPU = Autocast("widest", "as given")
WIDEST_ON_CUDA = Autocast("as given", "widest")
