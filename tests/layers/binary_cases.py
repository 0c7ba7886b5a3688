"""Values of several tensors taken together: one operation or so a value, and gradients of stretched ones summed."""

from __future__ import annotations

from archcost.layers import Add, ClampTensor, Div, FMod, Maximum, Minimum, Mul, Remainder, Sub
from archcost.tensors import TensorType
from tests.layers.rows import Row

IMAGES = (2, 3, 5, 7)
INDICES = TensorType(IMAGES, "int64")
MASK = TensorType((2, 1, 1, 7), "bool")

ROWS: tuple[Row, ...] = (
    Row(
        Add(),
        inputs=((2, 3, 5, 7), (2, 3, 5, 7)),
        outputs=((2, 3, 5, 7),),
        forward=210,  # 2*3*5*7; backward only passes the gradient on
    ),
    Row(
        Add(),
        inputs=((2, 3, 5), (2, 3, 5), (2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=60,  # (2*3*5) * 2
    ),
    Row(
        Add(),
        inputs=((2, 3, 5, 7), (2, 3, 1, 1)),
        outputs=((2, 3, 5, 7),),
        forward=210,  # 2*3*5*7
        backward_input=210,  # 2*3*5*7: summed back to 2×3×1×1
    ),
    Row(
        Add(),
        inputs=((2, 1, 7), (2, 5, 1)),  # each stretches the other
        outputs=((2, 5, 7),),
        forward=70,  # 2*5*7
        backward_input=140,  # 2*5*7 + 2*5*7
    ),
    Row(
        Add(inplace=True),
        inputs=((2, 3, 5, 7), (2, 3, 5, 7), (2, 1, 5, 1)),
        outputs=((2, 3, 5, 7),),
        forward=420,  # (2*3*5*7) * 2
        backward_input=210,  # 2*3*5*7: the last summed back to 2×1×5×1
    ),
    Row(
        Add(alpha=0.5),
        inputs=((2, 3, 5), (2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=60,  # (2*3*5) * 2: product, sum
        backward_input=30,  # 2*3*5: the product
    ),
    Row(
        Add(alpha=2, inplace=True),
        inputs=((2, 3, 5), (2, 3, 1)),
        outputs=((2, 3, 5),),
        forward=60,  # (2*3*5) * 2: product, sum
        backward_input=60,  # (2*3*5) * 2: the product, and summed back to 2×3×1
    ),
    Row(
        Mul(),
        inputs=((2, 3, 5, 7), (2, 3, 5, 7)),
        outputs=((2, 3, 5, 7),),
        forward=210,  # 2*3*5*7
        backward_input=420,  # 2*3*5*7 + 2*3*5*7: each with the other
    ),
    Row(
        Mul(),
        inputs=((2, 3, 5, 7), (2, 3, 1, 1)),  # squeeze and excite
        outputs=((2, 3, 5, 7),),
        forward=210,  # 2*3*5*7
        backward_input=630,  # 2*3*5*7 + 2*3*5*7 * 2: a product each, and the small one's sum
    ),
    Row(
        Mul(inplace=True),
        inputs=((2, 3, 5), (2, 1, 5)),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
        backward_input=90,  # 2*3*5 + 2*3*5 * 2
    ),
    Row(
        Sub(),
        inputs=(IMAGES, IMAGES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=210,  # 2*3*5*7: the second's negation; the first's is passed on
    ),
    Row(
        Sub(),
        inputs=(IMAGES, (1, 3, 1, 1)),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=420,  # 2*3*5*7 * 2: negation and sum
    ),
    Row(
        Sub(),
        inputs=((3, 1, 7), (2, 3, 5, 1)),  # each stretches the other
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=630,  # 2*3*5*7 + 2*3*5*7 * 2: a sum; negation and sum
    ),
    Row(
        Sub(inplace=True),
        inputs=((2, 3, 5), (2, 1, 5)),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
        backward_input=60,  # 2*3*5 * 2
    ),
    Row(
        Div(),
        inputs=(IMAGES, IMAGES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=1050,  # 2*3*5*7 * (1 + 4): division; two divisions, negation, product
    ),
    Row(
        Div(),
        inputs=(IMAGES, (2, 3, 5, 1)),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=1260,  # 2*3*5*7 * (1 + 4 + 1): and the second's sum
    ),
    Row(
        Div(),
        inputs=((3, 1, 7), (2, 3, 5, 1)),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=1470,  # 2*3*5*7 * (1 + 1 + 4 + 1)
    ),
    Row(
        Div(inplace=True),
        inputs=((2, 3, 5), (2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
        backward_input=150,  # 2*3*5 * (1 + 4)
    ),
    Row(
        Maximum(),
        inputs=(IMAGES, IMAGES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7: a comparison
        backward_input=420,  # 2*3*5*7 * 2: one for each
    ),
    Row(
        Maximum(),
        inputs=((3, 1, 7), (2, 3, 5, 1)),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=840,  # 2*3*5*7 * (1 + 1 + 1 + 1): comparison and sum for each
    ),
    Row(
        Minimum(),
        inputs=(IMAGES, (1, 3, 1, 1)),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=630,  # 2*3*5*7 * (1 + 1 + 1)
    ),
    Row(
        ClampTensor(),
        inputs=(IMAGES, IMAGES, IMAGES),
        outputs=(IMAGES,),
        forward=420,  # 2*3*5*7 * 2: two comparisons
        backward_input=1260,  # 2*3*5*7 * 2 * 3: as many for each
    ),
    Row(
        ClampTensor(),
        inputs=(IMAGES, (), (3, 1, 1)),
        outputs=(IMAGES,),
        forward=420,  # 2*3*5*7 * 2
        backward_input=1680,  # 2*3*5*7 * (2 + 3 + 3): and the sums of two
    ),
    Row(
        ClampTensor(bounds="min"),
        inputs=((3, 1, 7), (2, 3, 5, 1)),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=840,  # 2*3*5*7 * (1 + 1) * 2: comparison and sum for each
    ),
    Row(
        ClampTensor(bounds="max"),
        inputs=((2, 3, 5), (2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
        backward_input=60,  # 2*3*5 * 2
    ),
    Row(
        Sub(),
        inputs=(IMAGES, INDICES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
    ),
    Row(
        Add(),
        inputs=(INDICES, IMAGES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=0,  # 0: passed on
        dtypes=("float32",),
    ),
    Row(
        Mul(),
        inputs=((2, 3, 1, 1), TensorType(IMAGES, "bool")),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=420,  # 2*3*5*7 * 2: product and sum
    ),
    Row(
        Mul(),
        inputs=(TensorType(IMAGES, "int32"), TensorType((), "int64")),  # a single value widens no integer
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        dtypes=("int32",),
    ),
    Row(
        Div(),
        inputs=(IMAGES, INDICES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=210,  # 2*3*5*7: a division
    ),
    Row(
        Div(),
        inputs=(INDICES, IMAGES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=840,  # 2*3*5*7 * 4: two divisions, negation, product
        dtypes=("float32",),
    ),
    Row(
        Div(),
        inputs=(INDICES, INDICES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        dtypes=("float32",),
    ),
    Row(
        Maximum(),
        inputs=(IMAGES, INDICES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=210,  # 2*3*5*7: a comparison
    ),
    Row(
        Remainder(other=3),
        inputs=(IMAGES,),
        outputs=(IMAGES,),
        forward=840,  # 2*3*5*7 * 4
        backward_input=0,  # 0: passed on
    ),
    Row(
        Remainder(),
        inputs=(IMAGES, (3, 1, 1)),
        outputs=(IMAGES,),
        forward=840,  # 2*3*5*7 * 4
        backward_input=1050,  # 2*3*5*7 * (4 + 1): the divisor's, and its sum
    ),
    Row(
        FMod(),
        inputs=((5, 1), IMAGES),
        outputs=(IMAGES,),
        forward=840,  # 2*3*5*7 * 4
        backward_input=1050,  # 2*3*5*7 * (1 + 4): a sum; the divisor's
    ),
    Row(
        FMod(other=0.5),
        inputs=(INDICES,),
        outputs=(IMAGES,),
        forward=840,  # 2*3*5*7 * 4
        dtypes=("float32",),
    ),
)
