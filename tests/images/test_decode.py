"""Photos as cameras, editors and attackers make them."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import struct
import threading
import zlib

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")
from PIL import ImageCms, ImageOps, features

from kinfold.base.errors import ImageError, KinfoldError
from kinfold.images import decode as decode_module
from kinfold.images.decode import decode, thumbnail_jpeg
from kinfold.images.quiet import quiet


def scene(height: int = 60, width: int = 90) -> np.ndarray:
    """Smooth colours without any symmetry."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([255 * x / width, 255 * y / height, 128 + 0 * x], -1).astype(np.uint8)


def encode(image, form: str, **options) -> bytes:
    file = io.BytesIO()
    (image if hasattr(image, "save") else Image.fromarray(image)).save(file, form, **options)
    return file.getvalue()


def difference(a: np.ndarray, b: np.ndarray) -> float:
    assert a.shape == b.shape
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM", "GIF", "WEBP", "JPEG"])
def test_formats(form, tmp_path) -> None:
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(form, {})
    data = encode(scene(), form, **options)
    (tmp_path / "photo").write_bytes(data)
    for source in (data, tmp_path / "photo", str(tmp_path / "photo")):
        decoded = decode(source)
        assert decoded.pixels.dtype == np.uint8
        assert decoded.pixels.flags.c_contiguous and decoded.pixels.flags.writeable
        assert decoded.full_size == (90, 60)
        assert difference(decoded.pixels, scene()) < (3 if form in ("JPEG", "GIF") else 0.01)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("max_side", [None, 30])
def test_exif_orientation_against_the_meaning_of_each_value(orientation, form, max_side) -> None:
    # The first stored row is, in the upright photo, the ... and the first stored column the ...
    row, column = [
        ("top", "left"), ("top", "right"), ("bottom", "right"), ("bottom", "left"),
        ("left", "top"), ("right", "top"), ("right", "bottom"), ("left", "bottom"),
    ][orientation - 1]  # fmt: skip
    upright = scene()
    stored = upright if row in ("top", "bottom") else upright.transpose(1, 0, 2)
    if "bottom" in (row, column):
        stored = stored[::-1] if row == "bottom" else stored[:, ::-1]
    if "right" in (row, column):
        stored = stored[::-1] if row == "right" else stored[:, ::-1]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(np.ascontiguousarray(stored), form, exif=exif.tobytes())
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    assert difference(expected, upright) < 3
    decoded = decode(data, max_side=max_side)
    assert decoded.full_size == (90, 60)
    small = upright if max_side is None else upright[1::3, 1::3]
    assert difference(decoded.pixels, small) < 4


def test_scaled_decoding_keeps_aspect_and_tells_the_full_size() -> None:
    decoded = decode(encode(scene(1200, 1801), "JPEG"), max_side=300)
    assert decoded.pixels.shape == (200, 300, 3)
    assert decoded.full_size == (1801, 1200)
    assert difference(decoded.pixels, scene(200, 300)) < 3
    assert decode(encode(scene(), "JPEG"), max_side=300).pixels.shape == (60, 90, 3)
    assert decode(encode(scene(1, 5000), "PNG"), max_side=10).pixels.shape == (1, 10, 3)


def test_grey_palette_and_bilevel() -> None:
    grey = scene()[..., 0]
    assert difference(decode(encode(grey, "PNG")).pixels, np.stack([grey] * 3, -1)) == 0
    palette = Image.fromarray(scene()).quantize(64)
    assert (
        difference(decode(encode(palette, "PNG")).pixels, np.asarray(palette.convert("RGB"))) == 0
    )
    bilevel = Image.fromarray(scene()).convert("1")
    assert set(np.unique(decode(encode(bilevel, "PNG")).pixels)) == {0, 255}


def test_sixteen_bit_grey() -> None:
    deep = (np.arange(60 * 90, dtype=np.uint16) * 12).reshape(60, 90)
    expected = np.round(deep / 257).astype(np.uint8)
    for form in ("PNG", "TIFF"):
        assert (decode(encode(deep, form)).pixels == expected[..., None]).all()


def test_sixteen_bit_rgb_png() -> None:
    deep = (scene().astype(np.uint16) * 257).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in deep)
    assert difference(decode(png(90, 60, rows, depth=16, kind=2)).pixels, scene()) <= 1


