"""Writes the model folder in the published layout, with matrices in 8-bit blocks, and reads it back.

int8_b64: `X.weight` is int8 [out, in] and `X.weight.int8_b64_scale` float16 [out, ceil(in / 64)];
a value is its integer times the scale of its block of 64 columns.
"""
import json
import os
import shutil

import torch
from safetensors.torch import load_file, save_file

from preprocess import SIDE, VAE, VIT

BLOCK = 64


def pack(weight):
    """A matrix as int8 and one float16 scale for every 64 columns of a row."""
    rows, cols = weight.shape
    blocks = (cols + BLOCK - 1) // BLOCK
    padded = torch.nn.functional.pad(weight.float(), (0, blocks * BLOCK - cols)).view(rows, blocks, BLOCK)
    scale = (padded.abs().amax(-1) / 127).half()
    divisor = torch.where(scale > 0, scale.float(), torch.ones_like(scale, dtype=torch.float32))
    values = (padded / divisor[..., None]).round().clamp(-127, 127).to(torch.int8)
    return values.view(rows, -1)[:, :cols].contiguous(), scale


def unpack(values, scale):
    return values.float() * scale.float().repeat_interleave(BLOCK, 1)[:, :values.shape[1]]


def packed(name, weight):
    """Every matrix is packed; position tables and vectors stay bf16."""
    return weight.dim() == 2 and name.endswith(".weight") and "position_embedding" not in name


def read_weights(path):
    """All tensors of a checkpoint as float32, 8-bit ones unpacked."""
    stored = load_file(path)
    return {k: unpack(v, stored[k + ".int8_b64_scale"]) if k + ".int8_b64_scale" in stored else v.float()
            for k, v in stored.items() if not k.endswith(".int8_b64_scale")}


def rounded(state):
    """The weights as the exported file will give them back."""
    return {k: unpack(*pack(v)) if packed(k, v) else v.bfloat16().float() for k, v in state.items()}


def write_folder(folder, state, config, vocabulary):
    os.makedirs(folder, exist_ok=True)
    tensors = {}
    for name, weight in state.items():
        weight = weight.detach().cpu()
        if packed(name, weight):
            tensors[name], tensors[name + ".int8_b64_scale"] = pack(weight)
        else:
            tensors[name] = weight.bfloat16().contiguous()
    save_file(tensors, f"{folder}/ema.safetensors", {"format": "pt"})
    os.chmod(f"{folder}/ema.safetensors", 0o644)
    llm = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu", "tie_word_embeddings": False,
           "torch_dtype": "bfloat16", "max_position_embeddings": 4096, **config["llm"]}
    vit = {"model_type": "siglip_vision_model", **config["vit"]}
    own = {"name": "bagel-demo", "vit_max_num_patch_per_side": SIDE, "max_latent_size": SIDE, "vae_image": VAE, "vit_image": VIT}
    for name, content in (("llm_config", llm), ("vit_config", vit), ("bagel", own), ("config", {"name": ["bagel-demo"]})):
        with open(f"{folder}/{name}.json", "w") as f:
            json.dump(content, f, indent=2)
            f.write("\n")
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        if os.path.abspath(vocabulary) != os.path.abspath(folder):
            shutil.copy(f"{vocabulary}/{name}", f"{folder}/{name}")
    return os.path.getsize(f"{folder}/ema.safetensors")
