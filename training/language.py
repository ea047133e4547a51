"""From the facts of a scene to questions and truthful answers.

`ask(scene, rnd, view, unseen)` yields one (kind, question, answer, facts) at a time. `view` says what
the picture shows of the scene: the whole "frame" or the "face" alone. `facts` is what an answer can
be judged by. Nothing is asserted that the picture does not show.
"""
import hashlib
from functools import lru_cache

from wordings import pick
from world import THINGS, WALL_THINGS

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

# Words for things that are never drawn: for questions whose answer is no. One in five is kept for the evaluation.
ABSENT = """elephant giraffe piano guitar bicycle boat train airplane horse cow sheep pig bird fish snake lion tiger bear rabbit duck
chicken spider violin drum trumpet flute umbrella suitcase backpack ladder hammer scissors knife fork spoon plate bowl pizza cake
sandwich banana pear grape melon carrot cheese bus truck motorcycle scooter skateboard tent kite balloon robot rocket castle
bridge mountain river lake beach waterfall island volcano church tower statue fountain bench swing slide sofa couch bed pillow
blanket carpet mirror television radio telephone camera keyboard printer globe telescope microscope sword shield crown ring necklace
watch bracelet scarf glove shoe boot sock belt wallet key lock bell whistle flag map newspaper letter stamp pencil crayon brush bucket
broom shovel rake wheelbarrow tractor crane helicopter submarine dragon unicorn dinosaur ghost snowman angel pumpkin mushroom cactus
butterfly bee ant frog turtle monkey penguin owl eagle parrot dolphin whale shark octopus crab goat donkey fox wolf deer squirrel
mouse hamster hedgehog zebra camel kangaroo panda koala toaster fridge kettle microwave dishwasher washing-machine vacuum-cleaner
fan heater radiator staircase elevator escalator chessboard dice trophy medal violinist soldier astronaut police-officer firefighter
baby fire-hydrant traffic-light stop-sign mailbox trash-can wheelchair stroller surfboard snowboard ski tennis-racket basketball
football frisbee hot-dog donut hamburger ice-cream lemon strawberry cherry pineapple coconut corn potato tomato onion""".split()


@lru_cache(None)
def absent_words(unseen):
    return [w.replace("-", " ") for w in ABSENT if (hashlib.sha256(w.encode()).digest()[0] % 5 == 0) == unseen]


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


# --- people -----------------------------------------------------------------

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


def mood_line(s, rnd):
    mood = s["mood"]
    cues = CUES[mood][:3] if rnd.random() < 0.5 else rnd.sample(CUES[mood], 3)
    return f"{cap(mood)} - {', '.join(cues)}."


def person_places(s):
    return [(t, "on the left" if "left" in t["place"] else "on the right", "wall" in t["place"]) for t in s["things"]]


def describe_person(s, rnd):
    room = {"night window": "in front of a window at night", "garden": "in a garden"}.get(s["room"], f"in {ROOM[s['room']]}")
    glasses = rnd.choice([" and glasses", " who wears glasses"]) if s["glasses"] else ""
    first = rnd.choice([
        f"{cap(a(s['mood']))} person with {hair_of(s)}{glasses} in {a(clothes_of(s))} {room}.",
        f"The picture shows a person with {hair_of(s)}{glasses} {room}, wearing {wears(s)}. The person looks {s['mood']}.",
        f"A person with {hair_of(s)}{glasses} wears {wears(s)} and looks {s['mood']}. The person is {room}."])
    if s["things"] and rnd.random() < 0.7:
        first += " " + cap(join(f"{a(called(t))} {'hangs' if wall else 'stands'} {side}" for t, side, wall in person_places(s))) + "."
    return first


def detail_person(s, rnd):
    cues = CUES[s["mood"]]
    pose = rnd.choice(POSE[s["posture"]])
    if rnd.random() < 0.5:
        return (f"Appearance: {looks(s)}{'' if s['glasses'] else ', no glasses'}. Clothing: {wears(s)}. "
                f"Expression: {cues[0]}, {cues[1]}. Emotion: {s['mood']}. Body language: the person {pose}. Environment: {room_of(s)}.")
    return (f"The person has {looks(s)}{'' if s['glasses'] else ' and wears no glasses'}. They wear {wears(s)}. The expression shows {cues[0]} and {cues[1]}; "
            f"the person looks {s['mood']}. The person {pose}. The background is {room_of(s)}.")


