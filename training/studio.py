"""Pictures for the drawing half: portraits and tables 256x256, frames of a camera 384x224, in families.

A family is one scene and three copies of it with one attribute changed each, or, before a camera, the scene, its night, and
two scenes with others in the same place; it is drawn with one seed, so that everything else stays. Worker processes draw families into shared memory, with the texts that ask for them.
"""
import mmap
import multiprocessing as mp
import os
import random

import numpy as np
from PIL import Image

import orders
import scenes
import world
from phrases import a, cap
from tokenizer import Vocabulary

SHAPES = {"square": (256, 256), "wide": (384, 224)}  # width, height
FAMILY, PROMPTS, WORDS, TEXT = 4, 3, 2, 48
PEOPLE, PEOPLE_SEEN = {"square": 0.8, "wide": 0.5}, {"square": 0.4, "wide": 0.35}  # in training more of what is harder
MORE_HATS, FEWER_ALIKE = 0.2, 0.6  # in training: of the bare heads; of the tables where not two things can change their colours
CELL = 16  # pixels a side of a latent token


def base_scene(rnd, shape, unseen=False):
    people = (PEOPLE if unseen else PEOPLE_SEEN)[shape]
    while True:
        if shape == "square":
            scene = world.sample(rnd, unseen, kind="person" if rnd.random() < people else "still")
        else:
            scene = world.sample(rnd, unseen, kind="person" if rnd.random() < people else "security")
        if scene["kind"] == "person" and not unseen and not scene["hat"] and rnd.random() < MORE_HATS:
            scene["hat"] = {"type": rnd.choice(world.HATS), "colour": rnd.choice(world.COLOURS)}
        if scene["kind"] == "person" and shape == "square":
            scene.update(frame="square", things=[], posture=scene["posture"] if scene["posture"] == "head tilted" else "upright")
        elif scene["kind"] == "person":
            scene["frame"] = "wide"
        elif scene["kind"] == "still":
            if len(scene["things"]) > 3 or any(t["place"] == "wall" for t in scene["things"]):
                continue
            if not unseen and len(orders.recolourable(scene)) < 2 and rnd.random() < FEWER_ALIKE:
                continue
            scene.update(frame="square", near=True)  # things and subjects several latent tokens wide
        else:
            scene.update(caption=False, near=True)
        return scene


def others(base, rnd):
    """A scene in the place of `base`, a camera's, with subjects of its own, by day or by night."""
    while True:
        scene = base_scene(rnd, "wide")
        if scene["kind"] == "security" and scene["place"] == base["place"]:
            return scene


def family(rnd, shape, unseen=False, changes=FAMILY - 1):
    """(scenes, [(kind, words)] of each change, [(kind, words)] of each way back); None where words would not do."""
    while True:
        base = base_scene(rnd, shape, unseen)
        if base["kind"] == "security":  # its one change must be in the same part of the world
            base["time"] = "day"
            if world.held_out(base) != unseen or not unseen and world.held_out(dict(base, time="night")):
                continue
        there, back, all_scenes, done = [], [], [base], set()
        for i in range(changes):
            if base["kind"] == "security" and i > 0:  # there is but one change to it
                there.append(None)
                back.append(None)
                all_scenes.append(others(base, rnd))
                continue
            kind, new, words = orders.change_seen(base, rnd, unseen, done)
            done.add(words["x"] if kind == "thing" else orders.ATTRIBUTE.get(kind, kind))
            there.append((kind, words))
            back.append(way_back(base, new, kind, rnd))
            all_scenes.append(new)
        if any(s.get("hat") and s["hat"]["type"] == "top hat" for s in all_scenes):
            for s in all_scenes:
                s["low"] = True
        return all_scenes, there, back


def way_back(base, new, kind, rnd):
    """The change from `new` to `base` in words; None where it has none."""
    if kind in ("hair", "clothes colour", "clothes", "hat colour", "mood", "hair length", "thing"):
        if kind == "thing":
            thing = next(o for o, n in zip(base["things"], new["things"]) if o["colour"] != n["colour"])
            return kind, {"x": thing["name"], "c": thing["colour"], "ac": a(thing["colour"])}
        clothing, hat = base["clothing"], base["hat"] or {}
        colour = {"hair": base["hair"]["colour"], "hat colour": hat.get("colour")}.get(kind, clothing["colour"])
        return kind, {"c": colour, "C": cap(colour), "ac": a(colour), "l": base["hair"]["length"], "g": clothing["type"], "o": new["clothing"]["type"],
                      "t": hat.get("type"), "m": base["mood"], "am": a(base["mood"])}
    if kind == "hat":
        return "no hat", {"t": new["hat"]["type"]}
    if kind == "no hat":
        return "hat", {"ah": a(f"{base['hat']['colour']} {base['hat']['type']}")}
    if kind in ("glasses", "no glasses"):
        return ("no glasses" if kind == "glasses" else "glasses"), {}
    if base["kind"] == "security":
        return None
    return ("table room" if base["kind"] == "still" else "room"), {"r": rnd.choice(orders.PLACE[base["room"]])}


