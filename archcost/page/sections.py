"""The sections of the page that are there before any script runs: key figures, memory, time, devices, what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archcost.costs.program import Role
from archcost.estimates import Estimate
from archcost.page.answers import Answer
from archcost.page.html import Html, Shown, Sortable, folded, joined, part, table, tag
from archcost.planning.fit import DeviceFit
from archcost.report import estimate as estimates
from archcost.report import fit as fits
from archcost.report import summary, times
from archcost.report.document import Column, Part, Table, bounded, one_line, show
from archcost.report.settings import settings, words
from archcost.report.timeline import alive_table, bound_notes, roles_by_phase
from archcost.units import count, size

FIRST_ALIVE, MOST_ALIVE = 10, 100
"""Tensors at the peak that are shown one by one: at once, and where one wants more."""

SIGNS = {"fits": "✓", "tight": "~", "does not fit": "✗"}
"""Before a verdict, so that it is not told by colour alone."""


def key_figures(answer: Answer) -> Html:
    """What most readers came for."""
    cost, one = answer.cost, answer.estimate
    flops = cost.flops.total if answer.fit.run.trains else cost.flops.forward
    step = "of a training step" if answer.fit.run.trains else "forward"
    figures: list[tuple[str, object, str]] = [
        ("parameters", count(cost.parameters), _trained(answer)),
        ("MACs forward", show(bounded(cost.macs, cost.unknown)), f"batch {count(cost.batch)}"),
        (f"FLOPs {step}", show(bounded(flops.contraction, cost.unknown)), "of contractions, 2 a MAC"),
    ]
    if one is not None:
        weights = one.by_role["weights"]
        figures.insert(1, ("weights", size(weights), f"in memory, {answer.fit.run.precision}"))
        least = ">= " if cost.unknown else ""
        figures.append(("memory at the peak", f"{least}{size(one.peak)}", f"tensors, {one.line.highest}"))
        figures.append(("time of a step", *_time(one)))
        figures.append((f"on {one.hardware.name}", verdict(one.verdict), _spare(answer)))
    fitting = sum([device.verdict == "fits" for device in answer.fit.devices])
    if len(answer.fit.devices) > 1:
        figures.append(("fits on", f"{fitting} of {len(answer.fit.devices)} devices", f"batch {count(cost.batch)}"))
    return tag(
        "dl",
        *[tag("div", tag("dt", name), tag("dd", value, tag("small", below))) for name, value, below in figures],
        class_="figures",
    )


def _trained(answer: Answer) -> str:
    frozen = answer.cost.parameters - answer.cost.trainable_parameters
    return f"{count(answer.cost.trainable_parameters)} trained" if frozen else "all trained"


def _time(one: Estimate) -> tuple[str, str]:
    if one.time is None:
        return "not known", "; ".join(one.time_notes)
    basis = "bounds of the data sheet" if one.time.step is None else f"{one.time.status}, {one.time.engine}"
    return times.short_time(one.time), basis


def verdict(word: str) -> Html:
    return tag("span", f"{SIGNS[word]} {word}", class_=f"verdict {word.replace(' ', '-')}")


def _spare(answer: Answer) -> str:
    room, most = answer.chosen.headroom, answer.chosen.max_batch
    largest = f", largest batch {count(most)}" if most else ""
    if room is None:
        return ""
    return f"{size(room)} to spare{largest}" if room >= 0 else f"{size(-room)} too much to be safe{largest}"


def about(answer: Answer) -> Html:
    """What is said of the network in full: where its numbers come from and what is known of them."""
    document = summary.document(answer.cost)
    tables = [each for each in document.parts if isinstance(each, Table)]
    others = [each for each in document.parts if not isinstance(each, Table | str)]
    notes = [*summary.assumption_notes(answer.cost.graph)]
    if answer.cost.unknown:
        notes.append(f"Lower bounds: the operations of {', '.join(answer.cost.unknown)} are not known.")
    label = f"FLOPs of {answer.name}"
    return joined([*[tag("p", note) for note in notes], *_parts(others, label), part(tables[-1], label)])


def _parts(parts: Sequence[Part], label: str) -> list[Html]:
    return [part(each, label) for each in parts]


def setting(answer: Answer) -> str:
    """What step all this is of."""
    one = answer.estimate
    return settings(one.line) if one else words(answer.fit.run, None)


def memory(answer: Answer) -> Html:
    """The ladder from tensors to what the device shows, roles by phase, and what is alive at the peak."""
    one = answer.estimate
    if one is None:
        return tag("p", f"No answer for {answer.chosen.hardware.name}: {answer.chosen.problem}.")
    return joined(
        [
            tag("p", estimates.verdict(one), class_="answer"),
            tag("div", class_="chart memory"),
            tag("h4", "Alive at the peak"),
            tag(
                "p",
                f"{'At least ' if answer.cost.unknown else ''}{size(one.peak)} ({count(one.peak)} B) of tensors, at "
                f"{one.line.highest}. The largest first:",
            ),
            roles_bar(one.by_role),
            part(alive_table(one.line.alive, FIRST_ALIVE), "Tensors alive at the peak"),
            *_more_alive(one),
            folded("By role, at the peak of each phase", part(roles_by_phase(one.line), "Bytes by role in each phase")),
            folded(
                f"From tensors to what {one.hardware.name} shows",
                part(estimates.ladder(one), "From tensors to the memory of the device"),
                *[part(each, "Off the card") for each in estimates.off_card_of(one)],
            ),
            *_parts(bound_notes(one.line.graph), ""),
        ]
    )


def _more_alive(one: Estimate) -> list[Html]:
    alive = one.line.alive
    if len(alive) <= FIRST_ALIVE:
        return []
    label = f"The {min(len(alive), MOST_ALIVE)} largest tensors"
    return [folded(label, part(alive_table(alive, MOST_ALIVE), label), printed=False)]


def roles_bar(roles: dict[Role, int]) -> Html:
    """The bytes at the peak as one bar in parts, each with its words and its share."""
    whole = sum(roles.values()) or 1
    parts = sorted([(role.replace("_", " "), held) for role, held in roles.items() if held], key=lambda each: -each[1])
    bar = [
        tag("span", class_=f"role {role.replace(' ', '-')}", style=f"width:{100 * held / whole:.3f}%")
        for role, held in parts
    ]
    key = [
        tag("li", tag("i", class_=f"role {role.replace(' ', '-')}"), f" {role} {size(held)} ({held / whole:.1%})")
        for role, held in parts
    ]
    return joined([tag("div", *bar, class_="bar", aria_hidden="true"), tag("ul", *key, class_="key")])


def time(answer: Answer) -> Html:
    one = answer.estimate
    if one is None:
        return tag("p", "Not known, as there is no answer for the device.")
    if one.time is None:
        return tag("p", times.unknown_sentence(one.time_notes), class_="answer")
    sentence, *others = times.parts(one.time, 5)
    return joined(
        [
            tag("p", sentence, class_="answer"),
            tag("div", class_="chart roofline"),
            folded("Phases, and the slowest layers", *_parts(others, "Time of the step")),
        ]
    )


# Devices

DEVICES = (
    Column("device"),
    Column("memory", "right"),
    Column("verdict"),
    Column("largest batch", "right"),
    Column("spare", "right"),
    Column("time of a step", "right"),
    Column("binds at"),
)


def devices(answer: Answer) -> Html:
    """All devices, to be sorted, and what helps where the step is not safe."""
    found = answer.fit
    rows = [_device(device) for device in found.devices]
    return joined(
        [
            tag("p", fits.where_it_fits(found)),
            table(f"{answer.name} on each device", DEVICES, rows, sorts=True),
            *[tag("p", each, class_="note") for each in fits.legend(found.devices)],
            *[joined(list(_remedies(device))) for device in answer.remedied],
        ]
    )


def _device(device: DeviceFit) -> list[Shown]:
    memory = Sortable(size(device.hardware.memory.capacity), device.hardware.memory.capacity)
    if device.problem is not None or device.verdict is None:
        return [device.hardware.name, memory, "?", None, None, None, device.problem]
    time, binding, room = device.time, device.binding, device.headroom or 0
    order = {"fits": 0, "tight": 1, "does not fit": 2}
    return [
        device.hardware.name,
        memory,
        Sortable(verdict(device.verdict), order[device.verdict]),
        Sortable(count(device.max_batch) if device.max_batch else "none", device.max_batch or 0),
        Sortable(size(room), room),
        Sortable("not known", None) if time is None else Sortable(times.short_time(time), time.typical),
        None if binding is None else binding.at,
    ]


def _remedies(device: DeviceFit) -> Iterator[Html]:
    found = device.remedies
    if found is None:
        return
    name = device.hardware.name
    parts = list(fits.remedies(found))
    yield tag("h4", f"What helps on {name}")
    yield from _parts(parts or ["Nothing that archcost tries makes it fit."], f"Changes that help on {name}")


def title(answer: Answer) -> str:
    return one_line(answer.spec.title or "")