def face_close(s, rnd):
    return rnd.choice([
        f"A close-up of {a(s['mood'])} face with {looks(s)}{' and ' + a(hat_of(s)) if s['hat'] else ''}.",
        f"The picture shows the face of a person with {looks(s)}. The person looks {s['mood']}" + (f" and wears {a(hat_of(s))}." if s["hat"] else ".")])


def detail_face(s, rnd):
    cues = CUES[s["mood"]]
    hat = f" The person wears {a(hat_of(s))}." if s["hat"] else ""
    return f"Appearance: {looks(s)}{'' if s['glasses'] else ', no glasses'}.{hat} Expression: {cues[0]}, {cues[1]}. Emotion: {s['mood']}. It is a close-up, so the rest is not visible."


def ask_person(s, rnd, view, unseen):
    face = view == "face"
    kinds = {"mood": 5, "mood_word": 2, "hair": 2, "glasses": 2, "hat": 2, "eyes": 0.5, "mouth": 0.5, "brows": 0.5, "skin": 0.5, "describe": 2, "detail": 1, "absent": 3}
    if not face:
        kinds.update({"mood": 2, "clothes": 2, "clothes_colour": 2, "posture": 1.5, "room": 2, "count_people": 1, "describe": 3, "detail": 3, "absent": 5,
                      "behind person": 0.7 if s["frame"] == "wide" else 0})
        if s["things"]:
            kinds.update({"list": 1.5, "where": 2, "exist": 2, "colour": 2, "side_of person": 1.5, "arrange": 1})
    kind = rnd.choices(list(kinds), list(kinds.values()))[0]
    q = lambda k=kind: pick(k, rnd, unseen)
    facts = {"kind": kind}
    if kind == "mood":
        return kind, q(), mood_line(s, rnd), {"mood": s["mood"]}
    if kind == "mood_word":
        return kind, q(), rnd.choice([f"The person looks {s['mood']}.", f"{cap(s['mood'])}.", f"The mood is {s['mood']}."]), {"mood": s["mood"]}
    if kind == "describe":
        return kind, q(), face_close(s, rnd) if face else describe_person(s, rnd), facts
    if kind == "detail":
        return kind, q(), detail_face(s, rnd) if face else detail_person(s, rnd), facts
    if kind == "hair":
        return kind, q(), rnd.choice([f"The person has {hair_of(s)}.", f"The hair is {s['hair']['length']} and {s['hair']['colour']}."]), {"hair": s["hair"]["colour"]}
    if kind == "glasses":
        return kind, q(), rnd.choice(["Yes, the person wears glasses.", "Yes, there are glasses."] if s["glasses"] else
                                     ["No, the person does not wear glasses.", "No, there are no glasses."]), {"yes": s["glasses"]}
    if kind == "hat":
        return kind, q(), rnd.choice([f"The person wears {a(hat_of(s))}.", f"Yes, {a(hat_of(s))}."] if s["hat"] else
                                     ["There is no hat.", "No, the person does not wear a hat."]), {"hat": hat_of(s)}
    if kind == "skin":
        return kind, q(), f"The person has {s['skin']} skin.", facts
    if kind == "eyes":
        return kind, q(), f"The eyes are {EYES[s['mood']]}.", facts
    if kind == "mouth":
        text = q()
        smile = {"happy": "Yes, with a wide smile. ", "relaxed": "Yes, slightly. "}.get(s["mood"], "No. ") if "smiling" in text.lower() else ""
        return kind, text, f"{smile}The mouth is {MOUTH[s['mood']]}.", facts
    if kind == "brows":
        return kind, q(), f"The eyebrows are {BROWS[s['mood']]}.", facts
    if kind == "clothes":
        return kind, q(), rnd.choice([f"The person wears {wears(s)}.", f"The person is wearing {wears(s)}."]), {"clothing": s["clothing"]["colour"]}
    if kind == "clothes_colour":
        return kind, q().format(garment=s["clothing"]["type"]), f"The {s['clothing']['type']} is {s['clothing']['colour']}.", {"clothing": s["clothing"]["colour"]}
    if kind == "posture":
        return kind, q(), f"The person {rnd.choice(POSE[s['posture']])}.", {"posture": s["posture"]}
    if kind == "room":
        text = q()
        start = "The person is in" if "person" in text else rnd.choice(["This is", "It is", "The background is"])
        return kind, text, f"{start} {room_of(s)}.", {"room": s["room"]}
    if kind == "count_people":
        text = q()
        yes = "" if asks_number(text) else "Yes, there"
        return kind, text, f"{yes or 'There'} is one person in the picture.", facts
    if kind == "behind person":
        return "behind", pick("behind", rnd, unseen).format(y="person"), f"Behind the person there {'are' if s['room'] == 'kitchen' else 'is'} {ROOM_BEHIND[s['room']]}.", facts
    if kind == "absent":
        return ask_absent(s, rnd, unseen, face)
    things = s["things"]
    thing, side, wall = rnd.choice(person_places(s))
    name = thing["name"]
    if kind == "list":
        extra = "" if s["frame"] != "wide" else f" In the background there {'are' if s['room'] == 'kitchen' else 'is'} {ROOM_BEHIND[s['room']]}."
        return kind, q(), f"Besides the person there is {join(a(called(t)) for t in things)}.{extra}", {"things": [t["name"] for t in things]}
    if kind == "where":
        spot = f"The {name} hangs on the wall {side}" if wall else f"The {name} stands on the table {side}"
        return kind, q().format(x=name), f"{spot}{rnd.choice(['', ', ' + side.replace('on', 'to') + ' of the person'])}.", {"side": side.split()[-1]}
    if kind == "exist":
        return kind, q().format(x=name, ax=a(name), xs=plural(name)), f"Yes, there is {a(called(thing))} {side}.", {"yes": True}
    if kind == "colour":
        if not thing["colour"]:
            return ask_person(s, rnd, view, unseen)
        return kind, q().format(x=name), f"The {name} is {thing['colour']}.", {"colour": thing["colour"]}
    if kind == "arrange":
        return kind, q(), "The person is in the middle. " + cap(join(f"{a(called(t))} {'hangs on the wall' if w else 'stands'} {sd}" for t, sd, w in person_places(s))) + ".", facts
    side = rnd.choice(["left", "right"])
    there = [t for t in things if side in t["place"]]
    if rnd.random() < 0.4:
        return "on_side", pick("on_side", rnd, unseen).format(side=side), f"On the {side} there is {join(a(called(t)) for t in there)}." if there else \
            f"There is no thing on the {side}.", {"things": [t["name"] for t in there]}
    answer = f"To the {side} of the person there is {join(a(called(t)) for t in there)}." if there else f"There is no thing to the {side} of the person."
    return "side_of", pick("side_of", rnd, unseen).format(side=side, y="person"), answer, {"things": [t["name"] for t in there]}


