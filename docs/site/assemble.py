"""Gather the pages of the documentation site, for mkdocs to build.

Usage: python docs/site/assemble.py [build/pages]

The pages are README, all of docs, and every Markdown file and notebook that a link of theirs
reaches, with the pictures and data that they show, each where it is in the repository, so that
links stay as they are. A link that leads nowhere is told, and ends this. A notebook becomes a page
with its outputs, a formula MathML, a link to a module one to the reference, whose pages are written
here, too.
"""

import os
import re
import shutil
import sys
from pathlib import Path

import formulas
import notebooks
import reference

TOP = Path(__file__).resolve().parents[2]
START = ("README.md", "CHANGELOG.md", "docs/*.md", "docs/*.ipynb", "runs/*.md", "docs/site/*.css")
PAGES = (".md", ".ipynb")
FENCE = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
FLAG = re.compile(r"(?<!`)(`--[\w=/,.-]{1,30}`)(?!`)")  # site.css breaks no line in it
ELSEWHERE = ("http://", "https://", "mailto:")


def main(target: str = "build/pages") -> None:
    """Write all pages below a folder, which is made anew."""
    folder = TOP / target
    shutil.rmtree(folder, ignore_errors=True)
    waiting, seen = [path for start in START for path in TOP.glob(start)], set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        place = folder / path.relative_to(TOP)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix not in PAGES and path.is_file():
            shutil.copy(path, place)
            continue
        text, found = linked(path, text_of(path, place))
        waiting += found
        place = place / "README.md" if path.is_dir() else place.with_suffix(".md")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(formulas.rendered(text, FENCE), encoding="utf-8")
    reference.write(TOP, folder / "docs" / "reference")


def text_of(path: Path, place: Path) -> str:
    """Return the Markdown of a page, a notebook or a folder; writes a notebook's pictures."""
    if path.is_dir():
        names = sorted(each.name for each in path.iterdir() if each.is_file())
        return f"# {path.relative_to(TOP)}\n\n" + "".join(f"- [{n}]({n})\n" for n in names)
    if path.suffix == ".ipynb":
        return notebooks.page(path, place.parent)
    return path.read_text(encoding="utf-8")


def linked(path: Path, text: str) -> tuple[str, list[Path]]:
    """Return a page's text with links as the site has them, and the files that they lead to."""
    base, found = path if path.is_dir() else path.parent, []

    def at_site(match):
        shown, target, section = match[1], match[2], match[3] or ""
        outputs = path.suffix == ".ipynb" and f"{path.stem}_files/" in target  # written already
        if outputs or target.startswith(ELSEWHERE):
            return match[0]
        there = Path(os.path.normpath(base / target))
        if (there / "README.md").is_file():
            there = there / "README.md"
        if not there.exists():
            raise SystemExit(f"{path.relative_to(TOP)}: its link leads nowhere: {target}")
        if there.suffix == ".py":
            place = TOP / "docs" / "reference" / reference.page_of(there.relative_to(TOP))
        else:
            found.append(there)
            place = there / "README.md" if there.is_dir() else there
        if place.suffix == ".ipynb":
            place = place.with_suffix(".md")
        shown = _title(there) if shown.endswith(PAGES) else shown
        return f"[{shown}]({os.path.relpath(place, base)}{section})"

    def at_site_but_code(part):
        return part if part.startswith("```") else FLAG.sub(r"\1{.flag}", LINK.sub(at_site, part))

    return "".join(map(at_site_but_code, FENCE.split(text))), found


def _title(page):
    """Return what a page is called, in place of its file's name."""
    if page.suffix == ".ipynb":
        return page.stem
    return page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


if __name__ == "__main__":
    main(*sys.argv[1:])
