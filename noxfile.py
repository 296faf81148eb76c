"""Environments in which this project is tried and packed: `make matrix`, `make dist`.

nox -s "smoke(3.12, 2.20)" tries one of the matrix; those whose Python is missing are skipped.
nox -s lowest tries the lowest versions that requirements.txt permits.
nox -s dist makes wheel and sdist of the commit, checked, in dist/.
"""

import hashlib
import itertools
import os
import shutil
import subprocess
from pathlib import Path

import nox

TOP = Path(__file__).parent
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
TENSORFLOWS = ("2.19", "2.20", "2.21")
NOT_BUILT = {("3.13", "2.19")}  # TensorFlow has no wheel of these
MATRIX = [pair for pair in itertools.product(PYTHONS, TENSORFLOWS) if pair not in NOT_BUILT]
MEBIBYTES = 60  # of the wheel, at most
TOOLS = ("pytest>=8.3,<10", "pytest-xdist>=3.6,<4")

# What is tried in each environment: a wheel that is installed there, with each command, a run that
# goes on, shipped data and models; golden files, equal bits of runs that go on, exports, a method,
# the estimator.
GOLDEN = ("tests/golden/5way_1shot.npz", "tests/golden/nan_guard.npz")
SMOKE = (
    "tests/test_packages.py::test_every_command_of_a_fresh_installation_has_its_help",
    "tests/test_packages.py::test_a_fresh_installation_trains_goes_on_tests_and_exports",
    "tests/test_packages.py::test_data_and_models_come_with_a_fresh_installation",
    "tests/training/test_resume.py::"
    "test_more_steps_go_on_from_the_end_as_if_they_had_been_asked_for_at_once",
    "tests/classification/test_export.py",
    "tests/methods/test_prototypical.py",
    "tests/serving/test_few_shot_classifier.py",
)

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"  # those that are here, on the PATH
nox.options.sessions = ["smoke", "lowest"]
nox.options.stop_on_first_error = False


@nox.session
@nox.parametrize("python, tensorflow", MATRIX, ids=map(", ".join, MATRIX))
def smoke(session, tensorflow):
    """Install the wheel with all extras beside a TensorFlow, and try it away from the tree."""
    wheel = pack(session)
    session.install(f"leo-tf[all] @ {wheel.as_uri()}", f"tensorflow=={tensorflow}.*", *TOOLS)
    try_away_from_the_tree(session)


@nox.session(python=PYTHONS[0], venv_backend="uv")
def lowest(session):
    """Try the lowest versions of what the package requires by itself."""
    wheel = pack(session)
    wanted = (f"leo-tf[all] @ {wheel.as_uri()}", *requirements(), *TOOLS)
    session.install("--resolution=lowest-direct", *wanted)
    try_away_from_the_tree(session)


@nox.session
def dist(session):
    """Build wheel and sdist of the commit twice, compare the bytes, check them; into dist/."""
    session.install("build>=1.2,<2", "twine>=6.1", "reuse>=5,<7")
    session.run("reuse", "lint", "--quiet")
    changed = git("status", "--porcelain", "--untracked-files=no")
    if changed:
        session.warn(f"what is not committed is left out:\n{changed}")
    made = [build(session, umask) for umask in (0o022, 0o077)]
    first, second = ({path.name: digest(path) for path in folder.iterdir()} for folder in made)
    if first != second or len(first) != 2:
        session.error(f"two builds of one commit differ: {first}, {second}")
    session.run("twine", "check", "--strict", *map(str, sorted(made[0].iterdir())))
    (TOP / "dist").mkdir(exist_ok=True)
    for path in sorted(made[0].iterdir()):
        size = path.stat().st_size / 2**20
        if path.suffix == ".whl" and size > MEBIBYTES:
            session.error(f"{path.name} has {size:.1f} MiB, more than {MEBIBYTES}")
        shutil.copy(path, TOP / "dist")
        session.log(f"dist/{path.name}: {size:.1f} MiB, sha256 {digest(path)}, twice the same")


def build(session, umask):
    """Return a folder with wheel and sdist of the commit, made in a copy of it."""
    source = Path(session.create_tmp()) / f"source_{umask:o}"
    shutil.rmtree(source, ignore_errors=True)
    before = os.umask(umask)
    try:
        source.mkdir()
        packed = subprocess.run(
            ["git", "archive", "HEAD"], cwd=TOP, check=True, capture_output=True
        ).stdout
        subprocess.run(["tar", "x", "-C", str(source)], input=packed, check=True)
        epoch = {"SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct")}
        session.run("python", "-m", "build", str(source), env=epoch, silent=True)
    finally:
        os.umask(before)
    return source / "dist"


def pack(session):
    """Return the wheel of the tree as it is, made in a copy."""
    folder = Path(session.create_tmp()).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__", ".leo_cache")
    for name in ("leo_tf", "data_pipeline", "LICENSES"):
        shutil.copytree(TOP / name, source / name, ignore=ignored)
    for file in TOP.iterdir():
        if file.is_file():
            shutil.copy(file, source)
    session.install("build", "setuptools>=77")
    made = ("--wheel", "--no-isolation", "--outdir", str(folder), str(source))
    session.run("python", "-m", "build", *made, silent=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def try_away_from_the_tree(session):
    """Run the smoke tests from a folder that has no packages of the project's, only its tests."""
    away = Path(session.create_tmp()).resolve() / "away"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("tests", "docs"):
        shutil.copytree(TOP / name, away / name, ignore=ignored)
    shutil.copy(TOP / "pyproject.toml", away)
    session.chdir(away)
    session.run("python", "-c", WHICH, log=False)
    session.run("leo-tf-verify", *GOLDEN)
    tests = session.posargs or SMOKE
    session.run("python", "-m", "pytest", *QUIET, *tests, env={"LEO_TF_INSTALLED": session.bin})


# Warnings that a version of a library gives are no faults of the project.
QUIET = ("-q", "-W", "default", "--durations=15", "-p", "no:cacheprovider")
WHICH = """
import importlib.metadata as metadata, pathlib, platform, leo_tf
assert pathlib.Path.cwd() not in pathlib.Path(leo_tf.__file__).parents, leo_tf.__file__
names = "tensorflow tf-keras tensorflow-probability keras numpy tensorboard scikit-learn optuna ray"
print("Python", platform.python_version(), *(f"{n} {metadata.version(n)}" for n in names.split()))
"""


def requirements():
    """Return the lines of requirements.txt without their comments."""
    lines = (TOP / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line.partition("#")[0].strip() for line in lines if not line.startswith("#")]


def digest(path):
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def git(*arguments):
    """Return what git says of the tree."""
    done = subprocess.run(["git", *arguments], cwd=TOP, check=True, capture_output=True, text=True)
    return done.stdout.strip()
