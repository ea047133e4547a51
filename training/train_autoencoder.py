"""Trains the autoencoder on drawn pictures. Resumable in slices; at the end it writes ae.safetensors and its constants.

  python training/train_autoencoder.py --minutes 4.3
"""
import argparse
import math

import torch
import torch.nn.functional as F

import export
from autoencoder import DEMO_VAE, Autoencoder, to_pixels
from course import Course, arguments, show
from half import Half, Passes
from muon import Muon
from pipeline import cores
from studio import FAMILY, SHAPES, Drawers


class Pictures:
    """The last `size` pictures of one shape that were drawn, on the device, with their faces."""

    def __init__(self, shape, size, device):
        w, h = SHAPES[shape]
        self.pictures = torch.zeros(size, h, w, 3, dtype=torch.uint8, device=device)
        self.faces = torch.zeros(size, 3, device=device)
        self.count, self.size = 0, size

    def add(self, pictures, faces):
        at = torch.arange(self.count, self.count + len(pictures)) % self.size
        self.pictures[at] = pictures.to(self.pictures.device)
        self.faces[at] = faces.to(self.faces.device)
        self.count += len(pictures)

    def batch(self, size):
        ids = torch.randint(0, min(self.count, self.size), (size,), device=self.faces.device)
        return self.pictures[ids], self.faces[ids]


def face_weight(faces, size, step, strong):
    """[B, h, w]: `strong` in the faces and 1 elsewhere, on a grid of `step` pixels a cell."""
    w, h = size
    y = (torch.arange(h // step, device=faces.device) + 0.5)[:, None] * step
    x = (torch.arange(w // step, device=faces.device) + 0.5)[None] * step
    fx, fy, unit = (faces[:, i, None, None] for i in range(3))
    inside = ((x - fx) / (unit + 1e-6)) ** 2 + ((y - fy) / (unit + 1e-6)) ** 2 < 1.1
    return 1 + (strong - 1) * inside.float()


def fineness(pixels):
    """[B, 3, H, W] -> strength of the frequencies near Nyquist's along both sides, in every 8x8 pixels."""
    fine = [x.diff(n=2, dim=d) / 4 for x, d in ((pixels[..., 1:-1], 2), (pixels[..., 1:-1, :], 3))]
    return [(F.avg_pool2d(x * x, 8) + 1e-5).sqrt() for x in fine]


def loss_of(model, pictures, faces, kl_share, fine_share):
    """L1 on the pixels and on their differences, faces counted five times, on the strength of what is fine, which the first
    two alone would blur, and a little KL."""
    want, kind = to_pixels(pictures), next(model.parameters()).dtype
    mean, log_variance = model.encoder(want.to(kind, memory_format=torch.channels_last)).float().chunk(2, 1)
    log_variance = log_variance.clamp(-20, 10)
    z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
    got = model.decoder(z.to(kind, memory_format=torch.channels_last)).float()
    weight = face_weight(faces, (want.shape[3], want.shape[2]), 1, 5)[:, None]
    mean_of = lambda x, w: (x.abs() * w).sum() / (w.sum() * 3)
    error = got - want
    sharp = sum(mean_of(error.diff(dim=d), weight.narrow(d, 1, weight.shape[d] - 1)) for d in (2, 3))
    fine = sum((mine - theirs).abs().mean() for mine, theirs in zip(fineness(got), fineness(want)))
    kl = 0.5 * (mean ** 2 + log_variance.exp() - 1 - log_variance).mean()
    loss = mean_of(error, weight) + 1.5 * sharp + fine_share * fine + kl_share * kl
    return loss, torch.stack([loss.detach(), (error.detach() ** 2).mean(), kl.detach()])


@torch.no_grad()
def constants(model, pools, count=512):
    """Scale and shift that bring the latents to mean 0 and variance 1."""
    means = []
    for pool in pools:
        for _ in range(count // 64):
            pixels = to_pixels(pool.batch(64)[0]).contiguous(memory_format=torch.channels_last)
            means.append(model.encoder(pixels).float().chunk(2, 1)[0].flatten())
    values = torch.cat(means)
    return {"scale_factor": round(float(1 / values.std()), 5), "shift_factor": round(float(values.mean()), 5)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser, 4.3, "build/training/autoencoder", 1.5e-3)
    parser.add_argument("--vocabulary", default="demo/model")
    parser.add_argument("--workers", type=int, default=max(1, cores() - 1))
    parser.add_argument("--batch", type=int, default=14)
    parser.add_argument("--pool", type=int, default=40000, help="pictures of each shape kept on the device")
    parser.add_argument("--kl", type=float, default=1e-4)
    parser.add_argument("--fine", type=float, default=1.0, help="weight of the strength of what is fine")
    parser.add_argument("--init", help="folder with an autoencoder to start from instead of random weights")
    args = parser.parse_args()
    course = Course(args, keep=0.998, warm=100)
    drawers = Drawers(args.workers, args.vocabulary, f"{args.seed}/{course.step}")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    torch.manual_seed(args.seed)
    model = Autoencoder(DEMO_VAE).to(device)
    if args.init:
        model.load_state_dict(export.read_weights(f"{args.init}/ae.safetensors"))
    half = Half(model, device, torch.channels_last)
    optimizer = Muon(model, args.rate, lambda name: "conv_in" not in name and "conv_out" not in name, decay=0.0)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, {args.workers} drawing processes, {device}", flush=True)
    pools = {shape: Pictures(shape, args.pool, device) for shape in SHAPES}
    passes = {}

    def take(wait):
        ready = drawers.next(wait)
        if ready:
            slot, shape = ready
            w, h = SHAPES[shape]
            slab = drawers.slabs[slot]
            pictures = torch.from_numpy(slab.pictures[:, :, :w * h * 3].reshape(drawers.families * FAMILY, h, w, 3).copy())
            pools[shape].add(pictures, torch.from_numpy(slab.face.reshape(-1, 3).copy()))
            drawers.done(slot)
        return ready

    course.start(model, optimizer)
    half.refresh()
    while min(p.count for p in pools.values()) < args.batch:
        take(True)
    while course.running():
        if course.step % 4 == 0:
            take(False)
        shape = "wide" if course.step % 4 == 3 else "square"
        batch = pools[shape].batch(args.batch)
        if shape not in passes:
            passes[shape] = Passes(lambda b: loss_of(half.work, *b, args.kl, args.fine), batch)
            half.clear()
        losses = passes[shape](batch)
        half.collect()
        optimizer.step()
        half.refresh()
        told = course.stepped(losses)
        if told:
            loss, error, kl = told[1]
            show(told[0], loss=round(loss, 4), psnr=round(10 * math.log10(4 / error), 2), kl=round(kl, 3), drawn=[p.count for p in pools.values()])
    drawers.stop()
    passes.clear()
    course.finish()
    state = {k: v.contiguous() for k, v in model.state_dict().items()}
    model.load_state_dict(export.rounded_autoencoder(state))
    config = {**DEMO_VAE, **constants(model, pools.values(), 64 if device.type == "cpu" else 512)}
    size = export.write_autoencoder(args.work, state, config)
    print(f"{course.step} steps, {course.seconds:.0f} s, {config}; {args.work}/ae.safetensors: {size / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    main()
