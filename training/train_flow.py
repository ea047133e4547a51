"""Trains the drawing expert on encoded pictures; the understanding half is frozen. Resumable in slices.

  python training/train_flow.py --minutes 10.3
"""
import argparse

import torch
from safetensors.torch import save_file
from torch.nn.attention import SDPBackend, sdpa_kernel

import export
from autoencoder import Autoencoder
from course import Course, arguments, show
from drawing import GEN_INTERMEDIATE, Drawing, after, before, checkpoint_name, look, velocity
from gallery import Gallery
from half import Half, Passes
from model import load_folder
from muon import Muon
from pipeline import cores
from studio import SHAPES, Drawers
from tokenizer import Vocabulary

PARTS = ("draw", "edit")  # of a step

KERNELS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


def moments(size, device, shift):
    """Times in 0..1: a logit-normal, shifted towards noise, and one in five uniform."""
    t = torch.sigmoid(torch.randn(size, device=device))
    t = shift * t / (1 + (shift - 1) * t)
    return torch.where(torch.rand(size, device=device) < 0.2, torch.rand(size, device=device), t)


def loss_of(und, model, vocab, batch, grid, shift, parts, dropped=0.1):
    """Weighted squared error of the velocity; `dropped` of the texts are left out, for guidance."""
    target, text, lengths, weight, source, seen = batch
    lengths = torch.where(torch.rand(len(lengths), device=target.device) < dropped, 0, lengths)
    noise = torch.randn_like(target)
    t = moments(len(target), target.device, shift)
    mixed = (1 - t[:, None, None]) * target + t[:, None, None] * noise
    past = None if source is None else look(und, model, vocab, grid, source, seen, parts)
    v = velocity(und, model, vocab, mixed, t, grid, text, lengths, past, parts)
    error = ((v.float() - (noise - target)) ** 2).mean(-1)
    return (error * weight).sum() / weight.sum()


class Gradients:
    """The passes of a step: pictures with a prompt and edits, of one shape."""

    def __init__(self, und, half, vocab, device, args):
        self.und, self.half, self.vocab, self.even = und, half, vocab, args.even
        self.sizes, self.shares = {"draw": args.draw, "edit": args.edit}, {"draw": args.share, "edit": 1 - args.share}
        # of times towards noise, where it is decided what becomes of each part of a picture
        self.shifts = {"draw": args.shift, "edit": 4.0}
        self.parts = (before, after)
        if device.type == "cuda" and not args.eager:
            self.parts = tuple(torch.compile(part, dynamic=True) for part in self.parts)
        self.passes = {}

    def make(self, batch, grid, name):
        def run(b):
            loss = loss_of(self.und, self.half.work, self.vocab, b, grid, self.shifts[name], self.parts)
            return loss * self.shares[name], loss

        with sdpa_kernel(KERNELS, set_priority=True):
            made = Passes(run, batch)
        self.half.clear()
        return made

    def __call__(self, gallery, shape, share):
        """One step's gradients, added up in `half`; returns its losses."""
        losses = []
        for name in PARTS:
            batch = getattr(gallery, name + "_batch")(max(1, int(self.sizes[name] * share)))
            if self.even and name == "draw":
                batch[3].fill_(1)
            if (name, shape) not in self.passes:
                self.passes[name, shape] = self.make(batch, gallery.grid, name)
            losses.append(self.passes[name, shape](batch))
        return torch.stack(losses)


def load(args, device):
    """The frozen halves and the drawing expert: (understanding, autoencoder, drawing)"""
    und, own = load_folder(args.understanding)
    und.requires_grad_(False)
    autoencoder = Autoencoder(export.autoencoder_config(args.autoencoder))
    autoencoder.load_state_dict(export.read_weights(f"{args.autoencoder}/ae.safetensors"))
    autoencoder.to(device, torch.bfloat16 if device.type == "cuda" else torch.float32).to(memory_format=torch.channels_last).eval().requires_grad_(False)
    model = Drawing(und.config["llm"], own["max_latent_size"], args.intermediate).initialise(und)
    if args.init:
        start = export.read_weights(args.init)
        model.load_state_dict({k: start[checkpoint_name(k)] for k in model.state_dict()})
    return und.to(device), autoencoder, model.to(device)


def named(model, average):
    """The averaged weights under their names in a checkpoint."""
    return {checkpoint_name(k): v.detach().half().cpu().contiguous() for (k, _), v in zip(model.named_parameters(), average)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser, 10.3, "build/training/flow", 1.5e-3)
    parser.add_argument("--understanding", default="demo/model")
    parser.add_argument("--autoencoder", default="build/training/autoencoder")
    parser.add_argument("--export", default="demo/model")
    parser.add_argument("--workers", type=int, default=max(1, cores() - 1))
    parser.add_argument("--draw", type=int, default=224, help="pictures with a prompt in a step")
    parser.add_argument("--edit", type=int, default=24, help="input pictures in a step, each with three edits")
    parser.add_argument("--share", type=float, default=0.6, help="of the pictures with a prompt in the loss")
    parser.add_argument("--shift", type=float, default=2.0, help="of their times towards noise")
    parser.add_argument("--even", action="store_true", help="all parts of those pictures count alike, which favours fine detail")
    parser.add_argument("--eager", action="store_true", help="compile nothing, for trainings of less than two minutes")
    parser.add_argument("--families", type=int, default=12000, help="families of each shape kept on the device")
    parser.add_argument("--first", type=int, default=64, help="families of each shape to begin with")
    parser.add_argument("--intermediate", type=int, default=GEN_INTERMEDIATE)
    parser.add_argument("--init", help="file with weights of the drawing half to start from instead of random ones")
    args = parser.parse_args()
    course = Course(args, 0.999, 200, lambda average: save_file(named(model, average), f"{args.work}/average.safetensors"))
    drawers = Drawers(args.workers, args.understanding, f"flow {args.seed}/{course.step}")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    torch.manual_seed(args.seed)
    vocab = Vocabulary(args.understanding)
    und, autoencoder, model = load(args, device)
    half, reader = Half(model, device), Half(und, device).work  # the frozen half in the same precision
    reader.requires_grad_(False)
    optimizer = Muon(model, args.rate, lambda name: name.startswith("layers"))
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, {args.workers} drawing processes, {device}", flush=True)
    galleries = {shape: Gallery(shape, args.families, device) for shape in SHAPES}

    def take(wait):
        ready = drawers.next(wait)
        if ready:
            slot, shape = ready
            galleries[shape].add(drawers.slabs[slot], reader, autoencoder, shape)
            drawers.done(slot)

    course.start(model, optimizer)
    half.refresh()
    while min(g.count for g in galleries.values()) < args.first:
        take(True)
    gradients = Gradients(reader, half, vocab, device, args)
    while course.running():
        fewest = min(g.count for g in galleries.values())
        if course.step % (2 if fewest < 500 else 4 if fewest < 3000 else 8) == 0:
            take(False)
        shape = "wide" if course.step % 4 == 3 else "square"
        losses = gradients(galleries[shape], shape, 0.75 if shape == "wide" else 1)
        half.collect()
        optimizer.step()
        half.refresh()
        told = course.stepped(losses)
        if told:
            show(told[0], **{name: round(loss, 4) for name, loss in zip(PARTS, told[1])}, families=[g.count for g in galleries.values()])
    drawers.stop()
    course.finish()
    size = export.add_drawing(args.understanding, args.autoencoder, named(model, course.average), args.intermediate, args.export)
    print(f"{course.step} steps, {course.seconds:.0f} s; {args.export}: {size / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    main()
