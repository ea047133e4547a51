"""Tokens a second of `bagel bench` with NF4 weights and of llama.cpp with Q4_0, on the same shape, in turn.

The shape is the decoder of BAGEL-7B-MoT's understanding half (Qwen2.5-7B); the weights of both are random. llama.cpp is
the copy in the source package of llama-cpp-python, built for this processor:

    pip install gguf numpy && pip download --no-deps --no-binary :all: llama-cpp-python && tar xf llama_cpp_python-*.tar.gz
    cmake -S llama_cpp_python-*/vendor/llama.cpp -B llama -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_CURL=OFF
    cmake --build llama --target llama-bench
    bagel synth --quant nf4 --no-drawing --out /tmp/real-nf4
    python3 bench/peers/llama_cpp.py --llama-bench llama/bin/llama-bench --model /tmp/real-nf4
"""
import argparse
import json
import os
import statistics
import subprocess

import gguf
import numpy

LAYERS, HIDDEN, INTERMEDIATE, HEADS, KV_HEADS, HEAD_DIM, VOCABULARY = 28, 3584, 18944, 28, 4, 128, 152064
KV = KV_HEADS * HEAD_DIM


def random_blocks(rows, columns, kind, rng):
    """[rows, bytes of a row] of valid blocks: random bits, and scales that make values of about 0.02."""
    values, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (rows * columns // values, size), dtype=numpy.uint8)
    at, scale = {gguf.GGMLQuantizationType.Q4_0: (0, 0.02 / 4.6), gguf.GGMLQuantizationType.Q6_K: (size - 2, 0.02 / 1500)}[kind]
    blocks[:, at:at + 2] = numpy.float16(scale).reshape(1).view(numpy.uint8)
    return blocks.reshape(rows, -1)


def write_gguf(path):
    """As llama-quantize makes Q4_0: every matrix Q4_0, the output head Q6_K, vectors f32."""
    q4, q6 = gguf.GGMLQuantizationType.Q4_0, gguf.GGMLQuantizationType.Q6_K
    writer, rng = gguf.GGUFWriter(path + ".partial", "qwen2", use_temp_file=True), numpy.random.default_rng(1)
    writer.add_block_count(LAYERS)
    writer.add_context_length(32768)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INTERMEDIATE)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_tokenizer_model("no_vocab")
    writer.add_vocab_size(VOCABULARY)

    def matrix(name, rows, columns, kind=q4):
        writer.add_tensor(name, random_blocks(rows, columns, kind, rng), raw_dtype=kind)

    def vector(name, size, value):
        writer.add_tensor(name, numpy.full(size, value, numpy.float32))

    matrix("token_embd.weight", VOCABULARY, HIDDEN)
    matrix("output.weight", VOCABULARY, HIDDEN, q6)
    vector("output_norm.weight", HIDDEN, 1)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        for name, rows, columns in (("attn_q", HIDDEN, HIDDEN), ("attn_k", KV, HIDDEN), ("attn_v", KV, HIDDEN),
                                    ("attn_output", HIDDEN, HIDDEN), ("ffn_gate", INTERMEDIATE, HIDDEN),
                                    ("ffn_up", INTERMEDIATE, HIDDEN), ("ffn_down", HIDDEN, INTERMEDIATE)):
            matrix(block + name + ".weight", rows, columns)
        for name, size, value in (("attn_norm.weight", HIDDEN, 1), ("ffn_norm.weight", HIDDEN, 1), ("attn_q.bias", HIDDEN, 0),
                                  ("attn_k.bias", KV, 0), ("attn_v.bias", KV, 0)):
            vector(block + name, size, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file(progress=True)
    writer.close()
    os.rename(path + ".partial", path)


def run_json(*command):
    return json.loads(subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bagel", default="build/release/apps/bagel/bagel")
    parser.add_argument("--model", required=True, help="the NF4 checkpoint at the real shape")
    parser.add_argument("--llama-bench", required=True)
    parser.add_argument("--gguf", default="/tmp/qwen2-7b-random-q4_0.gguf", help="written if it is not there")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--exact", action="store_true")
    args = parser.parse_args()
    if not os.path.exists(args.gguf):
        write_gguf(args.gguf)
    ours, theirs, shares = [], [], []
    for _ in range(args.rounds):
        bench = run_json(args.bagel, "bench", "--model", args.model, "--threads", args.threads, "--image-tokens", 1, "--text-tokens", 1,
                         "--decode-tokens", args.tokens, "--rounds", 1, "--json", *(["--exact"] if args.exact else []))
        peer = run_json(args.llama_bench, "-m", args.gguf, "-t", args.threads, "-p", 0, "-n", args.tokens, "-r", 1, "-o", "json")[0]
        ours.append(1000 / bench["decode_ms"])
        shares.append(bench["decode_share_of_roof"])
        theirs.append(peer["avg_ts"])
        print(f"bagel {ours[-1]:.2f} tokens/s, {shares[-1]:.0%} of {bench['roof_read_gb_per_second']:.1f} GB/s; llama.cpp {theirs[-1]:.2f} tokens/s",
              flush=True)
    ratios = [a / b for a, b in zip(ours, theirs)]
    print(f"medians: bagel {statistics.median(ours):.2f} tokens/s ({statistics.median(shares):.0%} of the read roof), llama.cpp "
          f"{statistics.median(theirs):.2f}, ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
