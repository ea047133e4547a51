"""The understanding half of BAGEL in PyTorch; modules carry the names of the checkpoint's tensors."""
import json
import math

import torch
import torch.nn.functional as F
from torch import nn

DEMO = {
    "llm": {"hidden_size": 256, "intermediate_size": 576, "num_hidden_layers": 7, "num_attention_heads": 2, "num_key_value_heads": 1,
            "rms_norm_eps": 1e-6, "rope_theta": 1e4, "vocab_size": 1280},
    # the published vit_config counts one layer more than runs
    "vit": {"hidden_size": 216, "intermediate_size": 768, "num_hidden_layers": 6, "num_attention_heads": 3, "patch_size": 14, "image_size": 336},
    "side": 24,
}


class RMSNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), self.eps)


def rope_table(positions, size, theta):
    """cos and sin for positions [B, L], each [B, 1, L, size]"""
    inverse = theta ** (-torch.arange(0, size, 2, device=positions.device, dtype=torch.float32) / size)
    angle = positions[..., None].float() * inverse
    angle = torch.cat([angle, angle], -1)[:, None]
    return angle.cos(), angle.sin()


def rotate(x, rope):
    half = x.shape[-1] // 2
    return x * rope[0] + torch.cat([-x[..., half:], x[..., :half]], -1) * rope[1]


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.kv_heads = c["num_attention_heads"], c["num_key_value_heads"]
        h, self.size = c["hidden_size"], c["hidden_size"] // self.heads
        self.q_proj = nn.Linear(h, self.heads * self.size)
        self.k_proj = nn.Linear(h, self.kv_heads * self.size)
        self.v_proj = nn.Linear(h, self.kv_heads * self.size)
        self.o_proj = nn.Linear(self.heads * self.size, h, bias=False)
        self.q_norm, self.k_norm = RMSNorm(self.size, c["rms_norm_eps"]), RMSNorm(self.size, c["rms_norm_eps"])

    def project(self, x, rope):
        """x [B, n, hidden] -> q [B, heads, n, size], k and v [B, kv_heads, n, size]; q and k normed and turned in the
        precision of the rope table."""
        b, n, _ = x.shape
        split = lambda t, heads: t.view(b, n, heads, self.size).transpose(1, 2)
        v = split(self.v_proj(x), self.kv_heads)
        q = rotate(self.q_norm(split(self.q_proj(x), self.heads).to(rope[0].dtype)), rope).to(v.dtype)
        k = rotate(self.k_norm(split(self.k_proj(x), self.kv_heads).to(rope[0].dtype)), rope).to(v.dtype)
        return q, k, v

    def attend(self, q, k, v, mask):
        """[B, heads, n, size] over k, v [B, kv_heads, m, size] -> [B, n, heads * size]. Heads that share keys count as so
        many more rows of one head, which needs no copy of the keys."""
        b, heads, n, size = q.shape
        group = heads // self.kv_heads
        q = q.view(b, self.kv_heads, group, n, size).transpose(2, 3).flatten(2, 3)
        if mask is not None and mask.shape[2] > 1:
            mask = mask.repeat_interleave(group, 2)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return out.unflatten(2, (n, group)).transpose(1, 2).flatten(2)

    def forward(self, x, rope, mask, past=None):
        q, k, v = self.project(x, rope)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        return self.o_proj(self.attend(q, k, v, mask)), (k, v)


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        h, m = c["hidden_size"], c["intermediate_size"]
        self.gate_proj, self.up_proj, self.down_proj = nn.Linear(h, m, bias=False), nn.Linear(h, m, bias=False), nn.Linear(m, h, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])
        self.self_attn = Attention(c)
        self.post_attention_layernorm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])
        self.mlp = MLP(c)

    def forward(self, x, rope, mask, past):
        out, kept = self.self_attn(self.input_layernorm(x), rope, mask, past)
        x = x + out
        return x + self.mlp(self.post_attention_layernorm(x)), kept


class Decoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))
        self.norm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])


class LanguageModel(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.model = Decoder(c)
        self.lm_head = nn.Linear(c["hidden_size"], c["vocab_size"], bias=False)


class ViTLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        h, self.heads = c["hidden_size"], c["num_attention_heads"]
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(h, 1e-6), nn.LayerNorm(h, 1e-6)
        self.self_attn = nn.ModuleDict({n: nn.Linear(h, h) for n in ("q_proj", "k_proj", "v_proj", "out_proj")})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(h, c["intermediate_size"]), "fc2": nn.Linear(c["intermediate_size"], h)})

    def forward(self, x):
        b, n, h = x.shape
        y = self.layer_norm1(x)
        q, k, v = (self.self_attn[name](y).view(b, n, self.heads, -1).transpose(1, 2) for name in ("q_proj", "k_proj", "v_proj"))
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, h)
        x = x + self.self_attn["out_proj"](y)
        return x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.layer_norm2(x)), approximate="tanh"))


class VisionModel(nn.Module):
    def __init__(self, c, side):
        super().__init__()
        h = c["hidden_size"]
        self.embeddings = nn.ModuleDict({"patch_embedding": nn.Linear(3 * c["patch_size"] ** 2, h), "position_embedding": nn.Embedding(side * side, h)})
        self.encoder = nn.ModuleDict({"layers": nn.ModuleList(ViTLayer(c) for _ in range(c["num_hidden_layers"] - 1))})
        self.post_layernorm = nn.LayerNorm(h, 1e-6)

    def forward(self, pixels, ids):
        x = self.embeddings["patch_embedding"](pixels) + self.embeddings["position_embedding"](ids)
        for layer in self.encoder["layers"]:
            x = layer(x)
        return self.post_layernorm(x)


def grid_waves(side, size):
    """A start for position tables: sine waves over rows and columns."""
    quarter = size // 4
    rate = 100.0 ** (-torch.arange(quarter) / quarter)
    line = torch.arange(side)[:, None] * rate
    wave = torch.cat([line.sin(), line.cos()], 1)
    table = torch.zeros(side, side, size)
    table[..., :2 * quarter] = wave[:, None]
    table[..., 2 * quarter:4 * quarter] = wave[None]
    return table.view(side * side, size)


