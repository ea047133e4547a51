"""What PyTorch reaches on an NVIDIA GPU at the shapes of `bagel bench --device cuda --full`.

Random weights at the published shape, in f16 and, where bitsandbytes is installed, in NF4: the card's roofs, a text's
prefill, a denoising forward, decoding, and the vision encoder. PyTorch is given its best case: keys and values lie where
they are needed, rotations are computed beforehand, the context of decoding keeps its length, and each shape takes the
attention that is fastest for it. Times are between CUDA events, medians of rounds after two that are not counted.

    pip install torch numpy bitsandbytes
    python3 bench/peers/torch_gpu.py

Without a GPU it can only show that it runs:

    python3 bench/peers/torch_gpu.py --device cpu --layers 1 --rounds 1 --prefill-tokens 8 --pass-rows 4 \\
      --cached-tokens 2 --decode-context 5 --image-tokens 4
"""

import argparse
import json
import statistics
import sys
import time

import torch

from torch_modules import (HEAD_DIM, HEADS, HIDDEN, LAYER_WEIGHTS, PATCH_VALUES, VIT_HIDDEN, VIT_INTERMEDIATE, VIT_LAYERS,
                           VOCABULARY, Decoder, Pass, VisionEncoder, to_nf4)

WEIGHT_BYTES = {"f16": 2, "NF4": 1 / 2 + 1 / 64 + 4 / 64 / 256}  # a nibble, its block's scale and the scale of that


