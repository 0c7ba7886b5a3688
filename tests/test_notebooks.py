"""The notebooks are what their pages make them, and run from top to bottom."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcost.files.result import Result
from tests import notebooks
from tests.documents import output_of

FILES = notebooks.files()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_notebook_is_made_from_its_page(path: Path) -> None:
    assert path.read_text() == FILES[path], "make docs brings the notebooks up to date"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_notebook_runs_from_top_to_bottom(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = list(notebooks.run(path.read_text(), output_of))
    assert not [source for source, value in shown if str(value).startswith("archcost: ")]  # no refusal
    assert any("<table" in value.render("html") for _, value in shown if isinstance(value, Result))
    assert capsys.readouterr().out  # what cells print


def test_cells_of_a_page() -> None:
    """A page made for the purpose: what is typed, shown, folded and left."""
    page = """# Title\n
```python
>>> import archcost
>>> cost = archcost.cost("lenet5")
>>> cost.parameters
61706
>>> cost.macs
416520
```

<!-- notebook
cost
-->

```yaml
name: shown
```

<details>
<summary>Solution</summary>

```console
$ archcost list
```

</details>
"""
    found = [(cell["cell_type"], "".join(cell["source"]), cell["metadata"]) for cell in notebooks.cells(page)]
    assert found == [
        ("markdown", "# Title", {}),
        ("code", 'import archcost\ncost = archcost.cost("lenet5")\ncost.parameters', {}),
        ("code", "cost.macs", {}),
        ("code", "cost", {}),
        ("markdown", "```yaml\nname: shown\n```\n\n**Solution**", {}),
        ("code", "!archcost list", {"jupyter": {"source_hidden": True}}),
    ]
