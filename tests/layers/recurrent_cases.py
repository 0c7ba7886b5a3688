"""Recurrent layers: at each step every gate is a product with the input and one with the state before."""

from __future__ import annotations

from archcost.layers import GRU, LSTM, RNN
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        RNN(hidden_size=7),
        inputs=((2, 5, 3), (1, 2, 7)),
        outputs=((2, 5, 7), (1, 2, 7)),
        parameters=84,  # 7 * (3 + 7 + 2)
        macs=700,  # 2*5*7 * (3 + 7)
        macs_backward_input=700,  # 2*5*7*3 + 2*4*7*7 + 2*7*7: the first state's as well
        macs_backward_weight=1092,  # 2*5*7*3 + 2*5*7*7 + 2*4*7*7
        forward=280,  # (2*5*7) * (3 + 1)
        backward_input=210,  # (2*5*7) * 3
        backward_weight=350,  # (2*5*7) * (3 + 1 + 1): the cell, and two biases
    ),
    Row(
        GRU(hidden_size=7, num_layers=2, bidirectional=True),
        inputs=((2, 5, 3), (4, 2, 7)),
        outputs=((2, 5, 14), (4, 2, 7)),
        parameters=1470,  # 3*7 * (3 + 7 + 2) * 2 + 3*7 * (14 + 7 + 2) * 2
        macs=13020,  # (2*5*3*7 * (3 + 7) + 2*5*3*7 * (14 + 7)) * 2
        macs_backward_input=13020,  # (2*5*3*7*3 + 2*5*3*7*14 + (2*4*3*7*7 + 2*3*7*7) * 2) * 2
        macs_backward_weight=23604,  # (2*5*3*7*3 + 2*5*3*7*7*2 + 2*5*3*7*14*2 + (2*4*3*7*7) * 2) * 2
        forward=6160,  # (2*5*7) * (3*3 + 13) * 4
        backward_input=4200,  # (2*5*7) * 15 * 4
        backward_weight=5880,  # (2*5*7) * (15 + 3 * 2) * 4
    ),
    Row(
        LSTM(hidden_size=7),
        inputs=((2, 5, 3), (1, 2, 7), (1, 2, 7)),
        outputs=((2, 5, 7), (1, 2, 7), (1, 2, 7)),
        parameters=336,  # 4*7 * (3 + 7 + 2)
        macs=2800,  # 2*5*4*7 * (3 + 7)
        macs_backward_input=2800,  # 2*5*4*7*3 + 2*4*4*7*7 + 2*4*7*7
        macs_backward_weight=4368,  # 2*5*4*7*3 + 2*5*4*7*7 + 2*4*4*7*7
        forward=2100,  # (2*5*7) * (4*3 + 18)
        backward_input=1540,  # (2*5*7) * 22
        backward_weight=2100,  # (2*5*7) * (22 + 4 * 2)
    ),
    Row(
        LSTM(hidden_size=7, proj_size=3),
        inputs=((2, 5, 11),),
        outputs=((2, 5, 3), (1, 2, 3), (1, 2, 7)),
        parameters=469,  # 4*7 * (11 + 3 + 2) + 3*7
        macs=4130,  # 2*5*4*7 * (11 + 3) + 2*5*7*3
        macs_backward_input=3962,  # 2*5*4*7*11 + 2*4*4*7*3 + 2*5*7*3
        macs_backward_weight=5012,  # 2*5*4*7*11 + 2*5*4*7*3 + 2*4*4*7*3 + (2*5*7*3) * 2
        forward=2100,  # (2*5*7) * (4*3 + 18)
        backward_input=1540,  # (2*5*7) * 22
        backward_weight=2100,  # (2*5*7) * (22 + 4 * 2)
    ),
    Row(
        RNN(hidden_size=7),
        inputs=((2, 5, 3),),
        outputs=((2, 5, 7), (1, 2, 7)),
        parameters=84,  # 7 * (3 + 7 + 2)
        macs=700,  # 2*5*7 * (3 + 7)
        macs_backward_input=602,  # 2*5*7*3 + 2*4*7*7: the first state's gradient is not wanted
        macs_backward_weight=1092,  # 2*5*7*3 + 2*5*7*7 + 2*4*7*7
        forward=280,  # (2*5*7) * (3 + 1)
        backward_input=210,  # (2*5*7) * 3
        backward_weight=350,  # (2*5*7) * (3 + 1 + 1): the cell, and two biases
    ),
    Row(
        RNN(hidden_size=7, num_layers=2, bias=False, nonlinearity="relu"),
        inputs=((2, 5, 3),),
        outputs=((2, 5, 7), (2, 2, 7)),
        parameters=168,  # 7 * (3 + 7) + 7 * (7 + 7)
        macs=1680,  # 2*5*7 * (3 + 7) + 2*5*7 * (7 + 7)
        macs_backward_input=1484,  # 2*5*7*3 + 2*5*7*7 + (2*4*7*7) * 2
        macs_backward_weight=2954,  # 2*5*7*3 + 2*5*7*7 * 4 + (2*4*7*7) * 2 - 0
        forward=280,  # (2*5*7) * (1 + 1) * 2
        backward_input=420,  # (2*5*7) * 3 * 2
        backward_weight=420,  # (2*5*7) * 3 * 2
    ),
    Row(
        GRU(hidden_size=7, batch_first=False),
        inputs=((5, 2, 3),),
        outputs=((5, 2, 7), (1, 2, 7)),
        parameters=252,  # 3*7 * (3 + 7 + 2)
        macs=2100,  # 2*5*3*7 * (3 + 7)
        macs_backward_input=1806,  # 2*5*3*7*3 + 2*4*3*7*7
        macs_backward_weight=3276,  # 2*5*3*7*3 + 2*5*3*7*7 + 2*4*3*7*7
        forward=1540,  # (2*5*7) * (3*3 + 13)
        backward_input=1050,  # (2*5*7) * 15
        backward_weight=1470,  # (2*5*7) * (15 + 3 * 2)
    ),
    Row(
        LSTM(hidden_size=7),
        inputs=((2, 5, 3),),
        outputs=((2, 5, 7), (1, 2, 7), (1, 2, 7)),
        parameters=336,  # 4*7 * (3 + 7 + 2)
        macs=2800,  # 2*5*4*7 * (3 + 7)
        macs_backward_input=2408,  # 2*5*4*7*3 + 2*4*4*7*7
        macs_backward_weight=4368,  # 2*5*4*7*3 + 2*5*4*7*7 + 2*4*4*7*7
        forward=2100,  # (2*5*7) * (4*3 + 18)
        backward_input=1540,  # (2*5*7) * 22
        backward_weight=2100,  # (2*5*7) * (22 + 4 * 2)
    ),
    Row(
        LSTM(hidden_size=7, bidirectional=True, bias=False),
        inputs=((2, 5, 3),),
        outputs=((2, 5, 14), (2, 2, 7), (2, 2, 7)),
        parameters=560,  # 4*7 * (3 + 7) * 2
        macs=5600,  # 2*5*4*7 * (3 + 7) * 2
        macs_backward_input=4816,  # (2*5*4*7*3 + 2*4*4*7*7) * 2
        macs_backward_weight=8736,  # (2*5*4*7*3 + 2*5*4*7*7 + 2*4*4*7*7) * 2
        forward=3080,  # (2*5*7) * (4*1 + 18) * 2
        backward_input=3080,  # (2*5*7) * 22 * 2
        backward_weight=3080,  # (2*5*7) * 22 * 2
    ),
    Row(
        GRU(hidden_size=7, num_layers=2, dropout=0.5),
        inputs=((2, 5, 3),),
        outputs=((2, 5, 7), (2, 2, 7)),
        parameters=588,  # 3*7 * (3 + 7 + 2) + 3*7 * (7 + 7 + 2)
        macs=5040,  # 2*5*3*7 * (3 + 7) + 2*5*3*7 * (7 + 7)
        macs_backward_input=4452,  # 2*5*3*7*3 + 2*5*3*7*7 + (2*4*3*7*7) * 2
        macs_backward_weight=8862,  # 2*5*3*7*3 + 2*5*3*7*7 * 4 + (2*4*3*7*7) * 2
        forward=3220,  # (2*5*7) * (3*3 + 13) * 2 + (2*5*7) * 2: and dropout between
        backward_input=2170,  # (2*5*7) * 15 * 2 + 2*5*7
        backward_weight=3010,  # (2*5*7) * (15 + 3 * 2) * 2 + 2*5*7
    ),
    Row(
        LSTM(hidden_size=7, num_layers=2, dropout=0.5, bidirectional=True, batch_first=False),
        inputs=((5, 2, 3),),
        outputs=((5, 2, 14), (4, 2, 7), (4, 2, 7)),
        parameters=1960,  # 4*7 * (3 + 7 + 2) * 2 + 4*7 * (14 + 7 + 2) * 2
        macs=17360,  # (2*5*4*7 * (3 + 7) + 2*5*4*7 * (14 + 7)) * 2
        macs_backward_input=15792,  # (2*5*4*7*3 + 2*5*4*7*14 + (2*4*4*7*7) * 2) * 2
        macs_backward_weight=31472,  # (2*5*4*7*3 + 2*5*4*7*7*2 + 2*5*4*7*14*2 + (2*4*4*7*7) * 2) * 2
        forward=8680,  # (2*5*7) * (4*3 + 18) * 4 + (2*5*14) * 2: and dropout between
        backward_input=6300,  # (2*5*7) * 22 * 4 + 2*5*14
        backward_weight=8540,  # (2*5*7) * (22 + 4 * 2) * 4 + 2*5*14
    ),
)
