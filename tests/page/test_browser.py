"""The page in a browser: what it asks for, the table of layers, charts, themes, a phone, a print, a keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import archcost
from archcost.page import rows
from archcost.report.times import short_time
from archcost.units import size
from tests.page.browser import Opened, launched
from tests.page.test_document import HOSTILE
from tests.report.networks import ODD

pytest.importorskip("bokeh")

CARD = "nvidia-rtx-4090"
LAST = ("pool2", "flatten1", "fc")
"""Layers of resnet18."""

DEEP = """(() => { const text = (node) => (node.shadowRoot ? text(node.shadowRoot) : '') + (node.nodeValue || '') +
    [...node.childNodes].map(text).join(''); return text(document.body); })()"""
"""The text of the page, with that of Bokeh's parts, which are in shadows."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def resnet(browser: Any, folder: Path) -> Opened:
    file = folder / "resnet18.html"
    archcost.report_page("resnet18", 8, hardware=[CARD, "nvidia-t4", "nordic-nrf5340"]).save(file)
    return Opened(browser, file)


@pytest.fixture(scope="module")
def plain(browser: Any, folder: Path) -> Opened:
    """Two networks, on a phone that is dark."""
    file = folder / "two.html"
    archcost.report_page(["lenet5", "mlp"], hardware=CARD).save(file)
    return Opened(browser, file, viewport={"width": 360, "height": 740}, color_scheme="dark")


def names(page: Opened) -> list[str]:
    return page.texts(".layer-table tbody tr[data-place] th button")


def test_nothing_is_fetched_and_nothing_complains(resnet: Opened, plain: Opened) -> None:
    for page in (resnet, plain):
        assert [url for url in page.asked if not url.startswith("file:")] == []
        assert len(page.asked) == 1
        assert page.heard == []


def test_charts_are_drawn_and_told_in_words(resnet: Opened) -> None:
    for kind, told in (("memory", "Memory through a step, stacked by role"), ("roofline", "Roofline. The roofs are")):
        chart = resnet.tab.locator(f".chart.{kind}")
        assert chart.get_attribute("role") == "img"
        assert (chart.get_attribute("aria-label") or "").startswith(told)
        assert chart.locator(".bk-Figure").count() == 1
    tree = resnet.tab.locator(".treemap")
    assert tree.get_attribute("role") == "img"
    assert "the largest parts are stage1" in (tree.get_attribute("aria-label") or "")


def test_groups_fold_and_add_up(resnet: Opened) -> None:
    resnet.tab.get_by_role("button", name="Fold all", exact=True).click()
    stages = [f"stage{number}" for number in range(1, 5)]
    assert names(resnet) == ["conv1", "bn1", "relu1", "pool1", *stages, "avgpool", "flatten1", "fc"]
    group = resnet.tab.locator("button.fold").first
    assert group.get_attribute("aria-expanded") == "false"
    before = len(names(resnet))
    group.focus()
    resnet.tab.keyboard.press("Enter")
    assert len(names(resnet)) > before
    assert resnet.run("document.activeElement.getAttribute('aria-expanded')") == "true", "the focus stays"
    resnet.tab.keyboard.press("Enter")
    assert len(names(resnet)) == before
    resnet.tab.get_by_role("button", name="Unfold all").click()
    assert len(names(resnet)) > 60
    resnet.tab.get_by_role("button", name="Fold all", exact=True).click()


def test_it_sorts_and_says_so(resnet: Opened) -> None:
    head = resnet.tab.locator(".layer-table th", has_text="parameters")
    flat = resnet.tab.get_by_label("without groups")
    flat.check()
    given = names(resnet)
    order: list[str] = []
    for _ in range(3):
        resnet.tab.locator(".layer-table thead button", has_text="parameters").click()
        order.append(head.get_attribute("aria-sort") or "")
        shown = resnet.texts(".layer-table tbody tr[data-place] td:nth-child(4)")
        numbers = [int(each.replace(",", "")) for each in shown]
        if order[-1] != "none":
            assert numbers == sorted(numbers, reverse=order[-1] == "descending")
    assert order == ["descending", "ascending", "none"]
    assert names(resnet) == given
    flat.uncheck()


def test_it_searches_names_and_types(resnet: Opened) -> None:
    search = resnet.tab.get_by_label("Search the layers of resnet18")
    search.fill("linear")
    assert names(resnet) == ["fc"]
    assert resnet.text(".told") == "1 of 69 layers"
    search.fill("no such layer")
    assert names(resnet) == []
    search.fill("")


