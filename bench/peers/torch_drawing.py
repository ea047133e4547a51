"""Drawing in PyTorch on the CPU, beside `bagel bench` on the same shapes.

Random weights: one guided step at the real widths (2 layers, two passes of 1024 latent tokens and
their two markers, one after 42 tokens of text and one after none), and the FLUX autoencoder's decoder
from 64x64 latents to 512x512 pixels. The two programs run in turn, so that a machine whose speed
drifts treats both alike.

    python3 bench/peers/torch_drawing.py --model /tmp/two-layers-draw
"""

import argparse
import json
import statistics
import subprocess
import sys

import torch
import torch.nn.functional as F

from torch_cpu import Decoder, milliseconds

LATENT_TOKENS, TEXT_TOKENS = 1024, 42


class FlowStep:
    def __init__(self, dtype):
        self.decoder = Decoder(2, dtype, head=False)
        self.decoder.reset()
        self.decoder.step(TEXT_TOKENS, 0, True, False)
        self.text = [(layer.keys, layer.values) for layer in self.decoder.layers]

    def run(self):
        for layer, (keys, values) in zip(self.decoder.layers, self.text):
            layer.keys, layer.values = keys, values
        self.decoder.step(LATENT_TOKENS + 2, TEXT_TOKENS, False, False)
        self.decoder.reset()
        self.decoder.step(LATENT_TOKENS + 2, 0, False, False)


class Autoencoder:
    """The decoder of FLUX.1's autoencoder as one list of functions."""

    def __init__(self, dtype):
        self.dtype = dtype
        self.steps = [self.conv(16, 512), self.block(512, 512), self.attention(512),
                      self.block(512, 512)]
        channels = 512
        for level, out in enumerate((512, 512, 256, 128)):
            for _ in range(3):
                self.steps.append(self.block(channels, out))
                channels = out
            if level < 3:
                self.steps.append(self.upsample(channels))
        self.steps += [self.norm(channels), self.conv(channels, 3)]

    def weights(self, out, inputs, size):
        return (torch.empty(out, inputs, size, size).normal_(std=0.02).to(self.dtype),
                torch.zeros(out, dtype=self.dtype))

    def conv(self, inputs, out, size=3):
        weight, bias = self.weights(out, inputs, size)
        return lambda x: F.conv2d(x, weight, bias, padding=size // 2)

    def norm(self, channels, activate=True):
        weight = torch.ones(channels, dtype=self.dtype)
        bias = torch.zeros(channels, dtype=self.dtype)

        def run(x):
            x = F.group_norm(x, 32, weight, bias, 1e-6)
            return F.silu(x) if activate else x
        return run

    def block(self, inputs, out):
        norm1, conv1 = self.norm(inputs), self.conv(inputs, out)
        norm2, conv2 = self.norm(out), self.conv(out, out)
        shortcut = self.conv(inputs, out, 1) if inputs != out else lambda x: x
        return lambda x: shortcut(x) + conv2(norm2(conv1(norm1(x))))

    def attention(self, channels):
        norm = self.norm(channels, activate=False)
        q, k, v, out = (self.conv(channels, channels, 1) for _ in range(4))

        def run(x):
            y = norm(x)
            heads = [f(y).flatten(2).transpose(1, 2)[:, None] for f in (q, k, v)]
            mixed = F.scaled_dot_product_attention(*heads)[:, 0].transpose(1, 2)
            return x + out(mixed.reshape(x.shape))
        return run

    def upsample(self, channels):
        conv = self.conv(channels, channels)
        return lambda x: conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))

    def run(self):
        x = torch.full((1, 16, 64, 64), 0.5, dtype=self.dtype)
        for step in self.steps:
            x = step(x)
        return x


def time_bagel(arguments, exact):
    command = [arguments.bagel, "bench", "--model", arguments.model, "--device", "cpu", "--threads",
               str(arguments.threads), "--rounds", "1", "--image-tokens", "1", "--text-tokens", "1",
               "--decode-tokens", "1", "--json"]
    return json.loads(subprocess.run(command + ["--exact"] * exact, check=True,
                                     capture_output=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bagel", default="build/release/apps/bagel/bagel")
    parser.add_argument("--model", required=True, help="written by `bagel synth --layers 2`")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["exact", "fast"], help="f32 or bf16 alone")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    print(f"PyTorch {torch.__version__}, {arguments.threads} threads, medians of "
          f"{arguments.rounds} rounds in turn")
    for name, dtype in (("exact", torch.float32), ("fast", torch.bfloat16)):
        if arguments.only not in (None, name):
            continue
        flow, autoencoder = FlowStep(dtype), Autoencoder(dtype)
        flow.run(), autoencoder.run()
        peer, ours = [], []
        for _ in range(arguments.rounds):
            peer.append({"guided_step_ms": milliseconds(flow.run),
                         "vae_decode_ms": milliseconds(autoencoder.run)})
            ours.append(time_bagel(arguments, name == "exact"))
        print(f"{name}: {ours[0]['device']}, PyTorch {dtype}")
        for key in ("guided_step_ms", "vae_decode_ms"):
            speedups = [p[key] / o[key] for p, o in zip(peer, ours)]
            print(f"  {key:<14} bagel {statistics.median(r[key] for r in ours):8.1f}  PyTorch "
                  f"{statistics.median(r[key] for r in peer):8.1f}  bagel is "
                  f"{statistics.median(speedups):.2f} times as fast "
                  f"({min(speedups):.2f} to {max(speedups):.2f})")


if __name__ == "__main__":
    sys.exit(main())