def picture(scene, seed, shape):
    """The scene as RGB of the shape's size, drawn at twice that for smooth edges."""
    w, h = SHAPES[shape]
    if shape == "square":
        return scenes.draw(scene, seed, 2 * h).resize((w, h), Image.BOX)
    return scenes.draw(scene, seed, 2 * h).resize((w, h), Image.BICUBIC)


def face_of(scene, seed, shape):
    """Middle and half height of the face in pixels, half height 0 where there is none."""
    if scene["kind"] != "person":
        return 0, 0, 0
    x, y, unit = scenes.face_of(scene, seed, SHAPES[shape][1])
    return x * (SHAPES[shape][0] / (scenes.width(scene) * SHAPES[shape][1] / 720)), y, unit


FIELDS = {"prompt": (np.int16, (FAMILY, PROMPTS, TEXT)), "prompt_length": (np.int16, (FAMILY, PROMPTS)), "face": (np.float32, (FAMILY, 3)),
          "focus": (np.uint8, (FAMILY, 24 * 14)),
          # order [0] leads from the base to picture 1..3, order [1] back; length 0 = there is none, but to picture 1 there always is
          "order": (np.int16, (2, FAMILY - 1, WORDS, TEXT)), "order_length": (np.int16, (2, FAMILY - 1, WORDS))}


def bare(scene):
    """The scene without what is small in it and easily lost, or None where there is nothing of that kind."""
    small = {"person": {"hat": None, "things": []}, "still": {"things": []}, "security": {"subjects": []}}[scene["kind"]]
    return {**scene, **small} if any(scene[k] for k in small) else None


def focus_of(scene, seed, shape):
    """1 for each latent token, row by row, that shows something small: where the picture and the bare one differ."""
    (w, h), half = SHAPES[shape], CELL // 2
    if bare(scene) is None:
        return np.zeros(w * h // CELL ** 2, np.uint8)
    with_it, without = (np.asarray(scenes.draw(s, seed, h // 2).resize((w // 2, h // 2)), np.float32) for s in (scene, bare(scene)))
    cells = (abs(with_it - without).max(-1) > 12).reshape(h // CELL, half, w // CELL, half).mean((1, 3))
    return (cells > 0.1).astype(np.uint8).flatten()


class Slab:
    """Arrays for `families` families over one anonymous shared mapping."""

    def __init__(self, families):
        w, h = SHAPES["wide"]
        sizes = {"pictures": (np.uint8, (families, FAMILY, h * w * 3)), **{k: (t, (families, *s)) for k, (t, s) in FIELDS.items()}}
        memory, at = mmap.mmap(-1, sum(np.dtype(t).itemsize * int(np.prod(s)) for t, s in sizes.values())), 0
        for name, (kind, shape) in sizes.items():
            array = np.frombuffer(memory, kind, int(np.prod(shape)), at)
            at += array.nbytes
            setattr(self, name, array.reshape(shape))


def write_text(ids, lengths, at, vocab, text):
    tokens = [vocab.start] + vocab.encode(text)[:TEXT - 2] + [vocab.end]
    ids[at][:] = vocab.end
    ids[at][:len(tokens)] = tokens
    lengths[at] = len(tokens)


def fill(slab, i, rnd, vocab, shape):
    members, there, back = family(rnd, shape)
    seed = rnd.getrandbits(48)
    w, h = SHAPES[shape]
    for j, scene in enumerate(members):
        slab.pictures[i, j, :w * h * 3] = np.asarray(picture(scene, seed, shape)).reshape(-1)
        slab.face[i, j] = face_of(scene, seed, shape)
        slab.focus[i, j, :w * h // CELL ** 2] = focus_of(scene, seed, shape)
        for k in range(PROMPTS):
            write_text(slab.prompt[i], slab.prompt_length[i], (j, k), vocab, orders.order(scene, rnd)[0])
    slab.order_length[i] = 0
    for way, changes in enumerate((there, back)):
        for j, told in enumerate(changes):
            for k in range(WORDS if told else 0):
                write_text(slab.order[i], slab.order_length[i], (way, j, k), vocab, orders.wording(*told, rnd))


def work(slabs, free, full, vocabulary, families, seed, wide):
    os.nice(10)
    vocab, rnd = Vocabulary(vocabulary), random.Random(seed)
    while True:
        shape = "wide" if rnd.random() < wide else "square"
        slot = free.get()
        for i in range(families):
            fill(slabs[slot], i, rnd, vocab, shape)
        full.put((slot, shape))


class Drawers:
    """The worker processes; `next` gives (slot, shape) of a filled slab or None, `done` gives it back."""

    def __init__(self, workers, vocabulary, seed, families=16, wide=0.25):
        context = mp.get_context("fork")
        self.families, self.slabs = families, [Slab(families) for _ in range(3 * workers)]
        self.free, self.full = context.Queue(), context.Queue()
        for i in range(len(self.slabs)):
            self.free.put(i)
        self.processes = [context.Process(target=work, args=(self.slabs, self.free, self.full, vocabulary, families, f"{seed}/{i}", wide), daemon=True)
                          for i in range(workers)]
        for process in self.processes:
            process.start()

    def next(self, wait=False):
        return self.full.get(timeout=300) if wait or not self.full.empty() else None

    def done(self, slot):
        self.free.put(slot)

    def stop(self):
        for process in self.processes:
            process.terminate()
