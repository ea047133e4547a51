"""Pictures from noise: Euler steps of the rectified flow with guidance on text and picture, as the engine takes them."""
import torch

from autoencoder import to_latents, to_pictures
from drawing import look, velocity

DRAW = {"text": 4.0, "image": 1.5, "interval": (0.4, 1.0), "shift": 3.0, "times": 50, "renorm": "global"}
EDIT = {"text": 4.0, "image": 2.0, "interval": (0.0, 1.0), "shift": 3.0, "times": 50, "renorm": "text_channel"}


def times(count, shift):
    t = torch.linspace(1, 0, count)
    return shift * t / (1 + (shift - 1) * t)


def renormed(guided, plain, dims):
    """`guided` with its norm over `dims` brought down to that of `plain`."""
    size = plain.norm(dim=dims, keepdim=True) / (guided.norm(dim=dims, keepdim=True) + 1e-8)
    return guided * size.clamp(0, 1)


@torch.no_grad()
def sample(und, drawing, vocab, noise, grid, text, lengths, source=None, seen=None, settings=None):
    """noise [B, n, 64] -> latent tokens [B, n, 64]; text as for `velocity`, with an input picture as for `look` or without."""
    s = settings or (DRAW if source is None else EDIT)
    schedule, x = times(s["times"], s["shift"]), noise
    looked = None if source is None else look(und, drawing, vocab, grid, source, seen)
    for now, then in zip(schedule[:-1].tolist(), schedule[1:].tolist()):
        t = torch.full((len(x),), now, device=x.device)
        ask = lambda *context: velocity(und, drawing, vocab, x, t, grid, *context).float()
        v = full = ask(text, lengths, looked)
        low, high = s["interval"]
        if low < now <= high and s["text"] > 1:
            without = ask(None, None, looked)
            v = without + s["text"] * (full - without)
            if s["renorm"] == "text_channel":
                v = renormed(v, full, -1)
            if s["image"] > 1:
                blind = ask(text, lengths) if looked else full
                v = blind + s["image"] * (v - blind)
            if s["renorm"] != "text_channel":
                v = renormed(v, full, -1 if s["renorm"] == "channel" else (1, 2))
        x = x - v * (now - then)
    return x


@torch.no_grad()
def decode(autoencoder, tokens, grid):
    """Latent tokens -> uint8 pictures [B, H, W, 3]"""
    return to_pictures(autoencoder.decode(to_latents(tokens, grid)))


def text_rows(vocab, prompts, device="cpu", length=None):
    """Prompts as padded ids [B, L] with their marks, and how many of each count."""
    rows = [[vocab.start] + vocab.encode(p) + [vocab.end] for p in prompts]
    size = length or max(map(len, rows))
    return (torch.tensor([(r + [vocab.end] * size)[:size] for r in rows], device=device),
            torch.tensor([len(r) for r in rows], device=device))
