"""Measure how the cost of an outer step grows with way, shot, meta-batch and embedding size.

Usage: python -m leo_tf.scaling [--output=runs/scaling] [--seconds=10] [flags]

Varies one size at a time around the first of each list, then takes the corners (WAYxSHOT). Each
configuration is measured by leo_tf.benchmark in a process of its own, which is ended when it
takes more memory than --memory. Writes <output>.md after each, and the plot <output>.png.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from absl import flags

from data_pipeline import atomic, command_line
from leo_tf import machine
from leo_tf.config import check_setting
from leo_tf.scaling_report import Row, Sizes, draw, report

FLAGS = flags.FlagValues()
POLL_SECONDS = 0.1
OUT_OF_MEMORY = "out of memory"
# The system ends a process by signal 9 when memory runs out; libraries say one of these.
_SIGNS = ("bad_alloc", "RESOURCE_EXHAUSTED", "ResourceExhausted", "Out of memory", "MemoryError")


def define_flags():
    """Define the flags of this command."""

    def define(kind, name, default, meaning, **options):
        kind(name, default, help=meaning, flag_values=FLAGS, **options)

    define(flags.DEFINE_string, "way", "5,10,20", "numbers of classes in an episode")
    define(flags.DEFINE_string, "shot", "1,5,20", "numbers of support examples per class")
    define(flags.DEFINE_string, "tasks", "12,48,192", "numbers of episodes in a meta-batch")
    define(flags.DEFINE_string, "dim", "640,2048", "sizes of an embedding")
    define(flags.DEFINE_string, "corners", "20x5,20x20", "further pairs of way and shot")
    define(flags.DEFINE_float, "seconds", 10.0, "time for each measurement", lower_bound=0)
    define(
        flags.DEFINE_float,
        "memory",
        None,
        "GiB that a configuration may take [four fifths of what is free]",
        lower_bound=0,
    )
    define(flags.DEFINE_string, "output", "runs/scaling", "table and plot, without .md and .png")


define_flags()


def configurations(lists, corners):
    """Vary one size at a time around the first of each list.

    Args:
      lists: [ways, shots, meta-batches, dims], of text.
      corners: texts "<way>x<shot>".

    Returns:
      A list of `Sizes`, none twice.

    Raises:
      ValueError: one line, if a text is no number above 0.
    """
    lists = [[_size(text) for text in values] for values in lists]
    if not all(lists):
        raise ValueError("--way, --shot, --tasks and --dim need at least one size each")
    base = Sizes(*(values[0] for values in lists))
    found = [base]
    for name, values in zip(Sizes._fields, lists, strict=True):
        found += [base._replace(**{name: value}) for value in values[1:]]
    for corner in filter(None, corners):
        way, _, shot = corner.partition("x")
        found.append(base._replace(way=_size(way), shot=_size(shot)))
    return list(dict.fromkeys(found))


def _size(text):
    if not text.strip().isdecimal() or int(text) < 1:
        raise ValueError(f"sizes are whole numbers above 0, corners WAYxSHOT; what is {text!r}?")
    return int(text)


def measure(sizes, seconds, data_path, memory):
    """Run leo_tf.benchmark on one configuration.

    Args:
      sizes: a `Sizes`.
      seconds: for each measurement.
      data_path: folder for the synthetic embeddings.
      memory: MiB that it may take.

    Returns:
      A `Row`.
    """
    output = Path(data_path) / "figures.json"
    output.unlink(missing_ok=True)
    command = [sys.executable, "-m", "leo_tf.benchmark", "--parts=training"]
    command += [f"--{name}={value}" for name, value in sizes._asdict().items()]
    command += [f"--seconds={seconds}", f"--data_path={data_path}", f"--json={output}"]
    # What a process that is ended leaves behind goes with `data_path`.
    failure = run_within(memory, command, {**os.environ, "TMPDIR": str(data_path)})
    if failure:
        return Row(sizes, failure=failure)
    result = json.loads(output.read_text())
    return Row(sizes, result["figures"], result["machine"])


def run_within(memory, command, environment=None):
    """Run a command, and end it when it has more memory in RAM than it may.

    Args:
      memory: MiB.
      command: list of arguments.
      environment: its variables; None for those of this process.

    Returns:
      What went wrong, "" for nothing.
    """
    with tempfile.TemporaryFile("w+") as errors:
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


def main():
    """Measure as the flags say."""
    with command_line.flags_at_fault():
        lists = [FLAGS[name].value.split(",") for name in Sizes._fields]
        wanted = configurations(lists, FLAGS.corners.split(","))
        for name in ("seconds", "memory"):
            check_setting(name, FLAGS[name].value or 0)
        output = Path(FLAGS.output)
        if not output.absolute().parent.is_dir():
            raise ValueError(f"--output: there is no folder {output.absolute().parent}")
    memory = 1024 * FLAGS.memory if FLAGS.memory else 0.8 * machine.available_memory()
    command = shlex.join(["python", "-m", "leo_tf.scaling", *sys.argv[1:]])
    rows = []
    with tempfile.TemporaryDirectory(prefix="leo_tf_") as data_path:
        for number, sizes in enumerate(wanted, 1):
            print(f"[{number}/{len(wanted)}] {describe(sizes)}: ", end="", flush=True)
            rows.append(measure(sizes, FLAGS.seconds, data_path, memory))
            print(rows[-1].failure or f"{rows[-1].milliseconds:.3g} ms/step", flush=True)
            with atomic.writer(output.with_suffix(".md")) as file:
                file.write(report(rows, command, memory, output.name).encode())
    draw(rows, output.with_suffix(".png"))
    print(f"table: {output}.md\nplot: {output}.png")
    return 1 if any(row.failure not in ("", OUT_OF_MEMORY) for row in rows) else 0


def describe(sizes):
    """Write sizes for people."""
    return f"{sizes.way}-way {sizes.shot}-shot, {sizes.tasks} tasks, {sizes.dim}-d"


def cli(argv=None):
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
