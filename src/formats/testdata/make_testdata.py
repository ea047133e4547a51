"""Draws the small pictures of picture_test.cc and their expected RGB.

Needs Pillow and numpy. Run in this folder; writes the files and expected.txt, whose lines are
"name width height fnv1a64-of-the-rgb-bytes". PNG files are put together here, chunk by chunk, because
Pillow cannot write most of their modes; their expected pixels come from the drawn values by the rules
in picture.h. Those of JPEG and WebP files are what Pillow decodes. ycck.jpg comes from elsewhere:
cmyk.jpg's pixels, written by libjpeg as YCCK with an Adobe marker.
"""

import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).parent
PHOTO = Image.open(HERE / "../../../tests/golden/images/chelsea.png").convert("RGB")
expected = {}


def fnv1a64(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def expect(name, rgb):
    rgb = np.ascontiguousarray(rgb, np.uint8)
    expected[name] = (rgb.shape[1], rgb.shape[0], fnv1a64(rgb.tobytes()))


def on_white(rgb, alpha):
    """Pillow's Image.paste on white with a mask."""
    value = 255 * (255 - alpha[..., None].astype(np.int64)) + rgb * alpha[..., None].astype(np.int64)
    value += 128
    return ((value >> 8) + value) >> 8


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pack_rows(samples, depth):
    """Filter type 0 rows of [height, width, channels] samples."""
    if samples.size == 0:
        return b""
    rows = samples.reshape(samples.shape[0], -1)
    if depth == 16:
        packed = rows.astype(">u2").view(np.uint8).reshape(rows.shape[0], -1)
    elif depth == 8:
        packed = rows.astype(np.uint8)
    else:
        bits = (rows[..., None] >> np.arange(depth - 1, -1, -1)) & 1
        packed = np.packbits(bits.reshape(rows.shape[0], -1).astype(np.uint8), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in packed)


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png(samples, depth, color, extra=b"", interlaced=False):
    height, width = samples.shape[:2]
    if interlaced:
        data = b"".join(pack_rows(samples[y::dy, x::dx], depth) for x, y, dx, dy in ADAM7)
    else:
        data = pack_rows(samples, depth)
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra +
            chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b""))


def tiff(orientation, order="<"):
    """EXIF data with one other tag before the orientation."""
    mark = b"II" if order == "<" else b"MM"
    entries = struct.pack(order + "HHIHH", 0x0100, 3, 1, 7, 0)
    entries += struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return mark + struct.pack(order + "HI", 42, 8) + struct.pack(order + "H", 2) + entries + bytes(4)


