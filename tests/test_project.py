"""The project as a whole: what it installs, what it imports, what `make` says."""

import ast
import email
import importlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

import leo_tf

TOP = Path(__file__).parents[1]
PACKAGES = ("leo_tf", "data_pipeline")
GLYPHS = "data_pipeline/glyphs/embeddings"

# Import names that differ from the name of their distribution.
DISTRIBUTION = {
    "absl": "absl-py",
    "markdown_it": "markdown-it-py",
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "resvg_py": "resvg-py",
    "yaml": "pyyaml",
}
BROUGHT = {"ml_dtypes": "tensorflow", "tomli": "pytest"}  # to tests alone, by what they require


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy, so that the work tree stays clean."""
    source = tmp_path_factory.mktemp("source")
    for package in (*PACKAGES, "LICENSES"):
        ignored = shutil.ignore_patterns("__pycache__", ".leo_cache")
        shutil.copytree(TOP / package, source / package, ignore=ignored)
    for file in TOP.iterdir():
        if file.is_file():
            shutil.copy(file, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", source / "dist", source]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (path,) = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def metadata_file(wheel, name):
    (path,) = (n for n in wheel.namelist() if n.endswith(f".dist-info/{name}"))
    return wheel.read(path).decode()


def test_wheel_holds_both_packages_and_the_default_data(wheel):
    files = set(wheel.namelist())
    modules = {
        str(p.relative_to(TOP)) for package in PACKAGES for p in (TOP / package).rglob("*.py")
    }
    assert modules <= files
    pickles = {str(p.relative_to(TOP)) for p in (TOP / GLYPHS).rglob("*_embeddings.pkl")}
    assert {Path(p).name for p in pickles} == {
        f"{split}_embeddings.pkl" for split in ("train", "val", "test")
    }
    assert pickles <= files
    built = {str(p.relative_to(TOP)) for p in (TOP / "data_pipeline").glob("*/network.npz")}
    assert len(built) == 2 and built <= files
    assert {f"{package}/py.typed" for package in PACKAGES} <= files
    pages = ("reports/page", "serving/predictions")
    assert {f"leo_tf/{page}.{end}" for page in pages for end in ("html.jinja", "css")} <= files
    recipes = {f"leo_tf/paper/{path.name}" for path in (TOP / "runs" / "paper").glob("*.*")}
    assert len(recipes) > 20 and recipes <= files
    tops = {name.split("/")[0] for name in files}
    assert {t for t in tops if not t.endswith(".dist-info")} == set(PACKAGES)


def test_wheel_metadata(wheel):
    metadata = email.message_from_string(metadata_file(wheel, "METADATA"))
    assert metadata["Version"] == leo_tf.__version__
    assert metadata["Requires-Python"] == ">=3.10"
    required = metadata.get_all("Requires-Dist")
    assert metadata["License-Expression"] == "Apache-2.0"
    assert {"LICENSE", "NOTICE"} < set(metadata.get_all("License-File"))
    assert "tensorflow<2.22,>=2.19" in required
    assert "tensorflow-probability[tf]<0.26,>=0.25" in required
    assert not [r for r in required if r.startswith(("pytest", "ruff"))]
    assert [r for r in required if r.startswith("fonttools") and "fonts" in r]


def test_every_command_leads_to_a_function(wheel):
    parser = ConfigParser()
    parser.read_string(metadata_file(wheel, "entry_points.txt"))
    commands = dict(parser["console_scripts"])
    assert {"leo-tf-run", "leo-tf-evaluate", "leo-tf-verify", "leo-tf-download"} <= set(commands)
    doors = {
        path.stem for path in (TOP / "leo_tf").glob("*.py") if "def cli(" in path.read_text("utf-8")
    }
    assert {f"leo-tf-{door}" for door in doors} <= set(commands)
    for target in commands.values():
        module, function = target.split(":")
        source = wheel.read(module.replace(".", "/") + ".py").decode()
        assert re.search(rf"^def {function}\(argv.* = None\)", source, re.MULTILINE), target


def third_party_imports(folders, own):
    """Yield (file, top-level name) of every absolute import below folders that is not our own."""
    for file in (file for folder in folders for file in (TOP / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            for top in {name.split(".")[0] for name in names}:
                if top not in sys.stdlib_module_names and top not in own:
                    yield file, top


def undeclared(imports, requirements, distribution=DISTRIBUTION):
    """Return the {(file, top-level name)} whose distribution no line of requirements names."""
    lines = [re.match(r"[\w-]+", line) for line in requirements]
    declared = {line.group().replace("_", "-") for line in lines if line}
    return {
        (str(file.relative_to(TOP)), name)
        for file, name in imports
        if distribution.get(name, name).lower().replace("_", "-") not in declared
    }


def test_every_imported_package_is_required(wheel):
    metadata = email.message_from_string(metadata_file(wheel, "METADATA"))
    imports = third_party_imports(PACKAGES, PACKAGES)
    assert undeclared(imports, metadata.get_all("Requires-Dist")) == set()


def test_what_tests_import_is_in_a_fresh_environment():
    helpers = {path.stem for path in (TOP / "tests").rglob("*.py")}
    files = [TOP / name for name in ("requirements.txt", "requirements-dev.txt")]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    imports = third_party_imports(["tests"], {*PACKAGES, *helpers, "tests"})
    assert undeclared(imports, lines, DISTRIBUTION | BROUGHT) == set()


def test_doors_files_and_functions_stay_short():
    for package in PACKAGES:
        for file in (TOP / package).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            lines = len(text.splitlines())
            assert lines < 300, file
            door = file.parent == TOP / "leo_tf" and "command_line.run(" in text
            assert not door or lines < 80, file
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef):
                    assert node.end_lineno - node.lineno < 50, (file, node.name)


def test_no_json_is_written_that_may_hold_nan_or_infinity():
    """Strict readers refuse such files; what is not finite is null, see `write_json`."""
    written = []
    for package in PACKAGES:
        for file in (TOP / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                called = getattr(node, "func", None)
                if getattr(called, "attr", getattr(called, "id", "")) in ("dump", "dumps"):
                    given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                    if ast.unparse(called).startswith("json"):
                        written.append((file.name, given.get("allow_nan")))
    assert {allowed for _, allowed in written} == {"False"}, written


def test_text_is_read_and_written_as_utf_8():
    for package in PACKAGES:
        for file in (TOP / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and opens_text(node):
                    given = {keyword.arg for keyword in node.keywords}
                    assert "encoding" in given, (file, node.lineno)


def opens_text(call):
    """Tell a call that opens a file as text."""
    name = getattr(call.func, "attr", getattr(call.func, "id", None))
    constants = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    mode = next((each for each in reversed(constants) if isinstance(each, str)), "")
    if name == "open":
        newline = any(keyword.arg == "newline" for keyword in call.keywords)
        own = isinstance(call.func, ast.Name) or mode or newline  # else an archive's
        return own and "b" not in mode
    if ast.unparse(call.func) == "atomic.write_text":  # writes UTF-8 alone
        return False
    return name in ("read_text", "write_text") or (name == "TemporaryFile" and "+" in mode)


IMPORT_ALL = """
import importlib, logging, os, random, signal, sys, warnings
import absl.flags, absl.logging, keras, matplotlib, numpy, ray
import tensorflow as tf
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import tensorflow_probability
    tensorflow_probability.distributions.Normal