def test_float_tiff() -> None:
    ramp = np.linspace(0, 1, 60 * 90, dtype=np.float32).reshape(60, 90)
    assert difference(decode(encode(ramp, "TIFF")).pixels[..., 0], np.round(ramp * 255)) < 0.01
    assert (
        difference(decode(encode(ramp * 1e6 - 7, "TIFF")).pixels[..., 0], np.round(ramp * 255))
        < 0.6
    )
    odd = ramp.copy()
    odd[0, 0] = np.nan
    assert decode(encode(odd, "TIFF")).pixels[0, 0, 0] == 0
    assert (decode(encode(np.full((4, 4), 7e9, np.float32), "TIFF")).pixels == 0).all()


def test_cmyk() -> None:
    image = Image.fromarray(scene()).convert("CMYK")
    assert difference(decode(encode(image, "JPEG", quality=95)).pixels, scene()) < 3
    assert difference(decode(encode(image, "TIFF")).pixels, scene()) < 1


def test_alpha_is_flattened_on_white() -> None:
    rgba = np.dstack([scene(), np.full((60, 90), 255, np.uint8)])
    rgba[:20, :, 3] = 0
    rgba[20:40, :, 3] = 128
    for form, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        pixels = decode(encode(rgba, form, **options)).pixels
        assert (pixels[:20] == 255).all()
        assert np.abs(pixels[20:40] - (255 * 127 + scene()[20:40] * 128.0) / 255).max() <= 2
        assert (pixels[40:] == scene()[40:]).all()
    grey_alpha = Image.fromarray(rgba).convert("LA")
    assert (decode(encode(grey_alpha, "PNG")).pixels[:20] == 255).all()


def test_palette_with_transparency() -> None:
    palette = Image.fromarray(scene()).quantize(16)
    clear = palette.getpixel((0, 0))
    pixels = decode(encode(palette, "PNG", transparency=clear)).pixels
    mask = np.asarray(palette) == clear
    assert (pixels[mask] == 255).all()
    assert (pixels[~mask] == np.asarray(palette.convert("RGB"))[~mask]).all()
    levels = bytes([0, 128] + [255] * 14)
    assert (
        decode(encode(palette, "PNG", transparency=levels)).pixels[np.asarray(palette) == 0] == 255
    ).all()


def test_rgb_and_grey_with_a_transparent_colour() -> None:
    data = encode(np.full((4, 4, 3), 9, np.uint8), "PNG", transparency=(9, 9, 9))
    assert (decode(data).pixels == 255).all()
    assert (decode(encode(np.full((4, 4), 9, np.uint8), "PNG", transparency=9)).pixels == 255).all()


