"""tools/check_rooms.py names file, line and include of what it refuses."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

FILES = {
    "src/CMakeLists.txt": "add_subdirectory(base)\nadd_subdirectory(tensor)\n"
                          "add_subdirectory(cpu)\nadd_subdirectory(engine)\n",
    "src/base/CMakeLists.txt": "bagel_room(base SOURCES a.cc)",
    "src/tensor/CMakeLists.txt": "bagel_room(tensor SOURCES t.cc DEPS base LIBS x)",
    "src/cpu/CMakeLists.txt": "bagel_room(cpu SOURCES c.cc DEPS tensor)",
    "src/engine/CMakeLists.txt": "bagel_room(engine SOURCES devices.cc DEPS tensor cpu)",
    "src/engine/devices.cc": '#include "cpu/c.h"\n#include "base/a.h"\n',
    "src/engine/devices_test.cc": '#include "cpu/c.h"\n',
    "apps/p/CMakeLists.txt": "target_link_libraries(p PRIVATE bagel_engine)",
    "apps/p/main.cc": '#include "base/a.h"\n#include "engine/devices.h"\n',
}


def check(changes):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**FILES, **changes}.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        run = subprocess.run([sys.executable, "tools/check_rooms.py", folder], text=True,
                             capture_output=True, check=False)
        return run.returncode, run.stdout.splitlines()


class CheckRooms(unittest.TestCase):
    def test_accepts_what_is_declared(self):
        self.assertEqual(check({}), (0, []))

    def test_refuses_a_room_that_is_no_dependency(self):
        code, lines = check({"src/base/a.cc": '\n#include "tensor/t.h"\n'})
        self.assertEqual(code, 1)
        self.assertEqual(len(lines), 1)
        self.assertIn('src/base/a.cc:2: "tensor/t.h"', lines[0])

    def test_refuses_a_dependency_on_a_room_below(self):
        _, lines = check({"src/tensor/CMakeLists.txt": "bagel_room(tensor DEPS cpu)"})
        self.assertTrue(any("tensor depends on cpu" in line for line in lines))

    def test_refuses_a_device_outside_its_one_place(self):
        _, lines = check({"src/engine/engine.cc": '#include "cpu/c.h"\n',
                          "apps/p/other.cc": '#include "cpu/c.h"\n'})
        self.assertEqual(len(lines), 2)
        self.assertTrue(lines[0].startswith("src/engine/engine.cc:1:"))
        self.assertTrue(lines[1].startswith("apps/p/other.cc:1:"))

    def test_refuses_a_room_that_a_program_does_not_link(self):
        _, lines = check({"apps/p/CMakeLists.txt": "target_link_libraries(p bagel_base)"})
        self.assertEqual(len(lines), 1)
        self.assertIn("apps/p/main.cc:2:", lines[0])


if __name__ == "__main__":
    unittest.main()
