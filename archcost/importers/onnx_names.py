"""Names in an ONNX file: as text, and as paths of the modules that operators stand in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import NodeProto


def text(value: str | bytes) -> str:
    """Protobuf hands over bytes where they are no text."""
    return value if isinstance(value, str) else value.decode(errors="replace")


def texts(values: Iterable[str | bytes]) -> tuple[str, ...]:
    return tuple([value if type(value) is str else text(value) for value in values])


SCOPES = "pkg.torch.onnx.name_scopes"


def path_of(proto: NodeProto) -> str:
    """The dotted path of the module that a node stands in."""
    for entry in proto.metadata_props:
        if entry.key == SCOPES:
            return _scope_of_torch(text(entry.value))
    *modules, last = text(proto.name).strip("/").split("/")
    if not _is_operator(text(proto.op_type), last):
        modules.append(last)
    path: list[str] = []
    for module in modules:
        if path and module.startswith(f"{path[-1]}."):  # TorchScript repeats the beginning: /layer1/layer1.0/conv1
            path.pop()
        path.append(module)
    return ".".join(path)


def _is_operator(kind: str, last: str) -> bool:
    """Whether the end of a node's name tells the operator alone, and which of them: Conv, Conv_3, n7, 12."""
    if last.startswith(kind):
        return bool(NUMBER_BEHIND.fullmatch(last, len(kind)))
    return last.startswith("node_") or bool(NUMBER_ALONE.fullmatch(last))


NUMBER_BEHIND, NUMBER_ALONE = re.compile(r"(_\d+)?"), re.compile(r"n?\d+|")


def _scope_of_torch(text: str) -> str:
    """`['', 'layer1', 'layer1.0', 'add_1']`: modules from the outermost on, then the call."""
    scopes = re.findall(r"'([^']*)'", text)
    return scopes[-2] if len(scopes) > 1 and not scopes[-2].startswith("_empty_nn_module") else ""
