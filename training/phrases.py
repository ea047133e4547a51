"""Words for what a scene shows: parts of a person, rooms, things in a row."""

NUMBER = ["no", "one", "two", "three", "four", "five", "six"]

CUES = {
    "happy": ["bright eyes", "wide smile", "raised cheeks", "open mouth with teeth showing", "relaxed brows"],
    "sad": ["lowered gaze", "inner brows raised", "mouth corners turned down", "drooping eyelids", "closed lips"],
    "angry": ["lowered brows", "narrowed eyes", "clenched jaw", "tense mouth", "furrowed forehead"],
    "surprised": ["wide open eyes", "raised eyebrows", "open round mouth", "lifted forehead", "dropped jaw"],
    "relaxed": ["soft eyes", "slight smile", "loose jaw", "smooth forehead", "level brows"],
    "tired": ["heavy eyelids", "dark circles under the eyes", "slack mouth", "half-closed eyes", "drooping face"],
    "neutral": ["open eyes", "level brows", "straight mouth", "smooth forehead", "steady gaze"],
}
EYES = {"happy": "bright and open", "sad": "lowered and a little closed", "angry": "narrowed", "surprised": "wide open",
        "relaxed": "soft and half open", "tired": "half closed with dark circles under them", "neutral": "open"}
MOUTH = {"happy": "open in a wide smile", "sad": "turned down at the corners", "angry": "tense", "surprised": "open and round",
         "relaxed": "closed with a slight smile", "tired": "slack and slightly turned down", "neutral": "straight and closed"}
BROWS = {"happy": "relaxed", "sad": "raised at the inner ends", "angry": "pulled down and together", "surprised": "raised high",
         "relaxed": "level and loose", "tired": "flat", "neutral": "level"}
POSE = {"upright": ["sits upright", "faces the camera with a straight back"], "head tilted": ["tilts the head to one side", "holds the head tilted"],
        "leaning": ["leans to one side", "is leaning sideways"], "arms crossed": ["has the arms crossed", "keeps both arms crossed over the chest"],
        "waving": ["waves with one hand raised", "raises one hand and waves"]}
ROOM = {"study": "a Victorian study", "kitchen": "a kitchen", "garden": "a garden", "office": "an office", "night window": "a room with a window at night"}
ROOM_WITH = {"study": "a Victorian study with a bookshelf and a fireplace", "kitchen": "a kitchen with cupboards and a stove",
             "garden": "a garden with a tree, flowers and a fence", "office": "an office with a monitor and a whiteboard",
             "night window": "a room with a window at night, with the moon and city lights outside"}
ROOM_BEHIND = {"study": "a bookshelf and a fireplace", "kitchen": "cupboards and a stove", "garden": "a tree, flowers and a fence",
               "office": "a monitor and a whiteboard", "night window": "a window with the moon and city lights"}
SPOT = {"left": "on the left", "middle": "in the middle", "right": "on the right"}


def a(words):
    return ("an " if words[0] in "aeiou" else "a ") + words


def asks_number(text):
    return "how many" in text.lower() or "count" in text.lower()


def plural(noun):
    if noun == "person":
        return "people"
    if noun == "bookshelf":
        return "bookshelves"
    if noun.endswith(("s", "sh", "ch", "x")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def called(thing, colour=True):
    """'red mug', 'plant', 'orange cat'"""
    return f"{thing['colour']} {thing['name']}" if colour and thing.get("colour") else thing["name"]


def join(items):
    items = list(items)
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def cap(text):
    return text[0].upper() + text[1:]


def counted(things, colour=True):
    """'a red mug and three green apples'"""
    names = []
    for t in things:
        names.append(called(t, colour))
    out = []
    for n in dict.fromkeys(names):
        k = names.count(n)
        out.append(a(n) if k == 1 else f"{NUMBER[k]} {plural(n)}")
    return join(out)


def hair_of(s):
    return f"{s['hair']['length']} {s['hair']['colour']} hair"


def clothes_of(s):
    return f"{s['clothing']['colour']} {s['clothing']['type']}"


def hat_of(s):
    return f"{s['hat']['colour']} {s['hat']['type']}" if s["hat"] else None


def looks(s, skin=True):
    parts = ([f"{s['skin']} skin"] if skin else []) + [hair_of(s)] + (["glasses"] if s["glasses"] else [])
    return join(parts)


def wears(s):
    return join([a(clothes_of(s))] + ([a(hat_of(s))] if s["hat"] else []))


def room_of(s):
    return ROOM_WITH[s["room"]] if s["frame"] == "wide" else ROOM[s["room"]]
