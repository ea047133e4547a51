"""The drawing half of BAGEL in PyTorch: the second expert of every layer, and the velocity of the latents.

A picture's latents and the text before them meet in shared attention: each block of rows has rows of the
understanding expert (texts, markers, what the vision encoder saw) and rows of the drawing expert (latents).
Every later block sees all earlier ones, so that one pass over the layers computes context and velocity.
"""
import json
import math

import torch
import torch.nn.functional as F
from torch import nn

from model import Layer, RMSNorm, grid_waves, rope_table

GEN_INTERMEDIATE, TOKEN, FREQUENCIES = 1024, 64, 256


def time_features(t):
    """t [B] in 0..1 -> [B, 256]: cosines, then sines."""
    rate = torch.exp(-math.log(10000) * torch.arange(FREQUENCIES // 2, device=t.device) / (FREQUENCIES // 2))
    angle = t[:, None].float() * rate
    return torch.cat([angle.cos(), angle.sin()], 1)


class Drawing(nn.Module):
    """The tensors that drawing adds to a checkpoint; `checkpoint_state` gives them their names there."""

    def __init__(self, llm, side, intermediate=GEN_INTERMEDIATE):
        super().__init__()
        h = llm["hidden_size"]
        self.llm, self.side, self.intermediate = llm, side, intermediate
        self.layers = nn.ModuleList(Layer({**llm, "intermediate_size": intermediate}) for _ in range(llm["num_hidden_layers"]))
        self.norm = RMSNorm(h, llm["rms_norm_eps"])
        self.time_embedder = nn.ModuleDict({"mlp": nn.Sequential(nn.Linear(FREQUENCIES, h), nn.SiLU(), nn.Linear(h, h))})
        self.vae2llm, self.llm2vae = nn.Linear(TOKEN, h), nn.Linear(h, TOKEN)
        self.latent_pos_embed = nn.ParameterDict({"pos_embed": nn.Parameter(torch.zeros(side * side, h))})

    def initialise(self, und):
        """Attention starts as the understanding expert's, so that its keys mean something at once."""
        depth = math.sqrt(2 * len(self.layers))
        for mine, theirs in zip(self.layers, und.language_model.model.layers):
            for name in ("self_attn", "input_layernorm", "post_attention_layernorm"):
                getattr(mine, name).load_state_dict(getattr(theirs, name).state_dict())
            for linear in mine.mlp.children():
                nn.init.normal_(linear.weight, std=0.8 / math.sqrt(linear.in_features))
            mine.mlp.down_proj.weight.data /= depth
        for linear in (self.vae2llm, self.time_embedder["mlp"][0], self.time_embedder["mlp"][2]):
            nn.init.normal_(linear.weight, std=0.7 / math.sqrt(linear.in_features))
            nn.init.zeros_(linear.bias)
        nn.init.zeros_(self.llm2vae.weight)
        nn.init.zeros_(self.llm2vae.bias)
        self.latent_pos_embed["pos_embed"].data = 0.5 * grid_waves(self.side, self.llm["hidden_size"])
        return self

    def embed(self, latents, t, grid):
        """latents [B, n, 64] of a grid at time t [B] -> rows [B, n, hidden]"""
        rows, cols = grid
        ids = (torch.arange(rows, device=latents.device)[:, None] * self.side + torch.arange(cols, device=latents.device)).flatten()
        kind = self.vae2llm.weight.dtype
        moment = self.time_embedder["mlp"](time_features(t).to(kind))
        return self.vae2llm(latents.to(kind)) + moment[:, None] + self.latent_pos_embed["pos_embed"][ids]


def checkpoint_name(name):
    """layers.0.mlp.up_proj.weight -> language_model.model.layers.0.mlp_moe_gen.up_proj.weight"""
    part = name.split(".")
    if part[0] == "norm":
        return "language_model.model.norm_moe_gen.weight"
    if part[0] != "layers":
        return name
    at = 3 if part[2] == "self_attn" else 2
    part[at] += "_moe_gen"
    return "language_model.model." + ".".join(part)


def checkpoint_state(drawing):
    return {checkpoint_name(k): v for k, v in drawing.state_dict().items()}


def load_drawing(folder, device="cpu"):
    from export import read_weights
    llm, own = json.load(open(f"{folder}/llm_config.json")), json.load(open(f"{folder}/bagel.json"))
    model = Drawing(llm, own["max_latent_size"], own.get("gen_intermediate", llm["intermediate_size"]))
    weights = read_weights(f"{folder}/ema.safetensors")
    model.load_state_dict({k: weights[checkpoint_name(k)] for k in model.state_dict()})
    return model.to(device).eval()


class Block:
    """Rows that share one place in the context: `und` [B, u, hidden], `gen` [B, g, hidden] or None, rope positions
    [B, u + g], and which keys up to and with this block each row sees (None for all)."""

    def __init__(self, und, gen, rope, mask=None):
        self.und, self.gen, self.rope, self.mask = und, gen, rope, mask


def before(layer, x, rope):
    return layer.self_attn.project(layer.input_layernorm(x), rope)


def after(layer, x, out):
    x = x + layer.self_attn.o_proj(out)
    return x + layer.mlp(layer.post_attention_layernorm(x))


def joint_layer(und, gen, blocks, ropes):
    """One layer over all blocks, in their order; und and gen are the two experts of that layer."""
    keys, values = [], []
    for block, rope in zip(blocks, ropes):
        parts, u = [], 0
        if block.und is not None:
            u = block.und.shape[1]
            parts.append(before(und, block.und, tuple(r[:, :, :u] for r in rope)))
        if block.gen is not None:
            parts.append(before(gen, block.gen, tuple(r[:, :, u:] for r in rope)))
        q, k, v = (torch.cat(t, 2) if len(parts) > 1 else t[0] for t in zip(*parts))
        keys.append(k)
        values.append(v)
        out = und.self_attn.attend(q, torch.cat(keys, 2), torch.cat(values, 2), block.mask)
        if block.und is not None:
            block.und = after(und, block.und, out[:, :u])
        if block.gen is not None:
            block.gen = after(gen, block.gen, out[:, u:])


def text_blocks(und, ids, lengths, seen, base):
    """A causal text block [B, L] with its two marks in `ids`; `seen` rows before it are visible to it. Rows past a
    sample's length are no part of it: `velocity` hides them from the latents."""
    place = torch.arange(ids.shape[1], device=ids.device)
    past = place[None] <= place[:, None]
    mask = torch.cat([torch.ones(len(place), seen, dtype=torch.bool, device=ids.device), past], 1)
    return Block(und.embed(ids), None, base + place.expand(len(ids), -1), mask[None, None])


def velocity(und, drawing, vocab, latents, t, grid, text=None, lengths=None, source=None, seen=None):
    """The velocity [B, n, 64] of noisy latents [B, n, 64] at times t [B].

    text [B, L] token ids with the two marks, of which `lengths` [B] count (0 = no text); source [B, n, 64] and
    seen [B, m, hidden]: an input picture as clean latents and as the vision encoder's rows.
    """
    b, n, _ = latents.shape
    device = latents.device
    marks = und.embed(vocab.vision_start + torch.arange(2, device=device)).expand(b, -1, -1)  # the end follows the start
    blocks, rows, base = [], 0, 0
    if source is not None:
        clean = drawing.embed(source, torch.zeros(b, device=device), grid)
        blocks.append(Block(marks, clean, torch.zeros(b, 2 + source.shape[1], device=device)))
        looked = torch.cat([marks, seen.to(marks.dtype)], 1)
        blocks.append(Block(looked, None, torch.ones(b, looked.shape[1], device=device)))
        rows, base = 2 + source.shape[1] + looked.shape[1], 2
    mask = None
    place = torch.full((b, 1), base, device=device)
    if text is not None:
        blocks.append(text_blocks(und, text, lengths, rows, base))
        place = place + lengths[:, None]
        ones = lambda size: torch.ones(b, size, dtype=torch.bool, device=device)
        counted = torch.arange(text.shape[1], device=device)[None] < lengths[:, None]
        mask = torch.cat([ones(rows), counted, ones(2 + n)], 1)[:, None, None]
    blocks.append(Block(marks, drawing.embed(latents, t, grid), place.expand(-1, 2 + n), mask))
    size = drawing.layers[0].self_attn.size
    ropes = [tuple(r.to(marks.dtype) for r in rope_table(block.rope, size, drawing.llm["rope_theta"])) for block in blocks]
    for theirs, mine in zip(und.language_model.model.layers, drawing.layers):
        joint_layer(theirs, mine, blocks, ropes)
    return drawing.llm2vae(drawing.norm(blocks[-1].gen))
