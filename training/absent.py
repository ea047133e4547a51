"""Questions about what is not there. One word in five is kept for the evaluation."""
import hashlib
from functools import lru_cache

from phrases import a, plural
from wordings import pick
from world import THINGS, WALL_THINGS

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
