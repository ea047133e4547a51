"""A copy of a model folder with every tensor as float32, for comparisons: python3 training/unpack.py FROM TO"""
import os
import shutil
import sys

from safetensors.torch import save_file

from export import read_weights


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, target = sys.argv[1:]
    shutil.copytree(source, target)
    for name in os.listdir(source):
        if name.endswith(".safetensors"):
            save_file(read_weights(f"{source}/{name}"), f"{target}/{name}", {"format": "pt"})


if __name__ == "__main__":
    main()
