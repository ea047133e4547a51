"""Reads an answer as a person would, knowing nothing of how answers are made: only words and their neighbours."""
import re

COLOURS = {"red": "red", "crimson": "red", "blue": "blue", "green": "green", "yellow": "yellow", "purple": "purple", "violet": "purple",
           "orange": "orange", "black": "black", "white": "white", "brown": "brown", "blond": "blond", "blonde": "blond", "golden": "blond",
           "grey": "grey", "gray": "grey", "silver": "grey", "ginger": "red"}
MOODS = {"happy": "happy", "cheerful": "happy", "joyful": "happy", "glad": "happy", "happiness": "happy", "sad": "sad", "unhappy": "sad", "sadness": "sad",
         "angry": "angry", "anger": "angry", "furious": "angry", "mad": "angry", "surprised": "surprised", "surprise": "surprised", "astonished": "surprised",
         "relaxed": "relaxed", "calm": "relaxed", "tired": "tired", "sleepy": "tired", "exhausted": "tired", "tiredness": "tired", "neutral": "neutral"}
FACE = {"eyes", "eye", "brow", "brows", "eyebrows", "mouth", "jaw", "forehead", "lips", "gaze"}
GARMENTS = {"shirt", "t-shirt", "tshirt", "sweater", "jumper", "hoodie", "jacket", "coat", "blazer", "clothes", "clothing", "outfit", "top"}
ROOMS = {"study": {"study", "library", "fireplace", "bookshelf", "bookshelves"}, "kitchen": {"kitchen", "stove", "cupboards", "cupboard"},
         "garden": {"garden", "fence", "yard", "tree"}, "office": {"office", "whiteboard", "monitor"}, "night window": {"moon", "window", "night"}}
THINGS = {"mug": {"mug", "cup"}, "book": {"book"}, "vase": {"vase"}, "teapot": {"teapot"}, "ball": {"ball"}, "candle": {"candle"}, "bottle": {"bottle"},
          "apple": {"apple"}, "lamp": {"lamp"}, "plant": {"plant"}, "cat": {"cat"}, "clock": {"clock"}, "painting": {"painting", "picture"},
          "person": {"person", "people", "man", "woman", "somebody"}, "car": {"car"}, "dog": {"dog"}, "parcel": {"parcel", "package", "box"}}
NUMBERS = {"no": 0, "none": 0, "one": 1, "a": 1, "an": 1, "single": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
NOT = {"no", "not", "without", "none", "never", "nothing", "nobody", "isn't", "aren't", "doesn't", "don't", "cannot"}


def words(text):
    return re.findall(r"[a-z]+(?:[-'][a-z]+)*|\d+", text.lower())


def clauses(text):
    return [words(c) for c in re.split(r"[.,;:!?]| but | - | \u2013 ", text) if words(c)]


def mood(text):
    for found in clauses(text):
        for i, w in enumerate(found):
            if w in MOODS and (i + 1 == len(found) or found[i + 1] not in FACE) and (i == 0 or found[i - 1] not in NOT):
                return MOODS[w]
    return None


def colour_of(text, nouns, reach=2):
    """The colour said of one of the nouns: just before it, or after it with 'is'."""
    for c in clauses(text):
        for i, w in enumerate(c):
            if w in nouns or (w.endswith("s") and w[:-1] in nouns):
                for j in range(i - 1, max(-1, i - 1 - reach), -1):
                    if c[j] in COLOURS:
                        return COLOURS[c[j]]
                after = c[i + 1:i + 6]
                if after and after[0] in ("is", "are", "looks"):
                    for v in after:
                        if v in COLOURS:
                            return COLOURS[v]
    return None


def only_colour(text):
    said = {COLOURS[w] for w in words(text) if w in COLOURS}
    return said.pop() if len(said) == 1 else None


def hair(text):
    return colour_of(text, {"hair"})


def clothing(text):
    return colour_of(text, GARMENTS)


def glasses(text):
    """True, False, or None where nothing is said."""
    for c in clauses(text):
        if {"glasses", "spectacles", "eyeglasses"} & set(c):
            at = next(i for i, w in enumerate(c) if w in ("glasses", "spectacles", "eyeglasses"))
            return not (NOT & set(c[max(0, at - 5):at]))
    return None


def yes(text):
    first = words(text)[:1]
    if first in (["yes"], ["no"]):
        return first == ["yes"]
    return not denied(text)


def room(text):
    found = set(words(text))
    best = max(ROOMS, key=lambda r: len(ROOMS[r] & found))
    return best if ROOMS[best] & found else None


def things(text):
    """What the text says is there."""
    out = set()
    for c in clauses(text):
        if NOT & set(c):
            continue
        for w in c:
            stem = w if w in ("glasses",) else w[:-1] if w.endswith("s") and len(w) > 3 else w
            out |= {name for name, names in THINGS.items() if w in names or stem in names}
    return out


def number(text):
    for w in words(text):
        if w.isdigit():
            return int(w)
        if w in NUMBERS:
            return NUMBERS[w]
    return None


def denied(text):
    found = words(text)
    return bool(found) and (found[0] == "no" or bool(NOT & set(found)))


def side(text):
    found = [w for w in words(text) if w in ("left", "right", "middle", "center", "centre")]
    return {"center": "middle", "centre": "middle"}.get(found[0], found[0]) if found else None
