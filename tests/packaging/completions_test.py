#!/usr/bin/env python3
"""completions_test.py SHARE: what bash, zsh and fish offer for half a command line, by the
completions of bagel and sophia that lie below the folder SHARE."""
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import unittest

SHARE = os.path.abspath(sys.argv.pop(1))

# Line editing's part: words are cut at ":" and "=", and the last one is to be completed.
BASH = """
source /usr/share/bash-completion/bash_completion
source "$1/bash-completion/completions/$2"
compopt() { :; }
program=$2 COMP_LINE=$3
shift 3
COMP_POINT=${#COMP_LINE} COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
"_$program"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def in_bash(line):
    words = re.findall(r"[:=]|[^\s:=]+", line) + ([""] if line[-1] in " :=" else [])
    return run("bash", "--norc", "-c", BASH, "bash", SHARE, line.split()[0], line, *words)


def in_zsh(line):
    return ZSH.offers(line)


def in_fish(line):
    file = f"{SHARE}/fish/vendor_completions.d/{line.split()[0]}.fish"
    return [offer.split("\t")[0] for offer in
            run("fish", "--no-config", "-c", f"source {file}; complete -C '{line}'")]


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True, timeout=20)
    if result.returncode or result.stderr:
        raise AssertionError(result.stderr or f"exit code {result.returncode}")
    return [offer.rstrip(" ") for offer in result.stdout.splitlines()]


class Zsh:
    """A zsh with a terminal, whose completion system needs one."""

    def __init__(self):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="dumb", PS1="$ ", COLUMNS="200", LINES="100")
            os.execvp("zsh", ["zsh", "-f"])
        self.type(f"fpath=({SHARE}/zsh/vendor-completions $fpath); autoload -Uz compinit; "
                  "compinit -u -D; setopt no_auto_menu no_beep; LISTMAX=1000\n")

    def close(self):
        os.close(self.terminal)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def type(self, keys):
        """What zsh writes until it has worked all `keys` off."""
        os.write(self.terminal, keys.encode() + b"\x15print wor''ked\n")
        text = ""
        while "worked" not in text:
            ready, _, _ = select.select([self.terminal], [], [], 20)
            if not ready:
                raise AssertionError("zsh is silent after: " + text)
            text += os.read(self.terminal, 65536).decode(errors="replace")
        return text

    def offers(self, line):
        """The words of the list, or the one that was put in."""
        return self.type(f"cd {os.getcwd()}\n{line}\t\x04").split()


class Completions(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        os.chdir(self.folder.name)
        os.mkdir("pictures")
        open("cat.jpg", "w", encoding="ascii").close()

    def tearDown(self):
        os.chdir("/")
        self.folder.cleanup()

    def check(self, line, offered, refused="", shells=(in_bash, in_zsh, in_fish)):
        for shell in shells:
            with self.subTest(shell=shell.__name__, line=line):
                offers = [offer.rstrip("/") for offer in shell(line)]
                for word in offered.split():
                    self.assertIn(word, offers)
                for word in refused.split():
                    self.assertNotIn(word, offers)

    def test_commands(self):
        self.check("bagel ", "describe generate edit serve quantize", "option-tables cat.jpg")
        self.check("sophia ", "look ask watch doctor", "option-tables")

    def test_options(self):
        self.check("bagel describe --to", "--top-k --top-p", "--prompt")
        self.check("sophia watch --mqtt-", "--mqtt-password-file --mqtt-prefix", "--jsonl")

    def test_choices(self):
        self.check("bagel serve --device ", "auto cpu cuda cuda:", "cat.jpg")
        self.check("bagel generate --cfg-renorm ", "global channel text_channel", "cat.jpg")
        self.check("sophia look --camera ", "demo cat.jpg pictures")
        self.check("bagel generate --ratio 16:", "9", shells=[in_bash])
        self.check("bagel serve --device=c", "cpu", "auto", shells=[in_bash])

    def test_files(self):
        self.check("bagel describe --image ", "cat.jpg pictures")
        self.check("bagel compare --a ", "pictures", "cat.jpg")
        self.check("sophia faces ", "cat.jpg")
        self.check("sophia look --faces yunet:", "cat.jpg", shells=[in_bash, in_zsh])
        self.check("bagel describe --prompt ", "", "cat.jpg")


if __name__ == "__main__":
    ZSH = Zsh()
    try:
        unittest.main()
    finally:
        ZSH.close()
