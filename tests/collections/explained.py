"""Why peaks are further off than they may be, where it is known."""

from __future__ import annotations

from collections.abc import Mapping

ROWS = "the module copies to row-major where the batch is 64 or more, and the import runs it with 1,009 samples"
CONSTANTS = "what forward makes of constants alone is not on the record, and lives as long as its last reader"
CAST = "autocast lowers the products of each step by itself"
LAST = "the module asks for channels last on the CPU in float32 alone, and that request is not followed"
WIDE = "a table of float64 beside weights of float32 is imported as float32"
MASK = "a mask in float32 makes attention of bfloat16 compute in float32"
BRANCH = "forward makes other calls in bfloat16 than in float32, of which the numbers are; the spec says so"
ALONE = "peft casts where two dtypes differ, and they do under autocast alone, which neither run of an import sees"
TABLE = "the module puts a table in the dtype of its activations in the place of a buffer, and they are bfloat16 then"
PUT = "`x[mask] = values` is played as a new tensor, and torch writes into the old one"
EMPTY = "memories without values are joined; the zeros that go back through them are not counted"

UNKNOWN = "not found yet"

EXPLAINED: Mapping[tuple[str, str], str] = {
    ("far", "diffusers: AutoencoderKL"): ROWS,
    ("far", "diffusers: AsymmetricAutoencoderKL"): ROWS,
    ("far", "diffusers: CogVideoXTransformer3DModel"): WIDE,
    ("far", "kornia: HardNet"): LAST,
    ("far", "kornia: HardNet8"): LAST,
    ("far", "kornia: HyNet"): BRANCH,
    ("far", "peft: LoRA all, dropout"): ALONE,
    ("far", "peft: LoRA on ViT"): ALONE,
    ("far", "peft: rsLoRA"): ALONE,
    ("far", "torchaudio: Emformer"): EMPTY,
    ("far", "torchaudio: Tacotron2"): CAST,
    ("far", "torchaudio: WaveRNN"): CAST,
    **{("transformers", name): PUT for name in ("Hubert", "SEW", "UniSpeech", "Wav2Vec2", "WavLM")},
    ("transformers", "DebertaV2"): CONSTANTS,
    ("transformers", "Falcon"): MASK,
    ("transformers", "Funnel"): CONSTANTS,
    ("transformers", "LongT5"): CONSTANTS,
    ("transformers", "Wav2Vec2Conformer"): TABLE,
    ("transformers", "XLNet"): CONSTANTS,
}
"""By collection and model, and where precisions differ with the precision behind the model."""


def explained(collection: str, model: str, precision: str) -> str:
    return EXPLAINED.get((collection, f"{model} ({precision})")) or EXPLAINED.get((collection, model), UNKNOWN)
