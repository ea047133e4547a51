#!/usr/bin/env python3
"""How long a text waits for its first word alone, and while a picture is drawn beside it.

  bench/first_word.py build/release/apps/bagel/bagel [--model DIR] [--width 256 --height 256]

The wait may grow by one move of the picture and 100 ms: with more, the exit status is 1.
"""
import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
import urllib.request


def serve(binary, model):
    process = subprocess.Popen([binary, "serve", "--port", "0", *(["--model", model] if model else [])],
                               stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "listening on http" in line:
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, "http://127.0.0.1:" + line.rstrip().rsplit(":", 1)[1]
    raise SystemExit("the server did not start")


def stream(url, body):
    """Yields (seconds since the request, object) for every line of the answer."""
    begin = time.monotonic()
    request = urllib.request.Request(url + "/api/generate", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=600) as reply:
        for line in reply:
            yield time.monotonic() - begin, json.loads(line)


def first_word(url):
    seconds = None
    for passed, part in stream(url, {"prompt": "Hello, who are you?", "options": {"num_predict": 1}}):
        seconds = seconds or passed
        if part.get("error"):
            raise SystemExit(part["error"])
    return 1000 * seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bagel")
    parser.add_argument("--model")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--steps", type=int, default=50)
    args = parser.parse_args()
    process, url = serve(args.bagel, args.model)
    try:
        first_word(url)
        alone = [first_word(url) for _ in range(20)]
        order = {"prompt": "A happy person", "width": args.width, "height": args.height, "steps": args.steps}
        moves = [passed for passed, _ in stream(url, order)]
        move = 1000 * statistics.median(b - a for a, b in zip(moves, moves[1:]))
        drawn = threading.Event()

        def draw():
            for _ in stream(url, order):
                pass
            drawn.set()
        threading.Thread(target=draw).start()
        time.sleep(0.05)
        beside = []
        while not drawn.is_set():
            beside.append(first_word(url))
            time.sleep(0.013)
    finally:
        process.terminate()
        process.wait()
    longest = max(beside)
    print(f"first word alone: median {statistics.median(alone):.0f} ms, longest {max(alone):.0f} ms")
    print(f"one move of the picture: {move:.0f} ms")
    print(f"first word beside the picture ({len(beside)} texts): median {statistics.median(beside):.0f} ms, longest {longest:.0f} ms")
    return 0 if longest <= statistics.median(alone) + move + 100 else 1


if __name__ == "__main__":
    sys.exit(main())
