"""Trains the understanding half. Resumable in slices: the schedule follows training time, kept in the checkpoint.

  python training/train.py --minutes 12 --until 9   first slice
  python training/train.py --minutes 12             goes on to the end and exports
"""
import argparse
import json
import math
import os
import random
import shutil
import time

import torch
import torch.nn.functional as F

import export
import language
import talk
import tokenizer
import world
from model import DEMO, Bagel, load_folder
from pipeline import FIELDS, ROUNDS, TEXT, Drawers, cores
from preprocess import positions

LOW = -30000.0


def attention_mask(system, image, segment, sees, dtype):
    """Scores' mask [B, 1, L, L] for: system text, one picture block, then independent question rows."""
    b, text = segment.shape
    device, head = segment.device, system + image
    n = head + text
    index = torch.arange(n, device=device)
    past = index[None, :] <= index[:, None]
    allowed = torch.zeros(b, n, n, dtype=torch.bool, device=device)
    allowed[:, :, :system] = past[:, :system]
    allowed[:, system:head, system:head] = True
    allowed[:, head:, system:head] = sees[:, :, None] > 0
    allowed[:, head:, head:] = (segment[:, :, None] == segment[:, None, :]) & past[head:, head:]
    return torch.zeros(b, 1, n, n, dtype=dtype, device=device).masked_fill_(~allowed[:, None], LOW)


class Batch:
    """One slab on the device: its pictures, and a few rounds of questions that are used one after the other."""

    def __init__(self, slab, grid, prefix, size, device):
        self.grid, self.prefix, self.size, self.device, self.round = grid, prefix, size, device, 0
        self.patches = torch.from_numpy(slab.pictures(size, grid[0] * grid[1])).to(device, copy=True)
        self.fields = {k: torch.from_numpy(getattr(slab, k)).to(device, copy=True) for k in FIELDS}

    def loss(self, model, vocab):
        """Weighted cross entropy of the answers, with the plain mean and the share of right tokens for reporting."""
        t = {k: v[self.round] for k, v in self.fields.items()}
        self.round += 1
        size, device, s = self.size, self.device, len(self.prefix)
        ids = torch.from_numpy(positions(self.grid)).to(device).expand(size, -1)
        head = torch.tensor(self.prefix + [vocab.vision_start], dtype=torch.long, device=device).expand(size, -1)
        tail = torch.tensor([vocab.vision_end], dtype=torch.long, device=device).expand(size, -1)
        x = torch.cat([model.embed(head), model.picture_tokens(self.patches, ids), model.embed(tail), model.embed(t["ids"].long())], 1)
        image = ids.shape[1] + 2
        rope = torch.cat([torch.arange(s, device=device).expand(size, -1), torch.full((size, image), s, device=device), t["rope"].long()], 1)
        mask = attention_mask(s, image, t["segment"], t["sees"], torch.bfloat16 if device.type == "cuda" else torch.float32)
        pad = -x.shape[1] % 8  # the attention kernel wants multiples of eight
        if pad:
            x, rope = F.pad(x, (0, 0, 0, pad)), F.pad(rope, (0, pad))
            mask = F.pad(F.pad(mask, (0, pad), value=LOW), (0, 0, 0, pad))
        states, _ = model.decode(x, rope, mask)
        states = states[:, s + image:s + image + TEXT]
        asked = (t["target"] >= 0).flatten().nonzero()[:, 0]
        logits = model.logits(states.flatten(0, 1)[asked]).float()
        target, weight = t["target"].flatten()[asked].long(), t["weight"].flatten()[asked]
        losses = F.cross_entropy(logits, target, reduction="none")
        right = (logits.detach().argmax(-1) == target).float()
        return (losses * weight).sum() / weight.sum(), losses.detach().mean(), right.mean()


class Feed:
    """Fresh slabs as soon as they are drawn, and between them earlier ones with new questions, so that the GPU never waits."""

    def __init__(self, drawers, device, rnd, keep=150):
        self.drawers, self.device, self.rnd, self.keep, self.kept, self.fresh = drawers, device, rnd, keep, [], 0

    def next(self):
        ready = self.drawers.next(wait=len(self.kept) < 8)
        if ready:
            slot, grid, prefix = ready
            batch = Batch(self.drawers.slabs[slot], grid, prefix, self.drawers.size, self.device)
            self.drawers.done(slot)
            self.fresh += 1
        else:
            batch = self.kept.pop(self.rnd.randrange(len(self.kept)))
        if batch.round + 1 < ROUNDS:
            self.kept.append(batch)
            if len(self.kept) > self.keep:
                self.kept.pop(0)
        return batch


