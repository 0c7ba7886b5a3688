"""A network written for other tools."""

from archcost.exporters.onnx_file import onnx_bytes, to_onnx

__all__ = ["onnx_bytes", "to_onnx"]