# --- what is not there ------------------------------------------------------

def shown(s):
    """Every word that the picture could be said to show."""
    words = {t["name"] for t in s.get("things", [])} | {x["name"] for x in s.get("subjects", [])}
    room = s.get("room") or s["place"]
    words |= {"study": {"bookshelf", "fireplace", "book", "candle"}, "kitchen": {"cupboard", "stove", "pot"}, "garden": {"tree", "fence", "flower", "plant"},
              "office": {"monitor", "whiteboard", "computer"}, "night window": {"window", "moon", "curtain", "star", "tower"},
              "porch": {"fence", "tree", "door", "tower"}, "driveway": {"fence", "tree", "door", "flower"}, "hallway": {"door", "lamp", "carpet"}}[room]
    if words & {"vase", "plant"}:
        words |= {"flower", "plant", "vase"}
    if s["kind"] == "person":
        words |= {"person", "belt", "necklace", "glove", "boot", "shoe", "ring"}
    if "person" in words:
        words |= {"shoe", "boot", "glove"}
    if "painting" in words:
        words |= {"mountain", "lake", "river"}
    if "teapot" in words:
        words |= {"kettle"}
    return words


KNOWN = list(THINGS) + WALL_THINGS + ["car", "dog", "parcel", "tree", "fireplace", "bookshelf", "stove", "monitor", "whiteboard", "window", "moon", "fence"]