@pytest.mark.parametrize(
    ("depth", "kind", "size"), [(1, 0, 8), (2, 0, 4), (4, 0, 2), (8, 0, 1), (16, 0, 1), (8, 2, 1), (16, 2, 1)]
)  # fmt: skip
def test_the_transparent_colour_of_every_kind_of_png(depth, kind, size) -> None:
    """Samples of 1 to 16 bits: the one that tRNS names is transparent, so white, and no other."""
    parts = 3 if kind == 2 else 1
    most = (1 << depth) - 1
    for chosen in (most // 2, 0):
        others = most if chosen else max(1, most // 2)
        samples = np.full((4, 8, parts), others)
        samples[1:3, 2:6] = chosen
        if depth < 8:
            bits = (samples[..., 0, None] >> np.arange(depth)[::-1]) & 1
            rows = np.packbits(bits.reshape(4, -1).astype(np.uint8), axis=1)
        else:
            rows = samples.reshape(4, -1).astype(f">u{depth // 8}").view(np.uint8)
        data = png(8, 4, b"".join(b"\0" + row.tobytes() for row in rows), depth=depth, kind=kind)
        clear = chunk(b"tRNS", np.full(parts, chosen, ">u2").tobytes())
        at = data.index(b"IDAT") - 4
        plain = decode(data).pixels
        pixels = decode(data[:at] + clear + data[at:]).pixels
        assert (plain[1:3, 2:6] < 255).all()
        assert (pixels[1:3, 2:6] == 255).all()
        plain[1:3, 2:6] = 255
        np.testing.assert_array_equal(pixels, plain)


def test_sixteen_bit_grey_is_transparent_at_one_value_alone() -> None:
    deep = (np.arange(60 * 90, dtype=np.uint16) * 12).reshape(60, 90)
    pixels = decode(encode(deep, "PNG", transparency=12 * 100)).pixels
    expected = np.round(deep / 257).astype(np.uint8)
    expected[1, 10] = 255
    assert deep[1, 10] == 1200 and (pixels == expected[..., None]).all()


def test_animations_give_their_first_frame() -> None:
    frames = [Image.fromarray(np.full((8, 8, 3), v, np.uint8)) for v in (10, 200)]
    for form in ("GIF", "PNG", "WEBP"):
        data = encode(frames[0], form, save_all=True, append_images=frames[1:], duration=100)
        assert difference(decode(data).pixels, np.asarray(frames[0])) < 2


def test_colour_profiles_become_srgb() -> None:
    # A profile whose red and green are exchanged: what it calls red must come out green.
    swapped = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    table = {bytes(swapped[i : i + 4]): i for i in range(132, 132 + 12 * swapped[131], 12)}
    red, green = (slice(table[tag] + 4, table[tag] + 12) for tag in (b"rXYZ", b"gXYZ"))
    swapped[red], swapped[green] = swapped[green], swapped[red]
    description = bytes(swapped).replace(b"s\0R\0G\0B", b"o\0d\0d\0 ").replace(b"sRGB", b"odd ")
    red_pixels = np.zeros((8, 8, 3), np.uint8)
    red_pixels[..., 0] = 255
    for form in ("PNG", "TIFF", "JPEG"):
        pixels = decode(encode(red_pixels, form, icc_profile=description)).pixels
        assert pixels[..., 1].min() > 240 and pixels[..., 0].max() < 40, pixels[0, 0]
    # With alpha, and in a palette, the colour is converted alike.
    rgba = np.dstack([red_pixels, np.full((8, 8), 255, np.uint8)])
    assert decode(encode(rgba, "PNG", icc_profile=description)).pixels[..., 1].min() > 240
    palette = Image.fromarray(red_pixels).quantize(4)
    assert decode(encode(palette, "PNG", icc_profile=description)).pixels[..., 1].min() > 240


@pytest.mark.parametrize("profile", [b"", b"rubbish", bytes(200), os.urandom(0) + b"\xff" * 128])
def test_nonsense_profiles_change_nothing(profile) -> None:
    assert difference(decode(encode(scene(), "PNG", icc_profile=profile)).pixels, scene()) == 0


def test_srgb_and_foreign_spaces_change_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert difference(decode(encode(scene(), "PNG", icc_profile=profile)).pixels, scene()) == 0
    grey = scene()[..., 0]  # an RGB profile in a grey image
    assert difference(decode(encode(grey, "PNG", icc_profile=profile)).pixels[..., 0], grey) == 0


# --- hostile files ---------------------------------------------------------------------------------


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, rows: bytes, *, depth: int = 8, kind: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def tiled_tiff(side: int) -> bytes:
    """60 x 60 grey pixels in one tile of that side; of large ones the tile itself is missing."""
    tile = zlib.compress(bytes(side * side if side < 100 else 9))
    fields = {256: 60, 257: 60, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 8}
    fields[325] = len(tile)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields.items())
    head = b"II*\0" + struct.pack("<I", 8 + len(tile))
    return head + tile + struct.pack("<H", len(fields)) + entries + bytes(4)


def test_what_is_no_image(tmp_path) -> None:
    with pytest.raises(ImageError, match="empty file"):
        decode(b"")
    for data in (b"hello, I am a text\n" * 9, b"\0" * 1000, b"%PDF-1.4", b"<svg></svg>", b"\xff"):
        with pytest.raises(ImageError, match="not a known image format"):
            decode(data)
    text = tmp_path / "notes.jpg"
    text.write_text("not a photo")
    with pytest.raises(ImageError, match="not a known image format") as caught:
        decode(text)
    assert isinstance(caught.value, KinfoldError) and isinstance(caught.value, ValueError)


def test_what_cannot_be_read(tmp_path, monkeypatch) -> None:
    with pytest.raises(ImageError, match="No such file"):
        decode(tmp_path / "absent.jpg")
    with pytest.raises(ImageError, match="not a regular file"):
        decode(tmp_path)
    with pytest.raises(ImageError, match="cannot be read"):
        decode("a\0b.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="not a regular file"):
        decode(tmp_path / "pipe.jpg")
    (tmp_path / "secret.jpg").write_bytes(encode(scene(), "JPEG"))

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(ImageError, match="Permission denied") as caught:
        decode(tmp_path / "secret.jpg")
    assert caught.value.cause == "access"


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OSError(errno.EIO, "Input/output error"), "access"),
        (OSError("broken data stream"), "file"),
        (OSError(errno.EINVAL, "Invalid argument"), "file"),
        (ValueError("bad header"), "file"),
        (MemoryError(), "memory"),
    ],
)
@pytest.mark.parametrize("after", [1, 3, 6])  # while opening, while loading
def test_the_cause_of_a_failure(monkeypatch, error, cause, after) -> None:
    """What is wrong with the file stays so; what is wrong around it may pass."""

    class Broken(io.BytesIO):
        calls = 0

        def read(self, *size: int) -> bytes:
            self.calls += 1
            if self.calls > after:
                raise error
            return super().read(*size)

    file = Broken(encode(scene(), "PNG"))
    monkeypatch.setattr("kinfold.images.decode._stream", lambda _: contextlib.nullcontext(file))
    with pytest.raises(ImageError) as caught:
        decode(b"")
    assert caught.value.cause == cause


