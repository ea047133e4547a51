#!/usr/bin/env python3
"""Checks that share/sophia/openapi.yaml describes what `sophia serve` does.

    openapi_test.py PROGRAM

Starts the program in front of a stand-in model server, sends every example of the document, and
checks each answer against the schema that the document gives for its status. Every route of the
source must be described, and every described one must be there. Needs python3-yaml and
python3-jsonschema.
"""
import base64
import http.client
import http.server
import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parents[2]
SHARE = ROOT / "share" / "sophia"


class Model(http.server.BaseHTTPRequestHandler):
    """Speaks just enough of Ollama's API."""

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(b'{"models":[{"name":"seeing:latest"}]}')

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(b'{"response":"Relaxed - a red shirt.","done":false}\n'
                    b'{"response":"","done":true}\n')

    def log_message(self, *_):
        pass


class Checker:
    def __init__(self, document, port):
        self.document = document
        self.port = port
        self.failures = []
        self.sent = 0
        report = json.loads((SHARE / "report.schema.json").read_text())
        self.store = {"report.schema.json": report, "sophia.report/1": report}

    def resolve(self, node):
        while "$ref" in node:
            target = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node

    def expect(self, condition, text):
        if not condition:
            self.failures.append(text)

    def fetch(self, method, path, body=None, content_type=None, key=True):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": content_type} if content_type else {}
        if key:
            headers["Authorization"] = "Bearer secret"
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        kind = response.headers.get("Content-Type", "").split(";")[0]
        # Events do not end.
        data = response.read1(4096) if path == "/events" else response.read()
        connection.close()
        self.sent += 1
        return response.status, kind, data

    def check(self, where, operation, answer):
        status, kind, data = answer
        described = operation["responses"].get(str(status))
        if described is None:
            self.failures.append(f"{where}: status {status} is not described: {data[:200]}")
            return
        content = self.resolve(described)["content"]
        self.expect(kind in content, f"{where}: type {kind} is not described for {status}")
        if kind == "application/json" and kind in content:
            schema = {**content[kind]["schema"], "components": self.document["components"]}
            resolver = jsonschema.RefResolver("", schema, store=self.store)
            validator = jsonschema.Draft202012Validator(schema, resolver=resolver)
            for error in validator.iter_errors(json.loads(data)):
                self.failures.append(f"{where}: {error.message} at {list(error.path)}")

    def bodies(self, operation):
        """Yields (name, status, body, type) for what an operation is sent."""
        content = self.resolve(operation.get("requestBody", {})).get("content", {})
        if not content:
            yield "", None, None, None
        picture = base64.b64decode(
            self.document["components"]["examples"]["Picture"]["value"]["image"])
        for kind, media in content.items():
            for name, example in media.get("examples", {}).items():
                example = self.resolve(example)
                yield (f" {name}", example.get("x-status", 200),
                       json.dumps(example["value"]).encode(), kind)
            if kind == "image/png":
                yield " as a file", 200, picture, kind
            if kind == "multipart/form-data":
                form = (b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + picture +
                        b"\r\n--b--\r\n")
                yield " as a form", 200, form, kind + "; boundary=b"

    def run(self):
        for path, operations in self.document["paths"].items():
            for method, operation in operations.items():
                where = f"{method.upper()} {path}"
                for name, status, body, kind in self.bodies(operation):
                    answer = self.fetch(method.upper(), path, body, kind)
                    self.check(where + name, operation, answer)
                    if status is not None and operation["responses"].get("501") is None:
                        self.expect(answer[0] == status,
                                    f"{where}{name}: {answer[0]} instead of {status}")
                closed = operation.get("security") != [{}]
                status = self.fetch(method.upper(), path, b"", key=False)[0]
                self.expect((status == 401) == closed, f"{where}: {status} without the key")
                self.expect(("401" in operation["responses"]) == closed,
                            f"{where}: 401 is described wrongly")


def routes_of_source():
    text = "".join(path.read_text() for path in (ROOT / "src" / "vision").glob("service*.cc"))
    return set(re.findall(r'(?:Add|add)\((?:"(?:GET|POST)", )?"(/[a-z.]+)"', text))


def main():
    document = yaml.safe_load((SHARE / "openapi.yaml").read_text())
    model = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    program = subprocess.Popen(
        [sys.argv[1], "serve", "--port", "0", "--camera", "test:pattern", "--objects", "none",
         "--server", f"http://127.0.0.1:{model.server_port}"],
        stderr=subprocess.PIPE, text=True, env={"SOPHIA_API_KEY": "secret", "PATH": "/usr/bin"})
    try:
        log, port = [], None
        for line in program.stderr:
            log.append(line)
            if found := re.search(r"listening on http://127.0.0.1:(\d+)", line):
                port = int(found[1])
                break
        if port is None:
            sys.exit("the program does not start:\n" + "".join(log))
        threading.Thread(target=lambda: log.extend(program.stderr), daemon=True).start()
        checker = Checker(document, port)
        described = set(document["paths"])
        checker.expect(routes_of_source() == described,
                       f"routes and descriptions differ: {routes_of_source() ^ described}")
        checker.run()
    finally:
        program.terminate()
        status = program.wait(20)
    checker.expect(status == 0, f"the program ends with status {status}")
    checker.expect(not any("red shirt" in line for line in log), "words are in the log")
    for failure in checker.failures:
        print(failure)
    print(f"{checker.sent} requests, {len(checker.failures)} failures")
    sys.exit(bool(checker.failures))


main()
