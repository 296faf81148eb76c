"""How the cost of an outer step grows: a benchmark of each size, in a process of its own."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from data_pipeline import atomic
from data_pipeline.json_text import parsed
from leo_tf.performance import machine
from leo_tf.performance.scaling_plot import draw
from leo_tf.performance.scaling_report import page, short
from leo_tf.performance.scaling_rows import QUARTILES, SHOWN, Row, Sizes, disturbed, write

POLL_SECONDS = 0.1
OUT_OF_MEMORY = "out of memory"
# The system ends a process by signal 9 when memory runs out; libraries say one of these.
_SIGNS = ("bad_alloc", "RESOURCE_EXHAUSTED", "ResourceExhausted", "Out of memory", "MemoryError")


def run(
    wanted: Sequence[Sizes], seconds: float, memory: float, output: Path, command: str
) -> list[Row]:
    """Measure configurations one after the other.

    Writes the page after each, and once all are measured the figures and the plot. What was
    disturbed is measured once more.

    Args:
      wanted: what to measure; the first is the one that the others vary.
      seconds: for each measurement.
      memory: MiB that a configuration may take.
      output: path of the page, the figures and the plot, without .md, .json and .png.
      command: the one that makes them, for the page.
    """
    rows: dict[Sizes, Row] = {}
    place = output.with_name(f"{output.name}.md")
    before = place.read_text(encoding="utf-8") if place.exists() else ""
    with tempfile.TemporaryDirectory(prefix="leo_tf_") as data_path:

        def take(sizes, mark):
            print(f"[{mark}] {describe(sizes)}: ", end="", flush=True)
            row = measure(sizes, seconds, data_path, memory)
            print(row.failure or _brief(row), flush=True)
            if sizes not in rows or not row.failure:
                rows[sizes] = row
            atomic.write_text(place, page([*rows.values()], command, memory, output.name, before))

        for number, sizes in enumerate(wanted, 1):
            take(sizes, f"{number}/{len(wanted)}")
        for row in disturbed([*rows.values()]):
            take(row.sizes, "again: disturbed")
    measured = [*rows.values()]
    write(measured, command, output.with_name(f"{output.name}.json"))
    draw(measured, output.with_name(f"{output.name}.png"))
    return measured


def _brief(row):
    return f"{short(row.milliseconds.median)} ms/step, {row.share:.0f} % of the product rate"


def configurations(lists: Sequence[Sequence[str]], corners: Sequence[str]) -> list[Sizes]:
    """Vary one size at a time around the first of each list.

    Args:
      lists: [ways, shots, meta-batches, dims], of text.
      corners: texts "<way>x<shot>".

    Returns:
      A list of `Sizes`, none twice.

    Raises:
      ValueError: one line, if a text is no number above 0.
    """
    sizes = [[_size(text) for text in values] for values in lists]
    if not all(sizes):
        raise ValueError("--way, --shot, --tasks and --dim need at least one size each")
    base = Sizes(*(values[0] for values in sizes))
    found = [base]
    for name, values in zip(Sizes._fields, sizes, strict=True):
        found += [base._replace(**{name: value}) for value in values[1:]]
    for corner in filter(None, corners):
        way, _, shot = corner.partition("x")
        found.append(base._replace(way=_size(way), shot=_size(shot)))
    return list(dict.fromkeys(found))


def _size(text):
    if not text.strip().isdecimal() or int(text) < 1:
        raise ValueError(f"sizes are whole numbers above 0, corners WAYxSHOT; what is {text!r}?")
    return int(text)


def measure(sizes: Sizes, seconds: float, data_path: str | os.PathLike, memory: float) -> Row:
    """Run leo_tf.benchmark on one configuration.

    Args:
      sizes: a `Sizes`.
      seconds: for each measurement.
      data_path: folder for the synthetic embeddings.
      memory: MiB that it may take.
    """
    output = Path(data_path) / "figures.json"
    output.unlink(missing_ok=True)
    command = [sys.executable, "-m", "leo_tf.benchmark", "--parts=training,products"]
    command += [f"--{name}={value}" for name, value in sizes._asdict().items()]
    command += [f"--seconds={seconds}", f"--data_path={data_path}", f"--json={output}"]
    # What a process that is ended leaves behind goes with `data_path`.
    failure = run_within(memory, command, _environment(data_path))
    if failure:
        return Row(sizes, failure=failure)
    result = parsed(output.read_text(encoding="utf-8"))
    for name in SHOWN:
        if any(result["figures"][name][of] is None for of in QUARTILES):
            return Row(sizes, failure=f"{name} was not measured")
    return Row(sizes, result["figures"], result["machine"])


def _environment(data_path):
    """Return the environment of a measurement: this project on the path, whatever folder it is."""
    top = str(Path(__file__).parents[2])
    places = [top, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "TMPDIR": str(data_path), "PYTHONPATH": os.pathsep.join(places)}


def run_within(
    memory: float, command: Sequence[str], environment: Mapping[str, str] | None = None
) -> str:
    """Run a command, and end it when it has more memory in RAM than it may.

    Args:
      memory: MiB.
      command: list of arguments.
      environment: its variables; None for those of this process.

    Returns:
      What went wrong, "" for nothing.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=errors, env=environment
        )
        try:
            while process.poll() is None:
                if machine.resident_memory(process.pid) > memory:
                    return OUT_OF_MEMORY
                time.sleep(POLL_SECONDS)
        finally:
            process.kill()
            process.wait()
        errors.seek(0)
        said = errors.read()
    if process.returncode == 0:
        return ""
    if process.returncode == -9 or any(sign in said for sign in _SIGNS):
        return OUT_OF_MEMORY
    return (said.strip().splitlines() or [f"exit status {process.returncode}"])[-1]


def describe(sizes: Sizes) -> str:
    """Write sizes for people."""
    return f"{sizes.way}-way {sizes.shot}-shot, {sizes.tasks} tasks, {sizes.dim}-d"
