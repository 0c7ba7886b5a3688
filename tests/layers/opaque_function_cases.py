"""Functions with a backward of their own: what that computes is counted once, whichever gradient is wanted."""

from __future__ import annotations

from archcost.layers import Clone, MatMul, Mul, OwnBackward, Scale, Sigmoid, Transpose
from archcost.tensors import TensorType
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(  # a surrogate gradient: nothing of forward is here, which has made the second input
        OwnBackward(
            op="Spike",
            returns=(1,),
            kept=(0,),
            backward=(
                Sigmoid(name="sigmoid1", inputs=("input",)),
                Mul(name="mul1", inputs=("grad", "sigmoid1")),
            ),
            holds={"mul1": ("sigmoid1",)},
            gives=("mul1",),
        ),
        inputs=((2, 3, 7), (2, 3, 7)),
        outputs=((2, 3, 7),),
        backward_input=210,  # 2*3*7 * (4 + 1): sigmoid, and the product
    ),
    Row(  # straight through
        OwnBackward(op="Round", returns=(1,), gives=("grad",)),
        inputs=((2, 5), (2, 5)),
        outputs=((2, 5),),
    ),
    Row(  # a linear map; of the weight's gradient a transposed one is seen otherwise
        OwnBackward(
            op="Linear",
            arguments=2,
            returns=(2,),
            kept=(0, 1),
            backward=(
                MatMul(name="matmul1", inputs=("grad", "input:1")),
                Transpose(name="transpose1", inputs=("grad",), dim0=0, dim1=1),
                MatMul(name="matmul2", inputs=("transpose1", "input")),
            ),
            gives=("matmul1", "matmul2"),
        ),
        inputs=((5, 3), (7, 3), (5, 7)),
        outputs=((5, 7),),
        macs_backward_input=210,  # 5*7*3 + 7*5*3
    ),
    Row(  # two outputs, one of them what came in; one gradient seen otherwise, and none of the second argument
        OwnBackward(
            op="Turned",
            arguments=2,
            returns=(0, 2),
            held=(3,),
            backward=(
                Transpose(name="transpose1", inputs=("grad:1",), dim0=0, dim1=1),
                Clone(name="clone1", inputs=("transpose1",)),
                Scale(name="scale1", inputs=("clone1",), factor=2),
            ),
            gives=("transpose1", None),
            fills=False,
        ),
        inputs=((3, 5), (11,), (5, 3), TensorType((3, 5), "bool")),
        outputs=((3, 5), (5, 3)),
        backward_input=15,  # 3*5: the product that nobody reads
    ),
    Row(
        OwnBackward(op="Lost", returns=(1,), kept=(1,), unknown="ValueError: no values (net.py:3)"),
        inputs=((2, 3), (2, 3)),
        outputs=((2, 3),),
    ),
)
