"""The decoder of BAGEL-7B-MoT in PyTorch on the CPU, beside `bagel bench` on the same shape.

Random weights at the real widths, 2 layers: a picture block of 1402 rows that all see each other,
40 text rows after it, then single tokens with the output head. The two programs run in turn, so that
a machine whose speed drifts treats both alike.

    python3 bench/peers/torch_cpu.py --bagel build/release/apps/bagel/bagel --model /tmp/two-layers
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F

HIDDEN, INTERMEDIATE, HEADS, KV_HEADS, HEAD_DIM, VOCABULARY = 3584, 18944, 28, 4, 128, 152064


def linear(rows, columns, dtype):
    return torch.empty(rows, columns).normal_(std=0.02).to(dtype)


class Layer:
    """One Qwen2 decoder layer with per-head norms of q and k and its own key/value cache."""

    def __init__(self, dtype):
        self.norm = torch.ones(HIDDEN, dtype=dtype)
        self.head_norm = torch.ones(HEAD_DIM, dtype=dtype)
        self.q = linear(HEADS * HEAD_DIM, HIDDEN, dtype)
        self.k = linear(KV_HEADS * HEAD_DIM, HIDDEN, dtype)
        self.v = linear(KV_HEADS * HEAD_DIM, HIDDEN, dtype)
        self.o = linear(HIDDEN, HEADS * HEAD_DIM, dtype)
        self.gate = linear(INTERMEDIATE, HIDDEN, dtype)
        self.up = linear(INTERMEDIATE, HIDDEN, dtype)
        self.down = linear(HIDDEN, INTERMEDIATE, dtype)
        self.keys = self.values = None

    def forward(self, x, cosine, sine, mask):
        def heads(weight, count):
            return F.linear(normed, weight).view(-1, count, HEAD_DIM)

        def rotate(t):
            t = F.rms_norm(t, (HEAD_DIM,), self.head_norm, 1e-6)
            half = HEAD_DIM // 2
            turned = torch.cat((-t[..., half:], t[..., :half]), -1)
            return (t * cosine + turned * sine).transpose(0, 1)

        normed = F.rms_norm(x, (HIDDEN,), self.norm, 1e-6)
        q = rotate(heads(self.q, HEADS))
        k = rotate(heads(self.k, KV_HEADS))
        v = heads(self.v, KV_HEADS).transpose(0, 1)
        self.keys = k if self.keys is None else torch.cat((self.keys, k), 1)
        self.values = v if self.values is None else torch.cat((self.values, v), 1)
        groups = HEADS // KV_HEADS
        attention = F.scaled_dot_product_attention(
            q[None], self.keys.repeat_interleave(groups, 0)[None],
            self.values.repeat_interleave(groups, 0)[None], attn_mask=mask)[0]
        x = x + F.linear(attention.transpose(0, 1).reshape(x.shape[0], -1), self.o)
        normed = F.rms_norm(x, (HIDDEN,), self.norm, 1e-6)
        return x + F.linear(F.silu(F.linear(normed, self.gate)) * F.linear(normed, self.up),
                            self.down)


class Decoder:
    def __init__(self, layers, dtype, head=True):
        self.dtype = dtype
        self.layers = [Layer(dtype) for _ in range(layers)]
        self.head = linear(VOCABULARY, HIDDEN, dtype) if head else None

    def step(self, rows, position, causal, logits):
        frequency = 1e6 ** (-torch.arange(0, HEAD_DIM, 2) / HEAD_DIM)
        positions = position + (torch.arange(rows) if causal else torch.zeros(rows))
        angle = (positions[:, None] * frequency).repeat(1, 2)[:, None]
        cosine, sine = angle.cos().to(self.dtype), angle.sin().to(self.dtype)
        past = 0 if self.layers[0].keys is None else self.layers[0].keys.shape[1]
        mask = None
        if causal and rows > 1:
            mask = torch.ones(rows, past + rows, dtype=torch.bool).tril(past)
        x = torch.full((rows, HIDDEN), 0.5, dtype=self.dtype)
        for layer in self.layers:
            x = layer.forward(x, cosine, sine, mask)
        return F.linear(x[-1:], self.head) if logits else x

    def reset(self):
        for layer in self.layers:
            layer.keys = layer.values = None


def milliseconds(function):
    start = time.perf_counter()
    function()
    return 1e3 * (time.perf_counter() - start)


def time_torch(decoder, decode_tokens):
    decoder.reset()
    image = milliseconds(lambda: decoder.step(1402, 0, False, False))
    text = milliseconds(lambda: decoder.step(40, 1, True, False))
    decode = [milliseconds(lambda: decoder.step(1, 41 + i, True, True))
              for i in range(decode_tokens)]
    return {"prefill_ms": image + text, "decode_ms": statistics.median(decode)}


def time_bagel(arguments, exact):
    command = [arguments.bagel, "bench", "--model", arguments.model, "--device", "cpu", "--threads",
               str(arguments.threads), "--rounds", "1", "--image-tokens", "1400", "--text-tokens",
               "40", "--decode-tokens", str(arguments.decode_tokens), "--json"]
    report = json.loads(subprocess.run(command + ["--exact"] * exact, check=True,
                                       capture_output=True).stdout)
    report["prefill_ms"] = report["prefill_image_ms"] + report["prefill_text_ms"]
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bagel", default="build/release/apps/bagel/bagel")
    parser.add_argument("--model", required=True, help="written by `bagel synth --layers 2`")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--decode-tokens", type=int, default=8)
    parser.add_argument("--only", choices=["exact", "fast"], help="f32 or bf16 alone")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    print(f"PyTorch {torch.__version__}, {arguments.threads} threads, medians of "
          f"{arguments.rounds} rounds in turn")
    for name, dtype in (("exact", torch.float32), ("fast", torch.bfloat16)):
        if arguments.only not in (None, name):
            continue
        decoder = Decoder(2, dtype)
        time_torch(decoder, 1)
        peer, ours = [], []
        for _ in range(arguments.rounds):
            peer.append(time_torch(decoder, arguments.decode_tokens))
            ours.append(time_bagel(arguments, name == "exact"))
        del decoder
        print(f"{name}: {ours[0]['device']}, PyTorch {dtype}")
        for key in ("prefill_ms", "decode_ms"):
            theirs_ms = statistics.median(r[key] for r in peer)
            ours_ms = statistics.median(r[key] for r in ours)
            speedups = [p[key] / o[key] for p, o in zip(peer, ours)]
            print(f"  {key:<11} bagel {ours_ms:8.1f}  PyTorch {theirs_ms:8.1f}  bagel is "
                  f"{statistics.median(speedups):.2f} times as fast "
                  f"({min(speedups):.2f} to {max(speedups):.2f})")
        share = statistics.median(r["decode_share_of_roof"] for r in ours)
        gbs = statistics.median(r["decode_gb_per_second"] for r in ours)
        print(f"  decode      {gbs:.1f} GB/s, {100 * share:.0f} % of the read roof of the same run")


if __name__ == "__main__":
    sys.exit(main())
