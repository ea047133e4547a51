"""How often OpenCV's stock frontal cascade finds the drawn faces, and where its box lies on them."""
import argparse
import random
from collections import Counter

import cv2
import numpy as np
from PIL import Image

import scenes
import world


def find(cascade, image):
    grey = cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2GRAY)
    return cascade.detectMultiScale(grey, 1.2, 5, minSize=(60, 60))


def on_face(box, face):
    x, y, unit = face
    a, b, w, h = box
    return abs(a + w / 2 - x) < 0.6 * unit and abs(b + h / 2 - y) < 0.7 * unit and w > 1.2 * unit


def stock():
    return cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", default="faces")
    parser.add_argument("--misses", help="save a sheet of what was missed")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    cascade, rnd = stock(), random.Random(args.seed)
    hits, misses, total, boxes, missed, first = 0, Counter(), Counter(), [], [], 0
    for i in range(args.count):
        scene = world.sample(rnd, kind="person")
        image, face = scenes.fine(scene, f"{args.seed}{i}"), scenes.face_of(scene, f"{args.seed}{i}")
        found = sorted(find(cascade, image), key=lambda b: -b[2])
        right = [b for b in found if on_face(b, face)]
        hits += bool(right)
        first += bool(found) and on_face(found[0], face)
        for key in (("mood", scene["mood"]), ("skin", scene["skin"]), ("glasses", scene["glasses"]), ("posture", scene["posture"]),
                    ("hat", scene["hat"] and scene["hat"]["type"]), ("room", scene["room"]), ("frame", scene["frame"])):
            total[key] += 1
            misses[key] += not right
        if right:
            x, y, unit = face
            a, b, w, h = right[0]
            boxes.append(((a + w / 2 - x) / unit, (b + h / 2 - y) / unit, w / unit))
        else:
            x, y, unit = face
            missed.append(image.crop((int(x - 1.6 * unit), int(y - 1.9 * unit), int(x + 1.6 * unit), int(y + 1.6 * unit))).resize((240, 262)))
    print(f"found: {hits} of {args.count} = {hits / args.count:.1%}; the largest box is the face in {first / args.count:.1%}")
    print("box (x, y, width in half face heights): mean", np.mean(boxes, 0).round(3), "spread", np.std(boxes, 0).round(3))
    for key in sorted(total, key=str):
        print(f"  {key[0]} {key[1]}: {misses[key]} of {total[key]} missed")
    if args.misses and missed:
        sheet = Image.new("RGB", (240 * 6, 262 * 3))
        for i, image in enumerate(missed[:18]):
            sheet.paste(image, (i % 6 * 240, i // 6 * 262))
        sheet.save(args.misses)


if __name__ == "__main__":
    main()
