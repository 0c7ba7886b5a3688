"""`archcost.adapt`: any network with layers frozen, trained again, adapted or quantised, as a spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archcost.graph.wiring import wire
from archcost.spec.adapters import Adapter
from archcost.spec.changes import AdapterGiven, PatternsGiven, WeightsGiven, changed
from archcost.spec.given import Network, spec_of
from archcost.spec.model import ModelSpec

AdapterFields = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""What one adapter says, or each of several."""


def adapt(
    network: Network,
    *,
    freeze: PatternsGiven = (),
    train: PatternsGiven = (),
    lora: AdapterFields = (),
    dora: AdapterFields = (),
    rslora: AdapterFields = (),
    ia3: AdapterFields = (),
    adapt: AdapterGiven | Sequence[AdapterGiven] = (),
    weights: WeightsGiven | Sequence[WeightsGiven] = (),
) -> ModelSpec:
    """The network with these changes beside those that it has.

    `freeze` and `train` are patterns of names, `lora` and the others what an adapter of that kind says:
    `lora={"r": 16, "targets": ["q_proj", "v_proj"]}`; `adapt` are adapters as text, `"lora:r=16,targets=q_proj"`.
    With an adapter, whatever is none and not in `train` is frozen. `weights` is how linear layers keep their frozen
    weights: `"nf4:group=64,double"`, `"int8"`. Raises SpecError for what means nothing.
    """
    given: list[AdapterGiven] = [adapt] if isinstance(adapt, str | Mapping | Adapter) else [*adapt]
    for kind, fields in {"lora": lora, "dora": dora, "rslora": rslora, "ia3": ia3}.items():
        several = [fields] if isinstance(fields, Mapping) else fields
        given += [{"type": kind, **each} for each in several]
    spec = changed(spec_of(network), freeze, train, given, weights)
    wire(spec)
    return spec
