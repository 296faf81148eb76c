"""The documentation site: every page is in it, and it asks no other server for anything."""

import importlib
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import yaml
from commands import TOP, environment

PACKAGES = ("leo_tf", "data_pipeline")
MATHML = "{http://www.w3.org/1998/Math/MathML}"


class Loader(yaml.SafeLoader):
    """Reads mkdocs.yml, whatever its tags are."""


Loader.add_multi_constructor("!", lambda *_: None)
Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def paths(nav):
    """Return all paths in a navigation, at any depth."""
    for each in nav.values() if isinstance(nav, dict) else nav:
        yield from [each] if isinstance(each, str) else paths(each)


@pytest.fixture(scope="module")
def navigation():
    """Paths of the pages that the site's navigation names."""
    text = (TOP / "mkdocs.yml").read_text(encoding="utf-8")
    return list(paths(yaml.load(text, Loader)["nav"]))


def test_every_page_of_docs_is_in_the_navigation_once(navigation):
    pages = [*(TOP / "docs").glob("*.md"), *(TOP / "docs").glob("*.ipynb")]
    assert len(pages) > 15
    wanted = {f"docs/{path.stem}.md" for path in pages}
    named = [path for path in navigation if re.fullmatch(r"docs/[^/]+\.md", path)]
    assert sorted(named) == sorted(wanted)
    others = [path for path in navigation if not path.startswith("docs/")]
    assert all((TOP / path).is_file() or (TOP / path).parent.is_dir() for path in others)


def test_every_package_is_in_the_reference(navigation):
    files = [path.relative_to(TOP) for each in PACKAGES for path in (TOP / each).rglob("*.py")]
    wanted = {f"docs/reference/{'.'.join(file.parent.parts)}.md" for file in files}
    named = {path for path in navigation if path.startswith("docs/reference/")}
    assert named == wanted | {"docs/reference/commands.md"}


@pytest.fixture(scope="module")
def assemble():
    """The module that gathers the pages."""
    for name in ("latex2mathml", "nbconvert", "mkdocs"):
        pytest.importorskip(name, reason="make docs installs what builds the site")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOP / "docs" / "site"))
        yield importlib.import_module("assemble")


def test_links_lead_to_where_the_site_has_things(assemble):
    page = TOP / "docs" / "tune.md"
    text, found = assemble.linked(
        page, "[a](../leo_tf/meta/model.py) [b](tour.ipynb) [c](../runs/)"
    )
    assert text == "[a](reference/leo_tf.meta.md) [b](tour.md) [c](../runs/README.md)"
    assert found == [TOP / "docs" / "tour.ipynb", TOP / "runs" / "README.md"]
    text = "[a](https://example.org/x) [b](#there)\n```\n[c](nowhere.md)\n```\n"
    assert assemble.linked(page, text) == (text, [])
    text, _ = assemble.linked(page, "`--x=1` and `a --b`, not\n```\n`--c`\n```\n")
    assert text == "`--x=1`{.flag} and `a --b`, not\n```\n`--c`\n```\n"
    with pytest.raises(SystemExit, match=r"docs/tune.md: its link leads nowhere: nowhere.md"):
        assemble.linked(page, "[c](nowhere.md)")


def test_formulas_become_mathml_but_in_code(assemble):
    text = "a $`\\mathcal L_1`$ b\n\n```math\ny < 2\n```\n\n```python\ncost = '$`x`$'\n```\n"
    found = assemble.formulas.rendered(text, assemble.FENCE)
    assert "cost = '$`x`$'" in found
    inline, block = (ElementTree.fromstring(each) for each in re.findall("<math.*?</math>", found))
    assert [(each.tag, each.text) for each in inline.iter() if each.text] == [
        (f"{MATHML}mi", "ℒ"),
        (f"{MATHML}mn", "1"),
    ]
    assert inline.find(f".//{MATHML}msub") is not None
    assert [(each.tag, each.text) for each in block.iter() if each.text] == [
        (f"{MATHML}mi", "y"),
        (f"{MATHML}mo", "<"),
        (f"{MATHML}mn", "2"),
    ]


def test_formulas_are_spaced_and_primed_as_they_are_read(assemble):
    text = "$`z' \\sim \\operatorname{diag}(z'_n)`$"
    (found,) = ElementTree.fromstring(assemble.formulas.rendered(text, assemble.FENCE))
    assert "".join(found.itertext()) == "z′∼diag(z′n)"
    assert [each.text for each in found.iter(f"{MATHML}mo")][0] == "∼"
    assert "diag" in [each.text for each in found.iter(f"{MATHML}mi")]
    assert not any(found.iter(f"{MATHML}msup")) and any(found.iter(f"{MATHML}msub"))


@pytest.mark.long
def test_the_site_is_built_without_a_warning_and_fetches_nothing(assemble, tmp_path):
    for words in (
        ["docs/site/assemble.py"],
        ["-m", "mkdocs", "build", "--site-dir", str(tmp_path / "site")],
    ):
        command = [sys.executable, *words]
        done = subprocess.run(command, cwd=TOP, env=environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 50
    for page in pages:
        shown = page.read_text(encoding="utf-8")
        fetched = re.findall(r'<(?:script|link|img)\b[^>]*\b(?:src|href)="(https?:[^"]*)"', shown)
        assert fetched == [], page
        assert str(TOP) not in shown, page
