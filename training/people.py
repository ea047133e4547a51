"""People: a half-body figure with a shaded face whose mood shows in eyes, brows and mouth.

Everything is in head units (half the height of the face), with the origin in the middle of the face.
"""
import math

from painter import CIRCLE, arc, jitter, mix, shade, stream

SKIN = {"light": (240, 202, 174), "tan": (208, 156, 114), "dark": (146, 98, 70)}
HAIR = {"black": (34, 30, 34), "brown": (104, 64, 36), "blond": (208, 164, 80), "red": (184, 74, 34), "grey": (142, 142, 150)}
COLOUR = {"red": (200, 40, 42), "blue": (46, 88, 196), "green": (44, 138, 66), "yellow": (240, 206, 50),
          "purple": (132, 58, 164), "orange": (240, 130, 32), "black": (36, 36, 42), "white": (240, 240, 242)}

# mood: brow height, inner end of the brow (down = angry), brow arch, upper lid, lower lid,
#       smile, mouth opening, mouth half-width, teeth, bags under the eyes
MOOD = {
    "happy":     (-0.03, 0.00, 0.06, 0.08, 0.35, 0.20, 0.17, 0.36, 1, 0),
    "sad":       (-0.01, -0.13, 0.02, 0.20, 0.00, -0.15, 0.00, 0.25, 0, 0),
    "angry":     (0.05, 0.15, 0.01, 0.22, 0.22, -0.07, 0.10, 0.28, 2, 0),
    "surprised": (-0.06, 0.00, 0.09, -0.1, -0.06, 0.00, 0.28, 0.151, 0, 0),
    "relaxed":   (0.00, 0.00, 0.04, 0.36, 0.08, 0.10, 0.00, 0.29, 0, 0),
    "tired":     (0.02, -0.03, 0.01, 0.58, 0.00, -0.05, 0.00, 0.20, 0, 1),
    "neutral":   (0.00, 0.00, 0.04, 0.07, 0.00, 0.00, 0.00, 0.25, 0, 0),
}


def face_outline(wide, jaw):
    points = []
    for c, s in CIRCLE:
        low = max(0.0, s)
        points.append((wide * c * (1 - jaw * low * low), s * (1.0 if s > 0 else 0.98)))
    return points


def draw_eye(p, x, lid, low, gaze, iris, skin, lash):
    """A white with an iris between two lids; everything is clamped to the opening."""
    ex, ey = 0.168, 0.104
    upper = lambda t: -ey * (1 - 2 * lid) * math.sqrt(max(0.0, 1 - t * t))
    lower = lambda t: ey * (1 - low) * math.sqrt(max(0.0, 1 - t * t))
    ts = [i / 6 - 1 for i in range(13)]
    p.oval(x, 0, ex * 1.06, ey * 1.12, shade(skin, -0.24))
    p.poly([(x + ex * t, upper(t)) for t in ts] + [(x + ex * t, lower(t)) for t in reversed(ts)], mix(skin, (236, 233, 228), 0.72))
    for radius, colour in ((0.095, iris), (0.052, (16, 12, 14))):
        points = []
        for c, s in CIRCLE:
            px, py = gaze[0] + radius * c, gaze[1] + radius * s
            t = max(-1, min(1, px / ex))
            points.append((x + px, max(upper(t), min(lower(t), py))))
        p.poly(points, colour)
    if lid < 0.45:
        p.oval(x + gaze[0] + 0.03, gaze[1] - 0.035 + max(0, lid) * 0.1, 0.022, 0.022, (255, 255, 255))
    p.line([(x + ex * 1.04 * t, upper(t)) for t in ts], 0.042, lash)
    p.line([(x + ex * t, lower(t)) for t in ts[2:-2]], 0.014, shade(skin, -0.4))


