"""The default data: how it is made, on fonts that matplotlib brings, and what is committed."""

import collections
import csv
import pathlib
import pickle
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from data_pipeline.glyphs import characters, fonts, images, render
from data_pipeline.glyphs.packages import PACKAGES
from data_pipeline.images import ink, pictures

ROOT = pathlib.Path(__file__).parents[2]
FONTS = pathlib.Path(matplotlib.get_data_path()) / "fonts/ttf"
SANS, MONO = FONTS / "DejaVuSans.ttf", FONTS / "DejaVuSansMono.ttf"
GLYPHS = ROOT / "data_pipeline/glyphs"
SPLITS = {"train": 96, "val": 24, "test": 30}


def build(*flags):
    command = [sys.executable, "-m", "data_pipeline.glyphs.build", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("Noto Sans Thai ExtraCondensed SemiBold", "noto sans thai"),
        ("Lato Heavy", "lato"),
        ("Nimbus Sans Narrow", "nimbus sans"),
        ("Book", "book"),
        ("Bookman", "bookman"),
        ("YOzREF90B", "yoz"),
        ("BPG Nateli Condenced GPL&GNU", "bpg nateli"),
        ("BPG Serif Modern GPL&GNU", "bpg serif"),
        ("Migu 1C", "migu"),
    ],
)
def test_a_family_is_its_name_without_style_words(name, family):
    assert fonts.family_of(name) == family


def test_a_font_has_the_characters_of_its_map():
    font = fonts.read_font(SANS)
    assert font.family == "dejavu sans"
    assert {ord("a"), ord("Ж"), ord("ა")} <= font.code_points
    assert not {ord("あ"), 0x0378} & font.code_points


def test_fonts_are_found_in_a_fixed_order_without_those_of_no_use(tmp_path):
    (tmp_path / "broken.ttf").write_bytes(b"not a font")
    (tmp_path / "b.ttf").write_bytes(SANS.read_bytes())
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/c.TTF").write_bytes(MONO.read_bytes())
    (tmp_path / "link.ttf").symlink_to(tmp_path / "b.ttf")
    found = fonts.find_fonts(tmp_path, [ord("a")])
    assert [font.path.name for font in found] == ["b.ttf", "c.TTF"]
    assert fonts.find_fonts(tmp_path, [ord("あ")]) == []