def corpus(rnd, n=60000):
    """Texts for the vocabulary: what is asked and answered in training."""
    for _ in range(n):
        scene = world.sample(rnd)
        _, question, answer, _ = language.ask(scene, rnd, rnd.choice(["frame", "frame", "face"]))
        yield question
        yield answer
    for text in [talk.THINK, talk.PLAN] * 20 + talk.SYSTEM * 40:
        yield text
    for _ in range(n // 10):
        yield from talk.chat(rnd)
        yield talk.draw_prompt(world.sample(rnd), rnd)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=12, help="training time in all slices together")
    parser.add_argument("--until", type=float, help="end this slice at that many minutes of training")
    parser.add_argument("--work", default="build/training", help="checkpoint, vocabulary and log")
    parser.add_argument("--export", default="demo/model")
    parser.add_argument("--workers", type=int, default=max(1, cores() - 1))
    parser.add_argument("--size", type=int, default=96, help="pictures in a slab")
    parser.add_argument("--slabs", type=int, default=1, help="slabs for one step")
    parser.add_argument("--rate", type=float, default=1.2e-3)
    parser.add_argument("--warm", type=int, default=400, help="steps until the full rate")
    parser.add_argument("--init", help="model folder to start from instead of random weights")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    os.makedirs(args.work, exist_ok=True)
    checkpoint = f"{args.work}/checkpoint.pt"
    resume = os.path.exists(checkpoint)
    if args.init:
        for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
            shutil.copy(f"{args.init}/{name}", f"{args.work}/{name}")
    if not os.path.exists(f"{args.work}/vocab.json"):
        used = tokenizer.train(corpus(random.Random(args.seed)), DEMO["llm"]["vocab_size"], args.work)
        print(f"vocabulary: {used} tokens", flush=True)
    vocab = tokenizer.Vocabulary(args.work)
    start_of = torch.load(checkpoint, map_location="cpu") if resume else None
    drawers = Drawers(args.workers, args.size, args.work, f"{args.seed}/{start_of['step'] if resume else 0}")

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.manual_seed(args.seed)
    model = (load_folder(args.init)[0].train() if args.init else Bagel().initialise()).to(device)
    decay = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}],
                                  lr=args.rate, betas=(0.9, 0.98), fused=device.type == "cuda")
    step, trained, pictures = 0, 0.0, 0
    if resume:
        model.load_state_dict(start_of["model"])
        optimizer.load_state_dict(start_of["optimizer"])
        step, trained, pictures = start_of["step"], start_of["seconds"], start_of["pictures"]
    average = [p.detach().clone() for p in model.parameters()]
    if resume:
        for a, v in zip(average, start_of["average"]):
            a.copy_(v)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, {args.workers} drawing processes, {device}", flush=True)

    total, end = args.minutes * 60, (args.until or args.minutes) * 60
    begun = time.time() - trained
    log = open(f"{args.work}/log.jsonl", "a")
    feed, report, shown = Feed(drawers, device, random.Random(args.seed)), time.time(), []
    while trained < end:
        share = trained / total
        warm = min(1.0, (step + 1) / args.warm)
        rate = args.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))
        for group in optimizer.param_groups:
            group["lr"] = rate
        for _ in range(args.slabs):
            batch = feed.next()
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                loss, per_token, right = batch.loss(model, vocab)
            (loss / args.slabs).backward()
            shown.append(torch.stack([loss.detach(), per_token, right]))
            pictures += args.size
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        with torch.no_grad():
            torch._foreach_lerp_(average, list(model.parameters()), 1 - min(0.998, step / (step + 20)))
        if time.time() - report > 15:
            sums = torch.stack(shown).mean(0).tolist()
            line = {"step": step, "seconds": round(trained, 1), "pictures": pictures, "loss": round(sums[0], 4), "per_token": round(sums[1], 4),
                    "token_accuracy": round(sums[2], 4), "rate": round(rate, 6), "drawn": feed.fresh * args.size}
            print(json.dumps(line), flush=True)
            log.write(json.dumps(line) + "\n")
            log.flush()
            shown, report = [], time.time()
        trained = time.time() - begun
    drawers.stop()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "average": average, "step": step, "seconds": trained, "pictures": pictures}, checkpoint)
    for p, v in zip(model.parameters(), average):
        p.data.copy_(v)
    size = export.write_folder(args.export, model.state_dict(), DEMO, args.work)
    print(f"{step} steps, {pictures} pictures, {trained:.0f} s; {args.export}: {size / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    main()
