"""The FLUX autoencoder's layout with fewer channels; modules carry the names of the checkpoint's tensors."""
import json

import torch
import torch.nn.functional as F
from torch import nn

GROUPS = 32
DEMO_VAE = {"ch": 32, "ch_mult": [1, 2, 2, 4], "num_res_blocks": 1, "z_channels": 16, "downsample": 8}


class Norm(nn.Module):
    """GroupNorm over the whole picture, then x * sigmoid(x) where `act` is set."""

    def __init__(self, channels, act=True):
        super().__init__()
        self.weight, self.bias, self.act = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)), act

    def forward(self, x):
        return norm(x, self.weight, self.bias, self.act)


def norm(x, weight, bias, act):
    x = F.group_norm(x, GROUPS, weight.to(x.dtype), bias.to(x.dtype), 1e-6)
    return F.silu(x) if act else x


class Block(nn.Module):
    def __init__(self, inside, outside):
        super().__init__()
        self.norm1, self.conv1 = Norm(inside), nn.Conv2d(inside, outside, 3, padding=1)
        self.norm2, self.conv2 = Norm(outside), nn.Conv2d(outside, outside, 3, padding=1)
        if inside != outside:
            self.nin_shortcut = nn.Conv2d(inside, outside, 1)

    def forward(self, x):
        h = self.conv2(self.norm2(self.conv1(self.norm1(x))))
        return (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x) + h


class MidAttention(nn.Module):
    """One head over all positions."""

    def __init__(self, channels):
        super().__init__()
        self.norm = Norm(channels, act=False)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x):
        h = self.norm(x)
        q, k, v = (m(h).flatten(2).transpose(1, 2).unsqueeze(1) for m in (self.q, self.k, self.v))
        out = F.scaled_dot_product_attention(q, k, v).squeeze(1).transpose(1, 2).reshape(x.shape)
        return x + self.proj_out(out)


def middle(channels):
    return nn.ModuleDict({"block_1": Block(channels, channels), "attn_1": MidAttention(channels), "block_2": Block(channels, channels)})


class Resample(nn.Module):
    def __init__(self, channels, up):
        super().__init__()
        self.up = up
        self.conv = nn.Conv2d(channels, channels, 3, stride=1 if up else 2, padding=1 if up else 0)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest") if self.up else F.pad(x, (0, 1, 0, 1)))


def level(inside, outside, blocks, resample):
    parts = {"block": nn.ModuleList(Block(inside if i == 0 else outside, outside) for i in range(blocks))}
    if resample:
        parts[resample] = Resample(outside, resample == "upsample")
    return nn.ModuleDict(parts)


class Encoder(nn.Module):
    """[B, 3, H, W] in -1..1 -> mean and log variance [B, 2 * z_channels, H / 8, W / 8]"""

    def __init__(self, c):
        super().__init__()
        widths = [c["ch"] * m for m in c["ch_mult"]]
        self.conv_in = nn.Conv2d(3, c["ch"], 3, padding=1)
        self.down = nn.ModuleList(level(([c["ch"]] + widths)[i], w, c["num_res_blocks"], "downsample" if i + 1 < len(widths) else None)
                                  for i, w in enumerate(widths))
        self.mid = middle(widths[-1])
        self.norm_out, self.conv_out = Norm(widths[-1]), nn.Conv2d(widths[-1], 2 * c["z_channels"], 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for part in self.down:
            for block in part["block"]:
                x = block(x)
            x = part["downsample"](x) if "downsample" in part else x
        for part in self.mid.values():
            x = part(x)
        return self.conv_out(self.norm_out(x))


class Decoder(nn.Module):
    """[B, z_channels, h, w] -> [B, 3, 8 * h, 8 * w]; `up` is numbered from the finest level, which runs last."""

    def __init__(self, c):
        super().__init__()
        widths = [c["ch"] * m for m in c["ch_mult"]]
        self.conv_in = nn.Conv2d(c["z_channels"], widths[-1], 3, padding=1)
        self.mid = middle(widths[-1])
        self.up = nn.ModuleList(level((widths + [widths[-1]])[i + 1], w, c["num_res_blocks"] + 1, "upsample" if i > 0 else None)
                                for i, w in enumerate(widths))
        self.norm_out, self.conv_out = Norm(widths[0]), nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, z):
        x = self.conv_in(z)
        for part in self.mid.values():
            x = part(x)
        for part in reversed(self.up):
            for block in part["block"]:
                x = block(x)
            x = part["upsample"](x) if "upsample" in part else x
        return self.conv_out(self.norm_out(x))


class Autoencoder(nn.Module):
    """`scale` and `shift` give the latents unit variance: latent = scale * (z - shift)."""

    def __init__(self, config=DEMO_VAE):
        super().__init__()
        self.encoder, self.decoder, self.config = Encoder(config), Decoder(config), config
        self.scale, self.shift = config.get("scale_factor", 1.0), config.get("shift_factor", 0.0)

    def encode(self, pixels):
        """pixels [B, 3, H, W] in -1..1 -> mean of the posterior [B, 16, H / 8, W / 8], scaled"""
        return self.scale * (self.encoder(pixels).chunk(2, 1)[0] - self.shift)

    def decode(self, latents):
        return self.decoder(latents / self.scale + self.shift)


def to_pixels(pictures):
    """uint8 [B, H, W, 3] -> [B, 3, H, W] in -1..1"""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pictures(pixels):
    """The reverse, truncated to 8 bits as the reference does."""
    return ((pixels.float() * 0.5 + 0.5).clamp(0, 1) * 255).to(torch.uint8).permute(0, 2, 3, 1)


def to_tokens(latents):
    """[B, 16, 2 * h, 2 * w] -> [B, h * w, 64], ordered row, column, channel inside a token"""
    b, c, h, w = latents.shape
    return latents.view(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 3, 5, 1).reshape(b, h * w // 4, 4 * c)


def to_latents(tokens, grid):
    b, (h, w), c = len(tokens), grid, tokens.shape[-1] // 4
    return tokens.view(b, h, w, 2, 2, c).permute(0, 5, 1, 3, 2, 4).reshape(b, c, 2 * h, 2 * w)


def load_autoencoder(folder, device="cpu"):
    from export import read_weights
    model = Autoencoder(json.load(open(f"{folder}/bagel.json"))["vae"])
    model.load_state_dict(read_weights(f"{folder}/ae.safetensors"))
    return model.to(device).eval()