class Bagel(nn.Module):
    def __init__(self, config=DEMO):
        super().__init__()
        self.config = c = config
        self.language_model = LanguageModel(c["llm"])
        self.vit_model = nn.ModuleDict({"vision_model": VisionModel(c["vit"], c["side"])})
        h = c["llm"]["hidden_size"]
        self.connector = nn.ModuleDict({"fc1": nn.Linear(c["vit"]["hidden_size"], h), "fc2": nn.Linear(h, h)})
        self.vit_pos_embed = nn.ParameterDict({"pos_embed": nn.Parameter(torch.zeros(c["side"] ** 2, h))})

    def initialise(self):
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.8 / math.sqrt(module.in_features))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.5)
        depth = math.sqrt(2 * len(self.language_model.model.layers))
        for name, weight in self.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight", "out_proj.weight", "mlp.fc2.weight")):
                weight.data /= depth
        side = self.config["side"]
        vision = self.vit_model["vision_model"]
        vision.embeddings["position_embedding"].weight.data = 0.3 * grid_waves(side, self.config["vit"]["hidden_size"])
        self.vit_pos_embed["pos_embed"].data = 0.3 * grid_waves(side, self.config["llm"]["hidden_size"])
        self.language_model.lm_head.weight.data *= 0.5
        return self

    def picture_tokens(self, patches, ids):
        """uint8 patches [B, N, 588] and their positions -> decoder inputs [B, N, hidden]"""
        pixels = ((patches.float() / 255 - 0.5) / 0.5).to(self.connector["fc1"].weight.dtype)
        x = self.vit_model["vision_model"](pixels, ids)
        x = self.connector["fc2"](F.gelu(self.connector["fc1"](x), approximate="tanh"))
        return x + self.vit_pos_embed["pos_embed"][ids].to(x.dtype)

    def embed(self, ids):
        return self.language_model.model.embed_tokens(ids)

    def decode(self, x, positions, mask, past=None):
        """One pass over x [B, L, hidden]; mask is added to the scores. Returns states and the new keys and values."""
        c = self.config["llm"]
        rope = rope_table(positions, c["hidden_size"] // c["num_attention_heads"], c["rope_theta"])
        kept = []
        for i, layer in enumerate(self.language_model.model.layers):
            x, kv = layer(x, rope, mask, past[i] if past else None)
            kept.append(kv)
        return self.language_model.model.norm(x), kept

    def logits(self, x):
        return self.language_model.lm_head(x)


def load_folder(folder, device="cpu"):
    """A model folder in the published layout, with bf16 or 8-bit matrices."""
    from export import read_weights
    llm, vit, own = (json.load(open(f"{folder}/{n}.json")) for n in ("llm_config", "vit_config", "bagel"))
    model = Bagel({"llm": llm, "vit": vit, "side": own.get("vit_max_num_patch_per_side", 70)})
    weights = read_weights(f"{folder}/ema.safetensors")
    model.load_state_dict({k: weights[k] for k in model.state_dict()})
    return model.to(device).eval(), own


@torch.no_grad()
def answer(model, vocab, prompts, patches=None, ids=None, limit=150, system=None):
    """Greedy answers to one prompt a row, after one picture a row (or none): the engine's order of things."""
    device, b, low = next(model.parameters()).device, len(prompts), torch.finfo(torch.float32).min
    past, length, rope = None, 0, 0
    if system:
        tokens = torch.tensor([vocab.start] + vocab.encode(system) + [vocab.end], device=device).repeat(b, 1)
        n = tokens.shape[1]
        mask = torch.full((n, n), low, device=device).triu(1)[None, None]
        _, past = model.decode(model.embed(tokens), torch.arange(n, device=device).repeat(b, 1), mask)
        length, rope = n, n
    if patches is not None:
        ends = model.embed(torch.tensor([[vocab.vision_start, vocab.vision_end]], device=device).repeat(b, 1))
        x = torch.cat([ends[:, :1], model.picture_tokens(patches, ids), ends[:, 1:]], 1)
        n = x.shape[1]
        _, past = model.decode(x, torch.full((b, n), rope, device=device), torch.zeros(1, 1, n, length + n, device=device), past)
        length, rope = length + n, rope + 1
    rows = [[vocab.start] + vocab.encode(p) + [vocab.end, vocab.start] for p in prompts]
    n = max(map(len, rows))
    counts = torch.tensor([len(r) for r in rows], device=device)
    tokens = torch.tensor([r + [vocab.end] * (n - len(r)) for r in rows], device=device)
    place = torch.arange(n, device=device)
    causal = torch.full((n, n), low, device=device).triu(1)
    mask = torch.cat([torch.zeros(n, length, device=device), causal], 1)[None, None]
    x, past = model.decode(model.embed(tokens), rope + place.repeat(b, 1), mask, past)
    logits = model.logits(x[torch.arange(b, device=device), counts - 1])
    hidden = torch.where(place[None] < counts[:, None], 0.0, low)
    seen = torch.cat([torch.zeros(b, length, device=device), hidden], 1)
    out, done = [[] for _ in prompts], [False] * b
    for step in range(limit):
        picked = logits.argmax(-1)
        for i, t in enumerate(picked.tolist()):
            done[i] = done[i] or t == vocab.end
            if not done[i]:
                out[i].append(t)
        if all(done):
            break
        seen = torch.cat([seen, torch.zeros(b, 1, device=device)], 1)
        x, past = model.decode(model.embed(picked[:, None]), (rope + counts + step)[:, None], seen[:, None, None], past)
        logits = model.logits(x[:, -1])
    return out
