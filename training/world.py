"""The demo world: which attributes there are, and how a scene is drawn by lot.

A scene is a plain dict of attributes. `sample(rnd)` draws one; one in ten combinations of the
leading attributes is held out from training (`held_out`), so that the evaluation meets
combinations that were never seen.
"""
import hashlib

MOODS = ["happy", "sad", "angry", "surprised", "relaxed", "tired", "neutral"]
HAIR_COLOURS = ["black", "brown", "blond", "red", "grey"]
HAIR_LENGTHS = ["short", "long"]
SKINS = ["light", "tan", "dark"]
HATS = ["cap", "beanie", "top hat"]
CLOTHES = ["t-shirt", "shirt", "sweater", "hoodie", "jacket"]
COLOURS = ["red", "blue", "green", "yellow", "purple", "orange", "black", "white"]
POSTURES = ["upright", "head tilted", "leaning", "arms crossed", "waving"]
ROOMS = ["study", "kitchen", "garden", "office", "night window"]

# Things that stand on a table or hang on a wall, with the colours that they come in.
THINGS = {
    "mug": COLOURS, "book": COLOURS, "vase": COLOURS, "teapot": COLOURS, "ball": COLOURS[:6],
    "candle": ["red", "white", "yellow", "green"], "bottle": ["green", "blue", "black"],
    "apple": ["red", "green", "yellow"], "lamp": ["red", "green", "white", "yellow", "blue"],
    "plant": [None], "cat": ["black", "white", "grey", "orange"],
}
TALL = ["plant", "lamp", "bottle", "vase"]
LOW = ["apple", "mug", "ball"]
WALL_THINGS = ["clock", "painting"]

PLACES = ["porch", "driveway", "hallway"]
CAR_COLOURS = ["red", "blue", "white", "black", "green", "yellow"]
DOG_COLOURS = ["black", "brown", "white"]

# What a background shows by itself; nobody is asked to deny any of it.
ROOM_THINGS = {
    "study": ["bookshelf", "fireplace"],
    "kitchen": ["cupboard", "stove"],
    "garden": ["tree", "fence", "flowers"],
    "office": ["monitor", "whiteboard"],
    "night window": ["window", "moon", "curtain"],
}


def held_out(scene):
    """True for one combination in ten: such scenes are for the evaluation only."""
    if scene["kind"] == "person":
        key = [scene["mood"], scene["hair"]["colour"], scene["clothing"]["colour"], scene["room"]]
    elif scene["kind"] == "still":
        key = [scene["room"]] + sorted(f"{t['name']}{t['colour']}" for t in scene["things"])
    else:
        key = [scene["place"], scene["time"]] + sorted(f"{s['name']}{s['colour']}{s['place']}" for s in scene["subjects"])
    return hashlib.sha256("/".join(map(str, key)).encode()).digest()[0] < 26


def sample_person(rnd):
    frame = "wide" if rnd.random() < 0.8 else "square"
    postures = POSTURES if frame == "wide" else ["upright", "head tilted"]
    scene = {
        "kind": "person", "frame": frame, "mood": rnd.choice(MOODS),
        "hair": {"colour": rnd.choice(HAIR_COLOURS), "length": rnd.choice(HAIR_LENGTHS)},
        "skin": rnd.choice(SKINS), "glasses": rnd.random() < 0.4,
        "hat": {"type": rnd.choice(HATS), "colour": rnd.choice(COLOURS)} if rnd.random() < 0.3 else None,
        "clothing": {"type": rnd.choice(CLOTHES), "colour": rnd.choice(COLOURS)},
        "posture": rnd.choice(postures), "room": rnd.choice(ROOMS), "things": [],
    }
    if frame == "wide":
        sides = ["left", "right"]
        rnd.shuffle(sides)
        names = rnd.sample(list(THINGS), 2)
        for side, name in zip(sides[:rnd.choice([0, 1, 1, 2, 2])], names):
            scene["things"].append({"name": name, "colour": rnd.choice(THINGS[name]), "place": side})
        if scene["room"] in ("study", "office", "kitchen") and rnd.random() < 0.3:
            scene["things"].append({"name": rnd.choice(WALL_THINGS), "colour": None,
                                    "place": "wall " + rnd.choice(["left", "right"])})
    return scene


def sample_still(rnd):
    """Things on a table: two to five places from left to right, sometimes one behind another."""
    things = []
    if rnd.random() < 0.4:  # one kind, to be counted
        name = rnd.choice([n for n in THINGS if n not in ("plant", "cat")])
        colour = rnd.choice(THINGS[name])
        things = [{"name": name, "colour": colour} for _ in range(rnd.randint(1, 5))]
        if rnd.random() < 0.4 and len(things) < 5:
            other = rnd.choice([n for n in THINGS if n != name])
            things.insert(rnd.choice([0, len(things)]), {"name": other, "colour": rnd.choice(THINGS[other])})
    else:
        for name in rnd.sample(list(THINGS), rnd.choice([1, 2, 2, 3, 3, 3])):
            things.append({"name": name, "colour": rnd.choice(THINGS[name])})
    for i, thing in enumerate(things):
        thing["place"] = i
    free = [t for t in things if t["name"] in LOW and sum(o["name"] == t["name"] for o in things) == 1]
    if free and len(things) <= 3 and rnd.random() < 0.5:
        front = rnd.choice(free)
        tall = [n for n in TALL if all(n != t["name"] for t in things)]
        name = rnd.choice(tall)
        things.append({"name": name, "colour": rnd.choice(THINGS[name]), "place": front["place"], "behind": front["name"]})
    room = rnd.choice(ROOMS)
    if room in ("study", "office", "kitchen") and rnd.random() < 0.35:
        things.append({"name": rnd.choice(WALL_THINGS), "colour": None, "place": "wall"})
    return {"kind": "still", "frame": "wide" if rnd.random() < 0.7 else "square", "room": room, "things": things}


def sample_security(rnd):
    place, subjects = rnd.choice(PLACES), []
    slots = ["left", "middle", "right"]
    rnd.shuffle(slots)
    names = ["person", "person", "dog", "parcel"] + (["car", "car"] if place == "driveway" else [])
    for slot in slots[:rnd.choice([0, 1, 1, 1, 2, 2, 3])]:
        name = rnd.choice(names)
        if name == "car" and any(s["name"] == "car" for s in subjects):
            name = "person"
        colour = {"person": COLOURS, "car": CAR_COLOURS, "dog": DOG_COLOURS, "parcel": [None]}[name]
        subjects.append({"name": name, "colour": rnd.choice(colour), "place": slot})
    return {"kind": "security", "frame": "wide", "place": place,
            "time": "night" if rnd.random() < 0.4 else "day", "subjects": subjects}


def sample(rnd, unseen=False, kind=None):
    """A scene; `unseen` picks from the held-out combinations instead of the training ones."""
    while True:
        which = kind or rnd.choices(["person", "still", "security"], [0.62, 0.23, 0.15])[0]
        scene = {"person": sample_person, "still": sample_still, "security": sample_security}[which](rnd)
        if held_out(scene) == unseen:
            return scene
