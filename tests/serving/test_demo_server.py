"""The demo's server: what it answers, to whom, and that nothing is mixed up."""

import base64
import http.client
import json
import struct
import threading
import time
import zlib

import numpy as np
import pytest
from commands import assert_refused, command
from demo_server import ask, question, serving, written

from leo_tf.serving import pretrained

pytest.importorskip("starlette")
DIM = 512
ANSWER = "/api/answer/drawings"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the server may leave what it keeps, which is nothing."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def port(folder):
    with serving(cwd=folder) as port:
        assert ask(port, "/api/kinds/drawings", "")[0] == 200
        yield port


def classes_of(seed, counts=(2, 1, 1)):
    """Return classes of examples around a centre each, and queries near each centre."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=[len(counts), DIM])
    near = [c + 0.5 * rng.normal(size=[n, DIM]) for c, n in zip(centres, counts, strict=True)]
    return near, centres + 0.5 * rng.normal(size=centres.shape)


def png(width, height, rows=b""):
    """A PNG that says it has this size, whatever its rows are."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))]
    parts += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.mark.long
def test_answers_are_those_of_the_models(port):
    from leo_tf import FewShotClassifier
    from leo_tf.serving.demo.alphabets import alphabets

    files = [
        base64.b64decode(letter["pictures"][i].partition(",")[2])
        for i in (0, 1)
        for letter in alphabets()[0]["letters"][:3]
    ]
    sent = [ask(port, "/api/embed/drawings", file, "image/png") for file in files]
    rows = np.stack([np.frombuffer(base64.b64decode(s[2]["embedding"]), "<f4") for s in sent])
    expected = FewShotClassifier("glyphs").embed(files)
    np.testing.assert_allclose(rows, expected, rtol=1e-4, atol=1e-5)
    status, _, found = ask(
        port,
        ANSWER,
        question("a", 1, rows[:3, np.newaxis], picture=base64.b64encode(files[4]).decode()),
    )
    assert (status, found["tab"], found["number"]) == (200, "a", 1)
    assert set(found["of_methods"]) == {"glyphs", "glyphs_nearest_centroid"}
    models = {**found["of_methods"], "glyphs_leo": found["of_steps"][-1]}
    for model, probabilities in models.items():
        fitted = FewShotClassifier(model).fit(expected[:3], [0, 1, 2])
        np.testing.assert_allclose(
            probabilities, fitted.predict_proba(expected[4:5])[0], rtol=1e-3, atol=1e-5
        )
    losses = found["steps"]["losses"]
    assert len(found["of_steps"]) == len(losses) == 11 and losses[-1] < losses[0]
    assert np.array(found["steps"]["codes"]).shape == (6, 3, 2)
    assert np.argmax(found["of_methods"]["glyphs"]) == 1  # the second letter's other picture


def test_without_a_query_it_tells_the_adaptation_alone(port):
    status, _, found = ask(port, ANSWER, question("b", 1, classes_of(0)[0]))
    assert status == 200 and set(found) == {"tab", "number", "steps"}


