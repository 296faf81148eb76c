"""leo_tf.figures, on runs that were kept."""

from pathlib import Path

import matplotlib.image
import pytest
from commands import TOP, command

from leo_tf.reports import FIGURES

KEPT = TOP / "tests" / "kept_runs"


def test_figure_2_shows_tasks_in_two_rows(tmp_path):
    output = tmp_path / "figure.png"
    done = command("leo_tf.figures", run_dir=KEPT / "regression" / "finished", output=output)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"{output}\n")
    height, width, _ = matplotlib.image.imread(output).shape
    assert (height, width) == (496, 1040)
    assert output.stat().st_size > 20_000


def test_every_figure_has_its_file():
    files = {path.stem for path in (TOP / "leo_tf" / "reports").glob("figure_*.py")}
    assert files == {f"figure_{number}" for number in FIGURES}


@pytest.mark.parametrize(
    ("run_dir", "output", "said"),
    [
        (KEPT / "regression" / "half", None, "no finished run of sines_and_lines; make one"),
        (
            KEPT / "classification" / "finished",
            None,
            "no finished run of sines_and_lines; make one",
        ),
        (Path("nowhere"), None, "nowhere: no finished run of sines_and_lines; make one"),
        (KEPT / "regression" / "finished", "no/such/a.png", "there is no folder"),
    ],
)
def test_what_cannot_be_drawn_is_refused(run_dir, output, said):
    flags = {"run_dir": run_dir} | ({"output": output} if output else {})
    done = command("leo_tf.figures", **flags)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert said in line
