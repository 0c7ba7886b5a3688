"""The page as a file: what is in it, what it may run, how large it is, and what `archcost report` refuses."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

import archcost
from archcost.cli import main
from archcost.page import bundle, rows
from archcost.page.document import embedded, opening
from archcost.page.rows import tree
from tests.report.networks import ODD, TINY

pytest.importorskip("bokeh")

Capture = pytest.CaptureFixture[str]

MOST = 2_500_000
"""Bytes of a page."""

CARD = "nvidia-rtx-4090"


class Reader(HTMLParser):
    """The scripts and the text of a page, as a browser separates them, and every element with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            kind, before = self.scripts[-1]
            self.scripts[-1] = (kind, before + data)
        elif self.inside != "style":
            self.text += data

    def column(self, key: str, network: int = 0) -> list[Any]:
        """Of the table of layers."""
        layers = self.data["networks"][network]["layers"]
        return [layers["numbers"][place][layers["keys"].index(key)] for place in layers["rows"]["numbers"]]

    @property
    def data(self) -> dict[str, Any]:
        return next(json.loads(text) for kind, text in self.scripts if kind.get("type") == "application/json")


def page(spec: str = TINY, **settings: Any) -> str:
    return archcost.report_page(archcost.loads(spec), hardware=CARD, **settings).to_html()


def test_a_page_tells_what_the_library_tells() -> None:
    read = Reader(page(batch=2))
    for told in ("47", "A <small> & tidy_network", "Nobody, 50% of a {paper}, 2020", "top-1 error 12.5 %", CARD):
        assert told in read.text
    layers = read.data["networks"][0]["layers"]
    assert layers["total"]["parameters"] == 47
    assert layers["total"]["macs"] == 2 * 312
    assert layers["rows"]["label"] == ["features_1", "conv1", "relu1", "pool", "flatten1", "fc1"]
    assert read.column("parameters") == [20, 20, 0, 0, 0, 27]
    assert read.column("forward") == [2 * 576, 2 * 576, 0, 0, 0, 2 * 48]
    assert ["parameters", "(k_H·k_W·C_in + 1)·C_out = (3·3·1 + 1)·2 = 20", ""] in layers["lines"]


def test_bytes_and_seconds_of_layers_add_up() -> None:
    read = Reader(archcost.report_page("lenet5", 8, hardware=CARD).to_html())
    layers = read.data["networks"][0]["layers"]
    rows, beside = layers["rows"], layers["beside"]
    top = [place for place, depth in enumerate(rows["depth"]) if depth == 0]
    for column, place in (("bytes", 1), ("seconds", 2)):
        whole = sum([read.column(column)[each] for each in top]) + sum([row[place] or 0 for row in beside])
        assert whole == pytest.approx(layers["total"][column], rel=1e-4)


def test_equal_layers_share_their_working() -> None:
    layers = Reader(archcost.report_page("gpt2", hardware=CARD).to_html()).data["networks"][0]["layers"]
    assert len(layers["layers"][0]) == 260
    assert len(layers["lines"]) < 130


def test_what_is_unknown_is_a_lower_bound() -> None:
    read = Reader(page(ODD))
    rows = read.data["networks"][0]["layers"]["rows"]
    assert (rows["label"], read.column("macs")) == (["x", "odd", "spectrum", "relu"], [3888, 0, None, 0])
    assert read.column("bound") == [0, 1, 0, 0]
    assert ">= 3,888" in read.text
    assert "Lower bounds: the operations of odd.spectrum are not known." in read.text


KNOWN = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "a",
        "header",
        "div",
        "p",
        "button",
        "h1",
        "h2",
        "h3",
        "h4",
        "nav",
    ),
    *(
        "main",
        "noscript",
        "article",
        "section",
        "dl",
        "dt",
        "dd",
        "small",
        "span",
        "table",
        "caption",
        "thead",
        "tbody",
    ),
    *(
        "tfoot",
        "tr",
        "th",
        "td",
        "ul",
        "li",
        "i",
        "details",
        "summary",
        "footer",
        "script",
        "label",
        "select",
        "option",
    ),
    *("input", "output"),
}
"""The elements of a page."""
HOSTILE = "</script><script>alert(1)</script>'\"`${x}\u2028<!--"


def hostile() -> archcost.ModelSpec:
    """Names are words, as the spec asks for; titles and operators may be anything."""
    spec = archcost.loads(ODD.replace("aten::fft_rfft2", "</script><script>alert(1)</script>"))
    return spec.model_copy(update={"title": HOSTILE, "citation": HOSTILE})


