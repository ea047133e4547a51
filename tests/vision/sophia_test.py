"""sophia as its users meet it, before servers that are made up here."""
import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

import jsonschema

from stand_in import StandIn

PERSON, STREET = "demo:1", "demo:51"
STREET_PICTURE = "demo/pictures/security-01.jpg"
NOBODY_LISTENS = "http://127.0.0.1:1"


def sophia(*arguments):
    return subprocess.run([SOPHIA, *arguments], capture_output=True, text=True, timeout=60, check=False)


def check_schema(name, document):
    """The document is what its schema says, and holds nothing else."""
    schema = json.loads(pathlib.Path(f"share/sophia/{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(document)
    assert set(document) <= set(schema["properties"]), set(document) - set(schema["properties"])


class LookTest(unittest.TestCase):
    def report(self, *arguments):
        """The exit code and the report, which is what its schema says."""
        result = sophia("look", "--json", *arguments)
        report = json.loads(result.stdout)
        check_schema("report", report)
        return result.returncode, report

    def test_a_person(self):
        with StandIn() as server:
            code, report = self.report("--camera", PERSON, "--server", server.url)
            self.assertEqual(code, 0)
            self.assertEqual(report["state"], "ok")
            self.assertEqual(report["mood"]["label"], "happy")
            self.assertEqual(report["model"], "seeing:latest")
            self.assertEqual(len(report["faces"]), 1)
            options = sorted((b["options"]["temperature"], b["options"]["num_predict"]) for _, b in server.asked)
            self.assertEqual(options[-1], (0.3, 150))
            self.assertEqual(options[0][0], 0.2)

    def test_states(self):
        with StandIn() as server, StandIn("busy") as busy:
            cases = [
                (["--camera", STREET, "--server", server.url], 0, "no_face"),
                (["--camera", "/dev/video77", "--server", server.url], 69, "camera_offline"),
                (["--camera", "test:pattern?fault=black", "--server", server.url], 69, "dark"),
                (["--camera", PERSON, "--server", busy.url], 69, "server_offline"),
                (["--camera", PERSON, "--server", NOBODY_LISTENS], 69, "server_offline"),
            ]
            for arguments, code, state in cases:
                got, report = self.report(*arguments)
                self.assertEqual((got, report["state"]), (code, state))
                self.assertIsNone(report["mood"], state)
                self.assertEqual(report["person"] is None, state != "no_face", state)

    def test_the_next_server_stands_in(self):
        with StandIn() as server:
            code, report = self.report("--camera", PERSON, "--server", NOBODY_LISTENS, "--server", server.url)
            self.assertEqual((code, report["state"]), (0, "ok"))

    def test_words_cannot_steer_the_terminal(self):
        with StandIn() as server:
            for form in ("--text", "--context", "--markdown"):
                result = sophia("look", form, "--camera", PERSON, "--server", server.url)
                self.assertEqual(result.returncode, 0)
                self.assertIsNone(re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", result.stdout), form)
                self.assertIn("in a hat.", result.stdout)

    def test_no_emotion(self):
        with StandIn() as server:
            code, report = self.report("--camera", PERSON, "--server", server.url, "--no-emotion")
            self.assertEqual((code, report["mood"], len(server.asked)), (0, None, 1))

    def test_saves_for_its_owner_alone(self):
        with StandIn() as server, tempfile.TemporaryDirectory() as folder:
            place = pathlib.Path(folder) / "looks"
            self.report("--camera", PERSON, "--server", server.url, "--save", str(place))
            kinds = sorted(p.name.rsplit("-", 1)[1] for p in place.iterdir())
            self.assertEqual(kinds, ["face.jpg", "frame.jpg", "marked.jpg", "report.json"])
            for path in place.iterdir():
                self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)

    def test_ctrl_c(self):
        with StandIn("never") as server:
            process = subprocess.Popen([SOPHIA, "look", "--camera", PERSON, "--server", server.url],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            while not server.asked:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=10)
            self.assertEqual(process.returncode, 130)

    def test_a_server_that_never_answers(self):
        with StandIn("never") as server:
            begin = time.monotonic()
            code, report = self.report("--camera", PERSON, "--server", server.url, "--timeout", "1")
            self.assertEqual((code, report["state"]), (69, "server_offline"))
            self.assertLess(time.monotonic() - begin, 15)

    def test_wrong_options(self):
        for arguments in (["--server", "nonsense"], ["--json", "--markdown"], ["--objects", "what"], ["--faces", "who"],
                          ["--timeout", "0"], ["--camera", ""]):
            self.assertEqual(sophia("look", *arguments).returncode, 64, arguments)


class DescribeTest(unittest.TestCase):
    def test_a_scene(self):
        with StandIn() as server:
            picture = STREET_PICTURE
            result = sophia("describe", picture, "--server", server.url)
            self.assertEqual((result.returncode, result.stdout), (0, "A person\n [2J   in a hat.\n"))
            self.assertEqual(server.asked[0][1]["options"]["num_predict"], 100)
            scene = json.loads(sophia("describe", picture, "--server", server.url, "--json").stdout)
            check_schema("scene", scene)
            self.assertEqual(scene["camera"], picture)
            server.behaviour = "busy"
            self.assertEqual(sophia("describe", picture, "--server", server.url).returncode, 69)


    def test_the_key_comes_from_a_file(self):
        with StandIn() as server, tempfile.NamedTemporaryFile("w") as file:
            arguments = ["describe", STREET_PICTURE, "--server", server.url, "--server-key-file", file.name]
            self.assertEqual(sophia(*arguments).returncode, 66)
            file.write("s3cret\nnot this\n")
            file.flush()
            self.assertEqual(sophia(*arguments).returncode, 0)
            self.assertEqual(server.keys, ["Bearer s3cret"])
            file.write("x" * 10)
            file.seek(0)
            file.write("two words\n")
            file.flush()
            self.assertEqual(sophia(*arguments).returncode, 64)


class AskTest(unittest.TestCase):
    def test_without_a_text_model_the_report_answers(self):
        with StandIn() as server:
            eyes = ["--camera", PERSON, "--server", server.url]
            result = sophia("ask", "Sophia, how do I look?", *eyes)
            self.assertEqual(result.returncode, 0)
            self.assertIn("Mood: happy", result.stdout)
            self.assertEqual(sophia("ask", "How are you?", *eyes).returncode, 64)

    def test_a_text_model_gets_the_report(self):
        with StandIn() as server, StandIn() as words:
            arguments = ["--camera", PERSON, "--server", server.url, "--llm", words.url, "--llm-model", "talking"]
            result = sophia("ask", "How do I look?", *arguments)
            self.assertEqual((result.returncode, result.stdout), (0, "You look well.\n"))
            path, body = words.asked[-1]
            self.assertEqual((path, body["model"]), ("/api/chat", "talking"))
            turn = body["messages"][-1]["content"]
            self.assertIn("Mood: happy - wide", turn)
            self.assertTrue(turn.endswith("The person says: How do I look?"))
            looks = len(server.asked)
            self.assertEqual(sophia("ask", "How are you?", *arguments).stdout, "You look well.\n")
            self.assertEqual(words.asked[-1][1]["messages"][-1]["content"], "How are you?")
            self.assertEqual(len(server.asked), looks)

    def test_phrases_of_a_file(self):
        with StandIn() as server, tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("schau mich an\n")
            file.flush()
            arguments = ["--camera", PERSON, "--server", server.url, "--triggers", file.name]
            self.assertEqual(sophia("ask", "Bitte", "schau", "mich", "an!", *arguments).returncode, 0)
            self.assertEqual(sophia("ask", "look at me", *arguments).returncode, 64)


class WatchTest(unittest.TestCase):
    def watch(self, *arguments, **streams):
        """A running watch that has seen a frame, and what it has logged."""
        process = subprocess.Popen([SOPHIA, "watch", *arguments], stderr=subprocess.PIPE, text=True, **streams)
        self.addCleanup(process.kill)
        log = ""
        while ": ok" not in log:
            line = process.stderr.readline()
            self.assertNotEqual(line, "", log)
            log += line
        return process, log

    def test_ends_though_nobody_reads(self):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        with self.assertRaises(BlockingIOError):
            while True:
                os.write(writer, bytes(1024))
        os.set_blocking(writer, True)
        process, _ = self.watch("--camera", "door=demo:51", "--server", NOBODY_LISTENS, stdout=writer)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
        self.assertEqual(process.returncode, 0)
        os.close(reader)
        os.close(writer)

    def test_ends_when_its_reader_goes_away(self):
        process, _ = self.watch("--camera", "door=demo:51", "--server", NOBODY_LISTENS,
                                stdout=subprocess.PIPE)
        process.stdout.close()
        self.assertEqual(process.wait(timeout=10), 0)
        process.stderr.close()


if __name__ == "__main__":
    SOPHIA = sys.argv.pop(1)
    unittest.main()
