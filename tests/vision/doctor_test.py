"""doctor_test.py SOPHIA V4L2_STAND_IN: every fault that `sophia doctor` knows is brought about, and its
advice read. Whatever it is not about is well, so that the fault is the only one."""
import concurrent.futures
import os
import subprocess
import sys
import tempfile
import unittest

from stand_in import StandIn

CASCADES = "/usr/share/opencv4/haarcascades"


def doctor(*arguments, fault="", prefix=()):
    environment = {**os.environ, "LD_PRELOAD": DEVICE, "STAND_IN_FAULT": fault}
    result = subprocess.run([*prefix, SOPHIA, "doctor", *arguments], env=environment, capture_output=True, text=True,
                            timeout=120, check=False)
    return result.returncode, result.stdout


class DoctorTest(unittest.TestCase):
    def finds(self, words, advice, *arguments, part, camera="demo:1", **how):
        """The one part that is BAD says `words` and below it `advice`."""
        with StandIn() as server:
            for option, value in [("--camera", camera), ("--objects", "none"), ("--server", server.url)]:
                if option not in arguments:
                    arguments = (option, value, *arguments)
            code, output = doctor(*arguments, **how)
        bad = [i for i, line in enumerate(output.splitlines()) if line.startswith("BAD")]
        self.assertEqual((code, len(bad)), (69, 1), output)
        line, below = output.splitlines()[bad[0]:bad[0] + 2]
        self.assertRegex(line, f"^BAD +{part} .*{words}")
        self.assertRegex(below, f"^ +-> (.* )?{advice}")

    def test_all_is_well(self):
        with StandIn() as server:
            code, output = doctor("--camera", "42", "--objects", "none", "--server", server.url)
        self.assertEqual(code, 0, output)
        for line in ("ok    camera   /dev/video42: MJPG 1280x720, first settled frame after",
                     "ok    faces    haar: 1 found in", "note  objects  none; --objects",
                     f"ok    server   {server.url}: answers in", "ok    model    seeing:latest sees: first word after"):
            self.assertIn(line, output)
        self.assertNotIn("->", output)

    def test_cameras(self):
        demo, other = "--camera demo works without one", "usable here: --camera /dev/video42"
        cases = [
            ("42", "absent", "is not there: is the camera plugged in", demo),
            ("42", "busy", r"in use by another program: close that one \(fuser /dev/video42\)", demo),
            ("42", "busy_open", "in use by another program", demo),
            ("42", "denied", r"join the group video \(sudo usermod -aG video", demo),
            ("42", "metadata", "another node of a camera, see `sophia cameras`", demo),
            ("42", "no_frames", "gave no frame for 2", other),
            ("42", "garbage", "no readable frame", other),
            ("77", "", "/dev/video77 is not there", other),
            ("/dev/null", "", "is not a camera", other),
            ("/no/such.mp4", "", "such.mp4", other),
            ("rtsp://me:secret@127.0.0.1:1/door", "", r"rtsp://me:\*\*\*@127.0.0.1:1/door", "check address, user"),
            ("test:pattern?fault=black", "", "dark: .* is the lens covered", "uncover the lens"),
            ("test:pattern?fault=flat", "", "no_signal: .* no signal", "cable"),
            ("test:pattern?fault=blur", "", "blurred: .* out of focus", "focus"),
            ("test:pattern?fault=corrupt", "", "no readable frame", other)]
        with concurrent.futures.ThreadPoolExecutor(6) as pool:  # they wait most of the time
            for found in [pool.submit(self.finds, words, advice, camera=source, part="camera", fault=fault)
                          for source, fault, words, advice in cases]:
                found.result()

    def test_faces(self):
        other = "name another file, or leave --faces away"
        self.finds("is not there", other, "--faces", "haar:/no/such.xml", part="faces")
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("no cascade")
            file.flush()
            self.finds("is no cascade", other, "--faces", f"haar:{file.name}", part="faces")
            self.finds(file.name, other, "--faces", f"yunet:{file.name}", part="faces")

    def test_without_opencv_data(self):
        hidden = f'mount -t tmpfs none {CASCADES} && exec "$@"'
        self.finds("haarcascade_frontalface_default.xml\" is not there", "sudo apt install opencv-data",
                   part="faces", prefix=("unshare", "--map-root-user", "--mount", "sh", "-c", hidden, "sh"))

    def test_objects(self):
        for spec, words in [("onnx:/no/such.onnx", "such.onnx"), ("hailo", "HailoRT"),
                            ("hailo:http://127.0.0.1:1", "127.0.0.1:1")]:
            with self.subTest(spec):
                self.finds(words, "a look works without: --objects none", "--objects", spec, part="objects")

    def test_servers(self):
        start, something = "start one there \\(bagel serve\\)", "something else listens there"
        self.finds("http://127.0.0.1:1", start, "--server", "http://127.0.0.1:1", part="server")
        for status, body, words, advice in [
                (401, b'{"error":"no key"}', "status 401: no key", "--server-key-file FILE or SOPHIA_SERVER_KEY"),
                (403, b"forbidden", "status 403: forbidden", "--server-key-file FILE or SOPHIA_SERVER_KEY"),
                (404, b"404 page not found", "status 404", something),
                (200, b"<html>It works!</html>", "does not speak Ollama's API", something),
                (200, b'{"data":[]}', "does not speak Ollama's API", something),
                (500, b'{"error":"out of memory"}', "status 500: out of memory", "wait until it is well")]:
            with self.subTest(status=status, body=body), StandIn(tags=(status, body)) as server:
                self.finds(words, advice, "--server", server.url, part="server")

    def test_models(self):
        named = "name one of its models that sees: --model seeing:latest"
        with StandIn("missing") as server:
            self.finds("model not found", named, "--server", server.url, "--model", "other", part="model")
        with StandIn("busy") as server:
            self.finds("server busy", f"if it was busy, ask again; else {named}", "--server", server.url, part="model")
        with StandIn("never") as server:
            self.finds("within 0.5 s", "--timeout SECONDS", "--server", server.url, "--timeout", "1", part="model")
        with StandIn(tags=(200, b'{"models":[]}')) as server:
            self.finds("has no model to ask", "ollama pull", "--server", server.url, part="model")

    def test_what_is_slow_is_no_fault(self):
        with StandIn("slow") as server:
            code, output = doctor("--camera", "demo:1", "--objects", "none", "--server", server.url)
        self.assertEqual(code, 0, output)
        self.assertRegex(output, "note +model +that is slow, .*--quant nf4 or a GPU")

    def test_each_server_is_tried_with_its_password(self):
        with StandIn() as server:
            url = server.url.replace("http://", "http://me:secret@")
            code, output = doctor("--camera", "demo:1", "--objects", "none", "--server", url, "--server", "http://127.0.0.1:1")
            self.assertEqual(code, 69)
            self.assertEqual(server.keys, ["Basic bWU6c2VjcmV0"])
        self.assertRegex(output, "ok +model .*\nBAD +server ")
        self.assertNotIn("secret", output)


if __name__ == "__main__":
    DEVICE, SOPHIA = sys.argv.pop(2), sys.argv.pop(1)
    unittest.main()
