"""docs/tour.ipynb: what is committed was executed, and it runs, here with a few steps."""

import json
import re

import pytest
from commands import TOP

NOTEBOOK = TOP / "docs" / "tour.ipynb"


def cells():
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def printed(cell):
    """Return what a cell printed, or an error that it ended with."""
    outputs = cell["outputs"]
    return "".join("".join(o.get("text", o.get("evalue", ""))) for o in outputs)


def test_it_was_executed_from_its_top_to_its_end():
    assert [cell["execution_count"] for cell in cells()] == list(range(1, len(cells()) + 1))
    kinds = {output["output_type"] for cell in cells() for output in cell["outputs"]}
    assert kinds == {"stream", "display_data"}  # no error, no value left over
    streams = {o.get("name") for cell in cells() for o in cell["outputs"]}
    assert "stderr" not in streams


def test_it_says_nothing_of_the_machine_that_executed_it():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert not re.search(r"/(tmp|root|home|Users|work)/", text)


@pytest.mark.long
def test_it_runs_with_a_few_steps(tmp_path, monkeypatch):
    reason = "make docs installs what executes notebooks"
    client = pytest.importorskip("nbclient", reason=reason)
    nbformat = pytest.importorskip("nbformat", reason=reason)
    settings = {"STEPS": "2", "EPISODES": "20", "FOLDER": str(tmp_path / "a tour")}
    for name, value in settings.items():
        monkeypatch.setenv(f"TOUR_{name}", value)
    monkeypatch.setenv("PYTHONPATH", str(TOP))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # figures are shown in the notebook
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client.NotebookClient(notebook, timeout=900, kernel_name="python3").execute()
    said = [printed(cell) for cell in notebook.cells if cell.cell_type == "code"]
    assert any("150 classes, 3000 pictures" in each for each in said)
    (table,) = (each for each in said if each.startswith("nearest centroid"))
    rows = table.splitlines()
    assert len(rows) == 5 and sum("LEO minus it" in row for row in rows) == 3
    (answers,) = (each for each in said if "of 40 right" in each)
    assert int(answers.split()[0]) > 5  # of 40; 1 in 8 is chance
    shown = [o for cell in notebook.cells for o in cell.get("outputs", []) if "data" in o]
    assert len(shown) == 3
