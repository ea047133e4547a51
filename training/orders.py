"""How people ask for a picture and for a change to one, with the change itself. One wording in five is held out."""
import copy
import hashlib
import re

from language import describe_security, describe_still
from phrases import a, cap
from world import CLOTHES, COLOURS, HAIR_COLOURS, HATS, MOODS, ROOMS, THINGS, held_out

SAY = {}
SAY["start"] = ["", "Draw ", "A picture of ", "A portrait of ", "Show me ", "Paint ", "Make a picture of ", "Please draw ", "Create an image of ", "I want a picture of ",
    "Generate a picture of ", "Can you draw ", "An image of ", "Make me a portrait of ", "Give me ", "A drawing of ", "Please paint ", "Sketch ", "A photo of ", "Create "]
SAY["mood"] = ["{mood}", "{mood}-looking"]
SAY["looks"] = ["who looks {mood}", "looking {mood}", "with {mood_a} face", "in {mood_a} mood", "who feels {mood}", "with {mood_a} expression"]
SAY["clothes"] = ["in {clothes_a}", "wearing {clothes_a}", "who wears {clothes_a}", "dressed in {clothes_a}", "with {clothes_a}"]
SAY["room study"] = ["in a Victorian study", "in a study", "in the study", "in a library with a fireplace", "in front of a bookshelf and a fireplace", "in a study with a fireplace", "in a library", "by the fireplace in a study", "with bookshelves behind"]
SAY["room kitchen"] = ["in a kitchen", "in the kitchen", "in front of a stove", "in a kitchen with cupboards and a stove", "standing in a kitchen", "by the stove in a kitchen", "in front of kitchen cupboards"]
SAY["room garden"] = ["in a garden", "in the garden", "outside in a garden", "in front of a fence and a tree", "in a garden with flowers", "by a fence under a tree", "outside with a tree and a fence", "outside in the garden", "among flowers in a garden"]
SAY["room office"] = ["in an office", "at the office", "in the office", "in front of a whiteboard", "in an office with a monitor and a whiteboard", "with a whiteboard and a monitor behind", "at work in an office"]
SAY["room night window"] = ["in front of a window at night", "in a room with a window at night", "by the window at night", "at a window with the moon outside", "at night in front of a window", "in front of a window with the moon", "with the moon in the window", "at a window at night, with the moon", "by a dark window", "at night",
    "with the moon behind, in a window", "by a window under the moon", "beside a window, with night outside", "at a window that shows the moon", "near a window, dark outside",
    "in front of a dark window and the moon", "by a window, outside the moon shines", "at a window with a night sky", "by the window, the moon is out", "with a window and the moon behind",
    "in front of a window, outside it is night", "at a dark window under the moon"]
SAY["no glasses"] = ["without glasses", "with no glasses"]
SAY["sentence"] = ["{start}{person}{rest}(.|)", "{person}{rest}(.|)", "{start}a person. The person looks {mood} and has {hair}. They wear {clothes_a}{extra}. The background is {room}.",
    "{start}{mood_a} person: {hair}, {clothes}{extra_list}, {room}(.|)", "Portrait, {mood}, {hair}, {clothes}{extra_list}, {room}",
    "{start}somebody{rest}(.|)", "{start}a face. Mood: {mood}. Hair: {hair}. Clothes: {clothes}{extra_list}. Background: {room}."]

EDIT = {}
EDIT["hair"] = ["Make the hair {c}.", "Change the hair colour to {c}.", "Change the hair to {c}.", "Give the person {c} hair.", "Dye the hair {c}.", "Turn the hair {c}.",
    "I want {c} hair.", "The hair should be {c}.", "Colour the hair {c}.", "(Make|Let) the person have {c} hair.", "Change the (color|colour) of the hair to {c}.", "{C} hair, please.", "Now with {c} hair."]
EDIT["hair length"] = ["Make the hair {l}.", "Change the hair to {l} hair.", "Give the person {l} hair.", "The hair should be {l}."]
EDIT["clothes colour"] = ["Make the {g} {c}.", "Change the colour of the {g} to {c}.", "Change the {g} to {c}.", "Make the clothing {c}.", "Change the clothes to {c}.", "Turn the {g} {c}.",
    "The {g} should be {c}.", "Change the {g} (color|colour) to {c}.", "Give the person {ac} {g}.", "Put the person in {ac} {g}.", "Dress the person in {c}.", "I want {ac} {g}.", "Paint the {g} {c}."]
