"""Files that mean harm, small to write and large to read: a name, what stands in the file, what is said."""

from __future__ import annotations

from typing import NamedTuple

HEAD = "name: n\ninput: [4]\n"


class Hostile(NamedTuple):
    name: str
    text: str | bytes
    problem: str


def laughs(distinct: bool) -> str:
    """Five blocks, each of which uses the next a hundred times: 10^10 layers."""
    blocks: list[str] = []
    for depth in range(4):
        values = (f", n: $n * 100 + {index}" if distinct else "" for index in range(100))
        uses = ", ".join(f"{{block: b{depth + 1}{value}}}" for value in values)
        blocks.append(f"  b{depth}: {{parameters: {{n: 0}}, layers: [{uses}]}}")
    last = "  b4: {parameters: {n: 0}, layers: [{type: linear, out_features: $n + 1}]}"
    return "\n".join([f"{HEAD}blocks:", *blocks, last, "layers: [{block: b0}]\n"])


def repeats(depth: int, rounds: int) -> str:
    entry = "{type: relu}"
    for _ in range(depth):
        entry = f"{{repeat: {rounds}, layers: [{entry}]}}"
    return f"{HEAD}layers: [{entry}]\n"


def layer(text: str, head: str = HEAD) -> str:
    return f"{head}layers: [{{{text}}}]\n"


def blocks_in_a_row(count: int) -> str:
    """Each uses the next, which is far below what Python's stack holds, written from the innermost on."""
    blocks = "".join(f"  b{i}: {{layers: [{{block: b{i - 1}}}]}}\n" for i in range(count, 0, -1))
    uses = ", ".join(f"{{block: b{i}}}" for i in range(count + 1))
    return f"{HEAD}blocks:\n{blocks}  b0: {{layers: []}}\nlayers: [{uses}]\n"


ALIASES = "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