def captured(run):
    """The same work as a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


class Timer:
    """Milliseconds of one call: the median of `rounds` rounds of `calls` calls."""

    def __init__(self, on_gpu, rounds):
        self.on_gpu, self.rounds = on_gpu, rounds

    def __call__(self, run, calls=1):
        for _ in range(2):
            self.round(run, calls)
        return statistics.median(self.round(run, calls) for _ in range(self.rounds))

    def round(self, run, calls):
        if not self.on_gpu:
            before = time.perf_counter()
            run()
            return 1e3 * (time.perf_counter() - before)
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(calls):
            run()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / calls

    def kernels(self, run):
        """Without the time that Python takes to start them."""
        return self(captured(run) if self.on_gpu else run, 4)


class Report:
    """Names and their numbers with units, printed as they come (with --json to stderr, and at the end as one object)."""

    def __init__(self, as_json):
        self.lines, self.stream = {}, sys.stderr if as_json else sys.stdout

    def add(self, name, *numbers):
        self.lines[name] = {unit: value for value, unit in numbers}
        text = ", ".join(f"{value:.{2 if value < 100 else 1}f} {unit}" for value, unit in numbers)
        print(f"  {name:<60} {text}", file=self.stream, flush=True)

    def fail(self, name, reason):
        self.lines[name] = {"failed": reason}
        print(f"  {name:<60} {reason}", file=self.stream, flush=True)


class Bench:
    def __init__(self, arguments):
        self.sizes, self.report, self.device = arguments, Report(arguments.json), torch.device(arguments.device)
        self.on_gpu = self.device.type == "cuda"
        self.timer = Timer(self.on_gpu, arguments.rounds)
        self.read_roof = self.product_roof = 0.0

    def roofs(self):
        mebibytes, side = (2048, 8192) if self.on_gpu else (64, 256)
        with self.device:
            matrix, vector, (a, b) = torch.randn(mebibytes << 6, 8192), torch.randn(8192), torch.randn(2, side, side)
        floats = matrix.view(torch.float32)
        for name, read in (("sum of f32", floats.sum), ("maximum of f32", floats.amax),
                           ("f16 matrix by vector", lambda: matrix @ vector)):
            speed = (mebibytes << 20) / self.timer(read, 5) / 1e6
            self.report.add(f"read of {mebibytes} MiB, {name}", (speed, "GB/s"))
            self.read_roof = max(self.read_roof, speed)
        self.product_roof = 2 * side**3 / self.timer(lambda: a @ b, 10) / 1e9
        self.report.add(f"f16 product of {side}^3", (self.product_roof, "TFLOP/s"))

    def products(self, name, ms, flops):
        speed = flops / ms / 1e9
        self.report.add(name, (ms, "ms"), (speed, "TFLOP/s"), (100 * speed / self.product_roof, "% of the f16 roof"))

    def reads(self, name, ms, num_bytes):
        speed = num_bytes / ms / 1e6
        self.report.add(name, (ms, "ms a token"), (1e3 / ms, "tokens/s"), (speed, "GB/s"),
                        (100 * speed / self.read_roof, "% of the read roof"))

    def whole(self, name, run, add, amount, calls=1):
        """Eager and as a CUDA graph."""
        name += f", {run.attend.name} attention"
        with run.attend.kernel():
            add(f"{name}, eager", self.timer(run, calls), amount)
            if self.on_gpu:
                self.attempt(f"{name}, graph",
                             lambda: add(f"{name}, graph", self.timer(captured(run), calls), amount))

    def vision(self):
        rows = self.sizes.image_tokens
        with self.device:
            run = VisionEncoder(self.timer, rows)
        layer = 4 * VIT_HIDDEN**2 + 2 * VIT_HIDDEN * VIT_INTERMEDIATE + 2 * rows * VIT_HIDDEN
        flops = 2 * rows * (VIT_LAYERS * layer + PATCH_VALUES * VIT_HIDDEN + HIDDEN * (VIT_HIDDEN + HIDDEN))
        self.whole(f"f16 vision encoder, {rows} patches", run, self.products, flops)

    def prefill(self, decoder, weights):
        rows = self.sizes.prefill_tokens
        with self.device:
            run = Pass(self.timer, decoder, rows, 0, causal=True)
        flops = (2 * LAYER_WEIGHTS * rows + 2 * rows**2 * HEADS * HEAD_DIM) * self.sizes.layers
        self.whole(f"{weights} prefill of {rows}", run, self.products, flops)

    def denoising(self, decoder, weights):
        rows, cached = self.sizes.pass_rows, self.sizes.cached_tokens
        with self.device:
            run = Pass(self.timer, decoder, rows, cached)
        linear_flops = 2 * LAYER_WEIGHTS * rows * self.sizes.layers
        attention_flops = 4 * rows * (cached + rows) * HEADS * HEAD_DIM * self.sizes.layers
        name = f"{weights} forward, {rows} over {cached}"
        linears_ms, attention_ms = self.timer(run.linears), min(run.attend.ms.values())
        self.products(f"{name}, linear layers alone", linears_ms, linear_flops)
        for backend, ms in run.attend.ms.items():
            self.products(f"{name}, {backend} attention alone", ms, attention_flops)
        self.products(f"{name}, sum of both", linears_ms + attention_ms, linear_flops + attention_flops)
        self.whole(name, run, self.products, linear_flops + attention_flops)

    def decoding(self, decoder, weights):
        context = self.sizes.decode_context
        with self.device:
            run = Pass(self.timer, decoder, 1, context, generate=True)
        stored = LAYER_WEIGHTS * self.sizes.layers + VOCABULARY * HIDDEN
        num_bytes = stored * WEIGHT_BYTES[weights] + run.keys.nbytes + run.values.nbytes
        self.whole(f"{weights} decoding behind {context}", run, self.reads, num_bytes, calls=16)

    def attempt(self, name, part):
        try:
            part()
        except (RuntimeError, ValueError) as error:  # out of memory, or no kernel for this card
            self.report.fail(name, "failed: " + str(error).splitlines()[0])
        if self.on_gpu:
            torch.cuda.empty_cache()

    def run(self):
        layers = copies = self.sizes.layers
        if self.on_gpu:
            copies = min(layers, max(1, int(0.5 * torch.cuda.mem_get_info()[0] / (2 * LAYER_WEIGHTS))))
        name = torch.cuda.get_device_name() if self.on_gpu else "the processor"
        print(f"PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}, on {name}: {layers} layers "
              f"(weights of {copies} in turn), medians of {self.sizes.rounds} rounds", file=self.report.stream)
        self.roofs()
        self.attempt("vision", self.vision)
        with self.device:
            decoder = Decoder(layers, copies)
        self.measure(decoder, "f16")
        try:
            import bitsandbytes
        except ImportError as error:
            self.report.fail("NF4", f"left out, no bitsandbytes ({error}): pip install bitsandbytes")
            return
        to_nf4(decoder, bitsandbytes)
        self.measure(decoder, "NF4")

    def measure(self, decoder, weights):
        for part in (self.prefill, self.denoising, self.decoding):
            self.attempt(f"{weights} {part.__name__}", lambda: part(decoder, weights))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, the table on stderr")
    for option, default, meaning in (("--rounds", 5, "counted rounds"), ("--layers", 28, "of the decoder"),
                                     ("--prefill-tokens", 5000, "of a text that is read in one step"),
                                     ("--pass-rows", 4098, "of a denoising forward"),
                                     ("--cached-tokens", 1200, "before the denoising forward"),
                                     ("--decode-context", 1500, "before the generated token"),
                                     ("--image-tokens", 2730, "patches of the vision encoder")):
        parser.add_argument(option, type=int, default=default, metavar="N", help=f"{meaning} ({default})")
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.half)
    bench = Bench(arguments)
    bench.run()
    if arguments.json:
        print(json.dumps(bench.report.lines, indent=2))


if __name__ == "__main__":
    sys.exit(main())