EDIT["clothes"] = ["Change the {o} to {ac} {g}.", "Replace the {o} with {ac} {g}.", "Put the person in {ac} {g}.", "Let the person wear {ac} {g}.", "Dress the person in {ac} {g}."]
EDIT["hat"] = ["Add {ah}.", "Put {ah} on the person.", "Give the person {ah}.", "Let the person wear {ah}.", "Put {ah} on the head.", "Add {ah} to the person.", "The person should wear {ah}.",
    "Please add {ah}.", "I want {ah} on the head.", "With {ah}, please."]
EDIT["no hat"] = ["Remove the hat.", "Take off the hat.", "Remove the {t}.", "Take off the {t}.", "Take the {t} away.", "No hat.", "Without the {t}, please.", "The person should wear no hat.", "Delete the hat.", "Get rid of the hat."]
EDIT["hat colour"] = ["Make the {t} {c}.", "Change the colour of the {t} to {c}.", "Make the hat {c}.", "Turn the {t} {c}.", "Change the hat to {c}.", "The {t} should be {c}.", "I want {ac} {t} instead."]
EDIT["glasses"] = ["Add glasses.", "Put glasses on the person.", "Give the person glasses.", "Let the person wear glasses.", "Add a pair of glasses.", "The person should wear glasses.", "Please add glasses.",
    "Put on glasses.", "Make the person wear glasses.", "With glasses, please.", "Add glasses to the face.", "Now with glasses."]
EDIT["no glasses"] = ["Remove the glasses.", "Take off the glasses.", "Take the glasses away.", "No glasses.", "Without glasses, please.", "The person should not wear glasses.", "Delete the glasses.",
    "Please remove the glasses.", "Get rid of the glasses.", "Remove the glasses from the face.", "Take away the glasses.", "Glasses off, please."]
EDIT["mood"] = ["Make the person {m}.", "Make the person look {m}.", "Change the mood to {m}.", "Change the expression to {m}.", "Let the person look {m}.", "Make the face {m}.", "Turn this into {am} face.",
    "The person should look {m}.", "Make them {m}.", "Change the face to {m}.", "Give the person {am} expression.", "I want the person to be {m}.", "Now {m}, please.", "Change the emotion to {m}.", "Make them look {m}."]
EDIT["room"] = ["Change the background to {r}.", "Put the person in {r}.", "Replace the background with {r}.", "Move the person to {r}.", "Make the background {r}.", "Set the scene in {r}.", "Change the place to {r}.",
    "The background should be {r}.", "Swap the background for {r}.", "Show the person in {r}.", "Now in {r}, please.", "Place the person in {r}."]
EDIT["night"] = ["Make it night.", "Change day to night.", "Turn the day into night.", "Show it at night.", "Make it dark outside.", "Change the time to night.", "It should be night.", "Night, please.",
    "Turn day into night.", "Change the scene from day to night.", "Make this a night scene.", "Day to night.", "Night.", "At night, please.", "Now at night.",
    "A night scene, please.", "Please make it night.", "Dark outside, please."]
EDIT["thing"] = ["Make the {x} {c}.", "Change the colour of the {x} to {c}.", "Change the {x} to {c}.", "Turn the {x} {c}.", "Paint the {x} {c}.", "The {x} should be {c}.", "Give me {ac} {x}.", "Replace the {x} with {ac} {x}."]
EDIT["table room"] = ["Change the background to {r}.", "Put the table in {r}.", "Replace the background with {r}.", "Make the background {r}.", "Set the scene in {r}.", "Move the table to {r}.", "The background should be {r}."]
PLACE = {"study": ["a study", "a Victorian study", "the study", "a study with a fireplace"], "kitchen": ["a kitchen", "the kitchen", "a kitchen with a stove"],
         "garden": ["a garden", "the garden", "a garden with a fence"], "office": ["an office", "the office", "an office with a whiteboard"],
         "night window": ["a room with a window at night", "a window at night", "a night window"]}


def is_held_out(kind, index):
    return index > 0 and hashlib.sha256(f"draw {kind}{index}".encode()).digest()[0] % 5 == 0


def pick(lists, kind, rnd, unseen=False):
    """A wording, with one of the alternatives of each round bracket."""
    texts = lists[kind]
    text = rnd.choice([t for i, t in enumerate(texts) if is_held_out(kind, i) == unseen] or texts[:1])
    return re.sub(r"\(([^()]*)\)", lambda m: rnd.choice(m[1].split("|")), text)


