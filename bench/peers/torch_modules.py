"""What torch_gpu.py times: BAGEL-7B-MoT's decoder and vision encoder in PyTorch, random weights at the published shape."""

import warnings

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

HIDDEN, INTERMEDIATE, HEADS, KV_HEADS, HEAD_DIM, VOCABULARY = 3584, 18944, 28, 4, 128, 152064
LAYER_WEIGHTS = HIDDEN * (2 * HEADS * HEAD_DIM + 2 * KV_HEADS * HEAD_DIM + 3 * INTERMEDIATE)
VIT_HIDDEN, VIT_INTERMEDIATE, VIT_HEADS, VIT_LAYERS, PATCH_VALUES = 1152, 4304, 16, 26, 588
BACKENDS = {"flash": SDPBackend.FLASH_ATTENTION, "cuDNN": SDPBackend.CUDNN_ATTENTION,
            "efficient": SDPBackend.EFFICIENT_ATTENTION}


def attend(q, keys, values, causal, group):
    if group > 1:
        keys, values = (t.repeat_interleave(group, 1) for t in (keys, values))
    return F.scaled_dot_product_attention(q, keys, values, is_causal=causal, enable_gqa=q.shape[1] != keys.shape[1])


class Attention:
    """F.scaled_dot_product_attention by the kernel that is fastest at the shape of `q` over each layer's keys, repeated for
    each query head where that helps. `ms` of each kernel, all layers, is without the repeating: a library's own time."""

    def __init__(self, timer, q, keys, values, causal=False):
        def all_layers(group, keys, values):
            for layer in zip(keys, values):
                attend(q, *layer, causal, group)

        self.causal, self.ms, whole = causal, {}, {}
        for name, backend in BACKENDS.items():
            for group in {1, q.shape[1] // keys.shape[2]}:
                repeated = [t.repeat_interleave(group, 2) for t in (keys, values)]
                try:
                    with warnings.catch_warnings(action="ignore"), sdpa_kernel(backend):
                        ms = timer.kernels(lambda: all_layers(1, *repeated))
                        whole[name, group] = timer.kernels(lambda: all_layers(group, keys, values))
                except torch.OutOfMemoryError:
                    raise
                except RuntimeError:  # no such kernel for this shape and card
                    continue
                self.ms[name] = min(ms, self.ms.get(name, ms))
        self.name, self.group = min(whole, key=whole.get)

    def __call__(self, q, keys, values):
        return attend(q, keys, values, self.causal, self.group)

    def kernel(self):
        """A context in which it is the one that runs."""
        return sdpa_kernel(BACKENDS[self.name])


class Layer(nn.Module):
    """One Qwen2 decoder layer with norms of the heads of q and k."""

    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(HIDDEN, eps=1e-6), nn.RMSNorm(HIDDEN, eps=1e-6)
        self.q_norm, self.k_norm = nn.RMSNorm(HEAD_DIM, eps=1e-6), nn.RMSNorm(HEAD_DIM, eps=1e-6)
        self.q = nn.Linear(HIDDEN, HEADS * HEAD_DIM)
        self.k, self.v = nn.Linear(HIDDEN, KV_HEADS * HEAD_DIM), nn.Linear(HIDDEN, KV_HEADS * HEAD_DIM)
        self.o = nn.Linear(HEADS * HEAD_DIM, HIDDEN, bias=False)
        self.gate = nn.Linear(HIDDEN, INTERMEDIATE, bias=False)
        self.up = nn.Linear(HIDDEN, INTERMEDIATE, bias=False)
        self.down = nn.Linear(INTERMEDIATE, HIDDEN, bias=False)

    def forward(self, x, cosine, sine, keys, values, attend):
        def rotate(heads):
            half = HEAD_DIM // 2
            return heads * cosine + torch.cat((-heads[..., half:], heads[..., :half]), -1) * sine

        rows = x.shape[1]
        y = self.norm1(x)
        q = rotate(self.q_norm(self.q(y).view(1, rows, HEADS, HEAD_DIM)).transpose(1, 2))
        keys[:, :, -rows:] = rotate(self.k_norm(self.k(y).view(1, rows, KV_HEADS, HEAD_DIM)).transpose(1, 2))
        values[:, :, -rows:] = self.v(y).view(1, rows, KV_HEADS, HEAD_DIM).transpose(1, 2)
        x = x + self.o(attend(q, keys, values).transpose(1, 2).reshape(1, rows, -1))
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Decoder(nn.Module):
    """All layers, the embedding and the head. Where memory is short, fewer layers' weights are used in turn."""

    def __init__(self, layers, copies):
        super().__init__()
        self.stored = nn.ModuleList(Layer() for _ in range(copies))
        self.norm, self.embedding = nn.RMSNorm(HIDDEN, eps=1e-6), nn.Embedding(VOCABULARY, HIDDEN)
        self.head = nn.Linear(HIDDEN, VOCABULARY, bias=False)
        self.layers = [self.stored[i % copies] for i in range(layers)]


class Pass:
    """`rows` rows through all layers over `cached` earlier ones; with `generate` one token becomes the next."""

    def __init__(self, timer, decoder, rows, cached, causal=False, generate=False):
        self.decoder, self.generate, layers = decoder, generate, len(decoder.layers)
        self.x, self.inner = torch.randn(1, rows, HIDDEN), torch.randn(1, rows, INTERMEDIATE)
        self.token = torch.zeros(1, 1, dtype=torch.long)
        self.keys, self.values = torch.randn(2, layers, 1, KV_HEADS, cached + rows, HEAD_DIM)
        positions = cached + torch.arange(rows, dtype=torch.float32)
        frequencies = 1e6 ** (-torch.arange(0, HEAD_DIM, 2, dtype=torch.float32) / HEAD_DIM)
        angles = (positions[:, None] * frequencies).repeat(1, 2)
        self.cosine, self.sine = angles.cos().half(), angles.sin().half()
        self.attend = Attention(timer, torch.randn(1, HEADS, rows, HEAD_DIM), self.keys, self.values, causal)

    def __call__(self):
        x = self.decoder.embedding(self.token) if self.generate else self.x
        for layer, keys, values in zip(self.decoder.layers, self.keys, self.values):
            x = layer(x, self.cosine, self.sine, keys, values, self.attend)
        x = self.decoder.norm(x)
        if self.generate:
            self.token.copy_(self.decoder.head(x).argmax(-1))

    def linears(self):
        for layer in self.decoder.layers:
            for linear in (layer.q, layer.k, layer.v, layer.o, layer.gate, layer.up):
                linear(self.x)
            layer.down(self.inner)


class VisionEncoder(nn.Module):
    """SigLIP on given patches, and the connector to the decoder."""

    def __init__(self, timer, patches):
        def heads(count):
            return torch.randn(count, 1, VIT_HEADS, patches, VIT_HIDDEN // VIT_HEADS)

        super().__init__()
        self.patches, self.positions = torch.randn(1, patches, PATCH_VALUES), torch.randn(1, patches, VIT_HIDDEN)
        self.out_positions = torch.randn(1, patches, HIDDEN)
        self.patch = nn.Linear(PATCH_VALUES, VIT_HIDDEN)
        self.layers = nn.ModuleList(nn.ModuleDict({
            "norm1": nn.LayerNorm(VIT_HIDDEN, 1e-6), "norm2": nn.LayerNorm(VIT_HIDDEN, 1e-6),
            "fc1": nn.Linear(VIT_HIDDEN, VIT_INTERMEDIATE), "fc2": nn.Linear(VIT_INTERMEDIATE, VIT_HIDDEN),
            **{name: nn.Linear(VIT_HIDDEN, VIT_HIDDEN) for name in "qkvo"}}) for _ in range(VIT_LAYERS))
        self.norm = nn.LayerNorm(VIT_HIDDEN, 1e-6)
        self.fc1, self.fc2 = nn.Linear(VIT_HIDDEN, HIDDEN), nn.Linear(HIDDEN, HIDDEN)
        self.attend = Attention(timer, heads(1)[0], heads(VIT_LAYERS), heads(VIT_LAYERS))

    def forward(self):
        x = self.patch(self.patches) + self.positions
        for layer in self.layers:
            y = layer["norm1"](x)
            heads = [layer[n](y).unflatten(-1, (VIT_HEADS, -1)).transpose(1, 2) for n in "qkv"]
            x = x + layer["o"](self.attend(*heads).transpose(1, 2).flatten(2))
            x = x + layer["fc2"](F.gelu(layer["fc1"](layer["norm2"](x)), approximate="tanh"))
        return self.fc2(F.gelu(self.fc1(self.norm(x)), approximate="tanh")) + self.out_positions


def to_nf4(module, bitsandbytes):
    """Every linear layer in NF4 with double quantisation, the head too, as `bagel quantize` has it."""
    for name, child in module.named_children():
        if not isinstance(child, nn.Linear):
            to_nf4(child, bitsandbytes)
            continue
        with torch.device("meta"):
            packed = bitsandbytes.nn.Linear4bit(child.in_features, child.out_features, child.bias is not None,
                                                compute_dtype=torch.half, compress_statistics=True, quant_type="nf4")
        device, packed.bias = child.weight.device, child.bias
        packed.weight = bitsandbytes.nn.Params4bit(child.weight.data, requires_grad=False, compress_statistics=True,
                                                   quant_type="nf4", module=packed).to(device)
        setattr(module, name, packed)
