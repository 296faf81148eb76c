"""Wheel and sdist: what they promise, their bytes, and what they do where nothing else is."""

import csv
import fnmatch
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import leo_tf

try:
    import tomllib
except ImportError:  # Python 3.10; pytest brings it there
    import tomli as tomllib

TOP = Path(__file__).parents[1]
PACKAGES = ("leo_tf", "data_pipeline")
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
COMMANDS = PROJECT["scripts"]
INSTALLED = "LEO_TF_INSTALLED"
RELEASE = 1_700_000_000  # when the commit of a test was made, in seconds

BUILD = """
import os, sys
umask, out, kind = sys.argv[1:]
os.umask(int(umask, 8))
from setuptools import build_meta
getattr(build_meta, f"build_{kind}")(out)
"""


def noxfile():
    """Return the constants of noxfile.py; nox is not needed for that."""
    lines = (TOP / "noxfile.py").read_text(encoding="utf-8").splitlines()
    values = {}
    for name in ("PYTHONS", "TENSORFLOWS", "GOLDEN", "SMOKE"):
        start = next(i for i, line in enumerate(lines) if line.startswith(f"{name} = ("))
        end = next(i for i in range(start, len(lines)) if lines[i].endswith(")"))
        exec("\n".join(lines[start : end + 1]), values)
    return values


def test_the_stated_ranges_are_those_of_the_matrix():
    tried = noxfile()
    stated = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if "Python :: 3." in c]
    assert tuple(stated) == tried["PYTHONS"]
    assert PROJECT["requires-python"] == f">={stated[0]}"
    lowest, highest = tried["TENSORFLOWS"][0], tried["TENSORFLOWS"][-1]
    major, minor = highest.split(".")
    lines = (TOP / "requirements.txt").read_text(encoding="utf-8").splitlines()
    stated = dict(re.match(r"([\w-]+)\S*?(>=\S+)", line).groups() for line in lines[1:])
    for name in ("tensorflow", "tf-keras", "tensorboard"):
        assert stated[name] == f">={lowest},<{major}.{int(minor) + 1}", name
    assert not [line for line in lines if "==" in line]


def test_what_the_matrix_tries_is_there():
    tried = noxfile()
    for name in tried["GOLDEN"]:
        assert (TOP / name).is_file(), name
    for name in tried["SMOKE"]:
        file, _, test = name.partition("::")
        assert f"def {test}" in (TOP / file).read_text(encoding="utf-8"), name


def test_all_is_every_extra():
    extras = dict(PROJECT["optional-dependencies"])
    (everything,) = extras.pop("all")
    assert everything == f"leo-tf[{','.join(sorted(extras))}]"


def licences():
    """Return [(patterns, SPDX expression)] of REUSE.toml; the last that fits a file counts."""
    told = tomllib.loads((TOP / "REUSE.toml").read_text(encoding="utf-8"))["annotations"]
    return [(note["path"], note["SPDX-License-Identifier"]) for note in told]


def licence(path):
    fitting = [
        expression
        for patterns, expression in licences()
        for pattern in ([patterns] if isinstance(patterns, str) else patterns)
        if fnmatch.fnmatchcase(path, pattern)
    ]
    return fitting[-1]


def test_every_licence_that_is_named_has_its_text():
    named = {name for _, expression in licences() for name in expression.split(" AND ")}
    assert named == {path.stem for path in (TOP / "LICENSES").iterdir()}
    text = (TOP / "LICENSES" / "Apache-2.0.txt").read_text(encoding="utf-8")
    assert text == (TOP / "LICENSE").read_text(encoding="utf-8")
    assert PROJECT["license"] == "Apache-2.0"


def test_data_are_under_the_licences_of_what_they_were_made_of():
    assert licence("leo_tf/run.py") == licence("data_pipeline/icons/build.py") == "Apache-2.0"
    with (TOP / "data_pipeline/icons/licences.csv").open(encoding="utf-8", newline="") as file:
        taken = {row["licence"] for row in csv.DictReader(file)}
    for name in ("pictures.npz", "sheet.png", "embeddings/icons/center/train_embeddings.pkl"):
        assert (TOP / "data_pipeline/icons" / name).is_file()
        # The embeddings and their network are the project's own besides.
        assert set(licence(f"data_pipeline/icons/{name}").split(" AND ")) == taken | {"Apache-2.0"}
    for path in (TOP / "tests/data/caltech").rglob("*.jpg"):
        assert licence(str(path.relative_to(TOP))) == "CC-BY-4.0"


def copy_of_the_source(folder):
    """Copy what packages are made of, but for docs and tests, which are large."""
    ignored = shutil.ignore_patterns("__pycache__", ".leo_cache")
    for name in (*PACKAGES, "LICENSES"):
        shutil.copytree(TOP / name, folder / name, ignore=ignored)
    for file in TOP.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    return folder


def build(source, kind, out, umask="022"):
    """Make the wheel or the sdist of a folder as a front end of packaging does; its path."""
    out.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", BUILD, umask, out, kind],
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(RELEASE)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    (path,) = out.iterdir()
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    return build(copy_of_the_source(folder / "source"), "wheel", folder / "wheel")


