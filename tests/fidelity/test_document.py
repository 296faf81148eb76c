"""Every recorded run is replayed, and differs as docs/fidelity.md says."""

import itertools
from pathlib import Path

import pytest
from commands import TOP, command

from leo_tf.fidelity.verification import verify

KINDS = {  # columns of the document's tables
    "evaluation": ("eval/",),
    "train/kl": ("train/kl",),
    "train/loss": ("train/loss",),
    "other train": ("train/",),
    "grad": ("grad/",),
    "clipped": ("clipped/",),
    "final": ("final/",),
    "steps/loss": ("steps/loss",),
}


def documented(second):
    """Return the table of errors whose second column has that name: {file: {kind: error}}."""
    lines = (TOP / "docs" / "fidelity.md").read_text(encoding="utf-8").splitlines()
    start = lines.index(f"| recording | {second} | {' | '.join(KINDS)} |") + 2
    rows = itertools.takewhile(lambda line: line.startswith("|"), lines[start:])
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {row[0]: dict(zip(KINDS, map(float, row[2:]), strict=True)) for row in cells}


def printed(text):
    """Return what `verify` printed of files: {file: {kind: largest error}}."""
    found = {}
    for line in text.splitlines():
        if not line.startswith(" "):
            errors = found.setdefault(Path(line.split(": ")[0]).stem, dict.fromkeys(KINDS, 0.0))
            continue
        name, error = line.split()[:2]
        kinds = [k for k, starts in KINDS.items() if name.startswith(starts)]
        if kinds and not name.endswith("/accuracy"):
            errors[kinds[0]] = max(errors[kinds[0]], float(error))
    return found


def check(found, claimed):
    """Check errors against a table: rounding differs by processor, orders of magnitude do not."""
    assert found.keys() == claimed.keys()
    for file, errors in found.items():
        for kind, error in errors.items():
            assert error <= 5 * max(claimed[file][kind], 1e-7), (file, kind)
            assert claimed[file][kind] <= max(20 * error, 1e-4), (file, kind)


@pytest.mark.long
def test_every_golden_file_is_reproduced(golden_files):
    done = command("leo_tf.verify", *golden_files)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    found = printed(done.stdout)
    check(found, documented("precision"))
    assert len(found) == len(golden_files) == 5


@pytest.mark.parametrize(
    "stem",
    [
        "5way_1shot",
        "nan_guard",
        pytest.param("3way_4shot", marks=pytest.mark.long),
        pytest.param("5way_1shot_published", marks=pytest.mark.long),
        pytest.param("full_5way_1shot_f32", marks=pytest.mark.long),
    ],
)
def test_another_precision_costs_what_the_document_says(stem, golden_files, capsys):
    (path,) = (path for path in golden_files if path.stem == stem)
    dtype = "float64" if stem.endswith("f32") else "float32"
    assert verify(path, cast=dtype)
    text = capsys.readouterr().out
    check(printed(text), {stem: documented("computed in")[stem]})
    for line in text.splitlines()[1:]:
        assert ("above 1e-4" in line) == (float(line.split()[1]) > 1e-4)