def draw_mouth(p, smile, opening, width, teeth, lip):
    y = 0.5
    ends = y - smile * 0.5
    top = arc(-width, ends, width, ends, smile * 0.55 if opening else smile, 11)
    if opening < 0.04:
        p.line(top, 0.055, shade(lip, -0.55))
        p.line([(a * 0.6, b + 0.06) for a, b in top[2:-2]], 0.03, shade(lip, 0.12))
        return
    if teeth == 2:  # clenched
        half = opening / 2
        box = [(a, b - half) for a, b in top] + [(a, b + half) for a, b in reversed(top)]
        p.poly([(a * 1.08, y + (b - y) * 1.25) for a, b in box], shade(lip, -0.5))
        p.poly([(a * 0.96, y + (b - y) * 0.8) for a, b in box], (240, 238, 230))
        p.line([(a * 0.94, b) for a, b in top], 0.016, (120, 90, 90))
        for k in (-0.5, -0.17, 0.17, 0.5):
            p.line([(width * k, y - half * 0.8), (width * k, y + half * 0.8)], 0.014, (150, 125, 120))
        return
    if width < 0.22:  # a round, open mouth
        p.oval(0, y + 0.05, width, opening * 0.62, shade(lip, -0.25))
        p.oval(0, y + 0.05, width * 0.78, opening * 0.47, (70, 16, 22))
        p.oval(0, y + 0.05 + opening * 0.25, width * 0.55, opening * 0.2, (186, 84, 84))
        return
    bottom = arc(-width, ends, width, ends, smile * 0.55 + opening, 11)
    p.poly(top + bottom[::-1], (92, 20, 26))
    band = arc(-width * 0.86, ends + 0.01, width * 0.86, ends + 0.01, smile * 0.55 + opening * 0.4, 11)
    p.poly(top[1:-1] + band[::-1], (236, 232, 224))
    p.line(top, 0.03, shade(lip, -0.35))
    p.line(bottom, 0.045, lip)


