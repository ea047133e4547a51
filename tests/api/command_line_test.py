"""The program's commands: output, exit codes, one-line errors."""
import filecmp
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest
import zlib

from program import MODEL, PICTURE, eventually, program

BAGEL = program()


def run(*arguments, stdin="", **options):
    """Without the line that says which device takes the GPU's place, where the GPU library is."""
    result = subprocess.run([BAGEL, *arguments], input=stdin, capture_output=True, text=True,
                            timeout=60, **options)
    result.stderr = re.sub(r"^device cuda: .*: going on with the CPU\n", "", result.stderr)
    return result


def write_png(path, width, height):
    """A black picture."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = zlib.compress(bytes(height * (1 + 3 * width)))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
                   + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


class Help(unittest.TestCase):
    def test_every_command_has_help_with_an_example(self):
        top = run("--help")
        self.assertEqual(top.returncode, 0)
        for command in ("describe", "generate", "edit", "serve", "tokenize", "inspect", "quantize",
                        "compare", "bench", "synth"):
            self.assertIn(command, top.stdout)
            text = run(command, "--help")
            self.assertEqual(text.returncode, 0)
            self.assertIn("Example: ", text.stdout)

    def test_no_command_is_a_mistake_that_shows_the_commands(self):
        nothing = run()
        self.assertEqual((nothing.returncode, nothing.stdout), (64, ""))
        self.assertEqual(nothing.stderr, run("--help").stdout)

    def test_version(self):
        self.assertRegex(run("--version").stdout, r"^bagel \d+\.\d+\.\d+\n$")


class Errors(unittest.TestCase):
    def check(self, code, part, *arguments, stdin=""):
        result = run(*arguments, stdin=stdin)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertRegex(result.stderr, r"^bagel: [^\n]*\n$")
        self.assertIn(part, result.stderr)
        self.assertEqual(result.stdout, "")

    def test_usage(self):
        self.check(64, "--nonsense", "describe", "--nonsense")
        self.check(64, "--threads", "describe", "--threads", "-3")

    def test_files(self):
        self.check(66, "no/such/model", "describe", "--model", "no/such/model", "--prompt", "x")
        self.check(66, "no-such.png", "describe", "--model", MODEL, "--image", "no-such.png")
        self.check(65, "README.md: invalid image", "describe", "--model", MODEL, "--image",
                   "tests/golden/README.md")
        self.check(66, "no/such", "inspect", "--model", "no/such")

    def test_options_name_their_value(self):
        self.check(64, "temperature", "describe", "--model", MODEL, "--prompt", "x",
                   "--temperature", "-1")
        self.check(64, "temperature", "describe", "--model", MODEL, "--prompt", "x",
                   "--temperature", "nan")

    def test_a_half_that_is_not_loaded_does_not_draw(self):
        for off in (("--drawing", "off"), ("--no-drawing",)):
            self.check(69, "was loaded without its drawing half", "generate", "--model", MODEL,
                       "--prompt", "x", *off)
        self.check(64, "exclude each other", "generate", "--model", MODEL, "--prompt", "x", "--no-drawing",
                   "--drawing", "always")
        self.check(64, "on-demand", "generate", "--model", MODEL, "--prompt", "x", "--drawing",
                   "sometimes")

    def test_the_type_of_keys_and_values(self):
        self.check(69, "the CPU would keep F32; expected auto or int8", "describe", "--model", MODEL,
                   "--prompt", "x", "--device", "cpu", "--exact", "--kv-cache", "f16")
        self.check(64, "--kv-cache", "describe", "--model", MODEL, "--prompt", "x", "--kv-cache",
                   "q4_0")

    def test_broken_lines(self):
        self.check(65, "line 1", "tokenize", "--model", MODEL, stdin="{nonsense\n")


@unittest.skipUnless("EMULATED_GPU" in os.environ, "no emulated GPU was built")
class Devices(unittest.TestCase):
    """A GPU that has a megabyte free."""

    def describe(self, *arguments):
        return subprocess.run(
            [BAGEL, "describe", "--model", MODEL, "--prompt", "x", "--num-predict", "2", *arguments],
            env={**os.environ, "BAGEL_CUDA_LIBRARY": os.environ["EMULATED_GPU"],
                 "BAGEL_EMULATION_FREE_BYTES": "1000000"},
            capture_output=True, text=True, timeout=60)

    def test_auto_goes_on_with_the_cpu_where_the_gpu_has_too_little_memory(self):
        result = self.describe()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stderr, r"^[^\n]* needs about [^\n]*: going on with the CPU\n")

    def test_a_gpu_that_was_asked_for_says_what_it_lacks(self):
        result = self.describe("--device", "cuda")
        self.assertNotEqual(result.returncode, 0)
        self.assertRegex(result.stderr, r"^bagel: [^\n]* needs about [^\n]* 0\.0 GB free\n$")


class Describe(unittest.TestCase):
    arguments = ("describe", "--model", MODEL, "--num-predict", "8", "--seed", "3")

    def test_text_on_stdout_and_timing_on_stderr(self):
        result = run(*self.arguments, "--image", PICTURE)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(result.stdout.endswith("\n"))
        self.assertRegex(result.stderr, r"load .* prefill \d+ tokens .* tokens/s")

    def test_json(self):
        result = run(*self.arguments, "--image", PICTURE, "--image", PICTURE, "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        answer = json.loads(result.stdout)
        self.assertEqual(list(answer), ["text", "thinking", "ids", "prompt_tokens", "image_tokens",
                                        "generated_tokens", "finish_reason", "seed", "load_ms",
                                        "prefill_ms", "decode_ms", "model", "device"])
        self.assertEqual(answer["seed"], 3)
        self.assertGreater(answer["image_tokens"], 2)
        self.assertLessEqual(answer["generated_tokens"], 8)

    def test_the_same_seed_says_the_same(self):
        first = run(*self.arguments, "--image", PICTURE)
        self.assertEqual(run(*self.arguments, "--image", PICTURE).stdout, first.stdout)

    def test_a_prompt_from_stdin(self):
        for extra in ((), ("--prompt", "-")):
            result = run(*self.arguments, *extra, "--json", stdin="Hello there")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(json.loads(result.stdout)["image_tokens"], 0)

    def test_the_model_may_come_from_the_environment(self):
        result = run("describe", "--prompt", "x", "--num-predict", "1",
                     env={**os.environ, "BAGEL_MODEL": MODEL})
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_ctrl_c_stops_after_a_token(self):
        with subprocess.Popen([BAGEL, "describe", "--model", MODEL, "--prompt", "x",
                               "--num-predict", "-1", "--temperature", "2", "--top-k", "0",
                               "--top-p", "1"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            process.stdout.read(1)
            begin = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        if process.returncode != 0:  # 0: the model had ended before
            self.assertEqual(process.returncode, 130, errors)
            self.assertTrue(errors.endswith(b"bagel: interrupted\n"), errors)
        self.assertLess(time.monotonic() - begin, 5)

    def test_a_closed_reader_ends_it(self):
        with subprocess.Popen([BAGEL, "describe", "--model", MODEL, "--prompt", "x",
                               "--num-predict", "4000", "--temperature", "2", "--top-k", "0"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            process.stdout.close()
            self.assertTrue(eventually(lambda: process.poll() is not None))
        self.assertIn(process.returncode, (0, 69))


class Draw(unittest.TestCase):
    small = ("--model", MODEL, "--steps", "3", "--width", "128", "--height", "144")

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def draw(self, name, *arguments, command="generate"):
        result = run(command, "-o", self.path(name), *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, "")
        with open(self.path(name), "rb") as file:
            return file.read(), result.stderr

    def test_a_picture_says_how_it_was_made_and_can_be_made_again(self):
        seed = "18446744073709551615"
        first, log = self.draw("a.png", *self.small, "--prompt", "A red apple", "--seed", seed)
        self.assertTrue(first.startswith(b"\x89PNG"))
        self.assertIn("128x144, seed " + seed, log)
        told = run("inspect", self.path("a.png")).stdout
        self.assertIn("Prompt: A red apple\nSeed: " + seed, told)
        again, _ = self.draw("b.png", "--model", MODEL, "--like", self.path("a.png"))
        self.assertEqual(again, first)
        other, _ = self.draw("c.png", "--model", MODEL, "--like", self.path("a.png"), "--seed", "1")
        self.assertNotEqual(other, first)

    def test_the_ending_chooses_the_format(self):
        jpeg, _ = self.draw("a.jpg", *self.small, "--prompt", "x")
        self.assertTrue(jpeg.startswith(b"\xff\xd8\xff"))
        webp, _ = self.draw("a.webp", *self.small, "--prompt", "x")
        self.assertEqual(webp[8:12], b"WEBP")

    def test_names_are_not_overwritten(self):
        first, _ = self.draw("a.png", *self.small, "--prompt", "x", "--seed", "1")
        again = run("generate", "-o", self.path("a.png"), *self.small, "--prompt", "x")
        self.assertEqual(again.returncode, 64)
        self.assertIn("--force", again.stderr)
        forced, _ = self.draw("a.png", *self.small, "--prompt", "x", "--seed", "2", "--force")
        self.assertNotEqual(forced, first)
        self.assertEqual(os.listdir(self.folder.name), ["a.png"])

    def test_several_pictures_and_rounded_sizes(self):
        result = run("generate", "-o", self.path("a.png"), "--model", MODEL, "--prompt", "x",
                     "--steps", "2", "--width", "130", "--height", "128", "--count", "2",
                     "--seed", "5", "--preview", "--taylorseer")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(sorted(os.listdir(self.folder.name)), ["a-1.png", "a-2.png"])
        self.assertIn("128x128, rounded from 130x128", result.stderr)
        self.assertIn("seed 6", result.stderr)

    def test_an_edit_takes_several_pictures(self):
        picture, _ = self.draw("a.png", *self.small, "--prompt", "x")
        _, log = self.draw("b.png", "--model", MODEL, "--image", self.path("a.png"), "--image",
                           self.path("a.png"), "--prompt", "y", "--steps", "2", command="edit")
        self.assertIn("512x576", log)

    def test_ctrl_c_leaves_nothing(self):
        with subprocess.Popen([BAGEL, "generate", "--model", MODEL, "--prompt", "x", "--steps",
                               "1000", "--preview", "-o", self.path("a.png")],
                              stderr=subprocess.PIPE) as process:
            self.assertTrue(eventually(lambda: os.listdir(self.folder.name)))
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130, errors)
        self.assertEqual(os.listdir(self.folder.name), [])

    def test_errors_name_their_value(self):
        for code, part, *arguments in (
                (64, "steps is 0", "--steps", "0"), (64, "steps is 10000", "--steps", "10000"),
                (64, "cfg text scale is nan", "--cfg-text", "nan"),
                (64, "timestep shift is inf", "--timestep-shift", "inf"),
                (64, "100x128", "--width", "100", "--height", "128"),
                (64, "2000x200", "--width", "2000", "--height", "200"),
                (64, "go together", "--width", "200"), (64, "7:3", "--ratio", "7:3"),
                (64, "--seed is -1, expected a whole number from 0 to 2^64 - 1", "--seed", "-1"),
                (64, '--steps is "abc", expected a whole number', "--steps", "abc"),
                (64, "--steps is 2.5, expected a whole number", "--steps", "2.5"),
                (64, "--steps is 99999999999, which is out of range", "--steps", "99999999999"),
                (64, '--width is "wide", expected a whole number', "--width", "wide"),
                (64, '--cfg-text is "x", expected a number', "--cfg-text", "x"),
                (64, '--cfg-interval is "0,x", expected numbers: LOW,HIGH', "--cfg-interval", "0,x"),
                (64, "--count is 0, expected a whole number from 1 to 1000", "--count", "0"), (64, "cfg renorm 'x'", "--cfg-renorm", "x"),
                (64, "0.5 to 1", "--cfg-interval", "0.5,0.1"),
                (64, "does not say", "--like", "README.md"),
                (66, "nofile", "--like", "nofile.png"), (69, "x.gif", "-o", "x.gif"),
                (66, "no/folder", "-o", "no/folder/x.png"),
                (69, "/proc/x.png: cannot be written", "-o", "/proc/x.png"),
                (64, "is a folder", "--force", "-o", self.folder_named("d.png"))):
            self.fails(code, part, "generate", "--model", MODEL, "--prompt", "x", *arguments)
        self.fails(64, "prompt is empty", "generate", "--model", MODEL, "--prompt", " ")

    def test_an_edit_says_what_is_wrong_with_its_picture(self):
        picture = self.path("wide.png")
        for width, part in ((41, "41x1 is longer than 40:1"), (40, "is outside the sides")):
            write_png(picture, width, 1)
            self.fails(64, part, "edit", "--model", MODEL, "--prompt", "x", "--image", picture, "-o",
                       self.path("a.png"))

    def test_what_is_wrong_is_said_before_the_weights_are_read(self):
        model = self.folder_named("model")
        for name in ("llm_config.json", "vit_config.json", "bagel.json"):
            shutil.copy(os.path.join(MODEL, name), model)
        self.fails(64, "100x128", "generate", "--model", model, "--prompt", "x", "--width", "100",
                   "--height", "128", "-o", self.path("a.png"))

    def folder_named(self, name):
        os.makedirs(self.path(name), exist_ok=True)
        return self.path(name)

    def fails(self, code, part, *arguments):
        result = run(*arguments)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertRegex(result.stderr, r"^bagel: [^\n]*\n$")
        self.assertIn(part, result.stderr)


class Tokenize(unittest.TestCase):
    def test_there_and_back(self):
        texts = ["Hello", "", "a\nb", "<|im_start|>", "é"]
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        ids = run("tokenize", "--model", MODEL, "--plain", stdin=lines)
        self.assertEqual(ids.returncode, 0, ids.stderr)
        back = run("tokenize", "--model", MODEL, "--decode", stdin=ids.stdout)
        self.assertEqual([json.loads(line)["text"] for line in back.stdout.splitlines()], texts)

    def test_specials_are_parsed_unless_plain(self):
        line = '{"text": "<|im_start|>"}\n'
        parsed = json.loads(run("tokenize", "--model", MODEL, stdin=line).stdout)["ids"]
        plain = json.loads(run("tokenize", "--model", MODEL, "--plain", stdin=line).stdout)["ids"]
        self.assertEqual(len(parsed), 1)
        self.assertGreater(len(plain), 1)

    def test_needs_the_tokenizers_files_alone(self):
        result = run("tokenize", "--model", "tests/data/qwen-tokenizer",
                     stdin='{"text": "Hello world"}\n')
        self.assertEqual(json.loads(result.stdout)["ids"], [9707, 1879])


class Inspect(unittest.TestCase):
    def test_table_and_json(self):
        self.assertIn("vit_model", run("inspect", "--model", MODEL).stdout)
        report = json.loads(run("inspect", "--model", MODEL, "--json").stdout)
        self.assertEqual(report["missing"], [])
        self.assertEqual(report["bytes"], sum(group["bytes"] for group in report["groups"]))
        self.assertGreater(report["elements"], 1000)
        self.assertLess(report["token_bytes_int8"], 0.51 * report["token_bytes"])

    def test_names_what_is_missing(self):
        with tempfile.TemporaryDirectory() as folder:
            report = json.loads(run("inspect", "--model", folder, "--json").stdout)
        self.assertIn("vocab.json", report["missing"])
        self.assertIn("ema.safetensors", report["missing"])


class Synth(unittest.TestCase):
    def test_quantised_on_the_way_it_is_what_quantize_makes(self):
        shape = os.path.abspath("tests/golden/model")
        with tempfile.TemporaryDirectory() as folder:
            paths = {name: os.path.join(folder, name) for name in ("plain", "then", "at-once")}
            common = ("synth", "--shape", shape, "--tokenizer", shape, "--seed", "7")
            for arguments in ((*common, "--out", paths["plain"]),
                              ("quantize", "--model", paths["plain"], "--out", paths["then"]),
                              (*common, "--quant", "nf4", "--out", paths["at-once"]),
                              ("describe", "--model", paths["at-once"], "--prompt", "x",
                               "--num-predict", "2")):
                result = run(*arguments)
                self.assertEqual(result.returncode, 0, result.stderr)
            names = sorted(os.listdir(paths["then"]))
            self.assertEqual(sorted(os.listdir(paths["at-once"])), names)
            self.assertEqual(filecmp.cmpfiles(paths["then"], paths["at-once"], names, shallow=False),
                             (names, [], []))


class Compare(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.pictures = os.path.join(self.folder.name, "pictures")
        self.report = os.path.join(self.folder.name, "report.html")
        os.mkdir(self.pictures)
        shutil.copy(PICTURE, self.pictures)
        self.prompts = os.path.join(self.folder.name, "prompts.txt")

    def compare(self, *arguments):
        return run("compare", "--a", MODEL, "--b", MODEL, "--images", self.pictures, "--report",
                   self.report, "--num-predict", "8", *arguments)

    def test_a_model_equals_itself(self):
        result = self.compare()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("1 of 1 answers equal, 100.00 %", result.stdout)
        with open(self.report) as page:
            self.assertNotIn("<mark>", page.read())
        with open(self.report.replace(".html", ".json")) as file:
            summary = json.load(file)["summary"]
        self.assertEqual(summary["token_agreement"], 1)
        self.assertEqual(summary["mean_kl"], 0)

    def test_keys_and_values_in_8_bits_are_the_second_models(self):
        result = self.compare("--kv-cache", "int8")
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(self.report.replace(".html", ".json")) as file:
            self.assertGreater(json.load(file)["summary"]["mean_kl"], 0)

    def test_it_goes_on_where_it_was(self):
        self.compare()
        with open(self.prompts, "w") as file:
            file.write("Describe this image.\nWho is it?\n")
        result = self.compare("--prompts", self.prompts)
        self.assertIn("2 of 2 answers equal", result.stdout)
        with open(self.report.replace(".html", ".json")) as file:
            self.assertEqual(len(json.load(file)["comparisons"]), 2)
        result = self.compare("--exact")
        self.assertEqual(result.returncode, 64)
        self.assertIn("other models or settings", result.stderr)

    def test_errors_come_first(self):
        os.remove(os.path.join(self.pictures, os.path.basename(PICTURE)))
        self.assertIn("holds no PNG", self.compare().stderr)
        self.report = "/no/such/folder/report.html"
        shutil.copy(PICTURE, self.pictures)
        self.assertIn("cannot be written", self.compare().stderr)
        open(self.prompts, "w").close()
        self.assertIn("holds no prompt", self.compare("--prompts", self.prompts).stderr)


if __name__ == "__main__":
    unittest.main()
