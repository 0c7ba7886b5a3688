"""Rows that can be written as ONNX, and those that can be for one batch alone."""

from __future__ import annotations

from archcost.layers import GRU, LSTM, RNN, Diagonal, Unbind, View
from archcost.layers.convolution.dynamic import Dynamic
from tests.layers import every_row
from tests.layers.rows import Row


def is_own(row: Row) -> bool:
    """Whether it is written as an operator of archcost's own."""
    return type(row.layer).__module__.startswith(("archcost.layers.complex", "archcost.layers.fourier"))


def is_refused(row: Row) -> bool:
    """Uneven windows whose indices are returned, projected states, and products of complex numbers; the messages are in
    test_onnx_file.
    """
    if any(tensor.is_complex for tensor in row.input_types) and not is_own(row):
        return True
    if getattr(row.layer, "proj_size", 0):
        return True
    sizes = zip(row.input_types[0].shape[2:], row.outputs[0][2:], strict=False) if row.inputs else ()
    uneven = any(before % after for before, after in sizes)
    return row.layer.type.startswith("adaptive_max") and len(row.outputs) == 2 and uneven


def for_one_batch(row: Row) -> bool:
    """The batch is written into a shape, decides how many outputs or positions there are, or is rows of a matrix."""
    layer = row.layer
    shape_as_a_whole = isinstance(layer, View) and layer.shape[:1] != (-1,)
    along_batch = (isinstance(layer, Unbind) and layer.dim == 0) or (isinstance(layer, Diagonal) and layer.dim1 == 0)
    rows_of_a_matrix = layer.type == "addmm" or row.inputs == ((3, 5), (5, 7))
    first_states = (
        isinstance(row.layer, (RNN, GRU, LSTM)) and len(row.inputs) > 1
    )  # with the batch in their second axis
    of_samples = isinstance(layer, Dynamic) and layer.plain(row.input_types).groups > 1  # which ONNX writes out
    return shape_as_a_whole or along_batch or rows_of_a_matrix or first_states or of_samples


ROWS = [row for row in every_row() if not is_refused(row)]
"""What test_onnx_file refuses is none of them."""