def test_a_number_opens_its_working(resnet: Opened) -> None:
    search = resnet.tab.get_by_label("Search the layers of resnet18")
    search.fill("fc")
    resnet.tab.locator("tr[data-place] td[data-key=parameters]").first.click()
    assert "(512 + 1)·1,000 = 513,000" in resnet.text(".working")
    assert "parameters" in resnet.text(".working .chosen")
    assert "alive at the peak" in resnet.text(".working")
    resnet.tab.locator("tr[data-place] td[data-key=parameters]").first.click()
    assert resnet.tab.locator(".working").count() == 0
    resnet.tab.locator("tr[data-place] button").first.focus()
    resnet.tab.keyboard.press("Enter")
    assert resnet.tab.locator(".working").count() == 1, "by the keyboard alone"
    resnet.tab.keyboard.press("Enter")
    search.fill("")


def test_the_share_of_another_quantity(resnet: Opened) -> None:
    resnet.tab.get_by_label("parameters", exact=True).check()
    assert "20 conv2d" in resnet.text(".bars tbody tr")
    assert "2,359,296" in resnet.text(".bars table:nth-child(2) tbody tr")
    resnet.tab.locator(".bars tbody button").first.click()
    assert "2,359,296" in resnet.text(".working"), "a bar leads to its layer"


def test_devices_are_sorted_by_number(resnet: Opened) -> None:
    table = resnet.tab.locator("table.sorts").first
    table.locator("button", has_text="memory").click()
    assert [each.split("\t")[0] for each in table.locator("tbody tr").all_inner_texts()] == [
        CARD,
        "nvidia-t4",
        "nordic-nrf5340",
    ]
    assert table.locator("th[aria-sort=descending]").count() == 1
    assert "✗ does not fit" in table.inner_text()


def test_what_is_hovered_over_is_named(resnet: Opened) -> None:
    chart = resnet.tab.locator(".chart.memory")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    for place in (0.30, 0.31):
        resnet.tab.mouse.move(box["x"] + place * box["width"], box["y"] + box["height"] / 2)
        resnet.tab.wait_for_timeout(200)
    assert "forward stage" in resnet.run(DEEP)


def test_a_phone_scrolls_tables_and_not_the_page(plain: Opened) -> None:
    assert plain.run("document.documentElement.scrollWidth") == 360


def test_the_theme_is_the_systems_until_it_is_chosen(plain: Opened, resnet: Opened) -> None:
    page = "getComputedStyle(document.body).backgroundColor"
    assert (plain.run(page), resnet.run(page)) == ("rgb(20, 23, 27)", "rgb(255, 255, 255)")
    resnet.tab.get_by_role("button", name="Show the page dark").click()
    assert resnet.run(page) == "rgb(20, 23, 27)"
    resnet.tab.get_by_role("button", name="Show the page light").click()


def test_a_print_has_open_what_was_folded(plain: Opened) -> None:
    """And charts as pictures that are there at once; a copy is not of one colour."""
    closed = "document.querySelectorAll('details:not([open], .more)').length"
    before = plain.run(closed)
    assert before > 0
    plain.run("void dispatchEvent(new Event('beforeprint'))")
    assert plain.run(closed) == 0
    assert plain.run("document.documentElement.dataset.theme") == "light"
    colours = """[...document.querySelectorAll('.printed')].map(each => new Set(new Uint32Array(
        each.getContext('2d').getImageData(0, 0, each.width, each.height).data.buffer)).size)"""
    assert min(plain.run(colours)) > 10
    plain.run("void dispatchEvent(new Event('afterprint'))")
    assert (plain.run(closed), plain.run("document.documentElement.dataset.theme")) == (before, "dark")
    assert plain.tab.locator(".printed").count() == 0


def test_several_networks_stand_side_by_side(plain: Opened) -> None:
    assert plain.text("#compared") == "Side by side"
    assert plain.tab.locator("article").count() == 2
    assert plain.tab.locator(".layer-table").count() == 2


def test_every_control_and_table_has_a_name(resnet: Opened) -> None:
    unnamed = """[...document.querySelectorAll('button, input, select, table, [role=region], [role=img]')]
        .filter(each => !(each.ariaLabel || each.textContent.trim() || each.labels?.length || each.caption))
        .map(each => each.outerHTML)"""
    assert resnet.run(unnamed) == []
    assert resnet.run("document.documentElement.lang") == "en"


def test_the_keyboard_leads_through_the_page(resnet: Opened) -> None:
    """What has the focus is seen, and nothing that can be clicked on is out of reach."""
    resnet.tab.locator(".skip").focus()
    seen: list[str] = []
    for _ in range(12):
        resnet.tab.keyboard.press("Tab")
        seen.append(resnet.run("document.activeElement.textContent.trim() || document.activeElement.name"))
        style = "getComputedStyle(document.activeElement).outlineStyle"
        assert resnet.run(style) != "none", seen[-1]
    assert seen[:2] == ["Dark", "Another setting"]
    assert "batch" in seen


