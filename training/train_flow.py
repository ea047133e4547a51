"""Trains the drawing expert on encoded pictures; the understanding half is frozen. Resumable in slices.

  python training/train_flow.py --minutes 9.7
"""
import argparse
import json
import math
import os
import time

import torch
from safetensors.torch import load_file, save_file

import export
from autoencoder import Autoencoder
from drawing import GEN_INTERMEDIATE, Drawing, checkpoint_name, checkpoint_state, velocity
from gallery import Gallery
from half import Half, Passes
from model import load_folder
from muon import Muon
from pipeline import cores
from studio import SHAPES, Drawers
from tokenizer import Vocabulary


def moments(size, device):
    """Times in 0..1: a logit-normal, shifted towards noise, and one in ten uniform."""
    t = torch.sigmoid(torch.randn(size, device=device))
    t = 2.0 * t / (1 + t)
    return torch.where(torch.rand(size, device=device) < 0.1, torch.rand(size, device=device), t)


def loss_of(und, model, vocab, batch, grid, device, dropped=0.1):
    """Weighted squared error of the velocity; `dropped` of the texts are left out, for guidance."""
    target, text, lengths, weight, source, seen = batch
    lengths = torch.where(torch.rand(len(lengths), device=device) < dropped, 0, lengths)
    noise = torch.randn_like(target)
    t = moments(len(target), device)
    mixed = (1 - t[:, None, None]) * target + t[:, None, None] * noise
    v = velocity(und, model, vocab, mixed, t, grid, text, lengths, source, seen)
    error = ((v.float() - (noise - target)) ** 2).mean(-1)
    return (error * weight).sum() / weight.sum()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=9.7, help="training time in all slices together")
    parser.add_argument("--until", type=float, help="end this slice at that many minutes of training")
    parser.add_argument("--work", default="build/training/flow")
    parser.add_argument("--understanding", default="demo/model")
    parser.add_argument("--autoencoder", default="build/training/autoencoder")
    parser.add_argument("--export", default="demo/model")
    parser.add_argument("--workers", type=int, default=max(1, cores() - 1))
    parser.add_argument("--draw", type=int, default=208, help="pictures with a prompt in a step")
    parser.add_argument("--edit", type=int, default=36, help="edits in a step")
    parser.add_argument("--families", type=int, default=12000, help="families of each shape kept on the device")
    parser.add_argument("--first", type=int, default=64, help="families of each shape to begin with")
    parser.add_argument("--intermediate", type=int, default=GEN_INTERMEDIATE)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--warm", type=int, default=200)
    parser.add_argument("--init", help="file with weights of the drawing half to start from instead of random ones")
    parser.add_argument("--done", type=float, default=0, help="minutes of training behind the weights of --init")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    checkpoint = f"{args.work}/checkpoint.pt"
    saved = torch.load(checkpoint, map_location="cpu") if os.path.exists(checkpoint) else None
    drawers = Drawers(args.workers, args.understanding, f"flow {args.seed}/{saved['step'] if saved else 0}")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.manual_seed(args.seed)
    vocab = Vocabulary(args.understanding)
    und, own = load_folder(args.understanding, device)
    und.requires_grad_(False)
    autoencoder = Autoencoder(json.load(open(f"{args.autoencoder}/autoencoder.json")))
    autoencoder.load_state_dict(export.read_weights(f"{args.autoencoder}/ae.safetensors"))
    autoencoder.to(device).eval().requires_grad_(False)
    model = Drawing(und.config["llm"], own["max_latent_size"], args.intermediate).initialise(und.cpu()).to(device)
    und.to(device)
    if args.init:
        start = load_file(args.init)
        model.load_state_dict({k: start[checkpoint_name(k)].float() for k in model.state_dict()})
    half, reader = Half(model, device), Half(und, device).work  # the frozen half in the same precision
    reader.requires_grad_(False)
    optimizer = Muon(model, args.rate, lambda name: name.startswith("layers"))
    step, trained = 0, args.done * 60
    if saved:
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step, trained = saved["step"], saved["seconds"]
    average = [p.detach().clone() for p in model.parameters()]
    for mine, theirs in zip(average, saved["average"] if saved else []):
        mine.copy_(theirs)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, {args.workers} drawing processes, {device}", flush=True)
    galleries = {shape: Gallery(shape, args.families, device) for shape in SHAPES}

    def take(wait):
        ready = drawers.next(wait)
        if ready:
            slot, shape = ready
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                galleries[shape].add(drawers.slabs[slot], und, autoencoder, shape)
            drawers.done(slot)

    passes = {}
    total, end = args.minutes * 60, (args.until or args.minutes) * 60
    begun, report, shown = time.time() - trained, time.time(), []
    while min(g.count for g in galleries.values()) < args.first:
        take(True)
    print(f"first pictures after {time.time() - begun - trained:.0f} s", flush=True)
    while trained < end:
        filling = min(g.count for g in galleries.values()) < args.families
        if step % (2 if filling else 4) == 0:
            take(False)
        warm = min(1.0, (step + 1) / args.warm)
        optimizer.rate = args.rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, trained / total))))
        wide = step % 4 == 3
        gallery, share = galleries["wide" if wide else "square"], 0.7 if wide else 1
        losses = []
        for name, size, part in (("draw", args.draw, 0.65), ("edit", args.edit, 0.35)):
            batch = getattr(gallery, name + "_batch")(max(1, int(size * share)))
            if (name, wide) not in passes:
                def run(b, grid=gallery.grid, part=part):
                    loss = loss_of(reader, half.work, vocab, b, grid, device)
                    return loss * part, loss

                passes[name, wide] = Passes(run, batch)
                half.clear()
            losses.append(passes[name, wide](batch))
        half.collect()
        optimizer.step()
        half.refresh()
        step += 1
        shown.append(torch.stack(losses))
        with torch.no_grad():
            torch._foreach_lerp_(average, half.masters, 1 - min(0.999, step / (step + 20)))
        if time.time() - report > 15:
            draw, edit = torch.stack(shown).mean(0).tolist()
            print(json.dumps({"step": step, "seconds": round(trained, 1), "draw": round(draw, 4), "edit": round(edit, 4), "rate": round(optimizer.rate, 6),
                              "steps a second": round(len(shown) / (time.time() - report), 1), "families": [g.count for g in galleries.values()]}), flush=True)
            report, shown = time.time(), []
        trained = time.time() - begun
    drawers.stop()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "average": average, "step": step, "seconds": trained}, checkpoint)
    for p, v in zip(model.parameters(), average):
        p.data.copy_(v)
    state = {k: v.detach().half().cpu().contiguous() for k, v in checkpoint_state(model).items()}
    save_file(state, f"{args.work}/average.safetensors")
    size = export.add_drawing(args.understanding, args.autoencoder, state, args.intermediate, args.export)
    print(f"{step} steps, {trained:.0f} s; {args.export}: {size / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    main()