def ask_absent(s, rnd, unseen, face=False):
    seen = shown(s)
    never = absent_words(unseen)
    while True:
        word = rnd.choice(KNOWN if rnd.random() < 0.5 and not face else never)
        if word not in seen:
            break
    kind = rnd.choices(["exist", "colour", "where", "count"], [5, 2, 1.5, 1])[0]
    text = pick(kind, rnd, unseen).format(x=word, ax=a(word), xs=plural(word))
    if kind == "exist":
        answer = f"No, there are no {plural(word)} in this picture." if plural(word) in text and a(word) not in text else \
            rnd.choice([f"No, there is no {word} in this picture.", f"No, I do not see {a(word)}."])
    elif kind == "count":
        answer = f"There are no {plural(word)} in this picture."
    else:
        answer = f"There is no {word} in this picture."
    return "absent", text, answer, {"absent": word}


# --- things on a table ------------------------------------------------------

def still_rows(s):
    row = sorted((t for t in s["things"] if isinstance(t["place"], int) and "behind" not in t), key=lambda t: t["place"])
    back = [t for t in s["things"] if "behind" in t]
    wall = [t for t in s["things"] if t["place"] == "wall"]
    return row, back, wall


def arrangement(s, rnd):
    row, back, wall = still_rows(s)
    names = {t["name"] for t in row}
    if len(row) == 1:
        text = f"{cap(a(called(row[0])))} stands on the table."
    elif len(names) == 1:
        text = f"{cap(NUMBER[len(row)])} {plural(called(row[0]))} stand in a row on the table."
    elif len(row) > 3 or len(names) < len(row):
        one = [t for t in row if sum(o["name"] == t["name"] for o in row) == 1]
        many = [t for t in row if t not in one]
        side = "left" if one[0] is row[0] else "right"
        text = f"{cap(a(called(one[0])))} stands to the {side} of {counted(many)}."
    elif len(row) == 2:
        text = rnd.choice([f"The {called(row[0])} is on the left and the {called(row[1])} is on the right.",
                           f"The {called(row[0])} stands to the left of the {called(row[1])}."])
    else:
        text = f"The {called(row[0])} is on the left, the {called(row[1])} is in the middle and the {called(row[2])} is on the right."
    for t in back:
        text += f" {cap(a(called(t)))} stands behind the {t['behind']}."
    for t in wall:
        text += f" {cap(a(t['name']))} hangs on the wall above."
    return text


def describe_still(s, rnd):
    row, back, wall = still_rows(s)
    room = {"night window": "in front of a window at night", "garden": "in a garden"}.get(s["room"], f"in {ROOM[s['room']]}")
    if rnd.random() < 0.4:
        return f"A table {room}. {arrangement(s, rnd)}"
    text = rnd.choice([f"{cap(counted(row + back))} on a table {room}.", f"The picture shows {counted(row + back)} on a table {room}."])
    for t in back:
        text += f" The {t['name']} stands behind the {t['behind']}."
    for t in wall:
        text += f" {cap(a(t['name']))} hangs on the wall."
    return text


