"""Activations: operations a value of the formula as written. The comments list them in the formula's order."""

from __future__ import annotations

from archcost.layers import (
    ELU,
    GELU,
    GLU,
    SELU,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from tests.layers.rows import Row

SHAPE = (2, 3, 5)  # 30 values

ROWS: tuple[Row, ...] = (
    Row(
        ReLU(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1: a comparison
        backward_input=30,  # 30 * 1: a comparison
    ),
    Row(
        ReLU(inplace=True),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 5, 7),),
        forward=210,  # 2*3*5*7
        backward_input=210,  # 2*3*5*7
    ),
    Row(
        ReLU6(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=60,  # 30 * 2: two comparisons
        backward_input=60,  # 30 * 2: two comparisons
    ),
    Row(
        LeakyReLU(negative_slope=0.2),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=60,  # 30 * 2: product, comparison
        backward_input=60,  # 30 * 2: comparison, product
    ),
    Row(
        ELU(alpha=0.5),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=120,  # 30 * 4: comparison, exp, difference, product
        backward_input=90,  # 30 * 3: comparison, addition, product
    ),
    Row(
        GELU(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=150,  # 30 * 5: x/2, x/√2, erf, addition, product
        backward_input=330,  # 30 * (4 + 4 + 3): Φ, φ, then x·φ, addition, product with dy
    ),
    Row(
        # u = √(2/π)·(x + 0.044715·x³); forward x/2·(1 + tanh u).
        GELU(approximate="tanh"),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=270,  # 30 * (5 + 1 + 3): u (x², x³, factor, addition, factor), tanh, then x/2, addition, product
        # Backward: u and tanh again (6); (1 + t)/2 (2); x/2·(1 - t²) (4); √(2/π)·(1 + 3·0.044715·x²), whose x²
        # is there (3); then product, addition, product with dy (3).
        backward_input=540,  # 30 * (6 + 2 + 4 + 3 + 3)
    ),
    Row(
        SiLU(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=150,  # 30 * (4 + 1): σ is negation, exp, addition, division; then a product
        backward_input=270,  # 30 * (4 + 5): σ again, difference, product, addition, product, product with dy
    ),
    Row(
        Hardsigmoid(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=120,  # 30 * 4: division, addition, two comparisons
        backward_input=90,  # 30 * 3: two comparisons, division
    ),
    Row(
        Hardswish(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=150,  # 30 * (4 + 1): hardsigmoid and a product
        backward_input=150,  # 30 * 5: two comparisons, division, addition, product
    ),
    Row(
        Sigmoid(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=120,  # 30 * 4: negation, exp, addition, division
        backward_input=90,  # 30 * 3: difference, two products; y is kept
    ),
    Row(
        Tanh(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1
        backward_input=90,  # 30 * 3: square, difference, product; y is kept
    ),
    Row(
        Sigmoid(inplace=True),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=120,  # 30 * 4
        backward_input=90,  # 30 * 3: from y, which it has written over x
    ),
    Row(
        Tanh(inplace=True),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1
        backward_input=90,  # 30 * 3
    ),
    Row(
        Softplus(beta=2.0),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=150,  # 30 * 5: product, exp, addition, log, division
        backward_input=180,  # 30 * (1 + 4 + 1): product, σ, product with dy
    ),
    Row(
        Softmax(dim=1),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=150,  # 30 * 5: maximum, difference, exp, sum, division
        backward_input=120,  # 30 * 4: product, sum, difference, product
    ),
    Row(
        LogSoftmax(dim=-1),
        inputs=((2, 7),),
        outputs=((2, 7),),
        forward=70,  # (2*7) * 5: maximum, difference, exp, sum, difference
        backward_input=56,  # (2*7) * 4: sum, exp, product, difference
    ),
    Row(
        SELU(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=150,  # 30 * (4 + 1): as ELU, and a product
        backward_input=90,  # 30 * 3: comparison, addition, product
    ),
    Row(
        Hardtanh(min_val=-2.0, max_val=0.5),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=60,  # 30 * 2: two comparisons
        backward_input=60,  # 30 * 2
    ),
    Row(
        Mish(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=150,  # 30 * 5: exp, addition, log, tanh, product
        # t again (exp, addition, log, tanh), σ (4), t² and 1 − t², x·…·σ (2), addition, product with dy.
        backward_input=420,  # 30 * (4 + 4 + 2 + 2 + 2)
    ),
    Row(
        LogSigmoid(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=150,  # 30 * 5: negation, exp, addition, log, negation
        backward_input=90,  # 30 * 3: exp, addition, division
    ),
    Row(
        PReLU(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        parameters=1,  # 1
        forward=60,  # 30 * 2: comparison, product
        backward_input=60,  # 30 * 2
        backward_weight=90,  # 30 * 3: comparison, product, sum
    ),
    Row(
        PReLU(num_parameters=3),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 5, 7),),
        parameters=3,  # 3
        forward=420,  # (2*3*5*7) * 2
        backward_input=420,  # (2*3*5*7) * 2
        backward_weight=630,  # (2*3*5*7) * 3
    ),
    Row(
        GLU(dim=1),
        inputs=((2, 6, 5, 7),),
        outputs=((2, 3, 5, 7),),
        forward=1050,  # (2*3*5*7) * (4 + 1): σ, a product
        backward_input=1680,  # (2*3*5*7) * (4 + 1 + 3): σ again; dy·σ; difference, two products
    ),
    Row(
        GLU(),
        inputs=((2, 3, 10),),
        outputs=((2, 3, 5),),
        forward=150,  # 30 * 5
        backward_input=240,  # 30 * 8
    ),
)
