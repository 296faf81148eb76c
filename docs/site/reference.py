"""Pages of reference: the help of every command, and the docstrings of every module."""

import contextlib
import importlib
import io
import sys
from pathlib import Path

PACKAGES = ("leo_tf", "data_pipeline")
COMMANDS = "commands.md"
BLOCK = "::: {}\n    options:\n      heading_level: {}\n"


def page_of(module: Path) -> str:
    """Return the page that documents a module, given its file, from the top: of its package."""
    return f"{'.'.join(module.parent.parts)}.md"


def write(top: Path, folder: Path) -> None:
    """Write the pages: one of all commands, one of each package.

    Args:
      top: of the project.
      folder: where they go.
    """
    sys.path.insert(0, str(top))
    folder.mkdir(parents=True)
    files = sorted(path.relative_to(top) for p in PACKAGES for path in (top / p).rglob("*.py"))
    doors = [path for path in files if "def cli(" in (top / path).read_text(encoding="utf-8")]
    said = _commands(doors).replace(f"{top}/", "")  # a default that is a folder of this machine
    (folder / COMMANDS).write_text(said, encoding="utf-8")
    pages: dict[str, list[Path]] = {}
    for path in files:
        if path not in doors and path.name != "__main__.py":
            pages.setdefault(page_of(path), []).append(path)
    for name, modules in pages.items():  # the package itself is the first of its modules
        blocks = (BLOCK.format(_name(path), 2 if i else 1) for i, path in enumerate(modules))
        (folder / name).write_text("\n".join(blocks), encoding="utf-8")


def _name(path):
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] in ("__init__", "__main__") else parts)


def _commands(doors):
    """Return the page of what each command says to --help."""
    text = (
        "# Commands\n\nWhat each says to `--help`{.flag}. A flag is given as "
        "`--name=value`{.flag}; its default stands in brackets.\n"
    )
    for path in doors:
        name = _name(path)
        module = importlib.import_module(".".join(path.with_suffix("").parts))
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
            module.cli([name, "--help"])
        text += f"\n## {name}\n\n```text\n{said.getvalue().rstrip()}\n```\n"
    return text