def test_eight_tabs_at_once_get_their_own_answers(port):
    """Each tab draws 12 times, sending the next before the last is answered."""
    tabs = [f"tab {i}" for i in range(8)]
    wanted, statuses, faults = {}, {tab: {} for tab in tabs}, []
    given = {tab: classes_of(seed, (1, 2, 1)[: 2 + seed % 2]) for seed, tab in enumerate(tabs)}

    def query(tab, number):
        return written(given[tab][1][number % len(given[tab][0])] + number / 100)

    for tab in tabs:
        for number in range(12):
            one = question("alone", number, given[tab][0], embedding=query(tab, number))
            wanted[tab, number] = ask(port, ANSWER, one)[2]

    def draw(tab, number):
        asked = question(tab, number, given[tab][0], embedding=query(tab, number))
        status, _, found = ask(port, ANSWER, asked)
        statuses[tab][number] = status
        if status == 200:
            mine = {**wanted[tab, number], "tab": tab}
            if found != mine:
                faults.append((tab, number))

    threads = [
        threading.Thread(target=draw, args=(tab, number)) for number in range(12) for tab in tabs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    for tab in tabs:
        assert set(statuses[tab].values()) <= {200, 409}
        assert statuses[tab][11] == 200  # nothing is later than this


def test_a_body_does_not_wait_for_its_headers_to_be_acknowledged(port):
    """That takes 40 ms at each answer but a connection's first ones."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body, times = json.dumps(question("e", 1, classes_of(0)[0])), []
    for _ in range(30):
        connection.request("POST", ANSWER, body, {"Content-Type": "application/json"})
        response, headers = connection.getresponse(), time.monotonic()
        assert response.read() and response.status == 200
        times.append(time.monotonic() - headers)
    connection.close()
    assert np.median(times) < 0.03


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 400),
        ({"Host": "127.0.0.1.evil.example"}, 400),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Length": str(1 << 40)}, 413),
    ],
)
def test_who_is_not_the_page_is_refused(port, headers, status):
    found, _, said = ask(port, ANSWER, question("c", 1, classes_of(0)[0]), **headers)
    assert found == status
    assert status == 400 or said["error"]


def test_the_page_may_load_nothing_from_elsewhere(port):
    status, headers, text = ask(port, "/")
    assert status == 200 and "<canvas" in text
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
    for name in ("demo.js", "demo.css"):
        assert ask(port, f"/{name}")[0] == 200
        assert f'"{name}"' in text
    for path in ("/../app.py", "/%2e%2e/app.py", "/..%2fapp.py", "/nothing"):
        assert ask(port, path)[0] == 404
    assert ask(port, "/api/answer/words", {})[0] == 404


ONE = written(np.ones(DIM))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("[", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "a request has classes"),
        ({"classes": [[ONE]]}, "1 classes have examples; give 2 to 10"),
        ({"classes": [[ONE]] * 11}, "11 classes have examples"),
        ({"classes": [[ONE], []]}, "class 2 needs 1 to 20 examples"),
        ({"classes": [[ONE], [ONE] * 21]}, "class 2 needs 1 to 20 examples"),
        ({"classes": [[ONE], ["abc"]]}, "512 finite numbers"),
        ({"classes": [[ONE], [written(np.zeros(DIM))]]}, "not all 0"),
        ({"classes": [[ONE], [written(np.full(DIM, np.nan))]]}, "512 finite numbers"),
        ({"classes": [[ONE], [ONE[:-4] + "é==="]]}, "base64"),
        ({"classes": [[ONE], [ONE]], "picture": 3}, "base64"),
        ({"classes": [[ONE], [ONE]]}, "has a tab"),
        ({"classes": [[ONE], [ONE]], "tab": "x" * 65, "number": 1}, "1 to 64 characters"),
        ({"classes": [[ONE], [ONE]], "tab": "x", "number": "1"}, "and a number"),
        (question("d", 1, classes_of(0)[0], picture="QUJD"), "no picture of a known format"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_line(port, body, said):
    status, _, found = ask(port, ANSWER, body)
    assert status == 400
    assert said in found["error"] and "\n" not in found["error"]


@pytest.mark.parametrize(
    ("file", "status", "said"),
    [
        (png(10_000, 10_000), 400, "100 million, at most 67 million are decoded"),
        (png(30, 30, b"\x00" * 3), 400, "damaged"),
        (png(30, 30, (b"\x00" + b"\xff" * 30) * 30), 400, "nothing is drawn on it"),
        (b"<svg onload='alert(1)'/>", 400, "no picture of a known format"),
        (b"", 400, ""),
        (b"\x00" * ((24 << 20) + 1), 413, "more than 24 MB"),
    ],
)
def test_pictures_that_cannot_be_used(port, file, status, said):
    found, _, told = ask(port, "/api/embed/drawings", file, "image/png")
    assert found == status and said in told["error"] and "\n" not in told["error"]


def test_nothing_is_kept(port, folder):
    assert list(folder.iterdir()) == []


def test_a_port_that_is_taken_is_told(port, quick):
    assert_refused(quick("leo_tf.demo", port=port), 2, f"--port={port}", "0 for any that is free")


def test_it_says_what_is_not_installed(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u; f = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'uvicorn' else f(name, *a)\n"
    )
    from commands import environment

    path = f"{tmp_path}:{environment()['PYTHONPATH']}"
    monkeypatch.setattr("commands.environment", lambda: {**environment(), "PYTHONPATH": path})
    done = command("leo_tf.demo", port=0)
    assert_refused(done, 1, 'uvicorn missing here: pip install "leo-tf[demo]"')


def test_shipped_models_are_small():
    total = sum(p.stat().st_size for p in pretrained.MODELS.rglob("*") if p.is_file())
    assert total < 8 << 20
