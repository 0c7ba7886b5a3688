"""Detectors of ultralytics from their YAML files, at the smallest scale, without weights."""

from __future__ import annotations

from tests.collections.far.member import Member, floats, made_of

DETECT = ("yolov3-tiny", "yolov5n", "yolov6n", "yolov8n", "yolov8n-ghost", "yolov8n-p2", "yolov9t", "yolov10n")
NEWER = ("yolo11n", "yolo12n", "yolo26n")
HEADS = {"seg": "SegmentationModel", "pose": "PoseModel", "cls": "ClassificationModel", "obb": "OBBModel"}
SIZE = 64


def _of(kind: str, name: str) -> Member:
    make = made_of("ultralytics.nn.tasks", kind, cfg=f"{name}.yaml", ch=3, nc=5, verbose=False)
    return Member(make, (floats(3, SIZE, SIZE),))


MODELS = {
    **{name: _of("DetectionModel", name) for name in (*DETECT, *NEWER)},
    **{f"yolov8n-{head}": _of(kind, f"yolov8n-{head}") for head, kind in HEADS.items()},
    **{f"yolo11n-{head}": _of(kind, f"yolo11n-{head}") for head, kind in HEADS.items()},
    "yolo26n-seg": _of("SegmentationModel", "yolo26n-seg"),
    "yolo26n-depth": _of("DepthModel", "yolo26n-depth"),
    "yolo26n-sem": _of("SemanticSegmentationModel", "yolo26n-sem"),
}
