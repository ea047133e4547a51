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


def pack_any(weight):
    """`pack` of a matrix, or of a convolution's [out, in, k, k] as [out, in * k * k]."""
    values, scale = pack(weight.reshape(len(weight), -1))
    return values.view(weight.shape), scale


def unpack_any(values, scale):
    return unpack(values.view(len(values), -1), scale).view(values.shape)


def packed(name, weight):
    """Every matrix is packed; position tables and vectors stay bf16."""
    return weight.dim() == 2 and name.endswith(".weight") and "position_embedding" not in name


def read_weights(path):
    """All tensors of a checkpoint as float32, 8-bit ones unpacked."""
    stored = load_file(path)
    return {k: unpack_any(v, stored[k + ".int8_b64_scale"]) if k + ".int8_b64_scale" in stored else v.float()
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


def packed_convolution(name, weight):
    """Convolutions are packed but for the first and the last ones of each half, which touch pixels and latents."""
    return weight.dim() == 4 and "conv_in" not in name and "conv_out" not in name


def store(state, choose):
    """Tensors as they are stored: those that `choose` names as 8-bit blocks, the rest as float16."""
    tensors = {}
    for name, weight in state.items():
        weight = weight.detach().float().cpu()
        if choose(name, weight):
            tensors[name], tensors[name + ".int8_b64_scale"] = pack_any(weight)
        else:
            tensors[name] = weight.half().contiguous()
    return tensors


def rounded_autoencoder(state):
    """The weights as the stored file will give them back."""
    tensors = store(state, packed_convolution)
    return {k: unpack_any(v, tensors[k + ".int8_b64_scale"]) if v.dtype == torch.int8 else v.float()
            for k, v in tensors.items() if not k.endswith(".int8_b64_scale")}


def write_autoencoder(folder, state, config, choose=packed_convolution):
    """ae.safetensors, and the constants in autoencoder.json for `add_drawing`."""
    save_file(store(state, choose), f"{folder}/ae.safetensors", {"format": "pt"})
    os.chmod(f"{folder}/ae.safetensors", 0o644)
    with open(f"{folder}/autoencoder.json", "w") as f:
        json.dump(config, f)
    return os.path.getsize(f"{folder}/ae.safetensors")


def autoencoder_config(folder):
    """The constants of an autoencoder: of one that was trained, or of a model folder's."""
    if os.path.exists(f"{folder}/autoencoder.json"):
        return json.load(open(f"{folder}/autoencoder.json"))
    return json.load(open(f"{folder}/bagel.json"))["vae"]


def packed_drawing(name, weight):
    """The expert's matrices and the position table; the small layers at its two ends stay whole."""
    return weight.dim() == 2 and "_moe_gen" in name or name.startswith("latent_pos_embed")


def add_drawing(understanding, autoencoder, state, intermediate, folder):
    """Writes a model folder: the tensors of the understanding half as they are, the drawing half, the autoencoder."""
    os.makedirs(folder, exist_ok=True)
    kept = {k: v for k, v in load_file(f"{understanding}/ema.safetensors").items()
            if not any(mark in k for mark in ("_moe_gen", "time_embedder", "vae2llm", "llm2vae", "latent_pos_embed"))}
    for name in ("llm_config.json", "vit_config.json", "config.json", "vocab.json", "merges.txt", "tokenizer_config.json"):
        if os.path.abspath(understanding) != os.path.abspath(folder):
            shutil.copy(f"{understanding}/{name}", f"{folder}/{name}")
    own = json.load(open(f"{understanding}/bagel.json"))
    own = {**own, "picture": {"width": 256, "height": 256}, "gen_intermediate": intermediate, "vae": autoencoder_config(autoencoder)}
    save_file({**kept, **store(state, packed_drawing)}, f"{folder}/ema.safetensors", {"format": "pt"})
    os.chmod(f"{folder}/ema.safetensors", 0o644)
    if os.path.abspath(autoencoder) != os.path.abspath(folder):
        shutil.copyfile(f"{autoencoder}/ae.safetensors", f"{folder}/ae.safetensors")
    with open(f"{folder}/bagel.json", "w") as f:
        json.dump(own, f, indent=2)
        f.write("\n")
    return sum(os.path.getsize(f"{folder}/{n}") for n in os.listdir(folder))


if __name__ == "__main__":  # understanding folder, autoencoder folder, average.safetensors, folder to write
    import sys
    weights = load_file(sys.argv[3])
    width = len(weights["language_model.model.layers.0.mlp_moe_gen.up_proj.weight"])
    print(f"{add_drawing(sys.argv[1], sys.argv[2], weights, width, sys.argv[4]) / 1e6:.2f} MB")
