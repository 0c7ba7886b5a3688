"""Linear layers whose frozen weight is kept in few bits: what arrives has a gradient, the weight none."""

from __future__ import annotations

from archcost.layers.quantization.frozen import HqqLinear, Linear4bit, Linear8bit, WeightOnlyLinear
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        Linear4bit(out_features=5),
        inputs=((2, 7),),
        outputs=((2, 5),),
        parameters=40,  # (7 + 1) * 5: 35 values in 18 bytes, and the bias
        buffers=17,  # 1 + 16: one block of 64, and the table of 16 values
        macs=70,  # 2*5 * 7
        macs_backward_weight=0,  # 0
        forward=45,  # 5*7 + 2*5: scaled back, and the bias
        backward_input=35,  # 5*7: scaled back again
    ),
    Row(
        Linear4bit(out_features=13, bias=False, quant_type="fp4", block_size=32),
        inputs=((2, 3, 11),),
        outputs=((2, 3, 13),),
        parameters=143,  # 11 * 13
        buffers=21,  # 5 + 16: blocks of 32, and the table
        macs=858,  # 2*3*13 * 11
        macs_backward_weight=0,  # 0
        forward=143,  # 11*13
        backward_input=143,  # 11*13
    ),
    Row(
        Linear4bit(out_features=157, double_quant=True, block_size=32),
        inputs=((2, 3, 5, 61),),
        outputs=((2, 3, 5, 157),),
        parameters=9734,  # (61 + 1) * 157
        buffers=575,  # 300 + 16 + 2 + 256 + 1: blocks of 32, their table, blocks of 256 of these, theirs, and the mean
        macs=287310,  # 2*3*5*157 * 61
        macs_backward_weight=0,  # 0
        forward=14887,  # 157*61 + 300*2 + 2*3*5*157: scaled back, the scales before it and their mean added, the bias
        backward_input=10177,  # 157*61 + 300*2
    ),
    Row(
        Linear4bit(out_features=7, bias=False, keep_input=True),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 7),),
        parameters=35,  # 5 * 7
        buffers=17,  # 1 + 16: one block of 64, and the table of 16 values
        macs=210,  # 2*3*7 * 5
        macs_backward_weight=0,  # 0
        forward=35,  # 5*7
        backward_input=35,  # 5*7
    ),
    Row(
        Linear8bit(out_features=5),
        inputs=((2, 3, 7),),
        outputs=((2, 3, 5),),
        parameters=40,  # (7 + 1) * 5
        buffers=5,  # 5: a scale a row
        macs=210,  # 2*3*5 * 7
        macs_backward_weight=0,  # 0
        forward=216,  # 2*3*7 * 3 + 2*3*5 * 2 + 2*3*5: quantised, by the scales of row and column, the bias
        backward_input=35,  # 5*7: the weight scaled back
    ),
    Row(
        Linear8bit(out_features=11, bias=False, threshold=0.0),
        inputs=((3, 7),),
        outputs=((3, 11),),
        parameters=77,  # 7 * 11
        buffers=11,  # 11: a scale a row
        macs=231,  # 3*11 * 7
        macs_backward_weight=0,  # 0
        forward=129,  # 3*7 * 3 + 3*11 * 2
        backward_input=77,  # 11*7
    ),
    Row(
        HqqLinear(out_features=6, group_size=7),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 5, 6),),
        parameters=48,  # (7 + 1) * 6
        buffers=12,  # 6 * 2: a scale and a zero point for each group
        macs=1260,  # 2*3*5*6 * 7
        macs_backward_weight=0,  # 0
        forward=264,  # 6*7 * 2 + 2*3*5*6: a zero point taken away, scaled; the bias
        backward_input=84,  # 6*7 * 2
    ),
    Row(
        HqqLinear(out_features=10, bias=False, group_size=5),
        inputs=((3, 11),),
        outputs=((3, 10),),
        parameters=110,  # 11 * 10
        buffers=44,  # 22 * 2: a scale and a zero point for each group
        macs=330,  # 3*10 * 11
        macs_backward_weight=0,  # 0
        forward=220,  # 10*11 * 2
        backward_input=220,  # 10*11 * 2
    ),
    Row(
        WeightOnlyLinear(out_features=5),
        inputs=((2, 3, 7),),
        outputs=((2, 3, 5),),
        parameters=40,  # (7 + 1) * 5
        buffers=5,  # 5: a scale a row
        macs=210,  # 2*3*5 * 7
        macs_backward_weight=0,  # 0
        forward=65,  # 5*7 + 2*3*5: scaled back, and the bias
    ),
    Row(
        WeightOnlyLinear(out_features=11, bias=False),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 5, 11),),
        parameters=77,  # 7 * 11
        buffers=11,  # 11: a scale a row
        macs=2310,  # 2*3*5*11 * 7
        macs_backward_weight=0,  # 0
        forward=77,  # 11*7
    ),
)
