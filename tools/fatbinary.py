#!/usr/bin/env python3
"""Bundles cubins and PTX into one fat binary, as clang asks NVIDIA's program of this name to.

The program is not among the packages that bring ptxas. Usage, as clang calls it:

    fatbinary -64 --create OUT --image=profile=sm_70,file=A --image=profile=compute_70,file=B
"""
import re
import struct
import sys

MAGIC = 0xBA55ED50
KIND_PTX, KIND_ELF = 1, 2
FLAGS = 0x11  # 64 bit, Linux
ONE_ARCHITECTURE = 0x100000  # sm_90a and the like, which run nowhere else


def padded(data):
    return data + bytes(-len(data) % 8)


def image(profile, path):
    """One entry: a header of fixed size, for PTX with a terminator behind it, then the data."""
    with open(path, "rb") as file:
        data = file.read()
    arch = int(re.search(r"\d+", profile).group())
    flags = FLAGS | (ONE_ARCHITECTURE if profile.endswith("a") else 0)
    if profile.startswith("compute_"):
        major, minor = map(int, re.search(rb"\.version (\d+)\.(\d+)", data).groups())
        kind, options, tail = KIND_PTX, 64, struct.pack("<IIQ", 72, 0, 0)
        data += bytes(1)
    else:
        kind, major, minor, options, tail = KIND_ELF, 1, 7, 0, b""
    data = padded(data)
    return struct.pack("<HHIQIIHHIIIQQQ", kind, 0x101, 64 + len(tail), len(data), 0, options, minor,
                       major, arch, 0, 0, flags, 0, 0) + tail + data


def main():
    images, out, words = b"", None, iter(sys.argv[1:])
    for word in words:
        if word == "--create":
            out = next(words)
        elif word.startswith("--image="):
            fields = dict(part.split("=", 1) for part in word[len("--image="):].split(","))
            images += image(fields["profile"], fields["file"])
        elif word != "-64":
            sys.exit(f"fatbinary: unknown option {word}")
    with open(out, "wb") as file:
        file.write(struct.pack("<IHHQ", MAGIC, 1, 16, len(images)) + images)


if __name__ == "__main__":
    main()