def draw_face(p, scene, seed):
    """Face, ears, eyes, brows, nose and mouth, with the light from one side."""
    rnd = stream(seed, "face")
    skin = jitter(rnd, SKIN[scene["skin"]], 9)
    wide, jaw, side = 0.857 + rnd.uniform(-0.04, 0.04), rnd.uniform(0.10, 0.26), rnd.choice([-1, 1])
    gap, iris = 0.377 + rnd.uniform(-0.02, 0.02), rnd.choice([(66, 44, 28), (52, 92, 130), (58, 104, 62), (40, 32, 28)])
    gaze = (rnd.uniform(-0.03, 0.03), rnd.uniform(-0.01, 0.02))
    nose, nose_wide = rnd.uniform(0.26, 0.31), rnd.uniform(0.10, 0.15)
    brow_wide, brow_thick = rnd.uniform(0.20, 0.24), rnd.uniform(0.055, 0.08)
    amount = rnd.uniform(0.92, 1.12)
    wobble = [rnd.uniform(-1, 1) for _ in range(8)]
    freckles = rnd.random() < 0.12
    brow, inner, bow, lid, low, smile, opening, mouth, teeth, bags = MOOD[scene["mood"]]
    brow, inner, smile = brow * amount + 0.012 * wobble[0], inner * amount + 0.008 * wobble[1], smile * amount + 0.01 * wobble[2]
    lid, low, opening = lid * amount + 0.03 * wobble[3], low + 0.03 * wobble[4], opening * (1 + 0.15 * wobble[5])
    mouth *= 1 + 0.06 * wobble[6]
    if scene["mood"] == "angry" and wobble[7] > 0.2:  # lips pressed together instead of bared teeth
        opening, smile = 0, smile * 1.6
    if scene["mood"] == "sad":
        gaze = (gaze[0], 0.035)

    for ear in (-1, 1):
        p.oval(ear * wide * 0.98, 0.04, 0.13, 0.22, shade(skin, -0.12))
        p.oval(ear * wide * 0.99, 0.05, 0.06, 0.12, shade(skin, -0.28))
    p.poly(face_outline(wide, jaw), skin)
    light, dark = shade(skin, 0.55), shade(skin, -0.5)
    p.glow(-side * wide * 0.62, 0.15, 0.30, 0.75, dark, 0.151)
    p.glow(0, 0.93, wide * 0.75, 0.22, dark, 0)
    p.glow(0, -0.52, 0.66, 0.375, light, 1.028)
    for eye in (-1, 1):
        p.glow(eye * (gap + 0.02), -0.19, 0.414, 0.25, mix(skin, (52, 24, 22), 0.682), 1.046)
        p.glow(eye * 0.42, 0.216, 0.38, 0.334, light, 0.956)
        p.glow(eye * 0.45, 0.30, 0.22, 0.17, mix(skin, (224, 96, 84), 0.5), 0.3 if scene["mood"] != "happy" else 0.55)
    p.glow(0, 0.02, 0.124, 0.46, light, 0.749)
    p.glow(0, 0.82, 0.26, 0.16, light, 0.627)

    brow_colour = mix(HAIR[scene["hair"]["colour"]], (38, 26, 22), 0.509)
    lash = shade(brow_colour, -0.55)
    eyes = p.move(0, -0.101)
    for eye in (-1, 1):
        half = eyes.move(eye * gap, 0, 1, 0, eye)  # x now runs outwards on both sides
        if bags:
            half.glow(0, 0.13, 0.23, 0.12, mix(shade(skin, -0.6), (84, 50, 96), 0.45), 0.85)
            half.line(arc(-0.15, 0.145, 0.16, 0.13, 0.06), 0.024, mix(shade(skin, -0.5), (84, 50, 96), 0.4))
        draw_eye(half, 0, lid, low, (gaze[0] * eye, gaze[1]), iris, skin, lash)
        if scene["mood"] == "happy":
            half.line(arc(-0.14, 0.155, 0.16, 0.13, 0.03), 0.02, shade(skin, -0.35))
        y = -0.272 + brow
        line = arc(-brow_wide, y + inner, brow_wide, y + 0.02 - inner * 0.35, -bow, 7)
        half.line(line[:6], brow_thick * 0.958, brow_colour)
        half.line(line[4:], brow_thick * 0.6, brow_colour)
    if scene["mood"] == "angry":
        for fold in (-1, 1):
            p.line([(fold * 0.05, -0.36), (fold * 0.04, -0.22)], 0.024, shade(skin, -0.42))
    if scene["mood"] == "surprised":
        for k in (0, 1):
            p.line(arc(-0.3, -0.66 + 0.08 * k, 0.3, -0.66 + 0.08 * k, -0.03), 0.018, shade(skin, -0.25))
    p.glow(side * -0.09, nose - 0.04, 0.09, 0.16, dark, 0.5)
    p.line(arc(-nose_wide, nose, nose_wide, nose, 0.05), 0.035, shade(skin, -0.45))
    p.glow(0, nose - 0.05, 0.07, 0.07, shade(skin, 0.8), 0.7)
    lip = mix(skin, (176, 50, 58), rnd.uniform(0.45, 0.65))
    if opening < 0.04:
        p.glow(0, 0.70, 0.2, 0.07, dark, 0.5)
    draw_mouth(p, smile, opening, mouth, teeth, lip)
    if scene["mood"] in ("happy", "relaxed"):
        for cheek in (-1, 1):
            p.line(arc(cheek * (mouth + 0.05), 0.46 - smile * 0.5, cheek * (mouth + 0.07), 0.60 - smile * 0.4, 0.0), 0.02, shade(skin, -0.3))
    if freckles:
        for _ in range(14):
            p.oval(rnd.choice([-1, 1]) * rnd.uniform(0.2, 0.55), rnd.uniform(0.12, 0.34), 0.013, 0.013, shade(skin, -0.3))
    return wide


def draw_hair_back(p, scene, seed):
    rnd = stream(seed, "hair")
    hair = jitter(rnd, HAIR[scene["hair"]["colour"]], 3 if scene["hair"]["colour"] == "grey" else 8)
    volume = rnd.uniform(0.92, 1.12)
    if scene["hair"]["length"] == "long":
        end = rnd.uniform(1.65, 2.1)
        flare = rnd.uniform(1.0, 1.2)
        outline = [(-0.95 * flare, end), (-1.06 * volume, 0.6), (-0.98 * volume, -0.4), (-0.7, -0.98), (0, -1.2 * volume),
                   (0.7, -0.98), (0.98 * volume, -0.4), (1.06 * volume, 0.6), (0.95 * flare, end), (0.5, end + 0.1), (-0.5, end + 0.1)]
        p.blob(outline, shade(hair, -0.25))
        for k in range(-4, 5):
            x = k * 0.23
            p.line([(x * 0.98, -0.4), (x * 1.02, 0.5), (x * 0.92 * flare, end)], 0.05, shade(hair, rnd.uniform(-0.4, 0.02)))
    return hair, volume


