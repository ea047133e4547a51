"""Pictures with questions, drawn by worker processes into shared memory while the GPU trains.

A slab holds pictures of one patch grid, each with a few rows of questions and answers. The questions in
a row share the picture's prefix: the attention mask keeps them apart (see `attention_mask`).
"""
import mmap
import multiprocessing as mp
import os
import queue
import random

import numpy as np

import camera
import language
import scenes
import talk
import world
from preprocess import patchify, resize
from tokenizer import Vocabulary

MAX_PATCHES, TEXT, ROUNDS = 352, 288, 3
FIELDS = {"ids": np.int16, "target": np.int16, "segment": np.int16, "rope": np.int16, "sees": np.int16, "weight": np.float32}


class Slab:
    """Arrays over one anonymous shared mapping."""

    def __init__(self, pictures):
        sizes = {"patches": (np.uint8, pictures * MAX_PATCHES * 588), **{k: (t, ROUNDS * pictures * TEXT) for k, t in FIELDS.items()}}
        memory = mmap.mmap(-1, sum(np.dtype(t).itemsize * n for t, n in sizes.values()))
        at = 0
        for name, (kind, n) in sizes.items():
            array = np.frombuffer(memory, kind, n, at)
            at += array.nbytes
            setattr(self, name, array.reshape(ROUNDS, pictures, TEXT) if name != "patches" else array)

    def pictures(self, count, patches):
        return self.patches[:count * patches * 588].reshape(count, patches, 588)


def text_row(vocab, turns, first_rope):
    """Packs (question, answer, sees the picture) turns into one row. Loss is on the answers only."""
    row = {k: np.zeros(TEXT, t) for k, t in FIELDS.items()}
    row["target"][:] = -1
    at = 0
    for n, (question, answer, sees) in enumerate(turns, 1):
        q = [vocab.start] + vocab.encode(question) + [vocab.end]
        a = [vocab.start] + vocab.encode(answer)
        length = len(q) + len(a)
        if at + length > TEXT:
            break
        end = at + length
        row["ids"][at:end] = q + a
        row["target"][at + len(q):end] = a[1:] + [vocab.end]
        row["weight"][at + len(q):end] = len(a) ** -0.5
        row["segment"][at:end] = n
        row["sees"][at:end] = sees
        row["rope"][at:end] = first_rope + int(sees) + np.arange(length)
        at = end
    return row


def turns_for(scene, view, rnd, system):
    """About a dozen questions on one picture, most of them on what it shows."""
    out = []
    for _ in range(14):
        if system == talk.PLAN:
            other = world.sample(rnd)
            out.append((talk.draw_prompt(other, rnd), talk.plan(other, rnd), 0))
            continue
        if rnd.random() < 0.03:
            out.append((*talk.chat(rnd), 0))
            continue
        if rnd.random() < 0.03:
            out.append((*talk.chat_beside_picture(rnd), 1))
            continue
        _, question, answer, _ = language.ask(scene, rnd, view)
        out.append((question, (talk.thought(scene, view) if system == talk.THINK else "") + answer, 1))
    return out


def views(rnd):
    """One scene as one or two training pictures: the frame, and for a person often the face crop too."""
    scene, seed = world.sample(rnd), rnd.getrandbits(48)
    if scene["kind"] == "person" and rnd.random() < 0.65:
        x, y, w, h = camera.likely_box(scenes.face_of(scene, seed), rnd)
        p, q = 0.4 * w, 0.4 * h
        window = (max(0, x - p), max(0, y - q), min(scenes.width(scene), x + w + p), min(720, y + h + q))
        yield scene, "face", camera.shoot(scenes.draw(scene, seed, rnd.randint(250, 420), window), rnd)
    height = rnd.randint(270, 420)
    if scene["kind"] == "person" and scene["frame"] == "wide" and not scene["things"] and rnd.random() < 0.25:  # a 4:3 camera
        yield dict(scene, frame="4:3"), "frame", camera.shoot(scenes.draw(scene, seed, height, (160, 0, 1120, 720)), rnd)
    else:
        yield scene, "frame", camera.shoot(camera.shift(scenes.draw(scene, seed, height), rnd), rnd)


def work(slabs, free, full, vocabulary, size, seed):
    vocab = Vocabulary(vocabulary)
    rnd = random.Random(seed)
    waiting = {}
    while True:
        for scene, view, image in views(rnd):
            patches, grid = patchify(camera.add_noise(resize(image), rnd))
            if len(patches) > MAX_PATCHES:
                continue
            chance = rnd.random()
            system = None
            if grid == (14, 24):  # the commonest grid carries the rarer system texts
                system = talk.THINK if chance < 0.03 else talk.PLAN if chance < 0.06 else talk.SYSTEM[int(chance * 1000) % len(talk.SYSTEM)] if chance < 0.12 else None
            prefix = [vocab.start] + vocab.encode(system) + [vocab.end] if system else []
            rows = waiting.setdefault((grid, system), [])
            rows.append((patches, [text_row(vocab, turns_for(scene, view, rnd, system), len(prefix)) for _ in range(ROUNDS)]))
            if len(rows) == size:
                slot = free.get()
                slab = slabs[slot]
                slab.pictures(size, len(patches))[:] = np.stack([p for p, _ in rows])
                for name in FIELDS:
                    getattr(slab, name)[:] = np.stack([[r[i][name] for _, r in rows] for i in range(ROUNDS)])
                full.put((slot, grid, prefix))
                waiting[grid, system] = []


class Drawers:
    """The worker processes and their slabs; iterate with `next`, give each slab back with `done`."""

    def __init__(self, workers, size, vocabulary, seed, slots=None):
        context = mp.get_context("fork")
        self.slabs = [Slab(size) for _ in range(slots or 2 * workers)]
        self.free, self.full, self.size = context.Queue(), context.Queue(), size
        for i in range(len(self.slabs)):
            self.free.put(i)
        self.processes = [context.Process(target=work, args=(self.slabs, self.free, self.full, vocabulary, size, f"{seed}/{i}"), daemon=True)
                          for i in range(workers)]
        for process in self.processes:
            process.start()

    def next(self, wait):
        """A filled slab as (slot, grid, prefix), or None if none is ready and `wait` is false."""
        try:
            return self.full.get(timeout=300) if wait else self.full.get_nowait()
        except queue.Empty:
            if wait:
                raise
            return None

    def done(self, slot):
        self.free.put(slot)

    def stop(self):
        for process in self.processes:
            process.terminate()


def cores():
    return len(os.sched_getaffinity(0))
