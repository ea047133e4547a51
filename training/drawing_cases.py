"""Held-out orders and changes, what is asked about the pictures that come back, and which answers are right."""
import random

import numpy as np

import judge
import orders
import studio

ASK = {
    "hair": "What colour is the person's hair?", "clothing": "What colour is the person's clothing?", "glasses": "Does the person wear glasses?",
    "hat": "Does the person wear a hat?", "mood": "How does this person feel?", "room": "What is the background?",
    **dict.fromkeys(("things", "thing", "other things"), "What objects do you see?"), "time": "Is it day or night?", "place": "Where is this?", "subjects": "Describe this security camera scene.",
}
PERSON = ["hair", "clothing", "glasses", "hat", "mood", "room"]
TITLES = {"hair": "hair colour", "clothing": "clothing colour", "glasses": "glasses", "hat": "hat", "mood": "mood", "room": "background",
          "things": "things and their colours", "thing": "the thing and its new colour", "other things": "the other things and their colours", "time": "day or night", "place": "place of the camera", "subjects": "who is before the camera"}

KINDS = [kind for kind in orders.EDIT if kind != "hair length"]  # of changes that can be asked about
ON_TABLES = ["thing", "table room"]


def facts_of(scene):
    """What can be asked about a picture of the scene, with the true answers."""
    if scene["kind"] == "person":
        return {"hair": scene["hair"]["colour"], "clothing": scene["clothing"]["colour"], "glasses": scene["glasses"], "hat": scene["hat"],
                "mood": scene["mood"], "room": scene["room"]}
    if scene["kind"] == "still":
        return {"things": [(t["name"], t["colour"]) for t in scene["things"]], "room": scene["room"]}
    return {"time": scene["time"], "place": scene["place"], "subjects": sorted(x["name"] for x in scene["subjects"])}


def right(what, fact, answer):
    if what in ("hair", "clothing"):
        return judge.only_colour(answer) == fact
    if what == "glasses":
        return judge.yes(answer) == fact
    if what == "hat":
        return not judge.denied(answer) and fact["colour"] in answer and fact["type"] in answer if fact else judge.denied(answer)
    if what == "mood":
        return judge.mood(answer) == fact
    if what == "room":
        return judge.room(answer) == fact
    if what in ("things", "thing", "other things"):
        said, names = judge.things(answer), {n for n, _ in fact}
        there = names == said if what == "things" else names <= said
        return there and all(c is None or judge.colour_of(answer, judge.THINGS[n]) == c for n, c in fact)
    if what == "time":
        return ("night" in answer) == (fact == "night")
    if what == "place":
        return fact in answer
    empty = "empty" in answer or "obody" in answer
    return (set() if empty else judge.things(answer)) == set(fact)


def order_case(index, seed):
    """A prompt for a held-out scene in a held-out wording: the facts that it names must be in the picture."""
    rnd = random.Random(f"{seed}/order/{index}")
    shape = "wide" if index % 7 == 6 else "square"
    while True:
        scene = studio.base_scene(rnd, shape, unseen=True)
        if shape == "wide" and scene["kind"] == "person":
            continue
        prompt, named = orders.order(scene, rnd, unseen=True)
        facts = facts_of(scene)
        if scene["kind"] == "security":
            return {"shape": shape, "prompt": prompt, "facts": facts, "scene": scene}
        if named:
            return {"shape": shape, "prompt": prompt, "facts": {k: v for k, v in facts.items() if k in named}, "scene": scene}


def split_things(before, after):
    """The facts before and after one thing's change of colour: that one and the others apart."""
    now, then = after.pop("things"), before.pop("things")
    before["thing"], after["thing"] = ([t for t in a if t not in b] for a, b in ((then, now), (now, then)))
    others = [t for t in now if t in then]
    if others:
        before["other things"] = after["other things"] = others


def edit_case(index, seed, kind=None):
    """A change to a held-out scene in a held-out wording, of one of KINDS where it is given; `made` holds what must differ, `kept` what must not."""
    shape = "wide" if index % 6 == 5 and kind not in ON_TABLES else "square"
    while True:
        rnd = random.Random(f"{seed}/edit/{index}")
        (base, new), there, _ = studio.family(rnd, shape, unseen=True, changes=1)
        found = there[0][0]
        before, after = facts_of(base), facts_of(new)
        if found == "thing":
            split_things(before, after)
        made = {k: v for k, v in after.items() if v != before[k]}
        rare = shape == "wide" and base["kind"] == "person" and rnd.random() < 0.5
        if not rare and made and found in KINDS and kind in (None, found):
            return {"shape": shape, "prompt": orders.wording(*there[0], rnd, unseen=True), "kind": found, "made": made, "new": new,
                    "kept": {k: v for k, v in after.items() if k not in made}, "scene": base, "seed": f"{seed}/picture/{index}"}
        seed += "+"


def high_energy(image):
    """Energy of the grey picture above half the Nyquist frequency."""
    grey = np.asarray(image.convert("L"), np.float64)
    window = np.hanning(grey.shape[0])[:, None] * np.hanning(grey.shape[1])
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    fy, fx = np.fft.fftfreq(grey.shape[0])[:, None], np.fft.fftfreq(grey.shape[1])
    return power[np.maximum(abs(fy), abs(fx)) > 0.25].sum() / grey.size