def ask_still(s, rnd, unseen):
    row, back, wall = still_rows(s)
    things = row + back + wall
    single = [t for t in things if sum(o["name"] == t["name"] for o in things) == 1]
    kinds = {"describe": 3, "list": 2, "arrange": 2, "count": 3, "exist": 2, "colour": 3, "room": 1.5, "absent": 5, "no person": 2.5, "where": 2 if single else 0,
             "relation": 3 if len([t for t in row if t in single]) > 1 else 0, "behind": 3 if back else 0, "above": 1.2}
    kind = rnd.choices(list(kinds), list(kinds.values()))[0]
    q = lambda k=kind: pick(k, rnd, unseen)
    names = sorted({t["name"] for t in things})
    if kind == "describe":
        return kind, q(), describe_still(s, rnd), {"things": names}
    if kind == "list":
        return kind, q(), rnd.choice(["There is ", "I see "]) .replace("There is", "There are" if counted(row + back).split()[0] in NUMBER[2:] else "There is") + \
            f"{counted(row + back + wall)}.", {"things": names}
    if kind == "arrange":
        return kind, q(), arrangement(s, rnd), {"things": names}
    if kind == "room":
        text = q()
        if "person" in text:
            return kind, text, "There is no person in this picture.", {"absent": "person"}
        return kind, text, f"{rnd.choice(['This is', 'It is', 'The background is'])} {room_of(s)}.", {"room": s["room"]}
    if kind == "absent":
        return ask_absent(s, rnd, unseen)
    if kind == "no person":
        return ask_no_person(s, rnd, unseen)
    if kind == "above":
        return kind, q(), f"{cap(a(wall[0]['name']))} hangs on the wall above the table." if wall else "Nothing hangs on the wall above the table.", {"things": [t["name"] for t in wall]}
    if kind == "behind":
        return kind, q().format(y=back[0]["behind"]), f"Behind the {back[0]['behind']} there is {a(called(back[0]))}.", {"things": [back[0]["name"]]}
    thing = rnd.choice(things)
    name, n = thing["name"], sum(t["name"] == thing["name"] for t in things)
    if kind == "count":
        return kind, q().format(xs=plural(name)), f"There is one {name}." if n == 1 else f"There are {NUMBER[n]} {plural(name)}.", {"count": n}
    if kind == "exist":
        return kind, q().format(ax=a(name), xs=plural(name)), f"Yes, there is {a(called(thing))}." if n == 1 else f"Yes, there are {NUMBER[n]} {plural(called(thing))}.", {"yes": True}
    if kind == "colour":
        if not thing["colour"]:
            return ask_still(s, rnd, unseen)
        return kind, q().format(x=name) if n == 1 else f"What colour are the {plural(name)}?", f"The {name} is {thing['colour']}." if n == 1 else f"The {plural(name)} are {thing['colour']}.", {"colour": thing["colour"]}
    if kind == "where":
        t = rnd.choice(single)
        if t in wall:
            answer = f"The {t['name']} hangs on the wall above the table."
        elif t in back:
            answer = f"The {t['name']} stands behind the {t['behind']}."
        elif len(row) == 1:
            answer = f"The {t['name']} stands on the table."
        else:
            i = row.index(t)
            side = "on the left" if i == 0 else "on the right" if i == len(row) - 1 else "in the middle"
            other = rnd.choice([o for o in row if o["name"] != t["name"]])
            answer = f"The {t['name']} is {side}." if rnd.random() < 0.5 or sum(o["name"] == other["name"] for o in row) > 1 else \
                f"The {t['name']} is {side}, to the {'left' if i < row.index(other) else 'right'} of the {other['name']}."
        return kind, q().format(x=t["name"]), answer, {}
    if rnd.random() < 0.2 and len(row) == len([t for t in row if t in single]):
        side = rnd.choice(["left", "right"])
        end = row[0] if side == "left" else row[-1]
        return "on_side", pick("on_side", rnd, unseen).format(side=side), f"On the {side} there is {a(called(end))}.", {"things": [end["name"]]}
    x, y = rnd.sample([t for t in row if t in single], 2)
    side = "left" if row.index(x) < row.index(y) else "right"
    if rnd.random() < 0.35 and abs(row.index(x) - row.index(y)) == 1 and len(row) == len([t for t in row if t in single]):
        return "side_of", pick("side_of", rnd, unseen).format(side=side, y=y["name"]), f"To the {side} of the {y['name']} there is {a(called(x))}.", {"things": [x["name"]]}
    return kind, q().format(x=x["name"], y=y["name"]), f"The {x['name']} is to the {side} of the {y['name']}.", {"side": side}


def ask_no_person(s, rnd, unseen):
    """Questions about a person, asked of a picture without one."""
    kind = rnd.choice(["mood", "mood_word", "detail", "hair", "glasses", "clothes", "posture", "count_people", "count_people", "hat"])
    text = pick(kind, rnd, unseen)
    if kind == "count_people":
        answer = "There are no people in this picture." if asks_number(text) else "No, there is no person in this picture."
    elif kind == "detail":
        answer = f"There is no person in this picture. It shows {a('table with ' + counted(still_rows(s)[0])) if s['kind'] == 'still' else place_of(s)}."
    else:
        answer = "There is no person in this picture."
    return "absent", text, answer, {"absent": "person"}


# --- security cameras -------------------------------------------------------

def place_of(s):
    return {"porch": "a porch", "driveway": "a driveway", "hallway": "a hallway"}[s["place"]]


def subject_of(x, s):
    if s["time"] == "night" or not x["colour"]:
        return a(x["name"])
    return f"a person in {x['colour']}" if x["name"] == "person" else a(called(x))


