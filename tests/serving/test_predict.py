"""leo_tf.predict: classes of pictures and embeddings, what is refused, and the page."""

import csv
import json
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from commands import assert_refused, command
from PIL import Image, ImageDraw

from leo_tf.serving import given, prediction, prediction_page, prediction_table

SHAPES = ("circle", "cross", "square")
BASELINE = {"model": "nearest_centroid"}


def draw(path, shape, number):
    """Write a picture of a shape, black on white, a little different for each number."""
    picture = Image.new("L", (48, 48), 255)
    pen = ImageDraw.Draw(picture)
    box = (8 + number % 4, 8, 40, 40 - number % 3)
    if shape == "circle":
        pen.ellipse(box, outline=0, width=4)
    elif shape == "square":
        pen.rectangle(box, outline=0, width=4)
    else:
        pen.line((box[0], box[1], box[2], box[3]), 0, 5)
        pen.line((box[0], box[3], box[2], box[1]), 0, 5)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Folders of examples and of queries, with hostile names and what cannot be used."""
    folder = tmp_path_factory.mktemp("drawn")
    for shape in SHAPES:
        for number in range(3):
            draw(folder / "support" / shape / f"{number}.png", shape, number)
        for number in range(3, 7):
            draw(folder / "queries" / shape / f"{number}.png", shape, number)
    draw(folder / "queries" / "circle" / "=1+1.png", "circle", 8)
    draw(folder / "queries" / "cross" / "<b>&\"'é大.png", "cross", 9)
    draw(folder / "queries" / "star" / "0.png", "square", 9)
    (folder / "queries" / "circle" / "broken.png").write_bytes(b"\x89PNG\r\n")
    (folder / "queries" / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def predicted(drawn):
    """What the command writes of them: the process, the lines of the table, the page."""
    out, page = drawn / "out.csv", drawn / "page.html"
    given = {"support": drawn / "support", "queries": drawn / "queries", "backbone": "glyphs"}
    done = command("leo_tf.predict", **BASELINE, **given, out=out, html=page)
    assert done.returncode == 0, done.stderr
    with open(out, encoding="utf-8", newline="") as file:
        return done, list(csv.DictReader(file)), page.read_text(encoding="utf-8")


def softmax(scores):
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def by_hand(support, queries):
    """Probabilities of the nearest centroid: {class: [n, dim]}, [m, dim] -> [m, classes]."""
    centroids = np.stack([unit(support[name]).mean(axis=0) for name in sorted(support)])
    scores = unit(queries) @ centroids.T - 0.5 * np.square(centroids).sum(axis=1)
    return softmax(scores.astype(np.float64))


def test_pictures_get_the_classes_of_their_nearest_centroid(drawn, predicted):
    from data_pipeline.images import backbones, forward

    _, lines, _ = predicted
    support = {shape: sorted((drawn / "support" / shape).iterdir()) for shape in SHAPES}
    queries = [drawn / "queries" / line["file"].removeprefix("'") for line in lines]
    files = [*(path for paths in support.values() for path in paths), *queries]
    rows, faults = forward.embed_files(files, backbones.load("glyphs"))
    assert not faults
    of_class = {shape: rows[3 * i : 3 * i + 3] for i, shape in enumerate(SHAPES)}
    expected = by_hand(of_class, rows[9:])
    told = np.array([[float(line[f"probability of {name}"]) for name in SHAPES] for line in lines])
    np.testing.assert_allclose(told, expected, atol=2e-4)
    assert [line["class"] for line in lines] == [SHAPES[i] for i in expected.argmax(axis=1)]
    np.testing.assert_allclose([float(line["probability"]) for line in lines], told.max(axis=1))


def test_folders_tell_the_truth_and_faults_are_told(predicted):
    done, lines, page = predicted
    truths = [line["true_class"] for line in lines]
    assert sorted(set(truths)) == ["circle", "cross", "square", "star"]
    right = sum(line["class"] == truth for line, truth in zip(lines, truths, strict=True))
    assert f"Right: {right} of {len(lines)}, {100 * right / len(lines):.1f} %" in done.stdout
    assert "skipped circle/broken.png: " in done.stdout
    assert "notes.txt" in done.stdout
    assert "1 query of classes without examples (star)" in done.stdout
    assert "not calibrated" in done.stdout
    assert "circle/<wbr>broken.png: no picture" in page


def test_no_name_of_a_file_runs_in_a_spreadsheet_or_on_the_page(predicted):
    _, lines, page = predicted
    names = [line["file"] for line in lines]
    assert "circle/=1+1.png" in names  # its cell begins with the folder
    assert "cross/<b>&\"'é大.png" in names
    assert "<b>" not in page and "&lt;b&gt;&amp;&#34;&#39;é大" in page
    assert not re.search(r"(src|href)=\"(?!data:image/jpeg;base64,|#)", page)
    assert "<script" not in page


def test_the_page_begins_with_the_most_doubtful(predicted):
    _, lines, page = predicted
    shown = [float(each) for each in re.findall(r"</strong> <span>([\d.]+) %", page)]
    assert len(shown) == len(lines)
    assert shown == sorted(shown)
    assert page.count('<img src="data:image/jpeg') == len(lines) + 9
    cells = re.search(r"<tbody>.*?</tbody>", page, re.DOTALL)[0]
    counts = [int(each) for each in re.findall(r">(\d+)</td>", cells)]
    assert len(counts) == 4 * 3 and sum(counts) == len(lines)


@pytest.fixture
def predict(tmp_path, capsys):
    """Call the command in this process: returns its status, what it printed, and its table."""
    from leo_tf import predict

    def call(**flags):
        flags = {"out": tmp_path / "out.csv", **BASELINE, **flags}
        with pytest.raises(SystemExit) as leaving:
            predict.cli(["predict", *(f"--{name}={value}" for name, value in flags.items())])
        printed = capsys.readouterr()
        if leaving.value.code:
            return leaving.value.code, printed.err, None
        with open(flags["out"], encoding="utf-8", newline="") as file:
            return 0, printed.out, list(csv.DictReader(file))

    return call


@pytest.fixture
def clusters(tmp_path):
    """Embeddings of three classes as .npy and as .csv, with labels: folder, labels, rows."""
    generator = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c"], 6)
    centres = 3 * generator.normal(size=(3, 5))
    rows = (np.repeat(centres, 6, axis=0) + generator.normal(size=(18, 5))).astype(np.float32)
    np.save(tmp_path / "x.npy", rows)
    np.save(tmp_path / "x_labels.npy", labels)
    with open(tmp_path / "x.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", *(f"e{i}" for i in range(5)), "class"])
        for i, (label, row) in enumerate(zip(labels, rows, strict=True)):
            writer.writerow([f"=row{i}", *map(repr, row.astype(float).tolist()), label])
    return tmp_path, labels, rows


def test_embeddings_in_any_file_get_the_same_answers(clusters, predict):
    folder, labels, rows = clusters
    _, printed, lines = predict(support=folder / "x.npy", queries=folder / "x.csv")
    expected = by_hand({name: rows[labels == name] for name in "abc"}, rows)
    told = [[float(line[f"probability of {name}"]) for name in "abc"] for line in lines]
    np.testing.assert_allclose(told, expected, atol=2e-6)
    assert [line["file"] for line in lines] == [f"'=row{i}" for i in range(18)]
    assert "18 queries byte by byte the same as an example" in printed


def test_with_shot_the_other_examples_are_queries(clusters, predict):
    folder, labels, rows = clusters
    asked = {"support": folder / "x.npy", "queries": folder / "x.npy", "shot": 2}
    status, printed, lines = predict(**asked)
    assert status == 0 and "6 queries left out" in printed
    assert len(lines) == 18 - 3 * 2
    queried = [int(line["file"].removeprefix("row ")) for line in lines]
    used = sorted(set(range(18)) - set(queried))
    assert sorted(labels[used]) == ["a", "a", "b", "b", "c", "c"]
    expected = by_hand({n: rows[[i for i in used if labels[i] == n]] for n in "abc"}, rows[queried])
    told = [[float(line[f"probability of {name}"]) for name in "abc"] for line in lines]
    np.testing.assert_allclose(told, expected, atol=2e-6)
    assert predict(**asked)[2] == lines
    assert predict(**asked, seed=1)[2] != lines


def test_what_is_improbable_is_unknown(clusters, predict):
    folder, labels, rows = clusters
    probabilities = by_hand({name: rows[labels == name] for name in "abc"}, rows).max(axis=1)
    limit = float(np.median(probabilities))
    page = folder / "page.html"
    asked = {"support": folder / "x.npy", "queries": folder / "x.csv", "reject_below": limit}
    _, printed, lines = predict(**asked, html=page)
    rejected = [line["class"] == "unknown" for line in lines]
    near = np.isclose(probabilities, limit, atol=1e-6)
    assert (np.array(rejected) == (probabilities < limit))[~near].all()
    assert f"{sum(rejected)} rejected" in printed
    assert page.read_text().count("most like") == sum(rejected)
    np.save(folder / "x_labels.npy", np.where(labels == "a", "unknown", labels))
    status, error, _ = predict(**asked)
    assert status == 1 and "unknown" in error


def test_many_answers_are_judged_once_each(monkeypatch):
    count, classes = 3000, ("a", "b", "c")
    labels = tuple(classes[i % 3] for i in range(count))
    each = tuple((str(i), i) for i in range(count))
    some = given.Given(Path("x"), tuple(map(str, range(count))), labels, each)
    rows = np.random.default_rng(0).dirichlet(np.ones(3), count)
    answers = tuple(classes[i] for i in rows.argmax(axis=1))
    found = prediction.Predictions(
        classes, some, some, rows, answers, labels, (), (), "model", "", 1.0
    )
    judged, own = [], prediction.is_right
    monkeypatch.setattr(prediction, "is_right", lambda *a: judged.append(a) or own(*a))
    right = sum(map(str.__eq__, answers, labels))
    assert f"Right: {right} of 3000" in prediction_table.summary(found)
    assert len(judged) == count
    prediction_page.render(found)
    assert len(judged) <= 5 * count


def described(folder, **backbone):
    """Write a card that names a backbone."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "card.json").write_text(json.dumps({"backbone": backbone}))
    return folder