@pytest.mark.long
def test_two_builds_have_equal_bytes_wherever_they_are_made(tmp_path):
    """Files of other times and permissions, another umask; a wheel is made from its sdist."""
    digests = []
    for name, umask, mode in (("one", "022", 0o644), ("other", "077", 0o600)):
        source = copy_of_the_source(tmp_path / name / "source")
        for path in source.rglob("*"):
            if path.is_file():
                path.chmod(mode)
                os.utime(path, (mode * 1e6, mode * 1e6))
        sdist = build(source, "sdist", tmp_path / name / "sdist", umask)
        shutil.unpack_archive(sdist, tmp_path / name / "unpacked")
        (unpacked,) = (tmp_path / name / "unpacked").iterdir()
        made = build(unpacked, "wheel", tmp_path / name / "wheel", umask)
        digests.append([hashlib.sha256(p.read_bytes()).hexdigest() for p in (sdist, made)])
        assert made.stat().st_size <= 60 * 2**20
    assert digests[0] == digests[1]


# What the data and models that are shipped give, in the order of their names.
SHIPPED = """
import json, sys
from pathlib import Path
import data_pipeline, leo_tf
from leo_tf.serving import pretrained

for package in (leo_tf, data_pipeline):
    assert Path(sys.prefix) in Path(package.__file__).parents, package.__file__
found = {}
for name in ("glyphs", "icons"):
    classes = data_pipeline.load_split("embeddings", name, split="test")
    found[name] = [len(classes.class_names), classes.dim]
pictures = sorted(Path(sys.argv[1]).glob("*/*.jpg"))
labels = [path.parent.name for path in pictures]
right = {}
for name in pretrained.names():
    model = leo_tf.load_pretrained(name)
    embedded_by = model.card["backbone"]["name"]
    if embedded_by not in found:
        X = model.embed(pictures)
        model.fit(X[::4], labels[::4])
        right[name] = float((model.predict(X[1::4]) == labels[1::4]).mean())
    else:
        classes = data_pipeline.load_split("embeddings", embedded_by, split="test")
        two = [classes.of_class(label) for label in classes.class_names[:2]]
        model.fit([rows[0] for rows in two], ["a", "b"])
        right[name] = float((model.predict(two[1][1:]) == "b").mean())
print(json.dumps([found, right]))
"""


@pytest.fixture(scope="module")
def fresh(request, tmp_path_factory):
    """The commands of an environment into which the wheel was installed with all its extras.

    INSTALLED in the environment names a folder of such commands.
    """
    if INSTALLED in os.environ:
        yield Path(os.environ[INSTALLED])
        return
    wheel = request.getfixturevalue("wheel")
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True, timeout=300)
    commands = folder / "venv" / "bin"
    install = [commands / "python", "-m", "pip", "install", "--quiet", f"{wheel}[all]"]
    done = subprocess.run(install, capture_output=True, text=True, timeout=3000)
    if re.search("Failed to establish a new connection|Temporary failure in name", done.stderr):
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    yield commands
    shutil.rmtree(folder)


def away(command, *arguments, folder, timeout=600):
    """Run a command of the fresh environment in a folder without anything of the project's."""
    environment = {n: v for n, v in os.environ.items() if n != "PYTHONPATH"}
    return subprocess.run(
        [command, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.mark.long
def test_every_command_of_a_fresh_installation_has_its_help(fresh, tmp_path):
    assert {path.name for path in fresh.glob("leo-tf-*")} == set(COMMANDS)
    for name in COMMANDS:
        done = away(fresh / name, "--help", folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), (name, done.stderr)
        assert "  --" in done.stdout or "Usage: " in done.stdout, name
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_a_fresh_installation_trains_goes_on_tests_and_exports(fresh, tmp_path):
    flags = (
        "--validate_every=20",
        "--validation_episodes=20",
        "--test_episodes=100",
        "--run_dir=run",
    )
    for steps, said in ((20, "meta-validation"), (40, "resuming run at step 20")):
        done = away(fresh / "leo-tf-run", f"--steps={steps}", *flags, folder=tmp_path)
        assert (done.returncode, done.stderr.strip(".\n")) == (0, "")  # dots while it waits
        assert said in done.stdout
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert result["steps"] == 40 and 30 < result["test_accuracy"] <= 100
    assert result["provenance"]["versions"]["leo_tf"] == leo_tf.__version__
    flags = ("--run_dir=run", "--episodes=100", "--predictions=answers.csv")
    done = away(fresh / "leo-tf-evaluate", *flags, folder=tmp_path)
    assert (done.returncode, done.stderr.strip(".\n")) == (0, "")
    assert f"{result['test_accuracy']:.2f}" in done.stdout
    with (tmp_path / "answers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    right = sum(row["class"] == row["true_class"] for row in rows)
    assert 100 * right / len(rows) == pytest.approx(result["test_accuracy"], abs=0.01)


@pytest.mark.long
def test_data_and_models_come_with_a_fresh_installation(fresh, tmp_path):
    pictures = TOP / "tests/data/caltech"
    done = away(fresh / "python", "-c", SHIPPED, pictures, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found, right = json.loads(done.stdout)
    # Two characters from one example each, and eight classes of pictures from six.
    assert min(right["glyphs"], right["lite0"]) > 0.75, right
    assert min(share for name, share in right.items() if name.startswith("lite0")) > 0.5, right
    assert found == {"glyphs": [30, 512], "icons": [88, 512]}


@pytest.mark.long
def test_libraries_of_a_fresh_installation_agree(fresh, tmp_path):
    done = away(fresh / "python", "-m", "pip", "check", folder=tmp_path)
    assert done.returncode == 0, done.stdout
