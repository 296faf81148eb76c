"""What README, CONTRIBUTING and docs show: every command has the flags that it is given."""

import importlib
import re
import shutil

import pytest
from commands import TOP
from markdown_blocks import blocks, mentions, pages, records
from not_run import NOT_RUN

from data_pipeline import command_line

PAGES = [*pages(), "docs/tour.ipynb"]
METHOD = "docs/own_method.md"
EVERYWHERE = ("help", "version", "flagfile")
CODE = ("python", "json")  # and shell, whose commands count one by one


def shown(page):
    """Return what a page shows, {name in `NOT_RUN`: a command's words, or None of code}."""
    found = {}
    for block in blocks(page):
        found |= {" ".join(words): words for words in block.commands}
        if block.language in CODE:
            found[block.name] = None
    return found


def commands(page, first):
    return [words for words in shown(page).values() if words and words[: len(first)] == first]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A folder with the files that the flags of the documents name."""
    (method,) = (b for b in blocks(METHOD) if b.language == "python" and "def build(" in b.text)
    (tmp_path / "path/to").mkdir(parents=True)
    (tmp_path / "path/to/prototypes.py").write_text(method.text, encoding="utf-8")
    flags = tmp_path / "runs/tune/glyphs_5way_1shot/leo/seed0"
    flags.mkdir(parents=True)
    shutil.copy(TOP / "runs/glyphs_tune/best.flags", flags)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "page", [page for page in [*PAGES, *records()] if commands(page, ["python", "-m"])]
)
def test_commands_take_the_flags_that_a_page_gives_them(page, workspace, monkeypatch, capsys):
    """By the parser of each command, which does nothing else here."""
    parse = command_line.run
    monkeypatch.setattr(
        command_line, "run", lambda main, *args, **more: parse(lambda *_: 0, *args, **more)
    )
    for words in commands(page, ["python", "-m"]):
        module = importlib.import_module(words[2])
        if not hasattr(module, "cli"):
            module = importlib.import_module(f"{words[2]}.__main__")
        with pytest.raises(SystemExit) as left:
            module.cli(words[2:])
        assert left.value.code == 0, (page, words, capsys.readouterr().err)


@pytest.mark.parametrize("page", [page for page in [*pages(), *records()] if mentions(page)])
def test_commands_have_the_flags_that_sentences_mention(page, capsys):
    for mention in mentions(page):
        name, _, flags = mention.partition(" ")
        with pytest.raises(SystemExit):
            importlib.import_module(name).cli([name, "--help"])
        listed = capsys.readouterr().out
        for flag in re.findall(r"--(\w+)", flags):
            assert f"--{flag} " in listed or flag in EVERYWHERE, (page, mention)


def test_a_flag_that_there_is_not_would_be_found(monkeypatch, capsys):
    from leo_tf import table

    with pytest.raises(SystemExit) as left:
        table.cli(["leo_tf.table", "--shots=1"])
    assert left.value.code == 2 and "shots" in capsys.readouterr().err


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page, ["make"])])
def test_targets_that_a_page_makes_are_there(page):
    targets = re.findall(r"^([a-z-]+):.*##", (TOP / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert {words[1] for words in commands(page, ["make"])} <= set(targets)


def test_what_is_not_run_is_shown_somewhere_and_has_its_reason():
    everything = {name for page in PAGES for name in shown(page)}
    assert set(NOT_RUN) - everything == set()
    for reason in NOT_RUN.values():
        assert all((TOP / path).is_file() for path in re.findall(r"tests/[\w/]+\.py", reason))


def test_what_is_run_is_python_or_a_command_of_ours():
    """Anything else is listed in not_run.py: `test_examples.py` runs all that is not."""
    others = {
        name
        for page in PAGES
        for name, words in shown(page).items()
        if name not in NOT_RUN and (words[:2] != ["python", "-m"] if words else "{" in name)
    }
    assert others == set()


@pytest.mark.parametrize("page", [page for page in PAGES if any(b.title for b in blocks(page))])
def test_excerpts_are_what_the_files_say(page):
    """A block whose title is a file of ours is lines of that file, wherever they are indented."""
    for block in blocks(page):
        path = TOP / block.title
        if block.title.endswith(".py") and block.title.startswith(("leo_tf/", "data_pipeline/")):
            lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
            wanted = [line.strip() for line in block.text.splitlines()]
            starts = range(len(lines) - len(wanted) + 1)
            found = any(lines[i : i + len(wanted)] == wanted for i in starts)
            assert found, f"{page}:{block.line} is not in {block.title} any more"