CHEAP = [
    Hostile("alias bomb", f"a: &a [x, x, x, x, x, x, x, x, x]\n{ALIASES}", "aliases are not read"),
    Hostile("merge key", "a: {<<: {x: 1}}\n", "merge keys are not read"),
    Hostile("python tag", f"{HEAD}layers: !!python/object/apply:os.system ['true']\n", "tags are not read"),
    Hostile("tag on a key", "{!!python/name:os.system x: 1}\n", "a key must be a word"),
    Hostile("several documents", "--- a\n" * 1000, "more than one document"),
    Hostile("keys without end", "{" + "".join(f"k{i}: 1, " for i in range(5000)) + "}", "a mapping is too large"),
    Hostile("key twice", "name: n\nname: n\n", "key 'name' stands twice"),
    Hostile("complex key", "? [a]\n: 1\n", "a key must be a word"),
    Hostile("very long key", f"? {'k' * 5000}\n: 1\n", "a key is too long"),
    Hostile("empty", "", "not a spec"),
    Hostile("only comments", "# nothing\n" * 1000, "not a spec"),
    Hostile("only spaces", " " * 100_000, "not a spec"),
    Hostile("tabs", "\t" * 100_000, "not valid YAML"),
    Hostile("NUL", b"name: a\0b\n", "not readable text"),
    Hostile("control characters", b"name: a\x1b[31mb\n", "not readable text"),
    Hostile("not UTF-8", b"name: caf\xe9\n", "not UTF-8 text"),
    Hostile("UTF-16", "name: n\n".encode("utf-16"), "not UTF-8 text"),
    Hostile("flow sequences", "[" * 10_000, "nested too deeply"),
    Hostile("flow mappings", "{a: " * 10_000, "nested too deeply"),
    Hostile("block sequences", "- " * 10_000, "nested too deeply"),
    Hostile("block mappings", "".join(" " * i + "a:\n" for i in range(1000)), "nested too deeply"),
    Hostile("questions", "? " * 10_000, "a key must be a word"),
    Hostile("blocks in blocks", blocks_in_a_row(900), "blocks and repeats are nested too deeply"),
    Hostile("repeats in repeats", repeats(40, 1), "nested too deeply"),
    Hostile("repeats times repeats", repeats(20, 1000), "the network is too large"),
    Hostile("10^9 layers", repeats(1, 10**9), "the network is too large"),
    Hostile("10^12 layers", repeats(1, 10**12), "wrong value for 'repeat'"),
    Hostile("200,001 layers", repeats(1, 200_001), "the network is too large"),
    Hostile("10^9 times nothing", f"{HEAD}layers: [{{repeat: {10**9}, layers: []}}]\n", "the network is too large"),
    Hostile(
        "10^9 empty rounds", f"{HEAD}layers: [{{repeat: {10**9}, name: a, layers: []}}]\n", "the network is too large"
    ),
    Hostile(
        "10^12 by a parameter",
        f"{HEAD}parameters: {{n: {10**12}}}\nlayers: [{{repeat: $n, layers: []}}]\n",
        "the network is too large",
    ),
    Hostile(
        "10^9 connections", layer(f"repeat: 100000, layers: [{{type: add, inputs: [{'input, ' * 9999}]}}]"), "too large"
    ),
    Hostile("10^30 channels", layer(f"type: linear, out_features: {10**30}"), "wrong value for 'out_features'"),
    Hostile("9,000 digits", layer(f"type: linear, out_features: {'9' * 9000}"), "an integer is too long"),
    Hostile("90 digits", f"{HEAD}parameters: {{a: {'9' * 90}}}\nlayers: []\n", "wrong value for 'a'"),
    Hostile("not a number", layer("type: elu, alpha: .nan"), "not a finite number"),
    Hostile("infinite", layer("type: elu, alpha: -.inf"), "not a finite number"),
    Hostile("beyond floats", layer("type: elu, alpha: 1e999"), "not a finite number"),
    Hostile(
        "scale of nearly nothing", layer("type: upsample, scale_factor: 1.0e-300", HEAD.replace("4", "4, 4")), "zero"
    ),
    Hostile("long list", f"{HEAD}layers: [{'1, ' * 50_000}]\n", "a list is too long"),
    Hostile("wrong sizes", f"name: n\ninput: [{'a, ' * 9000}]\nlayers: []\n", "wrong value for 'input[0]'"),
    Hostile(
        "wrong inputs", layer(f"type: add, inputs: [{chr(34) + chr(34) + ',' + ' '}{'1, ' * 9000}]"), "wrong value"
    ),
    Hostile("axes", f"name: n\ninput: [{'1, ' * 9000}]\nlayers: []\n", "wrong value for 'input'"),
    Hostile("reshape to axes", layer(f"type: reshape, shape: [{'1, ' * 9000}4]"), "a tensor has too many axes"),
    Hostile("permute", layer(f"type: permute, dims: [{'0, ' * 9000}]"), "dims must name every axis once"),
    Hostile(
        "kernel", layer(f"type: max_pool1d, kernel_size: [{'1, ' * 9000}]", HEAD.replace("4", "4, 4")), "kernel_size"
    ),
    Hostile("10^9 pieces", layer("type: split, split_size: 1", HEAD.replace("4", str(10**9))), "too many pieces"),
    Hostile(
        "pieces of every layer",
        layer("repeat: 60000, layers: [{type: linear, out_features: 10000}, {type: split, split_size: 1}]"),
        "too many tensors",
    ),
    Hostile(
        "10,000 parentheses", layer(f"type: linear, out_features: '{'(' * 4000}$a{')' * 4000}'"), "unknown parameter"
    ),
    Hostile(
        "parentheses",
        f"{HEAD}parameters: {{a: 1}}\n" + layer(f"type: linear, out_features: '{'(' * 4000}$a{')' * 4000}'", ""),
        "cannot work out an expression",
    ),
    Hostile(
        "tower of powers",
        f"{HEAD}parameters: {{a: 9}}\n" + layer("type: linear, out_features: $a**$a**$a**$a**$a", ""),
        "cannot work out an expression",
    ),
    Hostile(
        "giant product",
        f"{HEAD}parameters: {{a: {2**62}}}\n" + layer(f"type: linear, out_features: '$a{'*$a' * 70}'", ""),
        "cannot work out an expression",
    ),
    Hostile(
        "much arithmetic",
        f"{HEAD}parameters: {{a: 9}}\nlayers:\n"
        + "".join(f"  - {{type: linear, out_features: '$a{'*1' * 140}+{i}'}}\n" for i in range(400)),
        "too much arithmetic",
    ),
    Hostile(
        "names that grow",
        layer(
            f"repeat: 1, name: {'x' * 199}, layers: [{{repeat: 1, name: {'y' * 199}, "
            f"layers: [{{type: relu, name: {'z' * 199}}}]}}]"
        ),
        "a name is too long",
    ),
    Hostile("published digits", f"{HEAD}published: {{parameters: '{'9' * 9000}'}}\nlayers: []\n", "wrong value"),
    Hostile("extends itself", "extends: file.yaml\n", "extends goes round in a circle"),
    Hostile("extends a long name", f"extends: {'x' * 5000}.yaml\n", "extends a file that does not exist"),
    Hostile("extends outside", "extends: ../../etc/passwd\n", "extends what cannot be read"),
    Hostile("extends outside by a suffix", "extends: ../../etc/passwd.yaml\n", "extends what cannot be read"),
    Hostile("extends a folder", "extends: folder.yaml\n", "extends a file that does not exist"),
]

MEBIBYTE = 2**20

LARGE = [
    Hostile("laughs", laughs(distinct=False), "the network is too large"),
    Hostile("laughs that differ", laughs(distinct=True), "too much arithmetic"),
    Hostile("8 MiB of emoji in one value", "a: " + "x" * (8 * MEBIBYTE - 7) + "😀", "a value is too long"),
    Hostile("8 MiB of values", "[" + "[1]," * (2 * MEBIBYTE - 1) + "]", "too many values"),
    Hostile("8 MiB of brackets", "[" * (8 * MEBIBYTE - 1), "nested too deeply"),
    Hostile("8 MiB in one key", "k" * (8 * MEBIBYTE - 4) + ": 1", "a value is too long"),
    Hostile("16 MiB", "# \n" * (6 * MEBIBYTE), "the file is too large"),
    Hostile(
        "errors everywhere", f"{HEAD}blocks: {{{', '.join(f'b{i}: [1, 2]' for i in range(990))}}}\nlayers: []\n", "b0"
    ),
]