def test_a_decoder_that_is_missing(monkeypatch) -> None:
    from PIL import Image

    monkeypatch.setitem(Image.OPEN, "PNG", (object, lambda head: "built without it"))
    with pytest.raises(ImageError, match="built without PNG") as caught:
        decode(encode(scene(), "PNG"))
    assert caught.value.cause == "decoder"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM"])
def test_truncation_anywhere_is_an_error_or_the_photo(form) -> None:
    data = encode(scene(), form)
    whole = decode(data).pixels
    step = max(1, len(data) // 150)
    failed = 0
    for length in [*range(min(40, len(data))), *range(40, len(data), step)]:
        try:
            decoded = decode(data[:length])
        except ImageError as error:
            failed += 1
            assert 0 < len(str(error)) < 260 and "\n" not in str(error)
        else:
            assert decoded.pixels.shape == whole.shape
    assert failed > 40
    with pytest.raises(ImageError):
        decode(data[: len(data) // 2])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM"])
def test_flipped_bits_are_an_error_or_a_photo(form, rng) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x0110] = "camera"
    options = {"exif": exif.tobytes()} if form in ("JPEG", "PNG", "WEBP", "TIFF") else {}
    data = encode(scene(30, 40), form, **options)
    for _ in range(250):
        bad = bytearray(data)
        for position in rng.integers(0, min(len(data), 600), 2):
            bad[position] ^= 1 << int(rng.integers(8))
        try:
            decoded = decode(bytes(bad), max_side=64, max_pixels=100_000)
        except ImageError:
            continue
        assert decoded.pixels.ndim == 3 and max(decoded.pixels.shape) <= 64


def test_a_mislabelled_photo_is_decoded_by_its_content(tmp_path) -> None:
    path = tmp_path / "really_png.jpg"
    path.write_bytes(encode(scene(), "PNG"))
    assert difference(decode(path).pixels, scene()) == 0


def test_a_header_that_claims_gigapixels_is_refused_before_decoding() -> None:
    with pytest.raises(ImageError, match="too many pixels: 50000 x 50000"):
        decode(png(50_000, 50_000, bytes(10)))
    with pytest.raises(ImageError, match="too many pixels"):
        decode(encode(scene(), "PNG"), max_pixels=60 * 90 - 1)
    assert decode(encode(scene(), "PNG"), max_pixels=60 * 90).full_size == (90, 60)


def test_two_hundred_megapixels_pass_the_limit() -> None:
    # Not Pillow's own limit of 179; the pixels themselves are missing.
    large = png(199_999, 1000, bytes(10), depth=1)
    for data, limit in ((large + bytes(2_000_000), None), (large, 200_000_000)):
        with pytest.raises(ImageError) as caught:
            decode(data, max_pixels=limit)
        assert "pixels" not in str(caught.value)


def test_small_files_are_not_believed_to_hold_many_pixels() -> None:
    large = png(8000, 8000, bytes(10), depth=1)
    with pytest.raises(
        ImageError, match=r"8000 x 8000 pixels in [\d,]+ bytes: more than a photo has"
    ):
        decode(large)
    assert decode(png(8000, 5000, bytes(5000 * 1001), depth=1), max_side=10).full_size == (
        8000,
        5000,
    )


def test_tiles_are_decoded_whole_and_count_whole() -> None:
    assert decode(tiled_tiff(64)).full_size == (60, 60)
    with pytest.raises(ImageError, match="50000 x 50000"):
        decode(tiled_tiff(50_000))


def test_one_pixel_and_thin_images() -> None:
    assert decode(encode(np.full((1, 1, 3), 7, np.uint8), "PNG")).pixels.tolist() == [[[7, 7, 7]]]
    assert decode(encode(scene(1, 300), "JPEG"), max_side=100).pixels.shape == (1, 100, 3)
    with pytest.raises(ImageError):
        decode(png(0, 0, b""))


def test_formats_outside_the_list_are_refused() -> None:
    for form in ("TGA", "PCX", "EPS", "ICO", "JPEG2000"):
        with pytest.raises(ImageError, match="not a known image format"):
            decode(encode(scene(), form))


def container(major: bytes, *others: bytes) -> bytes:
    brands = major + bytes(4) + b"".join(others)
    return struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands


@pytest.mark.parametrize("form", ["AVIF", "HEIF"])
@pytest.mark.parametrize("brand", [b"own", b"mif1", b"msf1"])
def test_brands_of_containers(form, brand) -> None:
    """What a file holds is told by all of its brands, not by the first alone."""
    if form == "AVIF":
        if not features.check("avif"):
            pytest.skip("this Pillow reads no AVIF")
    else:
        pytest.importorskip("pillow_heif").register_heif_opener()
    data = encode(scene(), form)
    decoded = decode(data if brand == b"own" else data[:8] + brand + data[12:])
    assert decoded.full_size == (90, 60) and difference(decoded.pixels, scene()) < 5


def test_advice_is_for_what_a_file_holds(monkeypatch) -> None:
    """A container without HEIC is not sent to the package that reads HEIC."""
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    for data in (container(b"mif1", b"heic"), container(b"heic"), container(b"msf1", b"hevc")):
        with pytest.raises(ImageError, match=r"pip install 'kinfold\[heic\]'") as caught:
            decode(data + bytes(64))
        assert caught.value.cause == "decoder"
    with pytest.raises(ImageError) as caught:
        decode(container(b"mif1", b"mif1", b"avif") + bytes(64))
    assert "heif" not in str(caught.value)


def test_heic_names_the_missing_package(monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    with pytest.raises(ImageError, match=r"pip install 'kinfold\[heic\]'"):
        decode(b"\0\0\0\x18ftypheic" + bytes(64))


def test_out_of_memory_is_an_image_error(monkeypatch) -> None:
    def exhausted(image: object) -> None:
        raise MemoryError

    monkeypatch.setattr(decode_module, "to_srgb", exhausted)
    with pytest.raises(ImageError, match="memory"):
        decode(encode(scene(), "PNG"))


@pytest.mark.parametrize(
    "arguments", [{"max_side": 0}, {"max_side": 1.5}, {"max_side": True}, {"max_pixels": -1}]
)
def test_bad_arguments(arguments) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        decode(encode(scene(), "PNG"), **arguments)


def test_bad_source() -> None:
    with pytest.raises(ValueError, match="source: expected a path or bytes, got ndarray"):
        decode(scene())


def test_threads_decode_together_and_warnings_are_restored() -> None:
    import warnings

    before = list(warnings.filters)
    data = encode(scene(), "JPEG")
    results: list[np.ndarray] = []

    def work() -> None:
        for _ in range(20):
            results.append(decode(data).pixels)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 80 and all((pixels == results[0]).all() for pixels in results)
    assert list(warnings.filters) == before
    with quiet(), quiet():
        warnings.warn("not heard", stacklevel=1)
    with pytest.raises(UserWarning):
        warnings.warn("heard", UserWarning, stacklevel=1)


def test_thumbnail() -> None:
    data = thumbnail_jpeg(scene(600, 900), 300)
    decoded = decode(data)
    assert decoded.pixels.shape == (200, 300, 3)
    assert difference(decoded.pixels, scene(200, 300)) < 4
    assert len(thumbnail_jpeg(scene(600, 900), 300, quality=20)) < len(data)
    with pytest.raises(ValueError, match="pixels: expected RGB"):
        thumbnail_jpeg(scene()[..., 0])
    with pytest.raises(ValueError, match="quality"):
        thumbnail_jpeg(scene(), quality=0)


def test_encoded_pixels_of_the_scene_are_not_symmetric() -> None:
    """The orientation test can tell all eight apart."""
    a = scene(64, 64).astype(int)
    flips = [a, a[::-1], a[:, ::-1], a[::-1, ::-1]]
    views = [v for f in flips for v in (f, f.transpose(1, 0, 2))]
    for i, one in enumerate(views):
        for other in views[i + 1 :]:
            assert np.abs(one - other).mean() > 20
