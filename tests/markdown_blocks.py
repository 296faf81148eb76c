"""The code that the documents show: blocks of pages, and the commands in them."""

import ast
import dataclasses
import json
import re
import shlex

from commands import TOP
from markdown_it import MarkdownIt

# What an indented block, which says no language, begins with if it is of commands.
COMMANDS = ("python", "make", "pip", "source", "ray", "docker", "curl", "git", "apt-get", ".venv/")
LANGUAGES = {"sh": "shell", "bash": "shell", "console": "shell", "py": "python"}


@dataclasses.dataclass(frozen=True)
class Block:
    """A block of code.

    Args:
      page: its file, from the top of the project.
      line: number of its first line there; of a notebook, of its cell.
      language: python, shell, json, ...; text of output, and of drawings.
      title: what it says with title="...", or "".
      text: the code.
    """

    page: str
    line: int
    language: str
    title: str
    text: str

    @property
    def name(self):
        """What it is called where it is listed: its page and its first line."""
        return f"{self.page}: {self.text.strip().splitlines()[0]}"

    @property
    def commands(self):
        """The commands of a block of shell, each a list of words; none of another."""
        if self.language != "shell":
            return []
        text = re.sub(r"\\\n\s*", "", self.text)
        lines = (shlex.split(line, comments=True) for line in text.splitlines())
        return [words for words in lines if words]


def pages():
    """Return the pages that are read: those at the top, and all of docs."""
    found = [*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")]
    return sorted(str(path.relative_to(TOP)) for path in found)


def records():
    """Return the site's other pages: how data and results were made, which no test does again."""
    found = [*TOP.glob("data_pipeline/*/README.md"), *TOP.glob("runs/*.md")]
    return sorted(str(path.relative_to(TOP)) for path in found)


def blocks(page):
    """Return the code blocks of a page, in order."""
    text = (TOP / page).read_text(encoding="utf-8")
    if page.endswith(".ipynb"):
        return list(_cells(page, json.loads(text)))
    tokens = MarkdownIt().enable("table").parse(text)
    return [_block(page, token) for token in tokens if token.type in ("fence", "code_block")]


def mentions(page):
    """Return the commands of ours, with flags, that the sentences of a page have as code."""
    text = (TOP / page).read_text(encoding="utf-8")
    parts = [
        part for token in MarkdownIt().enable("table").parse(text) for part in token.children or []
    ]
    found = [
        part.content.removeprefix("python -m ") for part in parts if part.type == "code_inline"
    ]
    return [each for each in found if re.match(r"(leo_tf|data_pipeline)[.\w]+ --", each)]


def _block(page, token):
    language, _, rest = token.info.partition(" ")
    if token.type == "code_block":
        language = "shell" if token.content.lstrip().startswith(COMMANDS) else "text"
    title = re.search(r'title="([^"]*)"', rest)
    language = LANGUAGES.get(language, language)
    return Block(page, token.map[0] + 1, language, title[1] if title else "", token.content)


def _cells(page, notebook):
    """Yield the cells of a notebook, and what its `command` gets, with 4 for each setting."""
    for number, cell in enumerate(notebook["cells"], 1):
        if cell["cell_type"] == "code":
            text = "".join(cell["source"])
            yield Block(page, number, "python", "", text)
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "command":
                    (line,) = node.args
                    parts = line.values if isinstance(line, ast.JoinedStr) else [line]
                    of_text = (
                        each.value if isinstance(each, ast.Constant) else "4" for each in parts
                    )
                    yield Block(page, number, "shell", "", "".join(of_text))
