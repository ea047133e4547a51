"""What a security camera sees: a porch, a driveway or a hallway, by day in colour, by night in grey."""
from PIL import Image, ImageDraw, ImageFont

from painter import Painter, jitter, mix, shade, stream
from people import COLOUR, HAIR, SKIN
from things import TONE


def porch(p, rnd):
    p.fade(0, 0, 1280, 200, (150, 190, 222), (212, 226, 232))
    for x in range(0, 1280, 150):
        p.oval(x + rnd.uniform(-30, 30), 180, 110, rnd.uniform(50, 90), jitter(rnd, (82, 128, 76), 14))
    p.fade(0, 190, 1280, 460, (128, 166, 92), (104, 146, 74))
    p.poly([(560, 190), (700, 190), (880, 460), (400, 460)], (190, 182, 168))
    wood = jitter(rnd, (150, 122, 92), 14)
    p.fade(0, 440, 1280, 720, shade(wood, 0.1), shade(wood, -0.15))
    for k in range(-8, 9):
        p.line([(640 + k * 90, 440), (640 + k * 190, 720)], 4, shade(wood, -0.35))
    rail = (236, 234, 228)
    for x0, x1 in ((0, 350), (930, 1280)):
        p.line([(x0, 310), (x1, 310)], 18, rail)
        p.line([(x0, 440), (x1, 440)], 14, rail)
        for x in range(x0 + 20, x1, 44):
            p.line([(x, 312), (x, 440)], 9, shade(rail, -0.08))
    for x in (355, 925):
        p.fade(x - 24, 0, x + 24, 470, (244, 242, 236), (206, 204, 198), vertical=False)
    p.rect(0, 0, 1280, 40, (206, 200, 190))


def driveway(p, rnd):
    p.fade(0, 0, 1280, 180, (160, 196, 224), (222, 230, 232))
    p.fade(0, 170, 1280, 720, (120, 160, 88), (92, 138, 66))
    p.rect(0, 190, 1280, 240, (120, 122, 126))
    for x in range(20, 1280, 120):
        p.line([(x, 214), (x + 60, 214)], 5, (226, 224, 210))
    stone = jitter(rnd, (172, 170, 166), 10)
    p.poly([(420, 240), (900, 240), (1230, 720), (60, 720)], stone)
    for k in range(5):
        y = 290 + k * 86
        f = (y - 240) / 480
        p.line([(420 - 360 * f, y), (900 + 330 * f, y)], 4, shade(stone, -0.2))
    brick = jitter(rnd, (170, 106, 84), 12)
    p.poly([(0, 20), (230, 110), (230, 400), (0, 520)], brick)
    p.poly([(30, 150), (196, 190), (196, 392), (30, 470)], (232, 228, 220))
    for k in range(4):
        p.line([(30, 200 + k * 66), (196, 228 + k * 44)], 5, (196, 192, 184))
    for k in range(9):
        p.oval(1010 + k * 36, 250 + rnd.uniform(-8, 8) + k * 8, 40, 36, jitter(rnd, (66, 116, 62), 12))


def hallway(p, rnd):
    wall = jitter(rnd, rnd.choice([(222, 208, 180), (200, 210, 206), (214, 200, 196)]), 8)
    p.rect(0, 0, 1280, 720, wall)
    p.poly([(0, 0), (1280, 0), (860, 150), (420, 150)], shade(wall, 0.4))
    p.poly([(0, 0), (420, 150), (420, 420), (0, 720)], shade(wall, -0.10))
    p.poly([(1280, 0), (860, 150), (860, 420), (1280, 720)], shade(wall, -0.18))
    floor = jitter(rnd, (150, 112, 78), 10)
    p.poly([(420, 420), (860, 420), (1280, 720), (0, 720)], floor)
    rug = jitter(rnd, rnd.choice([(130, 52, 52), (58, 74, 104), (70, 96, 72)]), 8)
    p.poly([(540, 420), (740, 420), (1000, 720), (280, 720)], rug)
    p.line([(556, 420), (320, 720)], 6, shade(rug, 0.4))
    p.line([(724, 420), (960, 720)], 6, shade(rug, 0.4))
    door = (124, 88, 60)
    p.rect(560, 200, 720, 420, door)
    p.rect(576, 216, 632, 300, shade(door, -0.2))
    p.rect(648, 216, 704, 300, shade(door, -0.2))
    p.oval(706, 330, 7, 7, (222, 190, 100))
    p.poly([(120, 180), (270, 210), (270, 520), (120, 626)], door)
    p.poly([(1160, 180), (1010, 210), (1010, 520), (1160, 626)], shade(door, -0.1))
    p.glow(640, 110, 240, 90, (255, 252, 230), 0.9)
    p.oval(640, 96, 70, 14, (255, 254, 244))