def draw_hair_front(p, scene, seed, wide, hair, volume):
    """The cap of hair with a fringe that stays above the brows."""
    rnd = stream(seed, "fringe")
    long = scene["hair"]["length"] == "long"
    part = rnd.choice([-0.45, -0.3, 0.3, 0.45, 0.0])
    line = rnd.uniform(-0.66, -0.58)
    side_end = 0.55 if long else rnd.uniform(-0.18, -0.02)
    w, top = wide + 0.10 * volume, -1.22 * volume
    outer = [(-w, side_end), (-w - 0.06, -0.3), (-w + 0.05, -0.72), (-0.52, -1.04 * volume), (-0.2, top + 0.03), (0.2, top + 0.03),
             (0.52, -1.04 * volume), (w - 0.05, -0.72), (w + 0.06, -0.3), (w, side_end)]
    inner = [(wide - 0.03, side_end), (wide - 0.09, -0.36), (0.56, line + 0.08), (part + 0.12, line - 0.05), (part, line - 0.14),
             (part - 0.12, line - 0.05), (-0.56, line + 0.08), (-wide + 0.09, -0.36), (-wide + 0.03, side_end)]
    p.blob(outer + inner, hair)
    for k in range(9):
        t = (k - 4) / 4.2
        tone = shade(hair, rnd.uniform(-0.35, 0.28))
        p.line([(part * 0.6 + t * 0.12, top + 0.1), (t * 0.62, -0.92 + 0.08 * abs(t)), (t * 0.80, line - 0.02 + 0.12 * t * t)], 0.026, tone)
    p.glow(part * 0.5, -0.88, 0.42, 0.16, shade(hair, 0.5), 0.5)
    if long:
        for s in (-1, 1):
            p.line([(s * w, -0.3), (s * (w + 0.02), 0.4), (s * (w - 0.04), 1.0)], 0.16, shade(hair, -0.05))
            p.line([(s * (w + 0.03), -0.2), (s * (w + 0.05), 0.5), (s * w, 1.1)], 0.03, shade(hair, 0.2))
    p.glow(0, line + 0.05, 0.5, 0.08, (40, 24, 20), 0.009)


def draw_hat(p, scene, seed, wide):
    rnd = stream(seed, "hat")
    colour = jitter(rnd, COLOUR[scene["hat"]["colour"]], 10)
    kind, w = scene["hat"]["type"], wide + 0.16
    dark = shade(colour, -0.35)
    if kind == "top hat":
        p = p.move(0, -0.10)
        p.poly([(-0.66, -0.78), (-0.70, -1.75), (0.70, -1.75), (0.66, -0.78)], colour)
        p.oval(0, -1.75, 0.70, 0.09, shade(colour, 0.12))
        p.poly([(-0.70, -1.7), (-0.45, -1.7), (-0.42, -0.8), (-0.66, -0.8)], shade(colour, -0.25))
        p.glow(0.25, -1.3, 0.25, 0.5, shade(colour, 0.5), 0.5)
        p.rect(-0.67, -1.02, 0.67, -0.82, mix(dark, (120, 20, 30), 0.4) if scene["hat"]["colour"] != "red" else dark)
        p.oval(0, -0.76, 1.12, 0.13, dark)
        p.oval(0, -0.79, 1.12, 0.12, colour)
        p.glow(0.2, -0.80, 0.6, 0.07, shade(colour, 0.4), 0.5)
        return
    height = -1.36 if kind == "cap" else -1.48
    dome = [(-w, -0.70), (-w + 0.02, -0.9), (-w * 0.72, height + 0.2), (-w * 0.3, height + 0.02), (w * 0.3, height + 0.02),
            (w * 0.72, height + 0.2), (w - 0.02, -0.9), (w, -0.70)]
    p.blob(dome[:1] * 2 + dome + dome[-1:] * 2, colour)
    p.glow(0.25, -1.12, 0.4, 0.25, shade(colour, 0.5), 0.6)
    p.glow(-w * 0.62, -0.95, 0.22, 0.3, dark, 0.7)
    if kind == "cap":
        for x in (-0.4, 0, 0.4):
            p.line(arc(x * 0.4, height + 0.03, x * 1.3, -0.68, 0.0), 0.018, dark)
        p.oval(0, height + 0.02, 0.06, 0.04, dark)
        p.oval(0, -0.74, w * 0.96, 0.11, dark)
        p.oval(0, -0.77, w * 0.94, 0.10, shade(colour, -0.12))
        p.glow(0.1, -0.80, 0.5, 0.06, shade(colour, 0.5), 0.5)
    else:
        p.oval(0, height - 0.06, 0.17, 0.16, shade(colour, 0.25))
        p.poly([(-w - 0.02, -0.68), (-w - 0.02, -0.92), (-0.3, -1.0), (0.3, -1.0), (w + 0.02, -0.92), (w + 0.02, -0.68), (0.3, -0.74), (-0.3, -0.74)], shade(colour, -0.18))
        for k in range(-6, 7):
            x = k * w / 6.3
            p.line([(x, -0.97 + 0.06 * abs(k) / 6), (x, -0.75 + 0.04 * abs(k) / 6)], 0.02, dark)