def state():
    return {
        "environment": dict(os.environ),
        "flags": sorted(absl.flags.FLAGS),
        "signals": [str(signal.getsignal(number)) for number in range(1, 32)],
        "warnings": [str(each) for each in warnings.filters],
        "logging": [str(logging.root.handlers), logging.root.level, tf.get_logger().level],
        "absl": absl.logging.get_verbosity(),
        "streams": [str(sys.stdout), str(sys.stderr), str(sys.excepthook)],
        "random": [str(random.getstate()), str(numpy.random.get_state())],
        "keras": [keras.config.floatx(), keras.config.dtype_policy().name],
        "figures": [matplotlib.rcParams._get("backend"), "matplotlib.pyplot" in sys.modules],
        "threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "path": [list(sys.path), os.getcwd()],
    }

before = state()
for name in sys.argv[1:]:
    importlib.import_module(name)
    after = state()
    changed = [part for part in before if before[part] != after[part]]
    assert not changed, (name, [(before[part], after[part]) for part in changed])
"""


def test_imports_change_nothing_in_the_process():
    modules = []
    for package in PACKAGES:
        for file in sorted((TOP / package).rglob("*.py")):
            parts = file.relative_to(TOP).with_suffix("").parts
            modules.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    code = [sys.executable, "-c", IMPORT_ALL, *modules]
    done = subprocess.run(code, capture_output=True, text=True, cwd=TOP, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == ""


def test_public_functions_are_annotated():
    missing = []
    for package in PACKAGES:
        for file in (TOP / package).rglob("*.py"):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            missing += [f"{file.name}: {name}" for name in unannotated(tree)]
    assert missing == []


KERAS_HOOKS = {"build", "call", "get_config", "train_step", "test_step", "metrics"}


def unannotated(tree):
    """Yield public functions and methods without annotations, but for Keras's own hooks."""
    for scope in [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]:
        if getattr(scope, "name", "").startswith("_"):
            continue
        for node in scope.body:
            if not isinstance(node, ast.FunctionDef) or node.name in KERAS_HOOKS:
                continue
            given = [*node.args.args, *node.args.kwonlyargs]
            bare = [a for a in given if not a.annotation and a.arg not in ("self", "cls")]
            constructor = node.name == "__init__"
            if node.name.startswith("_") and not constructor:
                continue
            if bare or (node.returns is None and not constructor):
                yield node.name