def trained(folder, **about):
    """Make what looks like a SavedModel as far as it is looked at before TensorFlow starts."""
    (folder / "assets.extra").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"")
    (folder / "assets.extra" / "about.json").write_text(json.dumps(about))
    return folder


LITE0 = {"name": "efficientnet-lite0", "layer": "head", "grid": 1, "digest": "aa" * 32}
RESNET = {"name": "ResNet50", "layer": "conv5", "grid": 1, "digest": "bb" * 32}


def test_another_backbone_than_the_models_is_refused_by_name(quick, drawn, tmp_path):
    model = trained(tmp_path / "model", backbone=LITE0, method="leo")
    given = {"support": drawn / "support", "queries": drawn / "queries", "model": model}
    given["out"] = tmp_path / "out.csv"
    done = quick("leo_tf.predict", **given, backbone="ResNet50")
    assert_refused(done, 1, "ResNet50", "efficientnet-lite0, layer head", "aaaaaaaaaaaa")
    other = described(tmp_path / "other", **RESNET)
    np.save(other / "x.npy", np.ones([3, 4], np.float32))
    done = quick("leo_tf.predict", **{**given, "queries": other / "x.npy"})
    assert_refused(done, 1, str(other), "ResNet50, layer conv5", "efficientnet-lite0, layer head")
    nameless = trained(tmp_path / "nameless", method="leo")
    done = quick("leo_tf.predict", **{**given, "model": nameless})
    assert_refused(done, 1, str(nameless), "--backbone")
    assert not (tmp_path / "out.csv").exists()