def draw_glasses(p, scene, seed):
    """Frames are heavy above and fine below, as many are; a heavy lower rim hides the cheeks from face finders."""
    rnd = stream(seed, "glasses")
    frame = rnd.choice([(26, 24, 28), (70, 40, 26), (30, 36, 70)])
    width, square = rnd.uniform(0.034, 0.046), rnd.random() < 0.5
    lower = mix(frame, SKIN[scene["skin"]], 0.5)
    for s in (-1, 1):
        x = s * 0.385
        p.glow(x, -0.13, 0.30, 0.22, (30, 28, 40), 0.6)
        if square:
            rim = [(x - s * 0.25, -0.29), (x + s * 0.27, -0.29), (x + s * 0.25, 0.08), (x - s * 0.22, 0.08), (x - s * 0.25, -0.29)]
            p.line(rim, width * 0.5, lower)
            p.line(rim[:2], width * 1.3, frame)
        else:
            p.ring(x, -0.10, 0.25, 0.215, width * 0.5, lower)
            p.line([(x + 0.25 * c, -0.10 + 0.215 * e) for c, e in CIRCLE[14:] + CIRCLE[:1]], width * 1.2, frame)
        p.line([(s * 0.64, -0.15), (s * 0.80, -0.17)], width, frame)
        p.line([(x - 0.13, -0.06), (x - 0.06, -0.17)], 0.015, (190, 196, 212))
    p.line(arc(-0.14, -0.17, 0.14, -0.17, -0.03), width * 0.5, frame)


