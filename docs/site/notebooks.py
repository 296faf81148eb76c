"""A notebook as a page: its text, its code, and the outputs that are kept in it."""

from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter


def page(path: Path, folder: Path) -> str:
    """Return a notebook as Markdown, and write its pictures below a folder.

    Args:
      path: the notebook, executed.
      folder: where the page will be; pictures go to `<name>_files` in it.
    """
    pictures = f"{path.stem}_files"
    notebook = nbformat.read(path, as_version=4)
    resources = {"output_files_dir": pictures, "unique_key": path.stem}
    text, resources = MarkdownExporter().from_notebook_node(notebook, resources)
    for name, data in resources["outputs"].items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return text
