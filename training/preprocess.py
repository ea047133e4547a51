"""Pictures as the model sees them: two resizes, then patches. The engine does the same to the byte."""
import numpy as np
from PIL import Image

PATCH = 14
SIDE = 24  # patches along the longest side at most; also the stride of the position table
VAE = {"max": 384, "min": 192, "max_pixels": 98304}
VIT = {"max": 336, "min": 140, "max_pixels": 65856}


def fit(w, h, stride, max, min, max_pixels):
    """The size that a picture is resized to: sides are multiples of the stride, within the limits."""
    def scaled(w, h, k):
        return tuple(stride if s < stride else s for s in (int(round(round(v * k) / stride)) * stride for v in (w, h)))

    long, short = (w, h) if w > h else (h, w)
    k = max / long if max < long else 1.0
    k = min / short if min / short > k else k
    w, h = scaled(w, h, k)
    if w * h > max_pixels:
        w, h = scaled(w, h, max_pixels / (w * h))
    long = w if w > h else h
    if long > max:
        w, h = scaled(w, h, max / long)
    return w, h


def resize(image, vae=VAE, vit=VIT):
    for stride, limits in ((16, vae), (PATCH, vit)):
        size = fit(*image.size, stride, **limits)
        image = image.resize(size, Image.BICUBIC)
    return image


def patchify(image):
    """uint8 patches [rows * columns, 14 * 14 * 3] (row, column, channel inside a patch) and the grid."""
    pixels = np.asarray(image)
    rows, cols = pixels.shape[0] // PATCH, pixels.shape[1] // PATCH
    patches = pixels.reshape(rows, PATCH, cols, PATCH, 3).transpose(0, 2, 1, 3, 4).reshape(rows * cols, -1)
    return np.ascontiguousarray(patches), (rows, cols)


def positions(grid, side=SIDE):
    rows, cols = grid
    return (np.arange(rows)[:, None] * side + np.arange(cols)).reshape(-1)
