"""Tokens a second of `bagel bench` with NF4 weights and of llama.cpp with Q4_0, on the same shape, in turn.

The shape is the decoder of BAGEL-7B-MoT's understanding half (Qwen2.5-7B); the weights of both are random. llama.cpp is
the copy in the source package of llama-cpp-python, built for this processor:

    pip install gguf numpy && pip download --no-deps --no-binary :all: llama-cpp-python && tar xf llama_cpp_python-*.tar.gz
    cmake -S llama_cpp_python-*/vendor/llama.cpp -B llama -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_CURL=OFF
    cmake --build llama --target llama-bench
    bagel synth --quant nf4 --no-drawing --out /tmp/real-nf4
    python3 bench/peers/llama_cpp.py --llama-bench llama/bin/llama-bench --model /tmp/real-nf4

On an NVIDIA GPU (llama.cpp built with -DGGML_CUDA=ON) both decode behind a context and read a long prompt, and llama.cpp
also with the shape of LLaVA 1.6 7B's language model, whose vision encoder is left out:

    python3 bench/peers/llama_cpp.py --device cuda --llama-bench llama/bin/llama-bench --model /tmp/real-nf4
"""
import argparse
import json
import os
import statistics
import subprocess
import typing

import gguf
import numpy


class Shape(typing.NamedTuple):
    name: str  # of the architecture in llama.cpp
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    rope_base: float
    biases: bool  # of q, k and v


QWEN = Shape("qwen2", 28, 3584, 18944, 28, 4, 128, 152064, 1e6, True)  # BAGEL's understanding half
LLAVA = Shape("llama", 32, 4096, 11008, 32, 32, 128, 32064, 1e4, False)  # the language model of LLaVA 1.6 7B (Vicuna)
LLAVA_PICTURE_TOKENS = 2880  # five tiles of 24 x 24