def test_importing_leo_tf_leaves_tensorflow_alone():
    code = "import sys, leo_tf; print('tensorflow' in sys.modules, 'LEO' in dir(leo_tf))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=TOP, timeout=60)
    assert done.stdout.split() == ["False", "True"], done.stderr


def test_public_names_resolve():
    assert leo_tf.LEO is importlib.import_module("leo_tf.leo.model").LEO
    assert all(getattr(leo_tf, name) is not None for name in leo_tf.__all__)
    with pytest.raises(AttributeError, match="module 'leo_tf' has no attribute 'Leo'"):
        _ = leo_tf.Leo


def test_citation_names_this_version():
    text = (TOP / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {leo_tf.__version__}\n" in text


@pytest.fixture
def fresh_folder(tmp_path):
    """A folder like a new clone, its path with a space, holding what the Makefile reads."""
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in ("Makefile", *(path.name for path in TOP.glob("requirements*.txt"))):
        shutil.copy(TOP / name, folder)
    return folder


def make(folder, *arguments):
    command = ["make", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


FAKE_PYTHON = """#!{python}
import pathlib, shutil, sys
arguments = sys.argv[1:]
sys.version_info = {version}
if not {has_venv}:
    sys.modules["venv"] = None
if arguments[0] == "-c":
    exec(arguments[1])
elif arguments[1] == "venv":
    pathlib.Path(arguments[2], "bin").mkdir(parents=True, exist_ok=True)
    shutil.copy(__file__, pathlib.Path(arguments[2], "bin/python"))
elif arguments[1] == "pip":
    sys.exit({pip_status})
"""


def fake_python(folder, version=(3, 12, 1), has_venv=True, pip_status=0):
    """Write an interpreter of that version whose venv and pip take no time."""
    script = folder / "python"
    values = {"version": version, "has_venv": has_venv, "pip_status": pip_status}
    script.write_text(FAKE_PYTHON.format(python=sys.executable, **values))
    script.chmod(0o755)
    return f"PYTHON={script}"


def test_make_alone_lists_the_commands(fresh_folder):
    done = make(fresh_folder)
    assert done.returncode == 0
    for name in ("run", "test", "test-all", "lint", "docs", "matrix", "dist", "clean"):
        assert f"make {name}" in done.stdout
    assert not (fresh_folder / ".venv").exists()


@pytest.mark.parametrize("version", [(3, 9, 18), (3, 14, 0)])
def test_make_refuses_a_python_that_tensorflow_has_no_build_for(fresh_folder, version):
    done = make(fresh_folder, "run", fake_python(fresh_folder, version=version))
    assert done.returncode == 2
    assert "make: need Python 3.10 to 3.13, and found none as" in done.stderr
    assert not (fresh_folder / ".venv").exists()


def test_make_says_when_venv_is_missing(fresh_folder):
    done = make(fresh_folder, "run", fake_python(fresh_folder, has_venv=False))
    assert done.returncode == 2
    assert "cannot create virtual environments" in done.stderr
    assert "apt install python3-venv" in done.stderr
    assert not (fresh_folder / ".venv").exists()


def test_an_installation_cut_short_starts_from_nothing(fresh_folder):
    leftover = fresh_folder / ".venv" / "half-written"
    leftover.parent.mkdir()
    leftover.touch()
    (fresh_folder / ".venv/.building").touch()
    done = make(fresh_folder, ".venv/.built", fake_python(fresh_folder))
    assert done.returncode == 0, done.stderr
    assert not leftover.exists()
    assert (fresh_folder / ".venv/.built").exists()
    assert not (fresh_folder / ".venv/.building").exists()
    assert "is up to date" in make(fresh_folder, ".venv/.built").stdout


def test_changed_requirements_are_installed(fresh_folder):
    python = fake_python(fresh_folder)
    make(fresh_folder, ".venv/.built", python)
    built = (fresh_folder / ".venv/.built").stat().st_mtime
    os.utime(fresh_folder / "requirements.txt", (built + 60, built + 60))
    assert "Installing requirements.txt" in make(fresh_folder, ".venv/.built", python).stdout


def test_tools_come_on_top_and_not_for_a_run(fresh_folder):
    python = fake_python(fresh_folder)
    assert "requirements-dev.txt" not in make(fresh_folder, ".venv/.built", python).stdout
    assert not (fresh_folder / ".venv/.tools").exists()
    assert "requirements-dev.txt" in make(fresh_folder, ".venv/.tools", python).stdout
    assert "is up to date" in make(fresh_folder, ".venv/.tools", python).stdout
    assert "requirements-docs.txt" in make(fresh_folder, ".venv/.docs_tools", python).stdout


def test_a_failed_installation_does_not_count(fresh_folder):
    done = make(fresh_folder, "run", fake_python(fresh_folder, pip_status=1))
    assert done.returncode == 2
    assert "the installation failed" in done.stderr
    assert not (fresh_folder / ".venv/.built").exists()
