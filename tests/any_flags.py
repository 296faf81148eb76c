"""Give the flags of every command values that nobody would mean: a program, as it changes itself.

python any_flags.py FOLDER EXAMPLES [MODULE ...]: works in FOLDER; prints a line of JSON for each
command, [module, {how it ended: how often}], or its name and what was wrong. A command that would
compute, draw or ask the network next has taken its flags: it ends there.
"""

import collections
import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from repeatable import repeatable

TOP = Path(__file__).parents[1]
COMMANDS = [
    ".".join(path.relative_to(TOP).with_suffix("").parts)
    for package in ("leo_tf", "data_pipeline")
    for path in sorted((TOP / package).rglob("*.py"))
    if "\ndef cli(" in path.read_text(encoding="utf-8")
]
HEAVY = {"tensorflow", "keras", "ray", "optuna", "sklearn", "matplotlib", "requests", "pooch"}
HEAVY |= {"urllib3", "psycopg2", "sqlalchemy"}
# Where a command writes to by default, it writes to the folder instead: some are in the package.
ELSEWHERE = {
    "data_pipeline.glyphs.build": ["--output=built"],
    "data_pipeline.icons.build": ["--output=built"],
    "leo_tf.serving.ship": ["--out=shipped", "--name=a", "--source=b", "--licence=c"],
}
WORDS = "-1 0 1 2 1.5 1e999 -inf nan 0x10 1_000 true None ~ ~nobody/x . .. * [ a[1] , ,, 1,2,x"
WORDS += " %s {} -- = file:///x sqlite:///a/b localhost:1 no/such/place /dev/null leo glyphs x.py"
WORDS += " ' \" '\" \\ $HOME prototypical \u0663 e\u0301 \0 a\0b \ud800"
VALUES = ["", " ", "a\nb", "a\rb", "9" * 30, "a" * 300, "\u00e9" * 300, "1," * 400, "x" * 5000]
VALUES += WORDS.split(" ")
EACH = {"leo_tf.verify"}  # says what is wrong with each file that it is given
LONGEST_LINE = 1500  # beside what was given


class Reached(BaseException):
    """A command would go on to compute."""


def reached(*_, **__):
    """End a command that starts others."""
    raise Reached


class Barrier:
    """Keeps what is slow, or reaches outside, from being imported."""

    def find_spec(self, name, path=None, target=None):
        """End a command that imports one of these."""
        if name.partition(".")[0] in HEAVY:
            raise Reached(name)


def flags_of(module):
    """Return the names of the flags that a command shows."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
        module.cli([module.__name__, "--help"])
    lines = shown.getvalue().splitlines()
    return [line.split()[0].removeprefix("--") for line in lines if line.startswith("  --")]


def outcome(module, arguments):
    """Return how a command ended; an AssertionError if not as it should."""
    out, told = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(told):
            module.cli([module.__name__, *arguments])
    except Reached:
        return "went on"
    except SystemExit as leaving:
        status = leaving.code or 0
    assert status in (0, 1, 2), status
    if not status:
        return "0"
    *before, line = told.getvalue().split("\n")[:-1] or [""]
    assert line.startswith("error: "), told.getvalue()[-2000:]
    assert len(line) <= LONGEST_LINE + 3 * len(repr(arguments)), line
    assert "Traceback" not in told.getvalue(), told.getvalue()[-2000:]
    assert module.__name__ in EACH or not any(map(_is_error, before)), told.getvalue()[-2000:]
    return str(status)


def _is_error(line):
    return line.startswith("error: ")


def arguments_of(module, names):
    """Return command lines of a command."""
    value = st.one_of(st.sampled_from(VALUES), st.text(max_size=12).map(lambda t: t.lstrip("/")))
    flag = st.one_of(
        st.builds(lambda name, text: f"--{name}={text}", st.sampled_from(names), value),
        st.sampled_from(names).map(lambda name: f"--no{name}"),
        st.sampled_from(names).map(lambda name: f"--{name}"),
        value,
    )
    beside = ELSEWHERE.get(module.__name__, [])
    return st.lists(flag, min_size=1, max_size=2).map(lambda given: [*beside, *given])


def tried(name, examples):
    """Return {how a command ended: how often}."""
    module, ends = importlib.import_module(name), collections.Counter()
    names = flags_of(module)

    @repeatable(examples)
    @given(arguments_of(module, [*names, "flagfile"]))
    def check(arguments):
        ends[outcome(module, arguments)] += 1

    check()
    return ends


def main(folder, examples, modules):
    """Try all."""
    here = folder / "here"
    here.mkdir(parents=True)
    os.chdir(here)
    os.environ["HOME"] = str(folder)
    sys.meta_path.insert(0, Barrier())
    subprocess.Popen = reached
    for name in modules or COMMANDS:
        try:
            print(json.dumps([name, tried(name, examples)]), flush=True)
        except Exception as error:
            notes = getattr(error, "__notes__", [])
            said = "".join([*traceback.format_exception(error, limit=-4), *notes])
            print(json.dumps([name, said[-4000:]]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]), sys.argv[3:])