def said(text, rnd, unseen):
    """Now and then in small letters or without the final mark."""
    chance = 1 if unseen else rnd.random()
    return text.lower() if chance < 0.06 else text.rstrip(".") if chance < 0.16 else text


def person_order(scene, rnd, unseen=False):
    """(prompt, the attributes that it names)"""
    s, named = scene, {}
    p = lambda kind: pick(SAY, kind, rnd, unseen)
    hair = f"{s['hair']['length']} {s['hair']['colour']} hair" if rnd.random() < 0.8 else f"{s['hair']['colour']} hair"
    clothes = f"{s['clothing']['colour']} {s['clothing']['type']}"
    words = {"mood": s["mood"], "mood_a": a(s["mood"]), "hair": hair, "clothes": clothes, "clothes_a": a(clothes), "start": p("start")}
    hat = a(f"{s['hat']['colour']} {s['hat']['type']}") if s["hat"] else ""
    room = p("room " + s["room"])
    form = p("sentence")
    whole = "{room}" in form  # such a form names everything
    tell = lambda share: whole or rnd.random() < share
    with_hair, with_clothes, with_room, with_mood = tell(0.75), tell(0.75), tell(0.75), tell(0.85)
    with_glasses, with_hat = tell(0.75 if s["glasses"] else 0.12), s["hat"] and tell(0.85)
    named.update({k: v for k, v, told in (("hair", s["hair"]["colour"], with_hair), ("clothing", s["clothing"]["colour"], with_clothes), ("room", s["room"], with_room),
                                         ("mood", s["mood"], with_mood), ("glasses", s["glasses"], with_glasses), ("hat", s["hat"], with_hat)) if told})
    glasses = "glasses" if s["glasses"] else "no glasses"
    extras = [e for e, told in ((glasses, with_glasses), (hat, with_hat)) if told]
    words["room"] = room if re.search(r"\{room\}\.?$", form) and "ackground" not in form else rnd.choice(PLACE[s["room"]])
    words["extra"] = "".join(" and " + e for e in extras)
    words["extra_list"] = "".join(", " + e for e in extras)
    owns = [hair] * with_hair + (["glasses"] if with_glasses and s["glasses"] else []) + [hat] * bool(with_hat)
    rest, late = [], with_mood and ("somebody" in form or rnd.random() < 0.25)
    if owns:
        rest.append("with " + (", ".join(owns[:-1]) + " and " + owns[-1] if len(owns) > 1 else owns[0]))
    if with_clothes:
        rest.append(p("clothes"))
    if late:
        rest.append(p("looks"))
    rnd.shuffle(rest)
    if with_glasses and not s["glasses"]:
        rest.append(p("no glasses"))
    if with_room:
        rest.insert(rnd.choice([len(rest), len(rest), len(rest), 0]), room)
    noun = rnd.choice(["person"] * 5 + [{"short": "man", "long": "woman"}[s["hair"]["length"]]])
    words["person"] = a((s["mood"] + " " if with_mood and not late else "") + noun)
    words["rest"] = "".join(" " + r for r in rest)
    for _ in range(2):
        form = form.format(**words)
    return said(cap(" ".join(form.replace(" .", ".").split())), rnd, unseen), named


def begun(text, rnd, unseen):
    """A description as an order."""
    start = pick(SAY, "start", rnd, unseen)
    text = text.removeprefix("A security camera shows ").removeprefix("The picture shows ")
    if text.startswith("The ") and start:
        return text
    return cap(start + text[0].lower() + text[1:])


def order(scene, rnd, unseen=False):
    if scene["kind"] == "person":
        return person_order(scene, rnd, unseen)
    if scene["kind"] == "still":
        return said(begun(describe_still(scene, rnd), rnd, unseen), rnd, unseen), {"things": [(t["name"], t["colour"]) for t in scene["things"]], "room": scene["room"]}
    return said(begun(describe_security(scene, rnd), rnd, unseen), rnd, unseen), \
        {"time": scene["time"], "place": scene["place"], "things": sorted(x["name"] for x in scene["subjects"])}


def other(options, now, rnd):
    return rnd.choice([o for o in options if o != now])


