#!/usr/bin/env python3
"""Reads ptxas' report of sm_70 code on standard input and prints a line for every kernel: registers,
spilled bytes, shared memory. Exits with 1 where anything spills, or a kernel's static shared memory
is more than the 96 KB that a V100 has.
"""
import re
import subprocess
import sys

LIMIT = 96 << 10


def readable(names):
    """Demangled names without parameters."""
    output = subprocess.run(["c++filt", "-p"], input="\n".join(names), text=True,
                            capture_output=True, check=True).stdout
    strip = re.compile(r"bagel::|\(anonymous namespace\)::|^void ")
    return [strip.sub("", line) for line in output.splitlines()]


def kernels(lines):
    """Yields (name, registers, spilled bytes, shared bytes) of every entry function."""
    name, spilled, entries = None, 0, set()
    for line in lines:
        if match := re.search(r"Compiling entry function '(\S+)' for 'sm_70'", line):
            entries.add(match[1])
        elif match := re.search(r"Function properties for (\S+)", line):
            name = match[1]
        elif match := re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", line):
            spilled = int(match[1]) + int(match[2])
        elif (match := re.search(r"Used (\d+) registers", line)) and name in entries:
            shared = re.search(r"(\d+) bytes smem", line)
            yield name, int(match[1]), spilled, int(shared[1]) if shared else 0


def main():
    found = list(kernels(sys.stdin))
    failed = not found
    for name, (_, registers, spilled, shared) in zip(readable([k[0] for k in found]), found):
        print(f"{registers:4} registers {spilled:4} spilled {shared:6} shared  {name}")
        failed |= spilled > 0 or shared > LIMIT
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