def draw_pngs():
    random = np.random.default_rng(7)
    height, width = 11, 13
    for color, channels, depths in ((0, 1, (1, 2, 4, 8, 16)), (2, 3, (8, 16)), (3, 1, (1, 2, 4, 8)),
                                    (4, 2, (8, 16)), (6, 4, (8, 16))):
        for depth in depths:
            samples = random.integers(0, 1 << depth, (height, width, channels))
            top = (1 << depth) - 1
            as8 = samples >> 8 if depth == 16 else samples * 255 // top
            palette = random.integers(0, 256, (1 << min(depth, 8), 3))
            variants = {"": b""}
            if color == 0:
                key = samples[3, 4]
                variants["t"] = chunk(b"tRNS", struct.pack(">H", key[0]))
            elif color == 2:
                key = samples[3, 4]
                if depth == 16:
                    samples[0, 0] = key ^ [0, 0, 1]  # the same high bytes, but not transparent
                    as8 = samples >> 8
                variants["t"] = chunk(b"tRNS", struct.pack(">HHH", *key))
            elif color == 3:
                palette_alpha = random.integers(0, 256, max(1, (1 << depth) * 3 // 4))
                variants["t"] = chunk(b"tRNS", bytes(palette_alpha.tolist()))
            for variant, extra in variants.items():
                alpha = np.full((height, width), 255)
                if color == 3:
                    rgb = palette[samples[..., 0]]
                    if variant:
                        full = np.full(256, 255)
                        full[:len(palette_alpha)] = palette_alpha
                        alpha = full[samples[..., 0]]
                    extra = chunk(b"PLTE", palette.astype(np.uint8).tobytes()) + extra
                elif color in (0, 4):
                    rgb = as8[..., :1].repeat(3, -1)
                else:
                    rgb = as8[..., :3]
                if color in (4, 6):
                    alpha = as8[..., -1]
                elif variant and color != 3:
                    alpha = np.where((samples == key).all(-1), 0, 255)
                for interlaced in (False, True):
                    name = f"png_c{color}_d{depth}{variant}{'i' if interlaced else ''}.png"
                    (HERE / name).write_bytes(png(samples, depth, color, extra, interlaced))
                    expect(name, on_white(rgb, alpha))
    rgb = random.integers(0, 256, (height, width, 3))
    for orientation in range(1, 9):
        name = f"png_exif{orientation}.png"
        exif = chunk(b"eXIf", tiff(orientation, ">" if orientation % 2 else "<"))
        (HERE / name).write_bytes(png(rgb, 8, 2, exif))
        image = Image.fromarray(rgb.astype(np.uint8))
        image.getexif()[0x0112] = orientation
        expect(name, np.asarray(ImageOps.exif_transpose(image)))


def expect_from_pillow(name):
    image = Image.open(HERE / name)
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode == "RGBA":
        pasted = Image.new("RGB", image.size, (255, 255, 255))
        pasted.paste(image, mask=image.split()[3])
        image = pasted
    expect(name, np.asarray(image.convert("RGB")))


def draw_jpegs():
    photo = PHOTO.crop((100, 80, 137, 109))
    random = np.random.default_rng(9)
    cmyk = Image.fromarray(random.integers(0, 256, (4, 5, 4), np.uint8), "CMYK").resize((40, 32), Image.BICUBIC)
    files = {
        "grey": (photo.convert("L"), {}),
        "444": (photo, {"subsampling": 0, "quality": 90}),
        "422": (photo, {"subsampling": 1, "quality": 80}),
        "420": (photo, {"subsampling": 2, "quality": 75}),
        "progressive": (photo, {"progressive": True, "subsampling": 2}),
        "optimized_restart": (photo, {"optimize": True, "restart_marker_blocks": 1}),
        "rgb": (photo, {"keep_rgb": True, "subsampling": 0}),
        "cmyk": (cmyk, {"quality": 95}),
    }
    for orientation in range(1, 9):
        exif = b"Exif\0\0" + tiff(orientation, "<" if orientation % 2 else ">")
        files[f"exif{orientation}"] = (photo, {"exif": exif, "quality": 60})
    for name, (image, options) in files.items():
        image.save(HERE / f"{name}.jpg", "JPEG", **options)
        expect_from_pillow(f"{name}.jpg")
    if (HERE / "ycck.jpg").exists():
        expect_from_pillow("ycck.jpg")


def draw_webps():
    photo = PHOTO.crop((100, 80, 137, 109))
    clear = photo.copy()
    clear.putalpha(Image.fromarray((np.add.outer(np.arange(29), np.arange(37)) * 5 % 256).astype(np.uint8)))
    photo.save(HERE / "lossy.webp", quality=70)
    photo.save(HERE / "lossless.webp", lossless=True)
    clear.save(HERE / "lossy_alpha.webp", quality=70)
    clear.save(HERE / "lossless_alpha.webp", lossless=True)
    photo.save(HERE / "exif6.webp", quality=50, exif=b"Exif\0\0" + tiff(6))
    clear.save(HERE / "animated.webp", save_all=True, append_images=[photo.rotate(180)], duration=50)
    still = io.BytesIO()
    photo.save(still, "WEBP", quality=70)
    frame = still.getvalue()[12:]
    u24 = lambda value: struct.pack("<I", value)[:3]
    riff = lambda kind, data: kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
    body = b"WEBP" + riff(b"VP8X", bytes([0x12, 0, 0, 0]) + u24(59) + u24(49))
    body += riff(b"ANIM", bytes([10, 20, 30, 255, 0, 0]))
    place = u24(4) + u24(8) + u24(36) + u24(28) + u24(100) + b"\x02"
    body += riff(b"ANMF", place + frame) + riff(b"ANMF", place + frame)
    (HERE / "animated_offset.webp").write_bytes(riff(b"RIFF", body))
    for path in sorted(HERE.glob("*.webp")):
        expect_from_pillow(path.name)


draw_pngs()
draw_jpegs()
draw_webps()
with open(HERE / "expected.txt", "w") as out:
    for name, (width, height, value) in sorted(expected.items()):
        out.write(f"{name} {width} {height} {value:016x}\n")
