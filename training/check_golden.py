"""Checks this model against the reference's numbers (tests/golden) before anything is trained with it."""
import json
import sys

import torch
from PIL import Image
from safetensors.torch import load_file

from model import answer, load_folder
from preprocess import fit, patchify, positions
from tokenizer import Vocabulary

folder = sys.argv[1] if len(sys.argv) > 1 else "tests/golden"
model, own = load_folder(f"{folder}/model")
vocab = Vocabulary(f"{folder}/model")
big = dict(max_pixels=14 * 14 * 9 * 1024)

for name in ("astronaut", "text_only"):
    told, want = json.load(open(f"{folder}/understand/{name}.json")), load_file(f"{folder}/understand/{name}.safetensors")
    patches = ids = None
    if name == "astronaut":
        image = Image.open(f"{folder}/images/astronaut.png").convert("RGB")
        image = image.resize(fit(*image.size, 16, max=1024, min=512, **big), Image.BICUBIC)
        image = image.resize(fit(*image.size, 14, max=980, min=224, **big), Image.BICUBIC)
        pixels, grid = patchify(image)
        patches, ids = torch.tensor(pixels)[None], torch.tensor(positions(grid, own["vit_max_num_patch_per_side"]))[None]
        print("connector", (model.picture_tokens(patches, ids) - model.vit_pos_embed["pos_embed"][ids] - want["connector_out"]).abs().max().item())
    got = answer(model, vocab, [told["prompt"]], patches, ids, limit=told["num_predict"])[0]
    print(name, "ids equal:", got == want["ids"][1:1 + len(got)].tolist() and len(got) >= len(want["ids"]) - 2, got[:5], want["ids"][:6].tolist())
