"""Drawing primitives: a PIL canvas with a movable frame of reference and soft light.

Shapes are polygons, so that a tilted head is the same code as an upright one.
Soft shading is a blurred spot pasted through a mask that is computed once:
no filter ever runs over the whole picture, which keeps a picture at a few milliseconds.
"""
import math
import random
from functools import lru_cache

from PIL import Image, ImageDraw

CIRCLE = [(math.cos(2 * math.pi * i / 28), math.sin(2 * math.pi * i / 28)) for i in range(28)]


def rgb(colour):
    return tuple(max(0, min(255, int(round(c)))) for c in colour)


def mix(a, b, t):
    return tuple(x + (y - x) * t for x, y in zip(a, b))


def shade(colour, t):
    """Lighter for t > 0, darker for t < 0."""
    return mix(colour, (255, 250, 240), t) if t > 0 else mix(colour, (12, 8, 20), -t)


def stream(seed, part):
    """Each part of a picture has its own random stream: changing one attribute leaves the rest alone."""
    return random.Random(f"{seed}/{part}")


def jitter(rnd, colour, amount):
    return tuple(c + rnd.uniform(-amount, amount) for c in colour)


@lru_cache(None)
def spot(level):
    """A soft round mask, 192x192; `level` in 1..20 is its strength in the middle."""
    out = Image.new("L", (192, 192))
    out.putdata([int(255 * level / 20 * max(0.0, 1 - ((x - 95.5) ** 2 + (y - 95.5) ** 2) / 9120) ** 1.5)
                 for y in range(192) for x in range(192)])
    return out


@lru_cache(None)
def ramp(vertical):
    line = Image.new("L", (1, 256) if vertical else (256, 1))
    line.putdata(list(range(256)))
    return line


class Painter:
    """Paints in its own units; `move` gives a painter for a shifted, scaled and turned frame."""

    def __init__(self, image, scale=1.0, x=0.0, y=0.0, angle=0.0, flip=1):
        self.image, self.scale, self.x, self.y, self.angle, self.flip = image, scale, x, y, angle, flip
        self.draw = ImageDraw.Draw(image)
        self.cos, self.sin = math.cos(angle) * scale, math.sin(angle) * scale

    def move(self, x, y, scale=1.0, angle=0.0, flip=1):
        px, py = self.at(x, y)
        return Painter(self.image, self.scale * scale, px, py, self.angle + angle * self.flip, self.flip * flip)

    def at(self, x, y):
        x *= self.flip
        return self.x + x * self.cos - y * self.sin, self.y + x * self.sin + y * self.cos

    def poly(self, points, colour):
        self.draw.polygon([self.at(*p) for p in points], fill=rgb(colour))

    def blob(self, points, colour):
        """A polygon with rounded corners (Chaikin's corner cutting, twice)."""
        for _ in range(2):
            ends = zip(points, points[1:] + points[:1])
            points = [q for (ax, ay), (bx, by) in ends
                      for q in ((0.75 * ax + 0.25 * bx, 0.75 * ay + 0.25 * by), (0.25 * ax + 0.75 * bx, 0.25 * ay + 0.75 * by))]
        self.poly(points, colour)

    def fade_poly(self, points, colour):
        """A shape with a light and a dark side."""
        self.poly(points, colour)
        xs, ys = [x for x, _ in points], [y for _, y in points]
        w, h, y = max(xs) - min(xs), max(ys) - min(ys), (max(ys) + min(ys)) / 2
        self.glow(max(xs) - 0.3 * w, y, 0.24 * w, 0.46 * h, shade(colour, 0.5), 0.6)
        self.glow(min(xs) + 0.2 * w, y, 0.20 * w, 0.46 * h, shade(colour, -0.5), 0.6)

    def rect(self, x0, y0, x1, y1, colour):
        self.poly([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def oval(self, x, y, rx, ry, colour):
        self.poly([(x + rx * c, y + ry * s) for c, s in CIRCLE], colour)

    def line(self, points, width, colour):
        pts = [self.at(*p) for p in points]
        w = max(1, int(round(width * self.scale)))
        self.draw.line(pts, fill=rgb(colour), width=w, joint="curve")
        if w > 3:
            r = w / 2 - 0.5
            for x, y in (pts[0], pts[-1]):
                self.draw.ellipse([x - r, y - r, x + r, y + r], fill=rgb(colour))

    def ring(self, x, y, rx, ry, width, colour):
        self.line([(x + rx * c, y + ry * s) for c, s in CIRCLE + CIRCLE[:2]], width, colour)

    def glow(self, x, y, rx, ry, colour, strength):
        """A soft spot of colour; it does not turn with the frame."""
        px, py = self.at(x, y)
        w, h = int(2 * rx * self.scale), int(2 * ry * self.scale)
        level = int(round(strength * 20))
        if w < 2 or h < 2 or level < 1:
            return
        mask = spot(min(level, 20)).resize((w, h), Image.NEAREST if w < 500 else Image.BILINEAR)
        self.image.paste(rgb(colour), (int(px - w / 2), int(py - h / 2)), mask)

    def fade(self, x0, y0, x1, y1, start, end, vertical=True):
        """A rectangle whose colour runs from `start` to `end` (for upright frames)."""
        (px, py), (qx, qy) = self.at(x0, y0), self.at(x1, y1)
        box = (int(px), int(py), int(qx + 0.999), int(qy + 0.999))
        if box[2] <= box[0] or box[3] <= box[1]:
            return
        self.image.paste(rgb(start), box)
        self.image.paste(rgb(end), box, ramp(vertical).resize((box[2] - box[0], box[3] - box[1]), Image.NEAREST))


def arc(x0, y0, x1, y1, bend, n=9):
    """Points of a parabola between two points; `bend` moves its middle down (positive) or up."""
    return [(x0 + (x1 - x0) * t, y0 + (y1 - y0) * t + 4 * bend * t * (1 - t))
            for t in (i / (n - 1) for i in range(n))]
