"""What each class of tensors costs in bytes and in error, in each format: one class is quantised, the rest stays.

  python3 training/unpack.py demo/model /tmp/demo-f32
  python3 bench/quantization_table.py --model /tmp/demo-f32 --images demo/pictures --prompts bench/prompts.txt
"""
import argparse
import json
import subprocess
import tempfile
from pathlib import Path

CLASSES = ("decoder", "head", "embedding", "vit", "connector", "positions")
FORMATS = ("int8_b64", "nf4-plain", "nf4")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bagel", default="build/release/apps/bagel/bagel")
    parser.add_argument("--model", required=True, help="a checkpoint that is not quantised")
    parser.add_argument("--images", required=True)
    parser.add_argument("--prompts", required=True)
    args = parser.parse_args()
    print("| class | format | bytes of all weights | next tokens that agree | mean KL (nats) |\n| --- | --- | --- | --- | --- |")
    combinations = [({kind: form}, kind, form) for kind in CLASSES for form in FORMATS]
    combinations.append(({"decoder": "nf4", "head": "nf4", "vit": "int8_b64"}, "all, as `bagel quantize` does", "nf4"))
    combinations.append(({"decoder": "nf4-plain", "head": "nf4-plain", "vit": "int8_b64"}, "the same", "nf4-plain"))
    for formats, name, form in combinations:
        with tempfile.TemporaryDirectory() as folder:
            quantized, report = Path(folder, "model"), Path(folder, "report.html")
            chosen = [f"--class={kind}={formats.get(kind, 'as-is')}" for kind in CLASSES]
            subprocess.run([args.bagel, "quantize", "--model", args.model, "--out", quantized, *chosen],
                           check=True, capture_output=True)
            subprocess.run([args.bagel, "compare", "--exact", "--a", args.model, "--b", quantized, "--images", args.images,
                            "--prompts", args.prompts, "--report", report], check=True, capture_output=True)
            summary = json.loads(report.with_suffix(".json").read_text())["summary"]
            size = sum(file.stat().st_size for file in quantized.glob("*.safetensors"))
        print(f"| {name} | {form} | {size / 1e6:.2f} MB | {summary['token_agreement']:.2%} of {summary['tokens']} | "
              f"{summary['mean_kl']:.2g} |", flush=True)


if __name__ == "__main__":
    main()
