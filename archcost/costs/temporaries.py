"""What lives only while one operation runs: its temporaries, and what a CPU's kernels allocate for themselves."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.costs.cpu_call import Call, Direction
from archcost.costs.cpu_kernels import allocates, own_memory
from archcost.costs.events import KernelRun, Tape
from archcost.costs.program import Held, Op
from archcost.tensors import TensorType
from archcost.terms.autograd import Own


class Temporaries:
    """Of a step that is played onto a tape. `threads` are those of the CPU; None on a GPU."""

    def __init__(self, tape: Tape, threads: int | None) -> None:
        self.tape, self.threads = tape, threads
        self.known: dict[tuple[object, ...], int] = {}
        """Bytes of kernels' own memory that were worked out before."""

    def brief(self, op: Op, own: Sequence[Own], direction: Direction, pieced: bool = False) -> None:
        """What lives only while the operation runs, its kernels' own memory beside it."""
        tape = self.tape
        numbers = [tape.new(Held(op.name, "temporaries", each.what, each.tensor)) for each in own]
        if self.threads is not None and not op.is_copy and allocates(op.node.layer, direction):
            facts = op.node.facts
            call = Call(op.node.layer, facts.input_types, facts.output_types, op.operands, self.threads, pieced)
            tensor = TensorType((self._own_memory(call, direction),), "uint8")
            numbers.append(tape.new(Held(op.name, "workspace", "the kernel's own", tensor)))
            tape.kernels[numbers[-1]] = KernelRun(call, direction)
        tape.events += [~number for number in numbers]

    def _own_memory(self, call: Call, direction: Direction) -> int:
        key = (id(call.layer), call.inputs, call.needs, direction, call.pieced)
        if key not in self.known:
            self.known[key] = own_memory(call, direction)
        return self.known[key]
