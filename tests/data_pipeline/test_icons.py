"""The data set icons: how it is made, on sets of a few icons, and what is committed."""

import csv
import io
import json
import pathlib
import subprocess
import sys
import tarfile

import numpy as np
import pytest

from data_pipeline import load_splits
from data_pipeline.icons import build, concepts, draw, package

ROOT = pathlib.Path(__file__).parents[2]
ICONS = ROOT / "data_pipeline/icons"
BOX, BAR = '<path d="M2 2h20v20H2z"/>', '<path d="M2 10h20v4H2z"/>'


def icon(set_name, name, body=BOX, box=(0, 0, 24, 24)):
    return package.Icon(set_name, name, body, box)


def icon_set(name, icons, prefixes=()):
    made = {called: icon(name, called, body) for called, body in icons.items()}
    return package.IconSet(name, name.title(), "A", "https://a", "MIT", prefixes, made)


@pytest.mark.parametrize(
    ("name", "concept"),
    [
        ("bell", "bell"),
        ("bell-outline-24", "bell"),
        ("baseline-bell-off", "bell-off"),
        ("line", "line"),
        ("bold-duotone", "bold"),
        ("gear-filled", "cog"),
        ("lightbulb", "lightbulb"),
    ],
)
def test_a_concept_is_a_name_without_words_for_its_style(name, concept):
    assert concepts.concept_of(name, ("baseline",)) == concept


def test_concepts_are_those_that_enough_sets_draw_and_no_brands():
    sets = [
        icon_set("one", {"bell": BOX, "bell-filled": BAR, "key": BOX, "24": BOX}),
        icon_set("two", {"bell-line": BOX, "key": BOX, "acme": BOX, "24": BOX}),
        icon_set("three", {"bell": BOX, "acme": BOX}),
    ]
    found = concepts.find_concepts(sets, {"acme"}, fewest=2)
    assert list(found) == ["bell", "key"]
    names = {name: [each.name for each in icons] for name, icons in found["bell"].items()}
    assert names == {"one": ["bell", "bell-filled"], "two": ["bell-line"], "three": ["bell"]}


def test_concepts_of_one_first_word_stay_in_one_split():
    names = [f"w{i}-{j}" for i in range(100) for j in range(3)] + ["users", "user-plus", "user"]
    splits = concepts.split_concepts(names, seed=1)
    assert sorted(sum(splits.values(), [])) == sorted(names)
    words = [{concepts.first_word(name) for name in split} for split in splits.values()]
    assert sum(map(len, words)) == len(set.union(*words)) == 101
    shares = [len(split) / len(names) for split in splits.values()]
    np.testing.assert_allclose(shares, list(concepts.SHARES.values()), atol=0.02)
    assert concepts.split_concepts(names, seed=2) != splits


def told(licence="MIT", **more):
    return {
        "name": "N",
        "author": {"name": "A", "url": "https://a"},
        "license": {"spdx": licence},
        **more,
    }


