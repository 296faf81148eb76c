"""Pictures of every kind become 8 bits, upright, on white; what is none is refused."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from picture_files import picture
from PIL import Image

from data_pipeline.images import decode as decode_module
from data_pipeline.images.decode import LARGEST_PIXELS, PictureError, decode, from_array, read
from data_pipeline.images.same_pictures import check_different


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(width, height, depth, colour, rows):
    """Return a PNG of some bytes of rows."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(rows)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def refused(data, *said):
    with pytest.raises(PictureError) as caught:
        decode(data)
    for words in said:
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True})]
)
def test_lossless_formats_keep_every_pixel(kind, options):
    pixels = picture(1)
    found = decode(encoded(Image.fromarray(pixels), kind, **options))
    assert found.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(found), pixels)


def test_jpeg_is_close_and_grey_stays_grey():
    smooth = np.add.outer(np.arange(32), np.arange(48)).astype(np.uint8)
    found = decode(encoded(Image.fromarray(smooth), "JPEG", quality=95))
    assert found.mode == "L"
    assert np.abs(np.asarray(found).astype(int) - smooth).max() <= 4


def test_of_a_gif_the_first_frame():
    frames = [Image.fromarray(np.full((5, 7), value, np.uint8)) for value in (10, 200)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.unique(np.asarray(decode(data))).tolist() == [10]


def test_transparency_lies_on_white():
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0] = [200, 0, 0, 255]
    pixels[0, 1] = [0, 0, 0, 102]  # 40 % black on white is 60 % white
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True})):
        found = np.asarray(decode(encoded(Image.fromarray(pixels), kind, **options)))
        assert found[1, 1].tolist() == [255, 255, 255]
        assert found[0, 1].tolist() == [153, 153, 153]
    indexed = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    indexed.putpalette([0, 0, 0, 9, 8, 7])
    found = np.asarray(decode(encoded(indexed, "GIF", transparency=0)))
    assert found.tolist() == [[[255, 255, 255], [9, 8, 7]]]


def test_cmyk_becomes_colours():
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # magenta and yellow are red
    red, green, blue = np.asarray(decode(encoded(ink, "JPEG", quality=95)))[8, 8]
    assert red > 240 and green < 15 and blue < 15


def test_sixteen_bits_are_scaled_not_clipped():
    values = np.array([[0, 257, 32768, 65535]], ">u2")
    grey = np.asarray(decode(png(4, 1, 16, 0, b"\0" + values.tobytes())))
    assert grey.tolist() == [[0, 1, 128, 255]]
    colours = np.array([[0, 32768, 65535]], ">u2")
    found = np.asarray(decode(png(1, 1, 16, 2, b"\0" + colours.tobytes())))
    assert found.tolist() == [[[0, 128, 255]]]


def test_one_bit_is_black_and_white():
    found = np.asarray(decode(png(8, 1, 1, 0, b"\0\xf0")))
    assert found.tolist() == [[255] * 4 + [0] * 4]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_picture_upright(orientation):
    upright = picture(3, (6, 4))
    # What the camera stored, so that the orientation brings it back (EXIF 2.3, tag 274).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif)
    np.testing.assert_array_equal(np.asarray(decode(data)), upright)


def test_damaged_exif_is_no_reason_to_skip():
    data = encoded(Image.fromarray(picture(4)), "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff junk")
    assert decode(data).size == (20, 16)


def test_what_is_no_picture(tmp_path):
    whole = encoded(Image.fromarray(picture(5, (64, 64))), "JPEG")
    refused(whole[: len(whole) // 2], "damaged", "truncated")
    refused(b"just text", "no picture of a known format")
    refused(whole[:20], "")
    refused(encoded(Image.fromarray(picture(5)), "TIFF"), "JPEG, PNG")
    whole = encoded(Image.fromarray(picture(5, (64, 64))), "PNG")
    refused(whole[:60] + b"\0" * 40 + whole[100:], "damaged")
    for name, said in {"gone.png": "No such file", "folder.png": "directory"}.items():
        (tmp_path / "folder.png").mkdir(exist_ok=True)
        with pytest.raises(PictureError, match=said):
            read(tmp_path / name)
    (tmp_path / "empty.png").touch()
    with pytest.raises(PictureError, match="empty"):
        read(tmp_path / "empty.png")
    (tmp_path / "round.png").symlink_to(tmp_path / "round.png")
    with pytest.raises(PictureError, match="leads to itself"):
        read(tmp_path / "round.png")


def test_a_file_that_is_far_too_large_is_not_read(tmp_path):
    with open(tmp_path / "huge.bmp", "wb") as file:
        file.truncate(decode_module.LARGEST_BYTES + 1)  # sparse
    with pytest.raises(PictureError, match="bytes"):
        read(tmp_path / "huge.bmp")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path):
    for name in "ab":
        os.mkfifo(tmp_path / f"{name}.png")
    with pytest.raises(PictureError, match="is no regular file"):
        read(tmp_path / "a.png")
    check_different(tmp_path, [("a", ["a.png"]), ("b", ["b.png"])])


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_a_bomb_is_refused_by_its_header(side, monkeypatch):
    data = png(side, side, 8, 2, b"")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: pytest.fail("was decoded"))
    refused(data, "pixels", "scale it down")
    assert side * side > LARGEST_PIXELS


def test_a_large_jpeg_is_decoded_small():
    data = encoded(Image.new("RGB", (2000, 1600), "teal"), "JPEG")
    assert decode(data, 200).size == (500, 400)
    assert decode(data, 201).size == (1000, 800)
    assert decode(data).size == (2000, 1600)


def test_arrays():
    pixels = picture(6)
    np.testing.assert_array_equal(np.asarray(from_array(pixels)), pixels)
    assert from_array(pixels[..., 0]).mode == from_array(pixels[..., :1]).mode == "L"
    for wrong in (pixels / 255, pixels[None], pixels[..., :2], pixels[:0], np.zeros(3, np.uint8)):
        with pytest.raises(PictureError, match="uint8"):
            from_array(wrong)
