"""Encoded pictures on the device: latents, what the vision encoder sees of them, and the texts that ask for them."""
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F

from autoencoder import to_pixels, to_tokens
from preprocess import PATCH, VIT, fit, positions
from studio import FAMILY, FIELDS, SHAPES

FACE_WEIGHT, BODY_WEIGHT, SMALL_WEIGHT = 3.0, 2.0, 5.0  # of latent tokens in the loss
CHANGE_WEIGHT, KEPT_WEIGHT = 4.0, 3.0  # of those that a change changes; of those that another one would have changed, and what is small
DIFFERENT, LARGE = 0.1, 0.4  # mean difference of latents from which on they count as changed; share of a picture from which on it is the room
SHORT, EACH = 24, FAMILY - 1  # tokens of a change's wording at most; edits that share an input picture


def upload(array, device):
    """A numpy array that may change afterwards, on the device; a GPU takes it without waiting."""
    tensor = torch.empty(array.shape, dtype=torch.from_numpy(array[:0]).dtype, pin_memory=device.type == "cuda")
    tensor.numpy()[:] = array
    return tensor.to(device, non_blocking=True)


@lru_cache(None)
def place_ids(grid, device):
    return torch.from_numpy(positions(grid)).to(device)


def seen_rows(und, pixels):
    """pixels [B, 3, H, W] in -1..1 -> the rows [B, m, hidden] that understanding makes of them, after resize B."""
    w, h = fit(pixels.shape[3], pixels.shape[2], PATCH, **VIT)
    small = F.interpolate((pixels + 1) * 127.5, (h, w), mode="bicubic", antialias=True, align_corners=False).round().clamp(0, 255)
    rows, cols = h // PATCH, w // PATCH
    patches = small.view(len(pixels), 3, rows, PATCH, cols, PATCH).permute(0, 2, 4, 3, 5, 1).reshape(len(pixels), rows * cols, -1)
    return und.picture_tokens(patches, place_ids((rows, cols), pixels.device).expand(len(pixels), -1))


@torch.no_grad()
def encode(und, autoencoder, pictures):
    """uint8 [B, H, W, 3] -> latent tokens [B, n, 64] and the vision encoder's rows [B, m, hidden]"""
    pixels = to_pixels(pictures)
    kind = next(autoencoder.parameters()).dtype
    return to_tokens(autoencoder.encode(pixels.to(kind, memory_format=torch.channels_last)).float()), seen_rows(und, pixels.contiguous())