def test_no_fonts_at_all_says_what_to_install(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no font files here; .*apt-get install"):
        fonts.find_fonts(tmp_path, [97])


def test_families_come_first_then_second_files():
    files = {"one": 3, "two": 1, "three": 2}
    installed = [
        fonts.Font(pathlib.Path(f"{family}{i}"), family, frozenset([97]))
        for family, count in files.items()
        for i in range(count)
    ]
    installed.append(fonts.Font(pathlib.Path("other"), "other", frozenset([98])))
    for seed in range(5):
        order = fonts.families_first(installed, 97, np.random.default_rng(seed))
        families = [font.family for font in order]
        assert sorted(families[:3]) == ["one", "three", "two"]
        assert sorted(families[3:5]) == ["one", "three"]
        assert families[5:] == ["one"]
        assert len({font.path for font in order}) == 6


@pytest.mark.parametrize("character", "aQgЖШДΞΣლფ")
@pytest.mark.parametrize("path", [SANS, MONO], ids=["sans", "mono"])
def test_a_letter_fills_its_image_inside_the_margin(path, character):
    if ord(character) not in fonts.read_font(path).code_points:
        path = SANS
    image, reason = render.render(path, character)
    assert reason is None
    assert image.shape == (ink.IMAGE_SIZE, ink.IMAGE_SIZE)
    rows, columns = np.nonzero(image)
    room = ink.IMAGE_SIZE - 2 * ink.MARGIN
    assert max(np.ptp(rows), np.ptp(columns)) + 1 >= room - 1
    assert min(rows.min(), columns.min()) >= ink.MARGIN
    assert max(rows.max(), columns.max()) < ink.IMAGE_SIZE - ink.MARGIN
    # Ink keeps its proportions and its place: the large drawing, averaged, is the small one.
    drawn = render.draw_ink(path, character)
    height, width = drawn.shape
    assert np.ptp(rows) / np.ptp(columns) == pytest.approx(height / width, rel=0.15)
    area = drawn.sum() * (room / max(height, width)) ** 2
    assert image.sum() == pytest.approx(area, rel=0.1)


@pytest.mark.parametrize(
    ("character", "reason"), [(" ", "blank"), ("\u200b", "blank"), ("あ", "fallback"), ("□", "box")]
)
def test_what_is_no_letter_is_refused(character, reason):
    assert render.render(SANS, character) == (None, reason)


def test_a_file_that_is_no_font_draws_a_blank(tmp_path):
    path = tmp_path / "broken.ttf"
    path.write_bytes(b"not a font")
    assert render.render(path, "a") == (None, "blank")


def test_a_font_that_draws_both_cases_alike_is_refused():
    assert render.render(SANS, "a", "A")[1] is None
    assert render.render(SANS, "a", "a") == (None, "case")


def test_near_copies_are_told_from_other_styles():
    image, _ = render.render(SANS, "g")
    bold, _ = render.render(FONTS / "DejaVuSans-Bold.ttf", "g")
    nearly = image.copy()
    nearly[image > 250] -= 5
    assert not ink.is_near_copy(image, [])
    assert not ink.is_near_copy(image, [bold])
    assert ink.is_near_copy(image, [bold, nearly])


def test_a_class_takes_each_image_from_another_font_file():
    installed = fonts.find_fonts(FONTS, [ord("a")])
    first, again = (
        images.render_class("Latin_a", "Latin", "a", installed, count=15) for _ in range(2)
    )
    assert first.images.shape == (15, 24, 24)
    np.testing.assert_array_equal(first.images, again.images)
    assert len({font.path for font in first.fonts}) == 15
    families = [font.family for font in first.fonts]
    distinct = len(set(families))
    assert len(set(families[:distinct])) == distinct > 3


def test_too_few_fonts_name_the_class_and_the_remedy():
    installed = fonts.find_fonts(FONTS, [ord("ა")])
    with pytest.raises(ValueError, match=r"Georgian_an .*: \d+ usable .*60 .*apt-get install"):
        images.render_class("Georgian_an", "Georgian", "ა", installed)


def test_classes_that_look_alike_are_refused():
    installed = fonts.find_fonts(FONTS, [ord("x")])
    rendered = [
        images.render_class(name, "Latin", character, installed, count=8)
        for name, character in (("x", "x"), ("Q", "Q"), ("ha", "х"))
    ]
    pictures.check_distinct(rendered[:2])
    likeness, *pair = pictures.most_alike(rendered, 1)[0]
    assert pair == ["x", "ha"]
    one, other = (rendered[i].upright.mean(0).ravel() for i in (0, 2))
    assert likeness == pytest.approx(one @ other / np.sqrt((one @ one) * (other @ other)))
    with pytest.raises(ValueError, match="x and ha look alike"):
        pictures.check_distinct(rendered)


def test_the_characters_are_distinct_and_their_labels_well_formed():
    listed = [each for split in characters.CHARACTERS for each in characters.classes(split)]
    assert len({character for _, _, character in listed}) == len(listed) == 150
    assert len({label for label, _, _ in listed}) == 150
    assert all(label.isascii() and "-" not in label for label, _, _ in listed)
    assert ("Thai_ko_kai", "Thai", "ก") in listed
    assert characters.other_case("Latin", "a") == "A"
    assert characters.other_case("Thai", "ก") is None


def test_help_and_packages_are_quick_to_answer():
    shown = build("--help")
    assert shown.returncode == 0 and "--fonts" in shown.stdout and not shown.stderr
    packages = build("--packages").stdout.split()
    assert len(packages) > 50 and {"fonts-noto-core", "culmus"} <= set(packages)


@pytest.mark.parametrize(
    ("flag", "status", "message"),
    [("--epochs=0", 2, "epochs"), ("--fonts={}", 1, "no font files here; install them: apt-get")],
)
def test_bad_input_gets_one_line(flag, status, message, tmp_path):
    run = build(flag.format(tmp_path), f"--output={tmp_path}")
    assert run.returncode == status
    assert message in run.stderr.splitlines()[-1] and "Traceback" not in run.stderr


@pytest.fixture(scope="module")
def committed():
    data = {}
    for split in SPLITS:
        path = GLYPHS / f"embeddings/glyphs/center/{split}_embeddings.pkl"
        with path.open("rb") as file:
            data[split] = pickle.load(file, encoding="latin1")
    return data


def label_of(key):
    text = key.decode() if isinstance(key, bytes) else str(key)
    _, label, file = text.split("-")
    assert file.startswith(label + "_")
    return label


def test_the_data_has_150_classes_of_60_images(committed):
    for split, count in SPLITS.items():
        content = committed[split]
        classes = collections.Counter(map(label_of, content["keys"]))
        assert len(classes) == count and set(classes.values()) == {60}
        assert set(classes) == {label for label, _, _ in characters.classes(split)}
        embeddings = content["embeddings"]
        assert embeddings.dtype == np.float16 and embeddings.shape[0] == 60 * count
        assert np.isfinite(embeddings).all()
        assert (np.linalg.norm(embeddings.astype(np.float64), axis=1) > 0).all()
        assert len(np.unique(embeddings, axis=0)) == len(embeddings)
    assert len({content["embeddings"].shape[1] for content in committed.values()}) == 1


def test_splits_share_no_writing_system(committed):
    systems = [
        {label_of(key).split("_")[0] for key in committed[split]["keys"]} for split in SPLITS
    ]
    assert [len(each) for each in systems] == [7, 3, 3]
    assert len(set.union(*systems)) == 13


def test_each_image_of_a_class_comes_from_another_font_file():
    with (GLYPHS / "sources.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["class"] for row in rows} == {
        label for split in SPLITS for label, _, _ in characters.classes(split)
    }
    for row in rows:
        assert len(set(row["font files"].split("|"))) == 60
        assert int(row["families"]) >= 10


def test_the_readme_names_each_package_and_its_licence():
    readme = (GLYPHS / "README.md").read_text(encoding="utf-8")
    for package, licence in PACKAGES.items():
        assert f"| {package} | {licence} |" in readme


@pytest.mark.parametrize("split", ["val", "test"])
def test_nearest_centroid_leaves_room_at_one_shot(committed, split):
    embeddings = committed[split]["embeddings"].astype(np.float64)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    labels = np.array(list(map(label_of, committed[split]["keys"])))
    # At one shot, the nearest centroid is the nearest neighbour.
    names, rng, correct = np.unique(labels), np.random.default_rng(7), []
    for _ in range(120):
        drawn = [
            rng.permutation(np.flatnonzero(labels == name))[:16]
            for name in rng.choice(names, 5, replace=False)
        ]
        support = [rows[0] for rows in drawn]
        query = np.concatenate([rows[1:] for rows in drawn])
        model = KNeighborsClassifier(1).fit(embeddings[support], np.arange(5))
        correct.append(model.score(embeddings[query], np.repeat(np.arange(5), 15)))
    assert 45 <= 100 * np.mean(correct) <= 75