def test_hostile_texts_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also as names, where some importer should let them through."""
    monkeypatch.setattr(rows, "tree", lambda names: [rows.Row(0, HOSTILE, (0,), True)])
    written = archcost.report_page(hostile(), hardware=CARD).to_html()
    read = Reader(written)
    assert len(read.scripts) == 1 + len(bundle.scripts()), "no script is added by a text"
    assert not [tag for tag, _ in read.elements if tag not in KNOWN]
    assert " ".join(HOSTILE.split()) in " ".join(read.text.split()) or HOSTILE.split("\u2028")[0] in read.text
    assert read.data["networks"][0]["layers"]["rows"]["label"] == [HOSTILE]
    assert opening([HOSTILE]).count("-->") == 1
    assert opening([HOSTILE]).isascii()


def test_embedded_json_has_no_character_of_html() -> None:
    written = embedded({"<&>\u2028": "</script>"})
    assert not set("<>&\u2028") & set(written)
    assert json.loads(written) == {"<&>\u2028": "</script>"}


def test_the_policy_lets_these_scripts_run_and_nothing_be_fetched() -> None:
    read = Reader(page())
    policy = next(a["content"] or "" for tag, a in read.elements if tag == "meta" and "http-equiv" in a)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert set(rules) == {"default-src", "script-src", "style-src", "base-uri", "form-action"}
    for kind, text in read.scripts:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert (f"'sha256-{digest}'" in rules["script-src"]) == (kind.get("type") is None)
    assert not [tag for tag, a in read.elements if tag in ("link", "img", "iframe") or "src" in a]
    assert not [name for _, a in read.elements for name in a if name.startswith("on")]


def test_a_page_of_thousands_of_layers_is_small(tmp_path: Path) -> None:
    written = archcost.report_page("qwen3_14b", hardware="nvidia-h200-sxm", mode="infer", precision="bf16").to_html()
    assert len(Reader(written).data["networks"][0]["layers"]["layers"][0]) == 2828
    assert len(written.encode()) < MOST


def test_equal_questions_have_equal_pages() -> None:
    assert page() == page()


def test_several_networks_are_compared() -> None:
    read = Reader(archcost.report_page(["lenet5", "mlp"], hardware=[CARD, "nvidia-t4"]).to_html())
    assert [network["name"] for network in read.data["networks"]] == ["lenet5", "mlp"]
    for told in ("Side by side", "61,706", "266,610", "Which layers differ"):
        assert told in read.text


@pytest.mark.parametrize(
    "names", [["a"], ["a.b", "a.c", "d"], ["a", "a.b"], ["m.l.0.x", "m.l.0.y", "m.l.1.x", "m.l.1.y"], ["a", "a"]]
)
def test_a_tree_has_every_layer_once(names: list[str]) -> None:
    found_rows = list(tree(names))
    above: list[str] = []
    found: list[str] = []
    for row in found_rows:
        above[row.depth :] = [row.label]
        if row.is_layer:
            found.append(".".join(filter(None, above)))
            assert found[-1] == names[row.members[0]]
    assert sorted(found) == sorted(names)


def test_chains_of_names_are_one_group() -> None:
    assert [row.label for row in tree(["m.l.0.x", "m.l.0.y", "m.l.1.x", "m.l.1.y"])][:3] == ["m.l", "0", "x"]


# The command


def told(capsys: Capture, *words: str) -> tuple[int, str, str]:
    code = main(["report", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_it_writes_a_page_and_says_nothing(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "report.html"
    words = ("lenet5", "--hardware", CARD, "--batch", "4", "--precision", "bf16", "--optimizer", "sgd", "-o", str(file))
    assert told(capsys, *words) == (0, "", "")
    assert "batch 4, a training step, bf16, sgd" in Reader(file.read_text()).text
    assert told(capsys, *words) == (0, "", ""), "over its own"


def test_without_a_file_there_is_no_page(capsys: Capture) -> None:
    assert told(capsys, "lenet5") == (
        2,
        "",
        "archcost: no file to write to\n  expected: -o FILE.html\n  try: archcost report lenet5 -o report.html\n",
    )


def test_a_folder_that_is_not_there_is_told(tmp_path: Path, capsys: Capture) -> None:
    code, out, err = told(capsys, "mlp", "--hardware", CARD, "-o", str(tmp_path / "no" / "x.html"))
    assert (code, out) == (2, "")
    assert err == f"archcost: {tmp_path}/no/x.html: cannot be written: No such file or directory\n"


def test_the_page_of_another_network_stays(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "x.html"
    assert told(capsys, "mlp", "--hardware", CARD, "-o", str(file))[0] == 0
    before = file.read_bytes()
    code, _, err = told(capsys, "lenet5", "--hardware", CARD, "-o", str(file))
    assert code == 2
    assert "expected: a new file, or an earlier page of archcost report on the same networks" in err
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["no_such_network"], "unknown network 'no_such_network'"),
        (["lenet5", "lenet5"], "a network is named twice"),
        (["lenet5", "--precision", "fp3"], "precision is not one of those known"),
    ],
)
def test_wrong_input_is_told(words: list[str], problem: str, tmp_path: Path, capsys: Capture) -> None:
    code, out, err = told(capsys, *words, "-o", str(tmp_path / "x.html"))
    assert (code, out) == (2, "")
    assert err.startswith("archcost: ")
    assert problem in err
    assert not list(tmp_path.iterdir())


def test_without_bokeh_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture) -> None:
    monkeypatch.setattr(bundle, "find_spec", lambda name: None)
    code, out, err = told(capsys, "lenet5", "-o", str(tmp_path / "x.html"))
    assert (code, out) == (2, "")
    assert err == (
        "archcost: a page draws its charts with Bokeh, which is not installed\n"
        "  expected: the extra report\n"
        "  try: pip install 'archcost[report]'\n"
    )


def test_bokeh_is_read_and_not_imported() -> None:
    script = (
        "import sys, archcost; archcost.report_page('mlp', hardware='nvidia-t4').to_html();"
        "print(sorted(set(sys.modules) & {'bokeh', 'torch', 'onnx'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_asset_is_found_as_data_of_the_package() -> None:
    folder = resources.files("archcost.page").joinpath("assets")
    known = {*bundle.OURS, "page.css", "page.html"}
    assert {file.name for file in folder.iterdir()} == known


def test_scripts_hold_no_end_of_their_element() -> None:
    for script in bundle.scripts():
        assert not re.search(r"</script|<!--", script, re.IGNORECASE)