class Gallery:
    """The last `families` families of one shape, encoded."""

    def __init__(self, shape, families, device):
        w, h = SHAPES[shape]
        self.grid, self.device, self.size, self.count = (h // 16, w // 16), device, families, 0
        vit = fit(w, h, PATCH, **VIT)
        self.latents = torch.zeros(families * FAMILY, h * w // 256, 64, dtype=torch.float16, device=device)
        self.seen = torch.zeros(families * FAMILY, vit[0] * vit[1] // PATCH ** 2, 256, dtype=torch.float16, device=device)
        for name, (kind, size) in FIELDS.items():
            setattr(self, name, torch.zeros(families, *size, dtype=torch.from_numpy(np.zeros(0, kind)).dtype, device=device))

    def add(self, slab, und, autoencoder, shape):
        w, h = SHAPES[shape]
        n = len(slab.pictures)
        pictures = upload(slab.pictures[:, :, :w * h * 3], self.device).view(n * FAMILY, h, w, 3)
        latents, seen = encode(und, autoencoder, pictures)
        at = torch.arange(self.count, self.count + n, device=self.device) % self.size
        place = (at[:, None] * FAMILY + torch.arange(FAMILY, device=self.device)).flatten()
        self.latents[place], self.seen[place] = latents.half(), seen.half()
        for name in FIELDS:
            getattr(self, name)[at] = upload(getattr(slab, name), self.device)
        self.count += n

    def some(self, high, size):
        return torch.randint(0, high, (size,), device=self.device)

    def weights(self, family, member):
        """[B, n]: faces, clothes and whatever is small count more."""
        x, y, unit = (v[:, None, None] for v in self.face[family, member].unbind(1))
        rows, cols = self.grid
        cy = (torch.arange(rows, device=self.device) * 16 + 8)[:, None]
        cx = (torch.arange(cols, device=self.device) * 16 + 8)[None]
        body = (unit > 0) & ((cx - x).abs() < 1.7 * unit) & (cy - y > 1.3 * unit)
        face = ((cx - x) / (unit + 1e-6)) ** 2 + ((cy - y) / (unit + 1e-6)) ** 2 < 1.1
        small = self.focus[family, member, :rows * cols].float()
        large = torch.maximum(1 + (BODY_WEIGHT - 1) * body.float(), 1 + (FACE_WEIGHT - 1) * face.float())
        return torch.maximum(large.flatten(1), 1 + (SMALL_WEIGHT - 1) * small)

    def draw_batch(self, size, blind=0.12):
        """Pictures with a prompt; a share of them with the wording of a change that leads to them, but no input picture."""
        family, member = self.some(min(self.count, self.size), size), self.some(FAMILY, size)
        k = self.some(FIELDS["prompt"][1][1], size)
        text, length = self.prompt[family, member, k], self.prompt_length[family, member, k]
        other_family, way, j, k, base, result = self.change(size)
        swap = torch.rand(size, device=self.device) < blind
        family, member = torch.where(swap, other_family, family), torch.where(swap, result, member)
        text = torch.where(swap[:, None], self.order[other_family, way, j, k], text)
        length = torch.where(swap, self.order_length[other_family, way, j, k], length)
        return self.latents[family * FAMILY + member].float(), text.long(), length.long(), self.weights(family, member), None, None

    def change(self, size):
        """Changes at random: (family, way, which, wording, picture before, picture after)."""
        family, way = self.some(min(self.count, self.size), size), self.some(2, size)
        j, k = self.some(FAMILY - 1, size), self.some(FIELDS["order"][1][2], size)
        j = torch.where(self.order_length[family, 0, j, k] > 0, j, 0)
        way = torch.where(self.order_length[family, way, j, k] > 0, way, 0)
        return family, way, j, k, torch.where(way == 0, 0, j + 1), torch.where(way == 0, j + 1, 0)

    def edit_batch(self, size):
        """EACH edits of each of `size` input pictures: the three changes of a family's first picture, or one that leads back
        to it, each time with another noise and often in other words."""
        family, way, j, _, before, _ = self.change(size)
        way = way * (self.some(2, size))  # half as many lead back
        before = before * way
        j = torch.where((way == 0)[:, None], torch.arange(EACH, device=self.device), j[:, None])
        k = self.some(FIELDS["order"][1][2], size * EACH).view(size, EACH)
        j = torch.where(self.order_length[family[:, None], way[:, None], j, k] > 0, j, 0)
        after = torch.where(way[:, None] == 0, j + 1, 0)
        members = self.latents[family[:, None] * FAMILY + torch.arange(FAMILY, device=self.device)].float()  # [B, FAMILY, n, 64]
        row = torch.arange(size, device=self.device)[:, None]
        source, target = members[row[:, 0], before], members[row, after].flatten(0, 1)
        changes = (members - source[:, None]).abs().mean(-1) > DIFFERENT
        asked = changes[row, after].flatten(0, 1)
        local = (changes & (changes.float().mean(-1, keepdim=True) < LARGE)).any(1).repeat_interleave(EACH, 0)
        family, way, j, k, after = family.repeat_interleave(EACH), way.repeat_interleave(EACH), j.flatten(), k.flatten(), after.flatten()
        small = self.focus[family, after, :asked.shape[1]] > 0
        weight = self.weights(family, after) * torch.where(asked, CHANGE_WEIGHT, torch.where(local | small, KEPT_WEIGHT, 1.0))
        place = family[::EACH] * FAMILY + before
        return target, self.order[family, way, j, k, :SHORT].long(), self.order_length[family, way, j, k].long(), weight, source, self.seen[place].float()