def test_wrong_flags(quick, drawn, tmp_path):
    given = {"support": drawn / "support", "queries": drawn / "queries"}
    given["out"] = tmp_path / "out.csv"
    table = write(tmp_path, x_csv="class,a\nu,1\nv,2\n") / "x.csv"
    for changed, *said in (
        ({"support": tmp_path / "nowhere"}, "nowhere", "no such folder"),
        ({"model": tmp_path / "nowhere"}, "nowhere"),
        ({"model": "leo"}, "leo", "trained before"),
        ({"shot": 0}, "--shot"),
        ({"reject_below": 2}, "--reject_below"),
        ({"reject_below": "nan"}, "--reject_below", "from 0 to 1"),
        ({"html": tmp_path / "out.csv"}, "--html", "--out"),
        ({"queries": table, "out": table}, "--out", "--queries"),
        ({"out": tmp_path / "none" / "out.csv"}, "--out"),
    ):
        assert_refused(quick("leo_tf.predict", **{**given, **changed}), 2, *said)


def write(folder, **files):
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


def loop(folder):
    (folder / "a").mkdir()
    (folder / "a" / "again").symlink_to(folder)
    return folder


def objects(folder):
    with open(folder / "x.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|O", "fortran_order": False, "shape": (2,)}
        )
        pickle.dump([1, 2], file)
    return folder / "x.npy"


def saved(folder, array, labels=None):
    np.save(folder / "x.npy", array)
    if labels is not None:
        np.save(folder / "x_labels.npy", labels)
    return folder / "x.npy"


