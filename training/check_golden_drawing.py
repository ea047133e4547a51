"""Checks the drawing half against the reference's numbers (tests/golden): sampling, guidance, autoencoder, an edit."""
import json
import sys

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

import preprocess
from autoencoder import load_autoencoder, to_pixels, to_tokens
from drawing import load_drawing
from flow import sample, text_rows
from model import load_folder
from tokenizer import Vocabulary

LIMITS = dict(max_pixels=14 * 14 * 9 * 1024)


def worst(got, want):
    return ((got - want).norm() / want.norm()).item()


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else "tests/golden"
    und, own = load_folder(f"{folder}/model")
    drawing, autoencoder, vocab = load_drawing(f"{folder}/model"), load_autoencoder(f"{folder}/model"), Vocabulary(f"{folder}/model")
    for name in ("generate/global_cfg", "edit/text_channel"):
        told, want = json.load(open(f"{folder}/{name}.json")), load_file(f"{folder}/{name}.safetensors")
        h, w = told["shape"]
        settings = {"text": told["cfg_text_scale"], "image": told["cfg_img_scale"], "interval": told["cfg_interval"], "shift": told["timestep_shift"],
                    "times": told["num_timesteps"], "renorm": told["cfg_renorm_type"]}
        context = [*text_rows(vocab, [told["prompt"]])]
        if "vae_latent" in want:
            image = Image.open(f"{folder}/images/coffee.png").convert("RGB")
            image = image.resize(preprocess.fit(*image.size, 16, max=1024, min=512, **LIMITS), Image.BICUBIC)
            pixels = to_pixels(torch.tensor(np.asarray(image))[None])
            with torch.no_grad():
                mean, log_variance = autoencoder.encoder(pixels).chunk(2, 1)
                latent = autoencoder.scale * (mean + (0.5 * log_variance).exp() * want["vae_eps"] - autoencoder.shift)
                print(name, "vae_latent", worst(latent, want["vae_latent"]))
                seen = image.resize(preprocess.fit(*image.size, 14, max=980, min=224, **LIMITS), Image.BICUBIC)
                patches, grid = preprocess.patchify(seen)
                ids = torch.tensor(preprocess.positions(grid, own["vit_max_num_patch_per_side"]))
                context += [to_tokens(latent), und.picture_tokens(torch.tensor(patches)[None], ids[None])]
        tokens = sample(und, drawing, vocab, want["init_noise"][None], (h // 16, w // 16), *context, settings=settings)
        print(name, "latent", worst(tokens, to_tokens(want["latent"])))
        if "decoded" in want:
            with torch.no_grad():
                print(name, "decoded", worst(autoencoder.decode(want["latent"]), want["decoded"]))


if __name__ == "__main__":
    main()
