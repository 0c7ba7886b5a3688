#!/usr/bin/env bash
# transformers' T5Config with tie_word_embeddings=False, as the published configs of Flan-T5 and T5 v1.1 say.
#
# The value that is given is dropped: the config says True afterwards, so a model that is built of it uses the table of tokens
# for its scores as well, and lacks the weight of its own last layer: 24.7 million parameters of Flan-T5 base.
#
# Seen with transformers 5.24.0: True, whether given to the class or read with from_dict. It fails (exit 1) when that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q transformers==5.24.0
cat > "$work/seen.py" <<'PY'
import transformers
from transformers import T5Config

apart = {"tie_word_embeddings": False, "feed_forward_proj": "gated-gelu"}
found = [T5Config(**apart).tie_word_embeddings, T5Config.from_dict(apart).tie_word_embeddings]
print("transformers", transformers.__version__, "tie_word_embeddings:", found)
raise SystemExit(found != [True, True])
PY
"$work/venv/bin/python" -W ignore "$work/seen.py"
