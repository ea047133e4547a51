"""From attributes and a seed to a picture: always the same one.

`draw(scene, seed, height)` is what every other part uses. The height only sets the resolution: training
draws small, pictures for people are drawn at twice their size and reduced (`fine`).
"""
from PIL import Image

import rooms
from painter import Painter, mix, stream
from people import draw_person, pose
from security import draw_security, finish
from things import draw_thing

THING_SIZE = {"book": 150, "ball": 130, "apple": 130, "mug": 135, "teapot": 165, "candle": 150, "vase": 150, "bottle": 150,
              "lamp": 165, "plant": 165, "cat": 165}
NEAR_SPACING, NEAR_SIZE = 0.235, 0.87  # of things near the eye


def width(scene):
    """In units of a 720 high frame."""
    return 1280 if scene["frame"] == "wide" else 720


def room_side(scene, seed):
    """Which way round the room is: clocks and paintings hang where no shelf or board is."""
    side = stream(seed, "side").choice([-1, 1])
    for thing in scene["things"]:
        if thing["place"] in ("wall left", "wall right"):
            side = -1 if thing["place"] == "wall left" else 1
    return side


def draw_room(scene, seed, size, window, depth):
    """The background at a fraction of the size, scaled up: out of focus, as behind a person."""
    x0, y0, x1, y1 = window
    scale = size[1] / (y1 - y0) / depth
    small = Image.new("RGB", (round((x1 - x0) * scale), round((y1 - y0) * scale)))
    rooms.DRAW[scene["room"]](Painter(small, scale, -x0 * scale, -y0 * scale), width(scene), room_side(scene, seed), stream(seed, "room"))
    return small.resize(size, Image.BILINEAR if size[1] < 600 else Image.BICUBIC)


def draw_people_things(p, scene, seed):
    """Things on a desk in front of the person, at the two ends."""
    w = width(scene)
    standing = [t for t in scene["things"] if not t["place"].startswith("wall")]
    if not standing:
        return
    rnd = stream(seed, "desk")
    rooms.table(p, w, 640, rnd, True)
    for thing in standing:
        one = stream(seed, "place " + thing["place"])
        x = w * (0.12 if thing["place"] == "left" else 0.88) + one.uniform(-30, 30)
        size = THING_SIZE[thing["name"]] * one.uniform(1.0, 1.15)
        draw_thing(p.move(x, one.uniform(672, 694), size), thing, seed, "thing " + thing["place"])


def draw_still(p, scene, seed):
    w, rnd = width(scene), stream(seed, "desk")
    rooms.table(p, w, 500, rnd, False)
    row = [t for t in scene["things"] if isinstance(t["place"], int) and "behind" not in t]
    n = len(row)
    near = scene.get("near")
    spacing = NEAR_SPACING if near else 0.19 if w > 1000 else 0.21
    spread = min(0.5, spacing * (n - 1) / 2) if n > 1 else 0
    centre = 0.5 if n > 1 else rnd.uniform(0.35, 0.65)
    big = rnd.uniform(1.1, 1.3) if w > 1000 else rnd.uniform(0.72, 0.84)
    big = NEAR_SIZE if near else big
    places = {}
    for i, thing in enumerate(row):
        x = w * (centre + (2 * spread * i / (n - 1) - spread if n > 1 else 0)) + rnd.uniform(-12, 12)
        places[thing["place"]] = (x, rnd.uniform(610, 640))
    for thing in sorted(scene["things"], key=lambda t: "behind" not in t):
        if thing["place"] == "wall":
            one = stream(seed, "wall")
            draw_thing(p.move(w / 2 + one.uniform(-40, 40), 130, one.uniform(105, 125)), thing, seed, "thing wall")
            continue
        x, y = places[thing["place"]]
        behind = "behind" in thing
        one = stream(seed, f"place {thing['place']} {behind}")
        size = THING_SIZE[thing["name"]] * one.uniform(0.95, 1.08) * big
        if behind:
            x, y, size = x + one.choice([-1, 1]) * size * one.uniform(0.10, 0.2), y - 62, size * 1.35
        draw_thing(p.move(x, y, size), thing, seed, f"thing {thing['place']} {behind}")


def draw(scene, seed, height=720, window=None):
    """The picture, or the part of it in `window` (x0, y0, x1, y1 in units of a 720 high frame)."""
    w = width(scene)
    window = window or (0, 0, w, 720)
    scale = height / (window[3] - window[1])
    size = (round((window[2] - window[0]) * scale), height)
    if scene["kind"] == "security":
        image = Image.new("RGB", size)
        draw_security(Painter(image, scale), scene, seed)
        return finish(image, scene, seed)
    image = draw_room(scene, seed, size, window, 3 if scene["kind"] == "person" else 1.6)
    p = Painter(image, scale, -window[0] * scale, -window[1] * scale)
    for thing in scene["things"]:
        if str(thing["place"]).startswith("wall "):
            x = w * (0.16 if thing["place"] == "wall left" else 0.84)
            draw_thing(p.move(x, 130, 105), thing, seed, "thing " + thing["place"])
    if scene["kind"] == "person":
        draw_person(p, scene, seed)
        draw_people_things(p, scene, seed)
    else:
        draw_still(p, scene, seed)
    light = stream(seed, "light")
    p.glow(w * light.uniform(0, 1), 0, w * 0.7, 600, mix((255, 240, 214), (214, 228, 255), light.random()), light.uniform(0, 0.22))
    return image


def face_of(scene, seed, height=720):
    """The face in pixels of a picture of that height: x, y and half its height."""
    return tuple(v * height / 720 for v in pose(scene, seed)[:3])


def fine(scene, seed):
    """The picture at 720 lines, drawn at twice the size for smooth edges."""
    image = draw(scene, seed, 1440)
    return image.resize((image.width // 2, image.height // 2), Image.BOX)
