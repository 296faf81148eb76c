import hashlib
import http.server
import io
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile

import numpy as np
import pytest
from embedding_files import content, dataset, dump

from data_pipeline import archive, load_split
from data_pipeline.download import download

PAGE = b"<!DOCTYPE html><html><body>Not here any more</body></html>"


class Server(http.server.BaseHTTPRequestHandler):
    """Serves `replies`: {path: (status, body, bytes to leave out at the end)}."""

    replies = {}
    requests = []

    def do_GET(self):
        self.requests.append(self.path)
        status, body, left_out = self.replies.get(self.path, (404, PAGE, 0))
        self.send_response(status)
        if self.path != "/unsized.zip":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) - left_out])
        if self.path == "/stalled.zip":
            time.sleep(60)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    """Return a function that serves a body and returns its URL."""
    monkeypatch.setattr(Server, "replies", {})
    monkeypatch.setattr(Server, "requests", [])
    http_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=http_server.serve_forever, args=[0.01], daemon=True).start()

    def serve(body, status=200, left_out=0, name="embeddings.zip"):
        Server.replies[f"/{name}"] = (status, body, left_out)
        return f"http://127.0.0.1:{http_server.server_port}/{name}"

    yield serve
    http_server.shutdown()
    http_server.server_close()


def zipped(members):
    """Return a zip of {name: bytes, or a ZipInfo: bytes}."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def released(tmp_path):
    """Return a zip as released, of two data sets, and a set in it."""
    source = tmp_path / "source"
    sets = dataset(source, "miniImageNet")
    dataset(source, "tieredImageNet")
    paths = sorted(source.rglob("*.pkl"))
    members = [(f"embeddings/{path.relative_to(source)}", path.read_bytes()) for path in paths]
    return zipped([("embeddings/", b""), *members, ("embeddings/README", b"hello")]), sets["val"]


def run(*flags, **options):
    return subprocess.run(
        [sys.executable, "-m", "data_pipeline.download", *flags],
        capture_output=True,
        text=True,
        **options,
    )


def files(folder):
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".download.lock"
    )


NINE = [
    f"{name}/center/{split}_embeddings.pkl"
    for name in ("miniImageNet", "tieredImageNet")
    for split in ("test", "train", "val")
]


def test_fetches_unpacks_and_says_what_to_run(tmp_path, server, released):
    body, val = released
    data_path = tmp_path / "new" / "embeddings"
    sha256 = hashlib.sha256(body).hexdigest().upper()
    result = run(f"--data_path={data_path}", f"--url={server(body)}", f"--sha256={sha256}")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 7
    val_path = f"{data_path}/miniImageNet/center/val_embeddings.pkl"
    assert f"{val_path}: 4 classes, 26 images, 7-d" in lines
    assert lines[-1] == (
        f"Next: python -m leo_tf.run --dataset=miniImageNet --shot=1 --data_path={data_path}"
    )
    assert "100%" in result.stderr
    assert files(data_path) == NINE
    found = load_split(data_path, "miniImageNet", split="val")
    np.testing.assert_array_equal(found.embeddings, val.embeddings)


def test_a_zip_put_there_by_hand_is_used_and_stays(tmp_path, server, released):
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "embeddings.zip").write_bytes(released[0])
    result = run("--data_path=e", f"--url={server(b'')}", cwd=tmp_path, env=with_path())
    assert result.returncode == 0, result.stderr
    assert Server.requests == []
    assert files(tmp_path / "e") == ["embeddings.zip", *NINE]
    assert result.stdout.endswith("e/embeddings.zip is no longer needed.\n")


def with_path():
    return dict(os.environ, PYTHONPATH=os.getcwd())


BAD = {
    "404": ({"status": 404}, b"", "the server answers 404 Not Found; check the URL, or put the"),
    "truncated": ({"left_out": 300}, None, "IncompleteRead.* bytes came; try again, or put the"),
    "cut off": ({"left_out": 300, "name": "unsized.zip"}, None, "is the beginning of a zip, cut"),
    "web page": ({}, PAGE, "is a web page, not a zip .*Not here|is a web page, not a zip"),
    "text": ({}, b"sorry", r"is not a zip \(it begins with b'sorry'\)"),
    "empty": ({}, b"", r"is not a zip \(it begins with b''\)"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_answer_is_one_line_and_leaves_nothing(tmp_path, server, released, fault):
    options, body, message = BAD[fault]
    url = server(released[0] if body is None else body, **options)
    result = run(f"--data_path={tmp_path / 'e'}", f"--url={url}")
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"error: {url}: ")
    assert last.endswith(
        f"or put the zip at {tmp_path / 'e'}/embeddings.zip by other means, then run this again"
    )
    with pytest.raises((ValueError, ConnectionError), match=message):
        download(tmp_path / "e", url)
    assert "Traceback" not in result.stderr
    assert files(tmp_path / "e") == []


def test_no_server(tmp_path):
    with pytest.raises(ConnectionError, match="Connection refused, 0 bytes came; try again"):
        download(tmp_path, "http://127.0.0.1:9/embeddings.zip")


def test_another_hash_is_refused(tmp_path, server, released):
    digest = hashlib.sha256(released[0]).hexdigest()
    with pytest.raises(ValueError, match=f"has SHA-256 {digest}, not {'0' * 64}; try again"):
        download(tmp_path / "e", server(released[0]), "0" * 64)
    assert files(tmp_path / "e") == []


def member(name, mode=None, packing=zipfile.ZIP_STORED):
    info = zipfile.ZipInfo(name)
    info.compress_type = packing
    info.external_attr = (mode or 0o100644) << 16
    return info


GOOD = "embeddings/mine/center/train_embeddings.pkl"
UNSAFE = {
    "../": ([("../evil_embeddings.pkl", b"x")], "holds a path outside its folder: '../evil"),
    "inner ..": ([("embeddings/a/../../../../val_embeddings.pkl", b"x")], "a path outside"),
    "absolute": ([("/tmp/mine/center/val_embeddings.pkl", b"x")], "a path outside"),
    "backslash": ([("..\\evil", b"x")], "a path outside"),
    "drive": ([("C:/mine/center/val_embeddings.pkl", b"x")], "a path outside"),
    "inner drive": ([("a/C:/center/val_embeddings.pkl", b"x")], "a path outside"),
    "server": ([("\\\\server\\mine\\center\\val_embeddings.pkl", b"x")], "a path outside"),
    "Windows' ..": ([("a\\..\\..\\mine\\center\\val_embeddings.pkl", b"x")], "a path outside"),
    "Windows' twice": ([("other\\mine\\center\\train_embeddings.pkl", b"x")], "'mine/cen.*' twice"),
    "link": ([(member("embeddings/link", 0o120777), b"/etc")], "holds a link: 'embeddings/link'"),
    "twice": ([("other/mine/center/train_embeddings.pkl", b"x")], "'mine/center/tr.*' twice"),
    "LZMA": (
        [(member("mine/center/val_embeddings.pkl", packing=zipfile.ZIP_LZMA), b"x")],
        "val_embeddings.pkl' is packed by other than deflate",
    ),
    "not embeddings": (
        [("mine/center/val_embeddings.pkl", b"x")],
        r"refused, mine/center/val_embeddings\.pkl: is not a pickle",
    ),
}


@pytest.mark.parametrize("fault", UNSAFE)
def test_an_unsafe_zip_writes_nothing(tmp_path, server, fault):
    import pickle

    members, message = UNSAFE[fault]
    body = zipped([(GOOD, pickle.dumps(content(), 2)), *members])
    data_path = tmp_path / "a" / "b" / "c"
    with pytest.raises(ValueError, match=message):
        download(data_path, server(body))
    assert files(tmp_path) == ["a/b/c/embeddings.zip"]


def test_a_zip_made_on_windows(tmp_path):
    sets = dataset(tmp_path / "source", "mine")
    paths = sorted((tmp_path / "source").rglob("*.pkl"))
    members = [("embeddings\\", b"")]
    members += [(f"embeddings\\mine\\center\\{path.name}", path.read_bytes()) for path in paths]
    (tmp_path / "x.zip").write_bytes(zipped(members))
    written = archive.unpack(tmp_path / "x.zip", tmp_path)
    assert sorted(written) == [tmp_path / "mine" / "center" / path.name for path in paths]
    found = load_split(tmp_path, "mine", split="test")
    np.testing.assert_array_equal(found.embeddings, sets["test"].embeddings)


def test_dots_in_a_zip_are_no_folders_and_colons_no_drives(tmp_path):
    data = dump(tmp_path / "x.pkl", content(), 2).read_bytes()
    members = [("./mine//./center/./train_embeddings.pkl", data), ("notes of 10:30.txt", b"x")]
    (tmp_path / "x.zip").write_bytes(zipped(members))
    expected = tmp_path / "mine" / "center" / "train_embeddings.pkl"
    assert list(archive.unpack(tmp_path / "x.zip", tmp_path)) == [expected]
    (tmp_path / "y.zip").write_bytes(zipped([("mine/./train_embeddings.pkl", data)]))
    with pytest.raises(ValueError, match="holds no <dataset>/<crop>/<split>_embeddings"):
        archive.unpack(tmp_path / "y.zip", tmp_path)


def test_a_zip_of_numpy_files(tmp_path):
    arrays = {"embeddings": np.arange(1, 13.0).reshape(4, 3), "labels": list("abab")}
    np.savez(tmp_path / "a.npz", **arrays)
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    members = [("own/center/train_embeddings.npz", "a.npz")]
    members += [(f"own/center/val_{name}.npy", f"{name}.npy") for name in arrays]
    body = zipped([(name, (tmp_path / file).read_bytes()) for name, file in members])
    (tmp_path / "x.zip").write_bytes(body)
    written = archive.unpack(tmp_path / "x.zip", tmp_path)
    assert {path.name for path in written} == {"train_embeddings.npz", "val_embeddings.npy"}
    for split in ("train", "val"):
        found = load_split(tmp_path, "own", split=split)
        np.testing.assert_array_equal(found.embeddings, arrays["embeddings"][[0, 2, 1, 3]])


def test_a_zip_of_other_things_or_damaged(tmp_path, server, released):
    with pytest.raises(ValueError, match="holds no <dataset>/<crop>/<split>_embeddings.pkl"):
        download(tmp_path / "a", server(zipped([("photo.jpg", b"x")])))
    damaged = bytearray(released[0])
    damaged[600] ^= 255
    with pytest.raises(ValueError, match=r"b/embeddings\.zip: is damaged"):
        download(tmp_path / "b", server(bytes(damaged)))
    with pytest.raises(ValueError, match=r"is a web page, not a zip"):
        (tmp_path / "b" / "embeddings.zip").write_bytes(PAGE)
        download(tmp_path / "b", server(released[0]))


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_starts_anew_after_an_interruption(tmp_path, server, released, end):
    url = server(released[0], left_out=300, name="stalled.zip")
    process = subprocess.Popen(
        [sys.executable, "-m", "data_pipeline.download", f"--data_path={tmp_path}", f"--url={url}"],
        stderr=subprocess.PIPE,
        text=True,
    )
    while not any(path.stat().st_size for path in tmp_path.glob("embeddings.zip.partial-*")):
        time.sleep(0.01)
    process.send_signal(end)
    _, errors = process.communicate()
    if end == signal.SIGINT:
        assert process.returncode == 130
        assert errors.splitlines()[-1] == "error: interrupted"
        assert not list(tmp_path.glob("*.partial-*"))
    assert not (tmp_path / "embeddings.zip").exists()
    (tmp_path / ".unpacked.partial-0" / "mine").mkdir(parents=True)
    written = download(tmp_path, server(released[0]))
    assert len(written) == 6
    assert not list(tmp_path.glob("*.partial-*"))


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--sha256=12", "flag --sha256=12: must be 64 hexadecimal digits"),
        ("--url=ftp://x/y.zip", "flag --url=ftp://x/y.zip: must begin with http:// or https://"),
        ("--dir=x", "Unknown command line flag 'dir'"),
        ("miniImageNet", "every argument is a flag, --name=value; what is 'miniImageNet'?"),
    ],
)
def test_bad_flags(flag, message):
    result = run(flag)
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: {message}")
    assert result.stderr.count("\n") == 1


def test_help_is_quick_and_lists_the_flags():
    result = run("--help")
    assert result.returncode == 0
    for flag in ("--data_path", "--url", "--sha256"):
        assert flag in result.stdout
    code = "import sys, data_pipeline.download; print('tensorflow' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code]).split() == [b"False"]


def test_an_unwritable_place(tmp_path):
    (tmp_path / "file").write_text("")
    result = run(f"--data_path={tmp_path / 'file' / 'e'}")
    assert result.returncode == 2
    assert f"{tmp_path / 'file'} is a file; choose another folder" in result.stderr