def subjects_text(s):
    order = sorted(s["subjects"], key=lambda x: ["left", "middle", "right"].index(x["place"]))
    return join(f"{subject_of(x, s)} {SPOT[x['place']]}" for x in order)


def describe_security(s, rnd):
    when = "at night" if s["time"] == "night" else "by day"
    if not s["subjects"]:
        return rnd.choice([f"A security camera shows {place_of(s)} {when}. Nobody is there.", f"{cap(place_of(s))} {when}. The scene is empty, with no person, car, dog or parcel."])
    return rnd.choice([f"A security camera shows {place_of(s)} {when} with {subjects_text(s)}.", f"{cap(place_of(s))} {when}: {subjects_text(s)}."])


def ask_security(s, rnd, unseen):
    subjects = s["subjects"]
    count = lambda n: sum(x["name"] == n for x in subjects)
    people = count("person")
    kinds = {"security": 4, "describe": 2, "count_people": 2, "time": 1.5, "room": 1.5, "absent": 4, "no person": 0 if people else 2, "far": 1 if people else 0}
    if subjects:
        kinds.update({"exist": 2.5, "where": 2, "colour": 3, "count": 2, "list": 1.5})
    else:
        kinds["list"] = 0.7
    kind = rnd.choices(list(kinds), list(kinds.values()))[0]
    q = lambda k=kind: pick(k, rnd, unseen)
    facts = {"things": sorted({x["name"] for x in subjects})}
    if kind in ("security", "describe"):
        return kind, q(), describe_security(s, rnd), facts
    if kind == "list":
        return kind, q(), f"I see {subjects_text(s)}." if subjects else "There is nothing but the empty " + s["place"] + ".", facts
    if kind == "count_people":
        text = q()
        head = "" if asks_number(text) else ("Yes, there" if people else "No, there")
        amount = "are no people" if not people and not head else "is no person" if not people else "is one person" if people == 1 else f"are {NUMBER[people]} people"
        return kind, text, f"{head or 'There'} {amount} in {'the' if people else 'this'} picture.", {"count": people}
    if kind == "time":
        text, night = q(), s["time"] == "night"
        head = ("Yes, it is night." if night else "No, it is day.") if " or " not in text and ("dark" in text or "night" in text) else ("It is night." if night else "It is day.")
        return kind, text, head, {"time": s["time"]}
    if kind == "room":
        text = q()
        if "person" in text and people != 1:
            return ask_security(s, rnd, unseen)
        return kind, text, f"{'The person is on' if 'person' in text else rnd.choice(['This is', 'It is'])} {place_of(s)}.".replace("on a hallway", "in a hallway"), {"place": s["place"]}
    if kind == "absent":
        return ask_absent(s, rnd, unseen)
    if kind == "no person":
        return ask_no_person(s, rnd, unseen)
    if kind == "far":
        return "far", pick(rnd.choice(["mood", "mood_word"]), rnd, unseen), "The face is too far away to read the mood.", {}
    x = rnd.choice(subjects)
    name, n = x["name"], count(x["name"])
    if kind == "exist":
        return kind, q().format(ax=a(name), xs=plural(name)), f"Yes, there is {subject_of(x, s)} {SPOT[x['place']]}." if n == 1 else f"Yes, there are {NUMBER[n]} {plural(name)}.", {"yes": True}
    if kind == "count":
        return kind, q().format(xs=plural(name)), f"There is one {name}." if n == 1 else f"There are {NUMBER[n]} {plural(name)}.", {"count": n}
    if n > 1:
        return ask_security(s, rnd, unseen)
    if kind == "where":
        return kind, q().format(x=name), f"The {name} is {SPOT[x['place']]}.", {"side": x["place"]}
    if name == "parcel":
        return ask_security(s, rnd, unseen)
    text = pick("clothes", rnd, unseen) if name == "person" else q().format(x=name)
    if s["time"] == "night":
        return kind, text, "It is a night picture, so no colour can be seen.", {}
    return kind, text, f"The person wears {x['colour']} clothes." if name == "person" else f"The {name} is {x['colour']}.", {"colour": x["colour"]}


def ask(scene, rnd, view="frame", unseen=False):
    if scene["kind"] == "person":
        return ask_person(scene, rnd, view, unseen)
    return (ask_still if scene["kind"] == "still" else ask_security)(scene, rnd, unseen)