PLACE = {"porch": porch, "driveway": driveway, "hallway": hallway}


def person(p, colour, rnd):
    """A standing figure, 1 unit high, from its feet up."""
    skin, hair = SKIN[rnd.choice(list(SKIN))], HAIR[rnd.choice(list(HAIR))]
    legs = jitter(rnd, rnd.choice([(52, 58, 84), (70, 66, 62), (92, 82, 70)]), 6)
    top, lean = jitter(rnd, COLOUR[colour], 8), rnd.uniform(-0.02, 0.02)
    p.glow(0.03, 0, 0.26, 0.05, (10, 10, 10), 0.9)
    for s in (-1, 1):
        p.line([(s * 0.05, -0.46), (s * (0.06 + abs(lean)), -0.03)], 0.085, shade(legs, -0.1 if s < 0 else 0.1))
        p.oval(s * 0.075, -0.015, 0.06, 0.022, (40, 34, 32))
        swing = rnd.uniform(-0.03, 0.05)
        p.line([(s * 0.12, -0.77), (s * (0.17 + swing), -0.46)], 0.066, shade(top, -0.2))
        p.oval(s * (0.17 + swing), -0.44, 0.032, 0.035, skin)
    p.blob([(-0.14, -0.81), (0.14, -0.81), (0.13, -0.44), (-0.13, -0.44)], top)
    p.rect(-0.115, -0.78, 0.115, -0.45, top)
    p.glow(0.05, -0.66, 0.08, 0.16, shade(top, 0.4), 0.7)
    p.rect(-0.03, -0.86, 0.03, -0.78, shade(skin, -0.2))
    p.oval(lean, -0.925, 0.066, 0.078, skin)
    p.blob([(lean - 0.075, -0.90), (lean - 0.07, -1.0), (lean, -1.02), (lean + 0.07, -1.0), (lean + 0.075, -0.90), (lean + 0.05, -0.965), (lean - 0.05, -0.965)], hair)
    for s in (-1, 1):
        p.oval(lean + s * 0.025, -0.93, 0.009, 0.009, (30, 24, 24))
    p.line([(lean - 0.02, -0.885), (lean + 0.02, -0.885)], 0.008, (120, 60, 56))


def car(p, colour, rnd):
    """A car from the side, 1 unit long."""
    c = jitter(rnd, COLOUR[colour], 8)
    p.glow(0, -0.01, 0.56, 0.08, (10, 10, 10), 0.9)
    p.blob([(-0.5, -0.06), (-0.5, -0.22), (-0.33, -0.24), (-0.2, -0.4), (0.14, -0.4), (0.3, -0.25), (0.49, -0.2), (0.5, -0.06)], c)
    p.rect(-0.48, -0.2, 0.48, -0.07, c)
    glass = (150, 180, 196) if colour == "black" else (60, 74, 86)
    p.poly([(-0.27, -0.25), (-0.17, -0.36), (-0.02, -0.36), (-0.02, -0.25)], glass)
    p.poly([(0.02, -0.25), (0.02, -0.36), (0.12, -0.36), (0.23, -0.25)], glass)
    p.line([(-0.46, -0.165), (0.46, -0.165)], 0.012, shade(c, 0.35))
    p.line([(0, -0.25), (0, -0.08)], 0.008, shade(c, -0.4))
    for x in (-0.29, 0.29):
        p.oval(x, -0.07, 0.088, 0.088, (26, 26, 28))
        p.oval(x, -0.07, 0.045, 0.045, (168, 172, 178))
    p.oval(0.475, -0.15, 0.02, 0.028, (255, 244, 200))
    p.oval(-0.48, -0.15, 0.015, 0.028, (200, 40, 36))
    p.glow(0, -0.33, 0.3, 0.07, shade(c, 0.6), 0.4)


