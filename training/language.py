"""From the facts of a scene to questions and truthful answers.

`ask(scene, rnd, view, unseen)` yields one (kind, question, answer, facts) at a time. `view` says what
the picture shows of the scene: the whole "frame" or the "face" alone. `facts` is what an answer can
be judged by. Nothing is asserted that the picture does not show.
"""
from about_people import ask_person
from absent import ask_absent
from phrases import NUMBER, ROOM, SPOT, a, asks_number, called, cap, counted, join, plural, room_of
from wordings import pick

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