ROWS = np.arange(12, dtype=np.float32).reshape(3, 4) + 1
FAULTS = {
    "an empty folder": (lambda f: f, "holds no pictures"),
    "texts": (lambda f: write(f, a_txt="x", b_txt="y"), "holds no pictures, but 2 other files"),
    "a loop": (loop, "leads back"),
    "no class folders": (lambda f: draw(f / "a.png", "cross", 0) or f, "what class is a.png?"),
    "one class": (lambda f: draw(f / "a" / "a.png", "cross", 0) or f, "one class, 'a'"),
    "another kind": (lambda f: write(f, x_txt="x") / "x.txt", "no known kind"),
    "no header": (lambda f: write(f, x_csv="1,2\n3,4\n") / "x.csv", "must name the columns"),
    "a short line": (lambda f: write(f, x_csv="class,a,b\nu,1,2\nv,1\n") / "x.csv", "line 3"),
    "no number": (
        lambda f: write(f, x_csv="class,a\nu,1\nv,x\n") / "x.csv",
        "line 3",
        "'a'",
        "'x'",
    ),
    "no numbers": (lambda f: write(f, x_csv="class,file\nu,1\n") / "x.csv", "no column of numbers"),
    "semicolons": (lambda f: write(f, x_csv="class;a\nu;1,5\n") / "x.csv", "';'", "with commas"),
    "twice": (lambda f: write(f, x_csv="class,a,a\nu,1,2\n") / "x.csv", "two columns 'a'"),
    "NaN": (lambda f: write(f, x_csv="class,a\nu,1\nv,nan\n") / "x.csv", "line 3", "NaN"),
    "no labels": (lambda f: saved(f, ROWS), "what class is row 0?", "_labels.npy"),
    "few labels": (lambda f: saved(f, ROWS, ["a", "b"]), "x_labels.npy", "3 rows"),
    "whole numbers": (lambda f: saved(f, ROWS.astype(int), [1, 2, 3]), "int64"),
    "one row": (lambda f: saved(f, ROWS[0], ["a"] * 4), "[4]"),
    "zero": (lambda f: saved(f, 0 * ROWS, ["a", "b", "b"]), "row 0", "zero"),
    "objects": (objects, "an array of objects"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_learned_from(fault, tmp_path, predict, drawn):
    make, *said = FAULTS[fault]
    folder = tmp_path / "given"
    folder.mkdir()
    status, error, _ = predict(support=make(folder), queries=drawn / "queries")
    assert status == 1 and error.count("\n") == 1, error
    for words in (str(folder), *said):
        assert words in error


def test_what_does_not_fit_together(clusters, predict, drawn, tmp_path):
    folder, labels, rows = clusters
    same = {"support": folder / "x.npy", "queries": folder / "x.npy"}
    assert "every query is an example" in predict(**same)[1]
    assert "class 'a' has 6 example(s), --shot=7" in predict(**same, shot=7)[1]
    np.save(folder / "wide.npy", np.ones([2, 7], np.float32))
    error = predict(support=folder / "x.npy", queries=folder / "wide.npy")[1]
    assert "wide.npy: embeddings of size 7" in error and "of size 5" in error
    twice = np.concatenate([rows, rows[:1]])
    saved(folder, twice, [*labels, "c"])
    error = predict(support=folder / "x.npy", queries=folder / "x.csv")[1]
    assert "row 0 and row 18 are the same" in error and "'a'" in error and "'c'" in error


def test_links_and_names_of_any_bytes(drawn, tmp_path, predict):
    odd = os.fsencode(tmp_path / "queries") + b"/caf\xe9.png"
    (tmp_path / "queries").mkdir()
    draw(tmp_path / "plain.png", "cross", 5)
    os.rename(tmp_path / "plain.png", odd)
    linked = drawn / "support" / "cross" / "0.png"
    (tmp_path / "queries" / "link.png").symlink_to(linked)
    given = {"support": drawn / "support", "queries": tmp_path / "queries", "backbone": "glyphs"}
    status, printed, lines = predict(**given, html=tmp_path / "page.html")
    assert status == 0
    assert [line["file"] for line in lines] == ["caf\\xe9.png"]  # a link to an example is one
    assert [line["true_class"] for line in lines] == [""]
    assert "taken for what" not in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "1 query left out" in printed


@pytest.mark.long
def test_a_run_classifies_files_of_a_data_set(finished_run, data_path, predict):
    from data_pipeline.datasets import load_split
    from leo_tf import FewShotClassifier

    file = data_path / "tiny" / "center" / "test_embeddings.pkl"
    model = finished_run[1]
    _, printed, lines = predict(model=model, support=file, queries=file, shot=3)
    test = load_split(data_path, "tiny", "center", "test")
    assert len(lines) == len(test) - 3 * test.num_classes
    assert "not calibrated" not in printed and "queries left out" in printed
    row_of = {}
    for name, count in zip(test.class_names, test.counts, strict=True):
        row_of |= {f"test-{name}-{name}_{i:05d}.jpg": (name, i) for i in range(count)}
    queried = [row_of[line["file"]] for line in lines]
    assert [line["true_class"] for line in lines] == [name for name, _ in queried]
    used = sorted(set(row_of.values()) - set(queried))
    taught = np.stack([test.of_class(name)[i] for name, i in used])
    asked = np.stack([test.of_class(name)[i] for name, i in queried])
    classifier = FewShotClassifier(model).fit(taught, [name for name, _ in used])
    told = [[float(line[f"probability of {name}"]) for name in test.class_names] for line in lines]
    np.testing.assert_allclose(told, classifier.predict_proba(asked), atol=2e-5)
    assert np.mean([line["class"] == line["true_class"] for line in lines]) > 2 / test.num_classes