def random_blocks(rows, columns, kind, rng):
    """[rows, bytes of a row] of valid blocks: random bits, and scales that make values of about 0.02."""
    values, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (rows * columns // values, size), dtype=numpy.uint8)
    at, scale = {gguf.GGMLQuantizationType.Q4_0: (0, 0.02 / 4.6), gguf.GGMLQuantizationType.Q6_K: (size - 2, 0.02 / 1500)}[kind]
    blocks[:, at:at + 2] = numpy.float16(scale).reshape(1).view(numpy.uint8)
    return blocks.reshape(rows, -1)


def write_gguf(path, shape):
    """As llama-quantize makes Q4_0: every matrix Q4_0, the output head Q6_K, vectors f32."""
    q4, q6 = gguf.GGMLQuantizationType.Q4_0, gguf.GGMLQuantizationType.Q6_K
    writer, rng = gguf.GGUFWriter(path + ".partial", shape.name, use_temp_file=True), numpy.random.default_rng(1)
    writer.add_block_count(shape.layers)
    writer.add_context_length(32768)
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(shape.intermediate)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_tokenizer_model("no_vocab")
    writer.add_vocab_size(shape.vocabulary)
    kv = shape.kv_heads * shape.head_dim

    def matrix(name, rows, columns, kind=q4):
        writer.add_tensor(name, random_blocks(rows, columns, kind, rng), raw_dtype=kind)

    def vector(name, size, value):
        writer.add_tensor(name, numpy.full(size, value, numpy.float32))

    matrix("token_embd.weight", shape.vocabulary, shape.hidden)
    matrix("output.weight", shape.vocabulary, shape.hidden, q6)
    vector("output_norm.weight", shape.hidden, 1)
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        for name, rows, columns in (("attn_q", shape.hidden, shape.hidden), ("attn_k", kv, shape.hidden),
                                    ("attn_v", kv, shape.hidden), ("attn_output", shape.hidden, shape.hidden),
                                    ("ffn_gate", shape.intermediate, shape.hidden),
                                    ("ffn_up", shape.intermediate, shape.hidden),
                                    ("ffn_down", shape.hidden, shape.intermediate)):
            matrix(block + name + ".weight", rows, columns)
        vector(block + "attn_norm.weight", shape.hidden, 1)
        vector(block + "ffn_norm.weight", shape.hidden, 1)
        if shape.biases:
            for name, size in (("attn_q", shape.hidden), ("attn_k", kv), ("attn_v", kv)):
                vector(block + name + ".bias", size, 0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file(progress=True)
    writer.close()
    os.rename(path + ".partial", path)


def run_json(*command):
    return json.loads(subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout)


def llama_bench(args, model, *options):
    """The fastest of the ways that are asked for."""
    runs = run_json(args.llama_bench, "-m", model, "-o", "json", *options)
    return max(run["avg_ts"] for run in runs)


def compare_on_cpu(args):
    ours, theirs, shares = [], [], []
    for _ in range(args.rounds):
        bench = run_json(args.bagel, "bench", "--model", args.model, "--device", "cpu", "--threads", args.threads, "--image-tokens", 1,
                         "--text-tokens", 1, "--decode-tokens", args.tokens, "--rounds", 1, "--json", *(["--exact"] if args.exact else []))
        ours.append(1000 / bench["decode_ms"])
        shares.append(bench["decode_share_of_roof"])
        theirs.append(llama_bench(args, args.gguf, "-t", args.threads, "-p", 0, "-n", args.tokens, "-r", 1))
        print(f"bagel {ours[-1]:.2f} tokens/s, {shares[-1]:.0%} of {bench['roof_read_gb_per_second']:.1f} GB/s; llama.cpp {theirs[-1]:.2f} tokens/s",
              flush=True)
    ratios = [a / b for a, b in zip(ours, theirs)]
    print(f"medians: bagel {statistics.median(ours):.2f} tokens/s ({statistics.median(shares):.0%} of the read roof), llama.cpp "
          f"{statistics.median(theirs):.2f}, ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def compare_on_gpu(args):
    """Everything on the GPU, llama.cpp with flash attention and the faster of two sizes of a batch."""
    context, tokens, prompt = 1500, 128, 5000

    def decoded(model, behind):
        return llama_bench(args, model, "-ngl", 99, "-fa", 1, "-p", 0, "-n", tokens, "-d", behind, "-r", 3)

    def read(model, count):
        return llama_bench(args, model, "-ngl", 99, "-fa", 1, "-p", count, "-n", 0, "-b", 8192, "-ub", "512,2048", "-r", 3)

    for _ in range(args.rounds):
        decode = decoded(args.gguf, context)
        prefill = read(args.gguf, prompt)
        print(f"llama.cpp: {decode:.0f} tokens/s behind {context}, {prompt} tokens read in {1e3 * prompt / prefill:.0f} ms", flush=True)
        for profile in ("auto", "sm_70"):
            bench = run_json(args.bagel, "bench", "--model", args.model, "--device", "cuda", "--gpu-profile", profile, "--drawing", "off",
                             "--image-tokens", 600, "--latent-tokens", 0, "--decode-context", context, "--decode-tokens", tokens,
                             "--prefill-tokens", prompt, "--frame", "1280x720", "--rounds", 1, "--json")
            ours = 1000 / bench["decode_ms"]
            print(f"bagel, {profile}: {ours:.0f} tokens/s, {bench['decode_share_of_roof']:.1%} of {bench['roof_read_gb_per_second']:.0f} GB/s, "
                  f"{ours / decode:.2f} times as many; read in {bench['long_text_ms']:.0f} ms; a 1280x720 picture to the first word "
                  f"{bench['frame_to_first_word_ms']:.0f} ms", flush=True)
    llava = args.gguf + ".llava.gguf"
    if not os.path.exists(llava):
        write_gguf(llava, LLAVA)
    decode = decoded(llava, LLAVA_PICTURE_TOKENS)
    prefill = read(llava, LLAVA_PICTURE_TOKENS)
    print(f"llama.cpp, LLaVA 1.6 7B's language model: a picture's {LLAVA_PICTURE_TOKENS} tokens read in "
          f"{1e3 * LLAVA_PICTURE_TOKENS / prefill:.0f} ms, {decode:.0f} tokens/s behind them")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bagel", default="build/release/apps/bagel/bagel")
    parser.add_argument("--model", required=True, help="the NF4 checkpoint at the real shape")
    parser.add_argument("--llama-bench", required=True)
    parser.add_argument("--gguf", default="/tmp/qwen2-7b-random-q4_0.gguf", help="written if it is not there")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=16, help="to generate on the CPU")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--exact", action="store_true")
    args = parser.parse_args()
    if not os.path.exists(args.gguf):
        write_gguf(args.gguf, QWEN)
    (compare_on_gpu if args.device == "cuda" else compare_on_cpu)(args)


if __name__ == "__main__":
    main()