def draw_body(p, scene, seed, skin):
    """Torso and clothes; `p` stands in head units below the head, upright."""
    rnd = stream(seed, "body")
    colour = jitter(rnd, COLOUR[scene["clothing"]["colour"]], 10)
    kind = scene["clothing"]["type"]
    broad, drop, side = rnd.uniform(1.55, 1.85), rnd.uniform(1.62, 1.8), rnd.choice([-1, 1])
    dark, light = shade(colour, -0.38), shade(colour, 0.28)
    if kind == "hoodie":
        p.blob([(-0.95, 1.55), (-0.86, 0.95), (-0.5, 0.75), (0.5, 0.75), (0.86, 0.95), (0.95, 1.55)], shade(colour, -0.28))
    p.poly([(-0.34, 0.6), (0.34, 0.6), (0.36, 1.3), (0.55, 1.5), (-0.55, 1.5), (-0.36, 1.3)], shade(skin, -0.16))
    p.glow(0, 0.98, 0.36, 0.3, shade(skin, -0.6), 0.75)
    torso = [(-0.42, 1.30), (-0.9, 1.46), (-broad * 0.9, drop), (-broad, drop + 0.35), (-broad - 0.12, 5), (broad + 0.12, 5),
             (broad, drop + 0.35), (broad * 0.9, drop), (0.9, 1.46), (0.42, 1.30)]
    p.blob(torso, colour)
    p.glow(side * 0.7, 2.1, 0.75, 0.8, light, 0.6)
    p.glow(-side * (broad - 0.35), 2.8, 0.5, 1.3, dark, 0.65)
    for s in (-1, 1):
        p.line([(s * (broad - 0.42), 2.15), (s * (broad - 0.52), 2.8), (s * (broad - 0.48), 5)], 0.03, dark)
    for k in range(3):
        x = rnd.uniform(-0.8, 0.8)
        p.line(arc(x, 2.5 + 0.3 * k, x + rnd.uniform(0.3, 0.6), 2.7 + 0.3 * k, 0.05), 0.022, shade(colour, -0.2))
    neck = shade(skin, -0.08)
    if kind == "t-shirt":
        p.poly(arc(-0.5, 1.31, 0.5, 1.31, 0.42), neck)
        p.line(arc(-0.52, 1.31, 0.52, 1.31, 0.44), 0.07, dark)
    elif kind == "shirt":
        p.poly([(-0.36, 1.28), (0.36, 1.28), (0, 1.78)], neck)
        p.line([(0, 1.78), (0, 5)], 0.03, dark)
        for y in (2.0, 2.45, 2.9, 3.35):
            p.oval(0.05, y, 0.04, 0.04, mix(colour, (250, 250, 250), 0.75) if scene["clothing"]["colour"] != "white" else (150, 150, 160))
        for s in (-1, 1):
            p.poly([(s * 0.34, 1.16), (s * 0.62, 1.42), (s * 0.34, 1.86), (0, 1.74)], light)
            p.line([(s * 0.62, 1.42), (s * 0.34, 1.86), (0, 1.74)], 0.025, dark)
    elif kind == "sweater":
        p.line(arc(-0.48, 1.26, 0.48, 1.26, 0.22), 0.17, shade(colour, -0.2))
        for k in range(9):
            x = (k - 4) * 0.11
            p.line([(x, 1.38 + 0.08 - 1.2 * x * x * 0.5), (x * 1.06, 1.52 + 0.08 - x * x * 0.5)], 0.016, dark)
        for k in range(5):
            p.line(arc(-broad * 0.7, 2.0 + k * 0.34, broad * 0.7, 2.0 + k * 0.34, 0.06), 0.016, shade(colour, -0.16))
    elif kind == "hoodie":
        for s in (-1, 1):
            p.poly([(s * 0.36, 1.2), (s * 0.95, 1.35), (s * 0.6, 1.75), (0, 1.72), (s * 0.1, 1.55)], shade(colour, -0.2))
            p.line([(s * 0.22, 1.66), (s * 0.24, 2.4)], 0.045, (236, 234, 228) if scene["clothing"]["colour"] != "white" else (150, 150, 160))
        p.line([(-0.9, 3.6), (-0.65, 2.9), (0.65, 2.9), (0.9, 3.6)], 0.03, dark)
    else:  # jacket over a pale shirt
        inner = (226, 224, 218) if scene["clothing"]["colour"] != "white" else (120, 126, 140)
        p.poly([(-0.36, 1.26), (0.36, 1.26), (0.10, 2.75), (-0.10, 2.75)], inner)
        p.poly([(-0.3, 1.26), (0.3, 1.26), (0, 1.6)], neck)
        if rnd.random() < 0.5:
            tie = rnd.choice([(60, 60, 70), (90, 80, 80)])
            p.poly([(-0.08, 1.56), (0.08, 1.56), (0.12, 2.5), (0, 2.72), (-0.12, 2.5)], tie)
        for s in (-1, 1):
            p.poly([(s * 0.36, 1.2), (s * 0.66, 1.42), (s * 0.74, 1.9), (s * 0.55, 1.98), (s * 0.66, 2.1), (s * 0.08, 2.8)], shade(colour, -0.16))
            p.line([(s * 0.36, 1.24), (s * 0.07, 2.8)], 0.03, dark)
        p.line([(0, 2.78), (0, 5)], 0.035, dark)
    return colour, broad


def draw_hand(p, x, y, skin, angle):
    hand = p.move(x, y, 1, angle)
    for k in range(4):
        hand.line([(-0.2 + 0.13 * k, -0.1), (-0.26 + 0.17 * k, -0.58 + 0.06 * abs(k - 1.4))], 0.13, skin)
    hand.line([(0.2, 0.15), (0.42, -0.12)], 0.13, shade(skin, -0.05))
    hand.oval(0, 0.08, 0.30, 0.32, skin)
    hand.glow(0, 0.1, 0.24, 0.26, shade(skin, 0.4), 0.5)