def tarball(path, version=package.VERSION):
    drawings = {"icons": {"a": {"body": BOX, "width": 30}, "b": {"body": BAR, "hidden": True}}}
    drawings["aliases"] = {"c": {"parent": "a"}, "d": {"parent": "a", "hFlip": True}}
    drawings["prefixes"] = {"": "Plain", "round": "Round"}
    brands = {name: {"icons": {"acme": {"body": BOX}}} for name in package._BRAND_SETS[:3]}
    rest = {name: {"icons": {"rare": {"body": BOX}}} for name in package._BRAND_SETS[3:]}
    files = {
        "package.json": {"version": version},
        "collections.json": {
            "good": told(height=24),
            "selfish": told("CC-BY-NC-4.0"),
            "coloured": told(palette=True),
            "cib": told("CC0-1.0", category="Logos"),
        },
        "json/good.json": {**drawings, "width": 24, "height": 24},
        **{f"json/{name}.json": content for name, content in {**brands, **rest}.items()},
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            data = json.dumps(content).encode()
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def test_of_the_package_the_sets_are_read_that_may_be_redistributed(tmp_path):
    (found,), brands = package.read(tarball(tmp_path / "package.tgz"))
    assert (found.name, found.author, found.licence) == ("good", "A", "MIT")
    assert brands == {"acme"} and found.prefixes == ("round",)
    assert {name: each.box for name, each in found.icons.items()} == {
        "a": (0, 0, 30, 24),
        "c": (0, 0, 30, 24),
    }


def test_another_package_or_none_gets_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.tgz: not found; get it by: npm pack"):
        package.read(tmp_path / "no.tgz")
    with pytest.raises(ValueError, match=r"is version 1\.0, not .*; get it by: npm pack"):
        package.read(tarball(tmp_path / "old.tgz", version="1.0"))
    (tmp_path / "text.tgz").write_text("no tarball")
    with pytest.raises(ValueError, match="is not the package; get it by: npm pack"):
        package.read(tmp_path / "text.tgz")
    command = [sys.executable, "-m", "data_pipeline.icons.build", f"--package={tmp_path}/no.tgz"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1 and "Traceback" not in run.stderr
    assert run.stderr.splitlines()[-1].endswith(package.INSTALL)


def test_ink_is_what_an_icon_paints():
    drawn = draw.draw_ink(icon("one", "bar", BAR))
    assert drawn.shape == (16, 80)  # 4 x 20 of 24 units, at 96 pixels
    assert (drawn == 255).all()
    wide = draw.draw_ink(icon("one", "wide", BAR, (0, 0, 48, 24)))
    assert wide.shape == (16, 80)
    assert draw.draw_ink(icon("one", "broken", "<path")).size == 0
    assert draw.draw_ink(icon("one", "nothing", "")).size == 0


def wedge(number):
    return f'<path d="M2 2h20v{2 + 2 * number}L2 {20 - number}z"/>'


def test_a_concept_has_an_icon_of_each_set_before_the_second_of_any():
    by_set = {f"s{i}": [icon(f"s{i}", str(j), wedge(i + 4 * j)) for j in (0, 1)] for i in range(4)}
    drawn = draw.draw_concept("wedge", by_set, count=6)
    assert {each.set_name for each in drawn.icons[:4]} == set(by_set)
    assert drawn.images.shape == drawn.upright.shape == (6, 24, 24)
    again = draw.draw_concept("wedge", by_set, count=6)
    np.testing.assert_array_equal(drawn.images, again.images)
    copies = {f"s{i}": [icon(f"s{i}", "a")] for i in range(4)}
    assert draw.draw_concept("box", copies, count=1).icons[0].name == "a"
    assert draw.draw_concept("box", copies, count=2) is None


def test_of_concepts_that_show_one_thing_the_first_is_kept():
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 256, (3, 20, 24, 24)).astype(np.uint8)
    a, b, c = drawn * (rng.random((3, 1, 24, 24)) > 0.5)
    mixed = np.concatenate([b[:2], c[2:]])
    near = np.concatenate([b[:1], c[1:]])
    named = {"a": a, "b": b, "m": mixed, "n": near}
    classes = [draw.Drawn(name, each, each, []) for name, each in named.items()]
    assert [each.label for each in draw.leave_out_alike(classes, 9)] == ["a", "b", "n"]
    assert [each.label for each in draw.leave_out_alike(classes, 2)] == ["a", "b"]
    alike = draw.Drawn("d", a, np.clip(a + 3.0 * rng.random(a.shape), 0, 255), [])
    assert [each.label for each in draw.leave_out_alike([classes[0], alike], 9)] == ["a"]


def rows_of(name):
    with (ICONS / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_data_have_440_concepts_of_20_pictures_none_seen_in_training(tmp_path):
    splits = load_splits(tmp_path, "icons")
    assert [each.num_classes for each in splits] == [287, 65, 88]
    assert sum(each.num_classes for each in splits) == build.CLASSES
    for each in splits:
        assert set(each.counts) == {draw.PICTURES_PER_CLASS} and each.dim == 512
    words = [{concepts.first_word(name) for name in each.class_names} for each in splits]
    assert sum(map(len, words)) == len(set.union(*words))
    listed = {row["class"]: row["icons"].split("|") for row in rows_of("sources.csv")}
    assert set(listed) == {name for each in splits for name in each.class_names}
    for icons in listed.values():
        assert len(set(icons)) == draw.PICTURES_PER_CLASS
        assert len({each.partition(":")[0] for each in icons}) >= 16


def test_notice_names_each_set_that_the_pictures_are_of_and_its_licence():
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    _, _, section = notice.partition("icons (data_pipeline/icons)")
    used = {i.partition(":")[0] for r in rows_of("sources.csv") for i in r["icons"].split("|")}
    told_of = rows_of("licences.csv")
    assert {row["set"] for row in told_of} == used
    lines = [f"    {r['title']} by {r['author']}, {r['url']}: {r['licence']};" for r in told_of]
    assert [line for line in section.splitlines() if line.startswith("    ")] == lines
    assert {row["licence"] for row in told_of} <= package.LICENCES
