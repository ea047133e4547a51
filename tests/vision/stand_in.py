"""A vision server with Ollama's API that does as it is told, for tests of the whole program."""
import http.server
import json
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(*self.server.tags)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body))
        self.server.keys.append(self.headers["Authorization"])
        behaviour = self.server.behaviour
        if behaviour == "busy":
            return self.answer(503, b'{"error":"server busy"}')
        if behaviour == "missing":
            return self.answer(404, b'{"error":"model not found"}')
        if behaviour == "slow":
            time.sleep(5.5)
        if behaviour == "never":
            self.server.over.wait(20)
            return None
        if self.path == "/api/chat":
            words = [{"message": {"content": "You look "}}, {"message": {"content": "well."}, "done": True}]
        elif "PRIMARY" in body["prompt"]:
            words = [{"response": "Happy - wide \x1b[31msmile.", "done": True}]
        else:
            words = [{"response": "A person\n\x1b[2J\u009b "}, {"response": "in a hat."}, {"response": "", "done": True}]
        self.answer(200, b"".join(json.dumps(w).encode() + b"\n" for w in words))
        return None


class StandIn(http.server.ThreadingHTTPServer):
    """`tags` is what it answers when it is asked for its models: status and body."""
    daemon_threads = True

    def __init__(self, behaviour="good", tags=(200, b'{"models":[{"name":"seeing:latest"}]}')):
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviour, self.tags, self.over = behaviour, tags, threading.Event()
        self.asked, self.keys = [], []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.shutdown()
        self.server_close()
