"""What the autoencoder makes of held-out pictures: PSNR, energy above half the Nyquist frequency, a sheet to look at."""
import argparse
import json
import random

import numpy as np
import torch
from PIL import Image

import export
import studio
from autoencoder import Autoencoder, to_pictures, to_pixels
from contact_sheet import sheet
from drawing_cases import high_energy


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", default="build/training/autoencoder")
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--sheet", default="build/training/reconstructions.png")
    args = parser.parse_args()
    model = Autoencoder(json.load(open(f"{args.folder}/autoencoder.json"))).eval()
    model.load_state_dict(export.read_weights(f"{args.folder}/ae.safetensors"))
    rnd, cells = random.Random("reconstructions"), []
    for shape in ("square", "square", "wide"):
        errors, energies, before, after = [], [], [], []
        for i in range(args.count // 3):
            scene = studio.base_scene(rnd, shape, unseen=True)
            picture = studio.picture(scene, f"reconstruct/{i}", shape)
            pixels = to_pixels(torch.from_numpy(np.asarray(picture).copy())[None])
            with torch.no_grad():
                got = Image.fromarray(to_pictures(model.decode(model.encode(pixels)))[0].numpy())
            errors.append(np.mean((np.asarray(picture, np.float32) - np.asarray(got, np.float32)) ** 2))
            before.append(high_energy(picture))
            after.append(high_energy(got))
            cells += [([picture, got], scene["kind"])] if shape == "square" else []
        print(f"{shape}: PSNR {10 * np.log10(255 ** 2 / np.mean(errors)):.2f} dB, high energy {sum(after) / sum(before):.1%}")
    sheet(cells[:12], 3).save(args.sheet)


if __name__ == "__main__":
    main()
