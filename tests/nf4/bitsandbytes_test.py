"""NF4 files to and from bitsandbytes: ours load there, a checkpoint that it wrote loads here.

  python3 tests/nf4/bitsandbytes_test.py build/release/apps/bagel/bagel

Needs torch, safetensors and bitsandbytes from PyPI.
"""
import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import bitsandbytes
import torch
from safetensors.torch import load_file, save_file

BAGEL = sys.argv.pop(1) if len(sys.argv) > 1 else "build/release/apps/bagel/bagel"
MODEL = Path("tests/golden/model")
STATE = ".quant_state.bitsandbytes__nf4"
IMAGE = "tests/golden/images/astronaut.png"


def bagel(*arguments):
    result = subprocess.run([BAGEL, *map(str, arguments)], capture_output=True, text=True,
                            timeout=300)
    if result.returncode != 0:
        raise AssertionError(result.stderr)
    return result.stdout


def parts(tensors, name):
    """What describes the tensor `name`, by the names that bitsandbytes expects."""
    return {key: value for key, value in tensors.items()
            if key.startswith(name + ".") and key != name}


def dequantize(tensors, name):
    state = bitsandbytes.functional.QuantState.from_dict(parts(tensors, name), torch.device("cpu"))
    state.dtype = torch.float32
    return bitsandbytes.functional.dequantize_4bit(tensors[name], state)


class RoundTrip(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def test_ours_loads_there(self):
        source = load_file(MODEL / "ema.safetensors")
        for form in ("nf4", "nf4-plain"):
            bagel("quantize", "--model", MODEL, "--out", self.folder / form, "--format", form)
            tensors = load_file(self.folder / form / "ema.safetensors")
            names = [key[:-len(STATE)] for key in tensors if key.endswith(STATE)]
            self.assertEqual(len(names), 29)
            for name in names:
                value = dequantize(tensors, name)
                self.assertEqual(value.shape, source[name].shape)
                packed, state = bitsandbytes.functional.quantize_4bit(
                    source[name].float(), blocksize=64, quant_type="nf4")
                theirs = bitsandbytes.functional.dequantize_4bit(packed, state)
                if form == "nf4-plain":
                    self.assertTrue(torch.equal(packed, tensors[name]), name)
                    self.assertTrue(torch.equal(value, theirs), name)
                error = (value - theirs).norm() / theirs.norm()
                self.assertLess(error, 0.01, name)

    def test_a_checkpoint_of_theirs_loads_here(self):
        texts = set()
        for nested in (False, True):
            target = self.folder / f"theirs{nested}"
            shutil.copytree(MODEL, target)
            tensors, count = {}, 0
            for name, value in load_file(MODEL / "ema.safetensors").items():
                if ".layers." in name and "language_model" in name and value.dim() == 2:
                    packed, state = bitsandbytes.functional.quantize_4bit(
                        value, blocksize=64, quant_type="nf4", compress_statistics=nested)
                    tensors[name] = packed
                    for key, part in state.as_dict(packed=True).items():
                        tensors[f"{name}.{key}"] = part
                    count += 1
                else:
                    tensors[name] = value
            self.assertEqual(count, 28)
            save_file(tensors, target / "ema.safetensors", {"format": "pt"})
            answer = json.loads(bagel("describe", "--model", target, "--exact", "--image", IMAGE,
                                      "--temperature", "0", "--num-predict", "12", "--json"))
            self.assertEqual(answer["generated_tokens"], 12)
            texts.add(answer["text"])
        bagel("quantize", "--model", MODEL, "--out", self.folder / "ours", "--keep",
              "language_model.lm_head*", "--class", "vit=as-is")
        answer = json.loads(bagel("describe", "--model", self.folder / "ours", "--exact", "--image",
                                  IMAGE, "--temperature", "0", "--num-predict", "12", "--json"))
        self.assertIn(answer["text"], texts)


if __name__ == "__main__":
    unittest.main()