def dog(p, colour, rnd):
    """A dog from the side, about one unit long."""
    c = jitter(rnd, {"black": (40, 36, 36), "brown": (132, 84, 48), "white": (232, 228, 218)}[colour], 8)
    p.glow(0, 0, 0.55, 0.08, (10, 10, 10), 0.85)
    for x in (-0.3, -0.2, 0.2, 0.3):
        p.line([(x, -0.35), (x + 0.02, -0.04)], 0.1, shade(c, -0.15))
    p.line([(-0.36, -0.52), (-0.55, -0.74)], 0.08, c)
    p.oval(0, -0.46, 0.4, 0.2, c)
    p.glow(0, -0.54, 0.3, 0.1, shade(c, 0.4), 0.6)
    p.line([(0.28, -0.5), (0.42, -0.72)], 0.2, c)
    p.oval(0.46, -0.78, 0.17, 0.15, c)
    p.oval(0.6, -0.73, 0.11, 0.075, shade(c, 0.1))
    p.oval(0.69, -0.75, 0.035, 0.03, (24, 20, 20))
    p.blob([(0.3, -0.9), (0.42, -0.9), (0.42, -0.62), (0.3, -0.66)], shade(c, -0.35))
    p.oval(0.5, -0.82, 0.02, 0.02, (16, 12, 12) if colour != "black" else (200, 170, 90))
    p.line([(0.3, -0.56), (0.46, -0.6)], 0.045, (200, 50, 50))


def parcel(p, colour, rnd):
    c = jitter(rnd, (190, 146, 98), 8)
    p.glow(0, 0, 0.7, 0.14, (10, 10, 10), 0.85)
    p.poly([(-0.5, -0.62), (-0.3, -0.8), (0.58, -0.8), (0.5, -0.62)], shade(c, 0.2))
    p.rect(-0.5, -0.62, 0.5, 0, c)
    p.rect(-0.08, -0.62, 0.08, 0, mix(c, (240, 226, 190), 0.5))
    p.rect(0.16, -0.5, 0.42, -0.28, (246, 246, 240))


SUBJECT = {"person": (person, 330, 350), "car": (car, 390, 400), "dog": (dog, 150, 165), "parcel": (parcel, 96, 110)}
NEAR = {"person": 1.2, "car": 1.1, "dog": 1.15, "parcel": 1.2}  # how much larger they are where the camera hangs lower


def draw_security(p, scene, seed):
    rnd = stream(seed, "room")
    PLACE[scene["place"]](p, rnd)
    spot = {"left": 300, "middle": 640, "right": 980}
    for i, subject in enumerate(sorted(scene["subjects"], key=lambda s: s["name"] != "car")):
        one = stream(seed, "subject " + subject["place"])
        draw, small, big = SUBJECT[subject["name"]]
        size = one.uniform(small, big) * (NEAR[subject["name"]] if scene.get("near") else 1)
        x = spot[subject["place"]] + one.uniform(-45, 45) * (0.5 if scene.get("near") else 1)
        y = one.uniform(500, 540) if subject["name"] == "car" else one.uniform(560, 640)
        draw(p.move(x, y, size, 0, one.choice([-1, 1])), subject["colour"], one)


def finish(image, scene, seed):
    """Night vision and the camera's own caption."""
    rnd = stream(seed, "caption")
    if scene["time"] == "night":
        grey = image.convert("L").point([int(22 + 0.60 * v) for v in range(256)])
        image = Image.merge("RGB", (grey.point([int(v * 0.92) for v in range(256)]), grey, grey.point([int(v * 0.96) for v in range(256)])))
        corner = Painter(image, image.height / 720)
        for x, y in ((0, 0), (1280, 0), (0, 720), (1280, 720)):
            corner.glow(x, y, 560, 380, (6, 8, 8), 0.6)
    if not scene.get("caption", True):
        return image
    size = max(9, int(image.height * rnd.uniform(0.030, 0.038)))
    text = f"CAM {rnd.randint(1, 4):02d}  2026-{rnd.randint(1, 12):02d}-{rnd.randint(1, 28):02d} " + \
        f"{rnd.choice([21, 22, 23, 0, 1, 2, 3]) if scene['time'] == 'night' else rnd.randint(8, 17):02d}:{rnd.randint(0, 59):02d}:{rnd.randint(0, 59):02d}"
    ImageDraw.Draw(image).text((size * 0.7, size * 0.4), text, fill=(250, 250, 250), font=ImageFont.load_default(size))
    return image
