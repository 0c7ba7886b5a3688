"""Sheets, and marks of filled ones. Expected numbers are worked out by hand, or are the lecture's."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest

import archcost
from archcost.cli import main
from archcost.teaching import grade, worksheet
from archcost.teaching.grading import marked
from archcost.teaching.questions import Question, offered
from archcost.teaching.reading import conventions, extents, readings


def questions(network: str, batch: int = 1, seed: int = 1) -> dict[str, Question]:
    """All that a network gives, by their keys."""
    cost = archcost.cost(archcost.build(network, batch))
    return {question.key: question for question in offered(cost, seed)}


@pytest.fixture(scope="module")
def lenet5() -> dict[str, Question]:
    return questions("lenet5")


@pytest.fixture(scope="module")
def vgg_d() -> dict[str, Question]:
    return questions("vgg_d", 4)


@pytest.fixture(scope="module")
def autoencoder() -> dict[str, Question]:
    return questions("conv_autoencoder_transposed", 2)


def said(question: Question, given: str, stated: str = "") -> tuple[str, str]:
    """The mark, and what is said without the working of a slip."""
    mark = marked(1, question, given, conventions(stated))
    return mark.status, re.sub(r" \([^=]+(?: = [^=]+)* = [\d,]+\)", "", mark.said)


RIGHT = ("right", "")
BINARY = ("wrong", "1,000 for 1,024: kB, MB and GB are powers of 1,000, KiB, MiB and GiB of 1,024")
ROUNDED = ("right", "rounded")


@pytest.mark.parametrize(
    ("key", "given", "mark"),
    [
        # (3*3*3 + 1)*64, of which the lecture makes (3*3 + 1)*64
        ("parameters stage1.conv1", "1,792", RIGHT),
        ("parameters stage1.conv1", "1792 parameters", RIGHT),
        ("parameters stage1.conv1", "28*64 = 1792", RIGHT),
        ("parameters stage1.conv1", "28·64", RIGHT),
        ("parameters stage1.conv1", "1.792", RIGHT),  # a point between thousands
        ("parameters stage1.conv1", "1.79 k", ROUNDED),
        ("parameters stage1.conv1", "1.8 k", ("wrong", "right as far as it goes: at least 3 digits are asked for")),
        ("parameters stage1.conv1", "640", ("wrong", "the input channels are forgotten")),
        ("parameters stage1.conv1", "1,728", ("wrong", "the bias is forgotten")),
        ("parameters stage1.conv1", "576", ("wrong", "the input channels and the bias are forgotten")),
        ("parameters stage1.conv1", "28", ("wrong", "this is one kernel: the output channels are forgotten")),
        ("parameters stage1.conv1", "1793", ("wrong", "")),
        ("parameters stage1.conv1", "many", ("wrong", "this is no number, or its unit is not understood")),
        # 4 images, 64 channels, 224 * 224 positions, 3*3*3 products
        ("macs stage1.conv1", "346,816,512", RIGHT),
        ("macs stage1.conv1", "347 M", ROUNDED),
        ("macs stage1.conv1", "346.8 MMACs", ROUNDED),
        ("macs stage1.conv1", "693.6 MFLOPs", ROUNDED),  # stated as FLOPs
        ("macs stage1.conv1", "693,633,024", ("wrong", "these are FLOPs: a MAC is two of them")),
        ("macs stage1.conv1", "86,704,128", ("wrong", "the batch is forgotten")),
        ("macs stage1.conv1", "6,912", ("wrong", "counted once, and not at each position of the output")),
        ("macs stage1.conv1", "115,605,504", ("wrong", "the input channels are forgotten")),
        ("flops stage1.conv1", "346816512", ("wrong", "these are MACs: a MAC is two FLOPs")),
        ("flops stage1.conv1", "346.816512 MMAC", RIGHT),
        ("total parameters", "138 M", ROUNDED),
        ("total parameters", "138.4 million", ROUNDED),
        ("total parameters", "1.38e8", ROUNDED),
        ("total parameters", "1,38 · 10^8", ROUNDED),
        ("total parameters", "138,344,128", ("wrong", "the biases are forgotten")),
        # as the lecture's 133,000
        ("total parameters", "138,000", ("wrong", "off by 1,000, as thousands for millions are")),
        # 138,357,544 * 4 = 553,430,176 bytes = 553.4 MB = 527.8 MiB
        ("memory of weights", "553 MB", ROUNDED),
        ("memory of weights", "527.8 MiB", ROUNDED),
        ("memory of weights", "527.8 MB", BINARY),
        ("memory of weights", "0.5534 GiB", BINARY),
        ("memory of weights", "138357544", ("wrong", "these are values: a float32 has 4 bytes")),
        ("memory of weights", "4.427 Gbit", ROUNDED),
        ("extents stage1.pool", "64×112×112", RIGHT),
        ("extents stage1.pool", "112 x 112 x 64", RIGHT),
        ("extents stage1.pool", "(1, 64, 112, 112)", RIGHT),
        ("extents stage1.pool", "64×111×111", ("wrong", "one less: the formula ends with + 1")),
        ("extents stage1.pool", "112×112", ("wrong", "the channels are left out")),
        ("extents stage1.conv1", "64×222×222", ("wrong", "the padding is forgotten")),
        (
            "extents stage1.conv1",
            "64×223×223",
            ("wrong", "either padding is on both sides, or one less: the formula ends with + 1"),
        ),
        ("extents stage1.conv1", "3×224×224", ("wrong", "these are the channels of the input")),
        ("extents stage1.conv1", "big", ("wrong", "these are no extents, such as 16×5×5")),
    ],
)  # fmt: skip
def test_marks_of_vgg(vgg_d: dict[str, Question], key: str, given: str, mark: tuple[str, str]) -> None:
    assert said(vgg_d[key], given) == mark


@pytest.mark.parametrize(
    ("key", "given", "mark"),
    [
        ("parameters conv3", "2,416", RIGHT),  # (5*5*6 + 1)*16
        ("parameters conv3", "416", ("wrong", "the input channels are forgotten")),  # (5*5 + 1)*16
        ("parameters fc5", "48,000", ("wrong", "the bias is forgotten")),  # and not 48,120 in round numbers
        ("parameters fc5", "48,400", ("wrong", "a bias for each input in place of each output")),
        ("macs fc5", "48,120", ("wrong", "adding a bias is no MAC")),
        ("training", "2,263,920", RIGHT),  # 3 * 833,040 less the input gradient of conv1, 235,200
        ("training", "2,499,120", ("wrong", "three times forward: nobody needs the gradient of the network's input")),
        ("training", "833,040", ("wrong", "this is forward alone")),
        (
            "backward fc5",
            "96,000",
            ("wrong", "either these are MACs: a MAC is two FLOPs, or the gradient of one operand is left out"),
        ),
        ("backward conv1", "470,400", ("wrong", "nobody needs the gradient of this input")),
        ("memory of adam", "493,648", RIGHT),  # 61,706 * 2 * 4
        ("memory of adam", "246,824", ("wrong", "Adam keeps two moments of each")),
    ],
)  # fmt: skip
def test_marks_of_lenet5(lenet5: dict[str, Question], key: str, given: str, mark: tuple[str, str]) -> None:
    assert said(lenet5[key], given) == mark


@pytest.mark.parametrize(
    ("key", "given", "mark"),
    [
        # double2: kernel 2, stride 2: (5 - 1)*2 + 1 + 1
        ("extents double2.up", "16×10×10", RIGHT),
        ("extents double2.up", "16×2×2", ("wrong", "a convolution's formula: this one is transposed")),
        ("extents double2.up", "16×12×12", ("wrong", "the first of the inputs takes no stride: (H_in − 1)·s")),
        # 2 images, 16*16 pairs of channels, 5*5 inputs, 2*2 values
        ("macs double2.up", "51,200", RIGHT),
        ("macs double2.up", "204,800", ("wrong", "counted at the positions of the output")),
    ],
)
def test_marks_of_transposed_convolutions(
    autoencoder: dict[str, Question], key: str, given: str, mark: tuple[str, str]
) -> None:
    assert said(autoencoder[key], given) == mark


def test_stated_conventions_are_followed(lenet5: dict[str, Question], vgg_d: dict[str, Question]) -> None:
    flops, parameters, memory = vgg_d["flops stage1.conv1"], lenet5["parameters conv1"], vgg_d["memory of weights"]
    assert said(flops, "346816512", "FLOPs = MACs") == RIGHT
    assert said(flops, "693633024", "1 MAC = 1 FLOP")[1] == "a MAC is two FLOPs here, and the sheet states one"
    assert said(flops, "693633024", "1 MAC = 2 FLOPs, with bias") == RIGHT
    assert said(parameters, "150", "without biases") == RIGHT  # 5*5*6
    assert said(parameters, "156", "without bias")[1] == "these are with biases, and the sheet states without"
    assert said(memory, "527.8 MB", "MB = binary") == ROUNDED
    assert said(memory, "553.4 MB", "GB decimal") == ROUNDED
    assert conventions("1 kB = 1,024; colours are nice").unread == ("colours are nice",)
    assert conventions("1 kB = 1024").binary_units


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1'234'567", 1234567),
        ("1 234 567", 1234567),
        ("1\u202f234", 1234),
        ("1.234.567", 1234567),
        ("$1{,}792$", 1792),
        ("**1,792**", 1792),
        ("1_792", 1792),
        ("2 GiB", 2 * 2**30),
        ("3.5 T", 35 * 10**11),
        ("(3·3·3+1)·64", 1792),
        ("about 12", None),
        ("1 79 2", None),
        ("12 apples", None),
        ("", None),
        ("9" * 400, None),
        ("((((" * 60, None),
        ("2**9999999", None),
        ("1/0", None),
    ],
)
def test_a_number_is_read_in_any_form(text: str, value: int | None) -> None:
    found = readings(text)
    assert (found[0].value if found else None) == value


def test_extents_and_ambiguous_points() -> None:
    assert [reading.value for reading in readings("1.792")] == [Fraction(1792, 1000), 1792]
    assert extents("16 \\times 5 \\times 5") == extents("16*5*5") == extents("[16, 5, 5]") == (16, 5, 5)
    assert extents("16 by 5") is None


@pytest.mark.parametrize("ending", ["md", "tex"])
def test_the_same_seed_is_the_same_sheet_and_its_key_is_all_right(ending: str, tmp_path: Path) -> None:
    first, again, key = (tmp_path / f"{name}.{ending}" for name in ("first", "again", "key"))
    for path in (first, again):
        assert main(["worksheet", "lenet5", "--seed", "7", "-o", str(path)]) == 0
    assert first.read_bytes() == again.read_bytes()
    assert main(["worksheet", "lenet5", "--seed", "7", "--key", "-o", str(key)]) == 0
    assert main(["grade", str(key)]) == 0
    assert main(["grade", str(first)]) == 1  # all blank
    assert {mark.status for mark in grade(first).marks} == {"blank"}
    assert str(worksheet("lenet5", 8)) != first.read_text()


def test_a_latex_sheet_has_its_braces_in_pairs() -> None:
    text = worksheet("vgg_d", 3, 9).latex(key=True)
    bare = re.sub(r"\\[{}_%&#$]", "", text.partition("\n")[2])
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert text.isascii()
    for name in ("enumerate", "document"):
        assert text.count(f"\\begin{{{name}}}") == text.count(f"\\end{{{name}}}") == 1


def test_work_of_a_student_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = tmp_path / "sheet.md"
    assert main(["worksheet", "lenet5", "-o", str(sheet)]) == 0
    assert main(["worksheet", "lenet5", "--seed", "2", "-o", str(sheet)]) == 0  # nobody has filled it
    filled = sheet.read_text().replace("**Answer 1:** ____________", "**Answer 1:** 12")
    sheet.write_text(filled)
    assert main(["worksheet", "lenet5", "--seed", "3", "-o", str(sheet)]) == 2
    assert "a worksheet that nobody has filled" in capsys.readouterr().err
    assert sheet.read_text() == filled
    sheet.write_text(filled.replace("12", "\n\n12"))  # below its blank, as some do
    assert grade(sheet).marks[0].given == "12"


def blank() -> str:
    return str(worksheet("lenet5", 7))


def with_head(**changes: object) -> str:
    """A sheet whose head says something else, with a check that fits, as of another release."""
    from archcost.teaching.sheet import head_digest

    head, _, rest = blank().partition("\n")
    told = json.loads(head[head.index("{") : head.rindex("}") + 1])
    told = {name: value for name, value in (told | changes).items() if name != "check"}
    return f"<!-- archcost worksheet 1 {json.dumps({**told, 'check': head_digest(told)})} -->\n{rest}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is no worksheet"),
        ("Dear all,\nlunch is at twelve.", "is no worksheet"),
        ("\x00\x01", "is no worksheet"),
        (blank().replace("worksheet 1 ", "worksheet 2 "), "a worksheet of another form"),
        (blank().replace('"seed": 7', '"seed": 8'), "its first line was edited"),
        (blank().replace('"seed": 7', '"seed": '), "its first line was edited"),
        (with_head(network="alexnet"), "is of another alexnet"),
        (with_head(network="os:system"), "only a spec is read here"),
        (with_head(network="nosuch"), "unknown network 'nosuch'"),
        (with_head(seed="x"), "its first line was edited"),
        (with_head(questions=10**9), "has not as many questions"),
        (blank() + "\n**Answer 1:** 5\n**Answer 1:** 5", "answer 1 stands twice"),
        (blank() + "\n**Answer 99:** 5", "there is no question 99"),
        (re.sub(r"(\*\*Answer \d:\*\*) _+", r"\1 I do not know", blank()), "no answer of it is a number"),
    ],
)  # fmt: skip
def test_what_is_no_sheet_is_told(text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = tmp_path / "sheet.md"
    sheet.write_text(text)
    assert main(["grade", str(sheet)]) == 2
    assert told in capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "large").write_bytes(b"x" * (2**20 + 1))
    for name, told in (("none", "No such file"), ("binary", "no text"), ("large", "1 MiB"), (".", "directory")):
        assert main(["grade", str(tmp_path / name)]) == 2
        assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("worksheet lenet5 --questions 0", "1 to 100"),
        ("worksheet lenet5 --questions 100", "has not as many questions"),
        ("worksheet torchvision.models:resnet18", "only a spec is read here"),
        ("worksheet nosuch", "unknown network"),
    ],
)
def test_no_sheet_of_what_gives_none(words: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 2
    assert told in capsys.readouterr().err
