"""What a camera does to a picture, and the face crop that a program cuts out of it."""
import io

import numpy as np
from PIL import Image

NOISE = np.random.default_rng(7).normal(0, 1, (512, 512, 3)).astype(np.float32)

# A cascade's box round a drawn face, in half heights of the face: middle and width, each with its spread.
BOX = {"x": (0.0, 0.04), "y": (0.09, 0.05), "width": (2.2, 0.28)}


def face_crop(image, box, padding=0.4):
    """The box x, y, w, h with padding on every side, kept inside the picture."""
    x, y, w, h = box
    p, q = int(padding * w), int(padding * h)
    return image.crop((max(0, x - p), max(0, y - q), min(image.width, x + w + p), min(image.height, y + h + q)))


def likely_box(face, rnd):
    x, y, unit = face
    w = unit * min(2.8, max(1.75, rnd.gauss(*BOX["width"])))
    cx, cy = x + unit * rnd.gauss(*BOX["x"]), y + unit * rnd.gauss(*BOX["y"])
    return int(cx - w / 2), int(cy - w / 2), int(w), int(w)


def shoot(image, rnd):
    """Exposure, colour cast, blur and JPEG, each by lot."""
    if rnd.random() < 0.7:
        gain, gamma, lift = rnd.uniform(0.78, 1.18), rnd.uniform(0.82, 1.22), rnd.uniform(-8, 12)
        cast = [gain * rnd.uniform(0.95, 1.05) for _ in range(3)]
        curve = 255 * (np.arange(256) / 255) ** gamma
        image = image.point(np.concatenate([curve * c + lift for c in cast]).clip(0, 255).astype(np.uint8).tolist())
    if rnd.random() < 0.3:
        w, h = image.size
        k = rnd.uniform(0.5, 0.9)
        image = image.resize((max(8, int(w * k)), max(8, int(h * k))), Image.BILINEAR).resize((w, h), Image.BILINEAR)
    if rnd.random() < 0.3:
        data = io.BytesIO()
        image.save(data, "JPEG", quality=rnd.randint(40, 95))
        image = Image.open(data).convert("RGB")
    return image


def add_noise(image, rnd):
    """Sensor noise, added at the size that the model sees."""
    if rnd.random() < 0.5:
        return image
    pixels = np.asarray(image, dtype=np.float32)
    h, w, _ = pixels.shape
    y, x = rnd.randint(0, 512 - h), rnd.randint(0, 512 - w)
    return Image.fromarray((pixels + NOISE[y:y + h, x:x + w] * rnd.uniform(1, 9)).clip(0, 255).astype(np.uint8))


def shift(image, rnd):
    """A small crop, as if the camera stood elsewhere; keeps everything that is asked about in view."""
    if rnd.random() < 0.5:
        return image
    w, h = image.size
    k = rnd.uniform(0.95, 1.0)
    x, y = rnd.uniform(0, (1 - k) * w), rnd.uniform(0, (1 - k) * h)
    return image.crop((int(x), int(y), int(x + k * w), int(y + k * h)))
