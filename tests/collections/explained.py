"""Why peaks are further off than they may be, where it is known."""

from __future__ import annotations

from collections.abc import Mapping

ROWS = "the module copies to row-major where the batch is 64 or more, and the import runs it with 1,009 samples"
CONSTANTS = "what forward makes of constants alone is not on the record, and lives as long as its last reader"
STEPS = "torch composes nn.RNN of a step at a time, and we play it as one layer"
CAST = "autocast lowers the products of each step by itself"
LAST = "the module asks for channels last on the CPU in float32 alone, and that request is not followed"
WIDE = "a table of float64 beside weights of float32 is imported as float32"
MASK = "a mask in float32 makes attention of bfloat16 compute in float32"
BRANCH = "forward makes other calls in bfloat16 than in float32, of which the numbers are; the spec says so"
EMPTY = "memories without values are joined; the zeros that go back through them are not counted"

EXPLAINED: Mapping[tuple[str, str], str] = {
    ("far", "diffusers: AutoencoderKL"): ROWS,
    ("far", "diffusers: AsymmetricAutoencoderKL"): ROWS,
    ("far", "diffusers: CogVideoXTransformer3DModel"): WIDE,
    ("far", "kornia: HardNet"): LAST,
    ("far", "kornia: HardNet8"): LAST,
    ("far", "kornia: HyNet"): BRANCH,
    ("far", "torchaudio: DeepSpeech"): STEPS,
    ("far", "torchaudio: Emformer"): EMPTY,
    ("far", "torchaudio: Tacotron2"): CAST,
    ("far", "torchaudio: WaveRNN"): CAST,
    ("transformers", "DebertaV2"): CONSTANTS,
    ("transformers", "Falcon"): MASK,
    ("transformers", "Funnel"): CONSTANTS,
    ("transformers", "XLNet"): CONSTANTS,
}
"""By collection and model, and where precisions differ with the precision behind the model."""


def explained(collection: str, model: str, precision: str) -> str:
    return EXPLAINED.get((collection, f"{model} ({precision})")) or EXPLAINED.get((collection, model), "")
