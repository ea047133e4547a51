"""Draws demo/pictures: 50 people and 10 security scenes with labels, from combinations that training never sees."""
import argparse
import json
import os
import random

import scenes
import world


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", default="demo/pictures")
    parser.add_argument("--quality", type=int, default=74)
    args = parser.parse_args()
    os.makedirs(args.folder, exist_ok=True)
    rnd, labels, total = random.Random("demo pictures"), {}, 0
    for i in range(60):
        kind = "person" if i < 50 else "security"
        while True:
            scene = world.sample(rnd, unseen=True, kind=kind)
            if kind == "person" and scene["frame"] == "wide" and scene["mood"] == world.MOODS[i % 7]:
                break
            if kind == "security" and scene["time"] == ("night" if i % 3 == 2 else "day") and (bool(scene["subjects"]) or i == 59):
                break
        name = f"{kind}-{i + 1 if kind == 'person' else i - 49:02d}.jpg"
        scenes.fine(scene, f"demo/{i}").save(f"{args.folder}/{name}", quality=args.quality, optimize=True)
        total += os.path.getsize(f"{args.folder}/{name}")
        label = dict(scene)
        if kind == "person":
            x, y, unit = scenes.face_of(scene, f"demo/{i}")
            label["face"] = {"x": round(x - unit), "y": round(y - 0.9 * unit), "w": round(2 * unit), "h": round(2 * unit)}
        labels[name] = label
    with open(f"{args.folder}/labels.json", "w") as f:
        json.dump(labels, f, indent=1)
        f.write("\n")
    print(f"{len(labels)} pictures, {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