def test_hostile_texts_are_shown_and_not_run(browser: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.page.test_document import hostile

    monkeypatch.setattr(rows, "tree", lambda names: [rows.Row(0, HOSTILE, (0,), True)])
    file = folder / "hostile.html"
    archcost.report_page(hostile(), hardware=CARD).save(file)
    page = Opened(browser, file)
    page.run("void (window.alert = () => { document.title = 'run'; })")
    page.tab.locator(".layer-table tbody button").first.click()
    assert HOSTILE.split("\u2028")[0] in page.text(".layer-table tbody th")
    assert page.run("document.title") != "run"
    assert page.heard == []


def test_what_is_unknown_is_told(browser: Any, folder: Path) -> None:
    """Also without a device whose memory or rates are known, in inference, and without trained weights."""
    file = folder / "odd.html"
    archcost.report_page(archcost.loads(ODD), hardware="google-tpu-v4", mode="infer").save(file)
    page = Opened(browser, file)
    assert ">= 3,888" in page.text(".layer-table tfoot tr:last-child")
    page.tab.get_by_role("button", name="Unfold all").click()
    assert page.tab.locator("tr[data-place]", has_text="spectrum").locator("td[data-key=macs]").inner_text() == "?"
    assert page.tab.locator(".chart.roofline").count() == 0
    assert page.heard == []


# Controls


FIGURES = "[...document.querySelectorAll('.live-answer dd')].map(each => each.firstChild.textContent)"


def test_controls_say_what_the_library_says(resnet: Opened) -> None:
    """That all of their numbers are those of `estimate`, test_live.py holds; here that they are shown."""
    tab = resnet.tab
    assert resnet.run(FIGURES) == figures(8, CARD)
    tab.get_by_label("batch", exact=True).fill("200")
    tab.get_by_label("precision", exact=True).select_option("amp-bf16")
    tab.get_by_label("optimizer", exact=True).select_option("sgd")
    assert resnet.run(FIGURES) == figures(200, CARD, precision="amp-bf16", optimizer="sgd")
    tab.get_by_label("recompute", exact=True).select_option("blocks")
    tab.get_by_label("device", exact=True).select_option("nvidia-t4")
    settings = {"precision": "amp-bf16", "optimizer": "sgd", "recompute": "blocks"}
    assert resnet.run(FIGURES) == figures(200, "nvidia-t4", **settings)
    tab.get_by_role("button", name="largest", exact=True).click()
    largest = archcost.estimate("resnet18", hardware="nvidia-t4", **settings).max_batch
    assert tab.get_by_label("batch", exact=True).input_value() == str(largest)
    tab.get_by_role("button", name="Twice the batch").click()
    assert resnet.run(FIGURES)[0] == "✗ does not fit"
    tab.get_by_label("mode", exact=True).select_option("infer")
    assert tab.get_by_label("optimizer", exact=True).is_disabled()
    assert resnet.run(FIGURES) == figures(2 * (largest or 0), "nvidia-t4", mode="infer", precision="amp-bf16")
    tab.get_by_role("button", name="reset").click()
    assert resnet.run(FIGURES) == figures(8, CARD)


def figures(batch: int, hardware: str, **settings: Any) -> list[str]:
    found = archcost.estimate("resnet18", batch, hardware=hardware, **settings)
    assert found.max_batch is not None
    time = short_time(found.time) if found.time else "not known"  # a T4 has no rate for bfloat16
    sign = {"fits": "✓", "tight": "~", "does not fit": "✗"}[found.verdict]
    return [f"{sign} {found.verdict}", size(found.peak), f"{found.max_batch:,}", time]


def test_a_batch_that_is_none_is_told(resnet: Opened) -> None:
    batch = resnet.tab.get_by_label("batch", exact=True)
    for wrong in ("", "0", "-3", "2.5"):
        batch.fill(wrong)
        assert resnet.text(".live-answer").startswith("No answer: batch is a whole number from 1 to ")
    batch.fill("8")
    assert resnet.run(FIGURES) == figures(8, CARD)


def test_the_setting_on_each_device(resnet: Opened) -> None:
    resnet.tab.get_by_text("The same on each device of this page").click()
    resnet.tab.wait_for_selector(".live details tbody tr")
    rows = resnet.texts(".live details tbody tr")
    assert [row.split("\t")[0] for row in rows] == [CARD, "nvidia-t4", "nordic-nrf5340"]
    assert "✗ does not fit" in rows[2]
    resnet.tab.get_by_text("The same on each device of this page").click()