# How often a person changes in which way, in the evaluation and in training; there more of what is hard and rare.
CHANGES = {"hair": 1, "hair length": 0.3, "clothes colour": 1, "clothes": 0.4, "hat": 1, "no hat": 1.4, "hat colour": 0.7, "glasses": 1.6, "mood": 2, "room": 1.6}
CHANGES_SEEN = {**CHANGES, "clothes": 0.6, "hat": 1.6, "hat colour": 2, "glasses": 2.2, "mood": 2.4, "room": 1.3, "night": 0.8}
ATTRIBUTE = {"no glasses": "glasses", "night": "room", "table room": "room"}  # that a kind of change changes, where it is called otherwise


def possible(kind, scene, done):
    if ATTRIBUTE.get(kind, kind) in done or kind == "night" and scene["room"] == "night window":
        return False
    return not scene["hat"] if kind == "hat" else bool(scene["hat"]) if kind in ("no hat", "hat colour") else True


def recolourable(scene):
    """The things on a table whose colour can be changed without doubt which one is meant."""
    names = [t["name"] for t in scene["things"]]
    return [t for t in scene["things"] if t["colour"] and names.count(t["name"]) == 1]


def change(scene, rnd, shares=CHANGES, done=()):
    """A scene with one attribute changed, none of `done`: (kind of change, new scene, words for the wording)."""
    s, words = copy.deepcopy(scene), {}
    if s["kind"] == "security":
        s["time"] = "night"
        return "night", s, words
    if s["kind"] == "still":
        thing = None if rnd.random() < 0.3 else rnd.choice([t for t in recolourable(s) if t["name"] not in done] or [None])
        if thing is None:
            s["room"] = other(ROOMS, s["room"], rnd)
            return "table room", s, {"r": rnd.choice(PLACE[s["room"]])}
        thing["colour"] = other(THINGS[thing["name"]], thing["colour"], rnd)
        return "thing", s, {"x": thing["name"], "c": thing["colour"], "ac": a(thing["colour"])}
    kinds = {kind: share for kind, share in shares.items() if possible(kind, s, done)}
    kind = rnd.choices(list(kinds), list(kinds.values()))[0]
    if kind == "hair":
        s["hair"]["colour"] = words["c"] = other(HAIR_COLOURS, s["hair"]["colour"], rnd)
        words["C"] = cap(words["c"])
    elif kind == "hair length":
        s["hair"]["length"] = words["l"] = other(["short", "long"], s["hair"]["length"], rnd)
    elif kind in ("clothes colour", "clothes"):
        words["o"] = s["clothing"]["type"]
        if kind == "clothes":
            s["clothing"]["type"] = other(CLOTHES, s["clothing"]["type"], rnd)
        if kind == "clothes colour" or rnd.random() < 0.5:
            s["clothing"]["colour"] = other(COLOURS, s["clothing"]["colour"], rnd)
        words.update(g=s["clothing"]["type"], c=s["clothing"]["colour"], ac=a(s["clothing"]["colour"]))
    elif kind == "hat":
        s["hat"] = {"type": rnd.choice(HATS), "colour": rnd.choice(COLOURS)}
        words["ah"] = a(f"{s['hat']['colour']} {s['hat']['type']}")
    elif kind == "no hat":
        words["t"], s["hat"] = s["hat"]["type"], None
    elif kind == "hat colour":
        s["hat"]["colour"] = words["c"] = other(COLOURS, s["hat"]["colour"], rnd)
        words.update(t=s["hat"]["type"], ac=a(words["c"]))
    elif kind == "glasses":
        s["glasses"] = not s["glasses"]
        kind = "glasses" if s["glasses"] else "no glasses"
    elif kind == "mood":
        s["mood"] = words["m"] = other(MOODS, s["mood"], rnd)
        words["am"] = a(s["mood"])
    elif kind == "night":
        s["room"] = "night window"
    else:
        s["room"] = other(ROOMS, s["room"], rnd)
        words["r"] = rnd.choice(PLACE[s["room"]])
        kind = "night" if s["room"] == "night window" and rnd.random() < 0.5 else "room"
    return kind, s, words


def change_seen(scene, rnd, unseen=False, done=()):
    """`change`, whose result is held out only where `unseen` allows it."""
    while True:
        kind, new, words = change(scene, rnd, CHANGES if unseen else CHANGES_SEEN, done)
        if unseen or not held_out(new):
            return kind, new, words


def wording(kind, words, rnd, unseen=False):
    return said(pick(EDIT, kind, rnd, unseen).format(**words), rnd, unseen)