def draw_arms(p, scene, seed, skin, colour, broad):
    rnd = stream(seed, "arms")
    dark, sleeve = shade(colour, -0.38), shade(colour, 0.06)
    bare = scene["clothing"]["type"] == "t-shirt"
    forearm = skin if bare else sleeve
    if scene["posture"] == "arms crossed":
        y = 2.62
        for s in (1, -1):
            p.line([(s * (broad - 0.12), y + 0.30), (-s * (broad - 0.62), y - 0.10)], 0.50, dark)
            p.line([(s * (broad - 0.12), y + 0.28), (-s * (broad - 0.62), y - 0.12)], 0.44, forearm)
            p.oval(-s * (broad - 0.55), y - 0.14, 0.2, 0.17, shade(skin, -0.04))
            y -= 0.06
    elif scene["posture"] == "waving":
        s = rnd.choice([-1, 1])
        x = s * (broad + rnd.uniform(0.25, 0.4))
        p.line([(s * (broad - 0.15), 2.35), (x + s * 0.1, 2.75), (x + s * 0.12, 1.7)], 0.52, dark)
        p.line([(s * (broad - 0.15), 2.35), (x + s * 0.1, 2.75), (x + s * 0.12, 1.7)], 0.46, sleeve)
        p.line([(x + s * 0.12, 1.75), (x + s * 0.12, 1.15)], 0.34, forearm)
        draw_hand(p, x + s * 0.12, 0.85, skin, s * rnd.uniform(0.0, 0.3))


def pose(scene, seed):
    """Where the head is: x, y and unit in pixels of a 720 high frame, the side leant to, and the head's tilt."""
    rnd = stream(seed, "pose")
    if scene["frame"] == "square":
        unit, x, y = rnd.uniform(140, 195), 360 + rnd.uniform(-40, 40), rnd.uniform(310, 350)
    else:
        unit, x, y = rnd.uniform(104, 150), 640 + rnd.uniform(-70, 70), rnd.uniform(0, 60)
        y += unit * 1.30 + 40
        if scene["posture"] == "arms crossed":
            unit *= 0.92
    if scene.get("low") or scene["hat"] and scene["hat"]["type"] == "top hat":
        y += 0.35 * unit
    lean, tilt, still = rnd.choice([-1, 1]), rnd.uniform(0.09, 0.125), rnd.uniform(-0.02, 0.02)
    return x, y, unit, lean, {"head tilted": tilt * lean, "leaning": 0.03 * lean}.get(scene["posture"], still)


def draw_person(p, scene, seed):
    """Draws the figure; `p` is the canvas in pixels of a 720 high frame."""
    x, y, unit, lean, tilt = pose(scene, seed)
    head, body = p.move(x, y, unit, tilt), p.move(x, y, unit)
    if scene["posture"] == "leaning":
        body = p.move(x - 0.12 * unit * lean, y, unit, 0.16 * lean)
    body.glow(0.15, 2.4, 2.6, 2.6, (20, 14, 20), 0.35)
    head.glow(0, -0.1, 2.3, 2.1, (24, 22, 34), 0.5)
    skin = jitter(stream(seed, "face"), SKIN[scene["skin"]], 9)
    hair, volume = draw_hair_back(head, scene, seed)
    colour, broad = draw_body(body, scene, seed, skin)
    draw_arms(body, scene, seed, skin, colour, broad)
    if scene["hair"]["length"] == "long" and stream(seed, "locks").random() < 0.6:
        for s in (-1, 1):
            head.blob([(s * 0.86, 0.2), (s * 1.06, 0.8), (s * 1.02, 1.7), (s * 0.72, 2.0), (s * 0.6, 1.5), (s * 0.74, 0.9)], shade(hair, -0.1))
            head.line([(s * 0.92, 0.6), (s * 0.9, 1.3), (s * 0.78, 1.85)], 0.04, shade(hair, 0.18))
    wide = draw_face(head, scene, seed)
    if scene["glasses"]:
        draw_glasses(head, scene, seed)
    draw_hair_front(head, scene, seed, wide, hair, volume)
    if scene["hat"]:
        draw_hat(head, scene, seed, wide)
