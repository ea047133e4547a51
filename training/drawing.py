"""The drawing half of BAGEL in PyTorch: the second expert of every layer, and the velocity of the latents.

A picture's latents and the text before them meet in shared attention: each block of rows has rows of the
understanding expert (texts, markers, what the vision encoder saw) and rows of the drawing expert (latents).
Every later block sees all earlier ones; the rows of one expert are computed together and cut into blocks for attention
alone. An input picture is a pass of its own, since several changes of it, and all steps of one, share it.
"""
import json
import math
from typing import NamedTuple, Optional

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
    """The tensors that drawing adds to a checkpoint; `checkpoint_name` gives their names there."""

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


def load_drawing(folder, device="cpu"):
    from export import read_weights
    llm, own = json.load(open(f"{folder}/llm_config.json")), json.load(open(f"{folder}/bagel.json"))
    model = Drawing(llm, own["max_latent_size"], own.get("gen_intermediate", llm["intermediate_size"]))
    weights = read_weights(f"{folder}/ema.safetensors")
    model.load_state_dict({k: weights[checkpoint_name(k)] for k in model.state_dict()})
    return model.to(device).eval()


class Block(NamedTuple):
    """Rows that share one place in the context: how many there are of each expert, and which keys up to and with
    this block they see (None for all)."""
    und: int
    gen: int
    mask: Optional[torch.Tensor] = None


def before(layer, x, rope):
    """Rows [B, n, hidden] of one expert -> its q, k, v."""
    return layer.self_attn.project(layer.input_layernorm(x), rope)


def after(layer, x, out):
    """The rows after attention's `out` and the MLP."""
    x = x + layer.self_attn.o_proj(out)
    return x + layer.mlp(layer.post_attention_layernorm(x))


def join(tensors, dim):
    return torch.cat(tensors, dim) if len(tensors) > 1 else tensors[0]


def run_layers(und, drawing, rows, places, blocks, past=None, parts=(before, after)):
    """All layers over the rows of both experts, (understanding [B, U, hidden] or None, drawing [B, G, hidden] or None)
    at rope positions of the same form, in blocks after the keys and values `past` of each layer.

    Returns the drawing rows of the last block (None where it has none), and each layer's keys and values
    [B, kv_heads, m, size] with `past`.
    """
    pre, post = parts
    attention = drawing.layers[0].self_attn
    ropes = [None if x is None else tuple(r.to(x.dtype) for r in rope_table(at, attention.size, drawing.llm["rope_theta"]))
             for x, at in zip(rows, places)]
    rows, kept, count = list(rows), [], len(drawing.layers)
    for i, experts in enumerate(zip(und.language_model.model.layers, drawing.layers)):
        cut = [None if x is None else list(zip(*(t.split([block[e] for block in blocks], 2) for t in pre(experts[e], x, ropes[e]))))
               for e, x in enumerate(rows)]
        keys, values, outs = [], [], ([], [])
        if past:
            keys, values = [past[i][0]], [past[i][1]]
        for j, block in enumerate(blocks):
            # in memory one row after the other, which `attend` needs no copy of
            q, k, v = (join([x.transpose(1, 2) for x in t], 1).transpose(1, 2) for t in zip(*(cut[e][j] for e in (0, 1) if block[e])))
            keys.append(k)
            values.append(v)
            if i + 1 == count and (j + 1 < len(blocks) or not block.gen):
                continue  # nothing after the last layer reads these rows
            out = attention.attend(q, join(keys, 2), join(values, 2), block.mask)
            for mine, part in zip(outs, out.split(block[:2], 1)):
                mine.append(part)
        kept.append((join(keys, 2), join(values, 2)))
        if i + 1 == count:
            if not blocks[-1].gen:
                return None, kept
            rows = [None, rows[1][:, -blocks[-1].gen:].contiguous()]
        rows = [None if x is None else post(experts[e], x, torch.cat(outs[e], 1)) for e, x in enumerate(rows)]
    return rows[1], kept


def marked(rows):
    """Rows of the understanding expert that no weight made, as in later layers, so that one compiled form serves all."""
    return rows.requires_grad_() if torch.is_grad_enabled() else rows


def marks(und, vocab, count):
    """The rows [count, 2, hidden] around a picture."""
    begin = vocab.vision_start  # the end follows the start
    return und.embed(begin + torch.arange(2, device=und.language_model.model.embed_tokens.weight.device)).expand(count, -1, -1)


def look(und, drawing, vocab, grid, source, seen, parts=(before, after)):
    """Each layer's keys and values of a context that begins with an input picture: `source` [S, n, 64], clean latents, and
    `seen` [S, m, hidden], the vision encoder's rows."""
    s, n, _ = source.shape
    at = lambda place, size: torch.full((s, size), place, device=source.device)
    ends = marks(und, vocab, s)
    rows = marked(torch.cat([ends, ends, seen.to(ends.dtype)], 1)), drawing.embed(source, torch.zeros(s, device=source.device), grid)
    places = torch.cat([at(0, 2), at(1, 2 + seen.shape[1])], 1), at(0, n)
    return run_layers(und, drawing, rows, places, [Block(2, n), Block(2 + seen.shape[1], 0)], None, parts)[1]


def velocity(und, drawing, vocab, latents, t, grid, text=None, lengths=None, looked=None, parts=(before, after)):
    """The velocity [B, n, 64] of noisy latents [B, n, 64] at times t [B].

    text [B, L] token ids with the two marks, of which `lengths` [B] count (0 = no text); `looked`: what `look` gives for
    S input pictures, each for B / S latents in a row. `parts`: `before` and `after`, or faster forms of them.
    """
    b, n, _ = latents.shape
    device = latents.device
    rows, places, blocks, past, known, base = [], [], [], None, 0, 0
    if looked:
        past = [tuple(x.repeat_interleave(b // len(x), 0) for x in kv) for kv in looked]
        known, base = past[0][0].shape[2], 2
    place, mask = torch.full((b, 1), base, device=device), None
    if text is not None:
        words = torch.arange(text.shape[1], device=device)
        seen_words = torch.cat([torch.ones(len(words), known, dtype=torch.bool, device=device), words[None] <= words[:, None]], 1)
        block = Block(len(words), 0, seen_words[None, None])
        if not looked:
            with torch.no_grad():  # a text that begins the context depends on no weight that is trained
                past = run_layers(und, drawing, (und.embed(text), None), (words.expand(b, -1), None), [block])[1]
        else:
            rows.append(und.embed(text))
            places.append(base + words.expand(b, -1))
            blocks.append(block)
        place = place + lengths[:, None]
        ones = lambda size: torch.ones(b, size, dtype=torch.bool, device=device)
        # rows past a text's length are no part of it
        mask = torch.cat([ones(known), words[None] < lengths[:, None], ones(2 + n)], 1)[:, None, None]
    rows.append(marks(und, vocab, b))
    places.append(place.expand(-1, 2))
    blocks.append(Block(2, n, mask))
    out, _ = run_layers(und, drawing, (marked(torch.cat(rows, 1)), drawing.embed(latents, t, grid)),
                        (torch.cat(places, 1), place.expand(-1, n)), blocks, past, parts)
    return drawing.llm2vae(drawing.norm(out))
