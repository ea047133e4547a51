"""`bagel serve` over real sockets, with curl and with Python's own client."""
import base64
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import unittest.mock

from program import PICTURE, program, serving

BAGEL = program()


def picture():
    with open(PICTURE, "rb") as file:
        return base64.b64encode(file.read()).decode()


def question(**fields):
    request = {"model": "bagel-7b-mot", "prompt": "Describe this image.", "images": [picture()],
               "stream": False, "options": {"temperature": 0.3, "num_predict": 12, "seed": 7}}
    request.update(fields)
    return request


class ServerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.context = serving(BAGEL)
        cls.server = cls.context.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.context.__exit__(None, None, None)

    def answer(self, body):
        status, text = self.server.post(body)
        self.assertEqual(status, 200, text)
        return json.loads(text)

    def error(self, body):
        status, text = self.server.post(body)
        return status, json.loads(text)["error"]

    def test_curl_sends_the_story(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            request = question()
            # Over 1 MiB, so that curl first asks with Expect: 100-continue.
            request["ignored"] = "x" * (2 << 20)
            json.dump(request, file)
            file.flush()
            run = subprocess.run(["curl", "-sS", "-v", self.server.url + "/api/generate", "-d",
                                  "@" + file.name], capture_output=True, text=True, check=True)
        answer = json.loads(run.stdout)
        self.assertEqual(answer["model"], "bagel-7b-mot")
        self.assertTrue(answer["done"])
        self.assertIn(answer["done_reason"], ("stop", "length"))
        self.assertEqual(answer["response"], answer["response"].strip())
        for key in ("total_duration", "load_duration", "prompt_eval_count",
                    "prompt_eval_duration", "eval_count", "eval_duration"):
            self.assertGreaterEqual(answer[key], 1, key)
        self.assertGreater(answer["prompt_eval_count"], 20)
        self.assertIn("100 Continue", run.stderr)

    def test_a_seed_repeats_and_a_stream_is_the_same_text(self):
        whole = self.answer(question())
        self.assertEqual(self.answer(question())["response"], whole["response"])
        status, text = self.server.post(question(stream=True))
        self.assertEqual(status, 200)
        lines = [json.loads(line) for line in text.splitlines()]
        self.assertEqual("".join(line["response"] for line in lines), whole["response"])
        self.assertTrue(lines[-1]["done"])
        self.assertFalse(any(line["done"] for line in lines[:-1]))
        self.assertEqual(lines[-1]["context"], whole["context"])

    def test_curl_draws_and_edits(self):
        request = {"prompt": "A red apple", "width": 128, "height": 144, "steps": 3,
                   "options": {"seed": 7}}
        run = subprocess.run(["curl", "-sS", self.server.url + "/api/generate", "-d",
                              json.dumps(request)], capture_output=True, text=True, check=True)
        lines = [json.loads(line) for line in run.stdout.splitlines()]
        self.assertEqual([line.get("completed", 0) for line in lines[:-1]], [0, 1, 2, 3])
        drawn = lines[-1]["image"]
        self.assertEqual(base64.b64decode(drawn)[:4], b"\x89PNG")
        again = self.answer({**request, "stream": False})
        self.assertEqual(again["image"], drawn)
        self.assertEqual((again["width"], again["height"], again["seed"]), (128, 144, 7))
        edited = self.answer({"prompt": "Blue", "images": [drawn], "steps": 2, "stream": False})
        self.assertNotEqual(edited["image"], drawn)

    def test_what_cannot_be_drawn_is_said_at_once(self):
        for settings, part in (({"width": 100, "height": 128}, "100x128"),
                               ({"width": 0, "height": 128}, "0x128"),
                               ({"width": 128.5, "height": 128}, "width is 128.5"),
                               ({"width": 2000, "height": 2000}, "2000x2000"),
                               ({"steps": 0}, "steps is 0"), ({"steps": 10000}, "steps is 10000"),
                               ({"options": {"steps": 2.5}}, "steps is 2.5"),
                               ({"steps": 2, "options": {"seed": 1.5}}, '"seed" is 1.5'),
                               ({"steps": 2, "cfg_text_scale": "NaN"}, '"NaN"'),
                               ({"steps": 2, "prompt": " "}, "prompt is empty")):
            with self.subTest(settings):
                status, error = self.error({"prompt": "x", **settings})
                self.assertEqual(status, 400)
                self.assertIn(part, error)

    def test_words_alone(self):
        answer = self.answer({"prompt": "Hello", "stream": False, "options": {"num_predict": 3}})
        self.assertLessEqual(answer["eval_count"], 3)

    def test_lists_what_it_serves(self):
        status, text = self.server.get("/api/tags")
        self.assertEqual(status, 200)
        models = json.loads(text)["models"]
        self.assertIn("bagel-7b-mot:latest", [model["name"] for model in models])
        self.assertRegex(models[0]["digest"], r"^[0-9a-f]{64}$")
        self.assertGreater(models[0]["size"], 0)
        self.assertEqual(self.server.get("/"), (200, b"Ollama is running"))
        self.assertRegex(json.loads(self.server.get("/api/version")[1])["version"],
                         r"^\d+(\.\d+)*(-.*)?$")

    def test_errors_are_ollamas(self):
        self.assertEqual(self.error(b"{"), (400, "unexpected EOF"))
        self.assertEqual(self.error(question(images=["!"])),
                         (400, "illegal base64 data at input byte 0"))
        status, text = self.error(question(images=["bm90IGEgcGljdHVyZQ=="]))
        self.assertEqual(status, 400)
        self.assertTrue(text.startswith("invalid image: "), text)
        self.assertEqual(self.error(question(model="llama3")), (404, "model 'llama3' not found"))
        status, text = self.error(question(options={"temperature": -1}))
        self.assertEqual(status, 400)
        self.assertIn("temperature", text)

    def test_a_foreign_host_is_refused(self):
        self.assertEqual(self.server.get("/", {"Host": "evil.example"}), (403, b""))

    def test_other_clients_are_served_while_one_generates(self):
        body = question(prompt="Hello", images=[], options={"num_predict": 400, "seed": 1})
        long = threading.Thread(target=self.server.post, args=(body,))
        long.start()
        begin = time.monotonic()
        self.assertEqual(self.server.get("/")[0], 200)
        self.assertLess(time.monotonic() - begin, 1)
        long.join()

    def test_a_client_that_leaves_makes_room(self):
        body = json.dumps({"prompt": "Hello", "options": {"num_predict": 4000}}).encode()
        for _ in range(8):
            client = socket.create_connection(("127.0.0.1", self.server.port))
            client.sendall(b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                           + str(len(body)).encode() + b"\r\n\r\n" + body)
            client.recv(100)
            client.close()
        answer = self.answer({"prompt": "Hi", "stream": False, "options": {"num_predict": 2}})
        self.assertTrue(answer["done"])


class StopTest(unittest.TestCase):
    def test_signals_stop_it_politely(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with serving(BAGEL) as server:
                os.kill(server.process.pid, number)
                self.assertEqual(server.wait(), 0)
                self.assertIn("stopped", server.log[-1])

    def test_a_running_request_finishes(self):
        with serving(BAGEL) as server:
            results = []
            body = question(images=[], prompt="Hello", options={"num_predict": 300, "seed": 1})
            thread = threading.Thread(target=lambda: results.append(server.post(body)))
            thread.start()
            time.sleep(0.3)
            os.kill(server.process.pid, signal.SIGTERM)
            thread.join()
            self.assertEqual(server.wait(), 0)
        self.assertEqual(results[0][0], 200)

    def test_the_service_manager_hears_how_it_fares(self):
        with tempfile.TemporaryDirectory() as folder:
            manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.addCleanup(manager.close)
            manager.bind(folder + "/notify")
            manager.settimeout(20)
            heard = []

            def hear(line):
                while not heard or line not in heard[-1].split("\n"):
                    heard.append(manager.recv(4096).decode())

            variables = {"NOTIFY_SOCKET": folder + "/notify", "WATCHDOG_USEC": "100000"}
            with unittest.mock.patch.dict(os.environ, variables), serving(BAGEL) as server:
                hear("READY=1")
                self.assertIn("EXTEND_TIMEOUT_USEC=1800000000", heard[0])
                self.assertIn(f", port {server.port}", heard[-1])
                for _ in range(3):
                    heard.append(manager.recv(4096).decode())
                    self.assertEqual(heard[-1], "WATCHDOG=1")
                os.kill(server.process.pid, signal.SIGTERM)
                hear("STOPPING=1")
                self.assertEqual(server.wait(), 0)

    def test_the_log_has_no_prompt(self):
        with serving(BAGEL) as server:
            server.post({"prompt": "Sesame", "stream": False, "options": {"num_predict": 1}})
            os.kill(server.process.pid, signal.SIGTERM)
            server.wait()
        log = "".join(server.log)
        self.assertRegex(log, r"POST /api/generate 200 \d+\.\d ms")
        self.assertNotIn("Sesame", log)


if __name__ == "__main__":
    unittest.main()
