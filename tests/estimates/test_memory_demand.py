"""What a device's allocator sees of a step, played twice."""

from __future__ import annotations

import archcost
from archcost import Run
from archcost.estimates.memory_demand import Played, changes
from archcost.hardware.allocator import FREE

KEEPS = """\
name: keeps
input: [8]
layers:
  - {name: one, type: tanh}
  - {name: two, type: tanh}
state: {one: two}
"""


def test_what_the_step_before_has_kept_goes_when_it_is_replaced() -> None:
    """The module keeps one's output. Inference: input 0, output of one 1, of two 2; 3 is what the step before kept."""
    line = archcost.timeline(archcost.build(archcost.loads(KEEPS), 1), Run(mode="infer"), "cuda")
    owners = [(each.owner, each.what) for each in line.storages]
    assert owners == [("input", "input"), ("one", "output"), ("two", "output"), ("one", "output")]
    played = changes(Played.of(line), [32] * 4, 0)
    made_and_gone = [(key, nbytes == FREE) for key, nbytes in played]
    first = [(1, False), (2, False), (3, True), (2, True)]
    second = [
        (4, False),
        (2, False),
        (1, True),
        (2, True),
    ]  # what the first step kept goes, and 4 stands for the new one
    assert made_and_gone[-8:] == [*first, *second]
    estimate = archcost.estimate(archcost.loads(KEEPS), hardware="nvidia-rtx-3090", mode="infer")
    assert estimate.demand.allocated == 4 * 512
