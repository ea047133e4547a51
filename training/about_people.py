"""Questions about a person, and truthful answers; see language.py."""
from absent import ask_absent
from phrases import BROWS, CUES, EYES, MOUTH, POSE, ROOM, ROOM_BEHIND, a, asks_number, called, cap, clothes_of, hair_of, hat_of, join, looks, plural, room_of, wears
from wordings import pick


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
