"""Runs the program under test; shared by the tests beside it."""
import contextlib
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

MODEL = "tests/golden/model"
PICTURE = "tests/golden/images/astronaut.png"


def program():
    """The program's path, taken off the command line so that unittest does not see it."""
    return sys.argv.pop(1)


class Server:
    """`bagel serve` on a free port."""

    def __init__(self, binary, *arguments):
        self.process = subprocess.Popen(
            [binary, "serve", "--model", MODEL, "--port", "0", *arguments],
            stderr=subprocess.PIPE, text=True)
        self.log = []
        self.port = None
        while self.port is None:
            line = self.process.stderr.readline()
            if not line:
                raise RuntimeError("the server did not start:\n" + "".join(self.log))
            self.log.append(line)
            match = re.search(r"listening on http://\S+:(\d+)$", line.rstrip())
            if match:
                self.port = int(match.group(1))
        self.url = f"http://127.0.0.1:{self.port}"

    def get(self, path, headers=None):
        return self._open(urllib.request.Request(self.url + path, headers=headers or {}))

    def post(self, body, path="/api/generate"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._open(urllib.request.Request(self.url + path, data=data))

    @staticmethod
    def _open(request):
        """(status, body) whatever the status."""
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def wait(self, timeout=20):
        """Reads the rest of the log; the exit status."""
        _, rest = self.process.communicate(timeout=timeout)
        self.log.append(rest)
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stderr.close()


@contextlib.contextmanager
def serving(binary, *arguments):
    server = Server(binary, *arguments)
    try:
        yield server
    finally:
        server.close()


def eventually(condition, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False
