"""What may be typed: an example or two of each command, which stand below its options in `--help`. A test runs them."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "list": (
        ("archcost list vgg --sort macs", "the VGG family, the most operations first"),
        ("archcost list --max-parameters 5M", "networks that suit a small device"),
    ),
    "layers": (("archcost layers conv2d", "what a convolution costs and keeps"),),
    "show": (("archcost show vgg_d", "the spec, to read or to begin one's own with"),),
    "hardware": (("archcost hardware list --help", "the options of one of these commands"),),
    "hardware list": (
        ("archcost hardware list ampere --min-memory 24GiB", "GPUs of one architecture"),
        ("archcost hardware list --vendor ST --sort memory", "microcontrollers, the largest first"),
    ),
    "hardware show": (("archcost hardware show nvidia-t4", "each figure with its source"),),
    "hardware calibrate": (
        ("archcost hardware calibrate --quick -o mine.yaml", "in seconds, for estimate --calibration mine.yaml"),
    ),
    "hardware check": (("archcost hardware check mine.yaml", "before a profile of one's own is used"),),
    "lint": (("archcost lint lenet5", "what is certainly odd, before anybody trains it"),),
    "summary": (
        ("archcost summary vgg_d --top 10 --sort parameters", "where the weights are"),
        (
            "archcost summary alexnet --batch 32 --hardware nvidia-t4 --columns name,macs,memory,memory%,time,time%",
            "where memory and time go in a step of training",
        ),
    ),
    "explain": (
        ("archcost explain vgg_d stage1.conv1", "why 1,792 weights"),
        ("archcost explain lenet5 --format latex -o lenet5.tex", "the working of the whole network, for a text"),
    ),
    "estimate": (
        ("archcost estimate vgg_d --hardware nvidia-t4 --batch 32", "does a step fit, and how long does it take"),
        ("archcost estimate lenet5 --hardware raspberry-pi-4 --mode infer -q", "the answer in one line"),
    ),
    "timeline": (("archcost timeline alexnet --batch 128", "what is alive when, and at the peak"),),
    "plot": (("archcost plot alexnet --kind timeline -o alexnet.svg", "the memory of a step as a picture"),),
    "report": (
        ("archcost report lenet5 --hardware nvidia-t4 -o lenet5.html", "a page with all of this, to open offline"),
    ),
    "serve": (
        (
            "archcost serve gpt2 --hardware nvidia-t4 --prompt 512 --new 128",
            "how many at once, how many tokens a second",
        ),
    ),
    "fit": (
        (
            "archcost fit resnet18 --batch 64 --vendor NVIDIA --min-memory 24GiB --sort time",
            "which of these cards is the fastest",
        ),
        ("archcost fit vgg_d --batch 256 --hardware nvidia-t4", "what to change, so that it fits"),
    ),
    "plan": (
        (
            "archcost plan resnet18 --dataset-size 1281167 --epochs 90 --batch 64 --hardware nvidia-t4 --price 0.35",
            "90 epochs of ImageNet: how many hours, at which price",
        ),
    ),
    "sweep": (
        (
            "archcost sweep lenet5 --hardware nvidia-t4 --batch 1-64 --precision fp32 --precision amp-fp16 -o rows.csv",
            "every combination as a row",
        ),
    ),
    "compare": (("archcost compare vgg_d vgg_e", "what three convolutions more cost"),),
    "diff": (("archcost diff vgg_a vgg_a_bn", "what is new in the second"),),
    "verify": (("archcost verify lenet5", "each number beside torch's and fvcore's"),),
    "lock": (("archcost lock lenet5 mlp -o nets.lock", "the tables to hold later versions to"),),
    "check": (("archcost check nets.lock", "exit code 1 where a layer has changed"),),
    "import": (("archcost import lenet5 -o lenet5.yaml", "a spec of its own, to change"),),
    "export": (("archcost export lenet5 -o lenet5.onnx", "to look at in Netron, say"),),
    "worksheet": (
        ("archcost worksheet lenet5 --seed 7 -o sheet.md", "to be filled in"),
        ("archcost worksheet lenet5 --seed 7 --key -o key.md", "the same with its answers"),
    ),
    "grade": (("archcost grade key.md", "which answers are right, and which slip a wrong one is"),),
    "completion": (("archcost completion bash -o archcost.bash", "to be sourced, or put where bash-completion looks"),),
    "schema": (("archcost schema -o spec.schema.json", "for an editor that completes YAML"),),
}
