"""From attributes and a seed to a picture: always the same one.

`draw(scene, seed, height)` is what every other part uses. The height only sets the resolution: training
draws small, pictures for people are drawn at twice their size and reduced.
"""
from PIL import Image

import rooms
from painter import Painter, mix, stream
from people import draw_person
from security import draw_security, finish
from things import draw_thing

THING_SIZE = {"book": 150, "ball": 130, "apple": 130, "mug": 135, "teapot": 165, "candle": 150, "vase": 150, "bottle": 150,
              "lamp": 165, "plant": 165, "cat": 165}


def width(scene):
    """In units of a 720 high frame."""
    return 1280 if scene["frame"] == "wide" else 720


def draw_room(scene, seed, height, depth):
    """The background at a fraction of the size, scaled up: out of focus, as behind a person."""
    w, rnd = width(scene), stream(seed, "room")
    scale = height / 720 / depth
    small = Image.new("RGB", (round(w * scale), round(720 * scale)))
    side = rnd.choice([-1, 1])
    for thing in scene["things"]:  # clocks and paintings hang where no shelf stands
        if thing["place"] == "wall left":
            side = 1 if scene["room"] == "office" else -1
        elif thing["place"] == "wall right":
            side = -1 if scene["room"] == "office" else 1
    if scene["room"] == "office" and any(str(t["place"]).startswith("wall ") for t in scene["things"]):
        side = -side
    rooms.DRAW[scene["room"]](Painter(small, scale), w, side, rnd)
    return small.resize((round(w * height / 720), height), Image.BICUBIC)


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
    spread = min(0.5, (0.19 if w > 1000 else 0.21) * (n - 1) / 2) if n > 1 else 0
    centre = 0.5 if n > 1 else rnd.uniform(0.35, 0.65)
    big = rnd.uniform(1.1, 1.3) if w > 1000 else rnd.uniform(0.72, 0.84)
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


def draw(scene, seed, height=720):
    """Returns the picture and, for a person, the face as (x, y, half height) in its pixels."""
    scale, w, face = height / 720, width(scene), None
    if scene["kind"] == "security":
        image = Image.new("RGB", (round(w * scale), height))
        draw_security(Painter(image, scale), scene, seed)
        return finish(image, scene, seed), None
    image = draw_room(scene, seed, height, 3 if scene["kind"] == "person" else 1.6)
    p = Painter(image, scale)
    for thing in scene["things"]:
        if str(thing["place"]).startswith("wall "):
            x = w * (0.16 if thing["place"] == "wall left" else 0.84)
            draw_thing(p.move(x, 130, 105), thing, seed, "thing " + thing["place"])
    if scene["kind"] == "person":
        face = tuple(v * scale for v in draw_person(p, scene, seed))
        draw_people_things(p, scene, seed)
    else:
        draw_still(p, scene, seed)
    light = stream(seed, "light")
    p.glow(w * light.uniform(0, 1), 0, w * 0.7, 600, mix((255, 240, 214), (214, 228, 255), light.random()), light.uniform(0, 0.22))
    return image, face
