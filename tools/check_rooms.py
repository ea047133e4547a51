#!/usr/bin/env python3
"""Checks that every #include stays inside the dependencies that the rooms declare.

A room is a folder of src/ whose CMakeLists.txt has bagel_room(NAME ... DEPS ...). The order of the
rooms in src/CMakeLists.txt is the direction of the data:

  - a room's DEPS stand above it in that order;
  - a source includes its own room, rooms among its (transitive) DEPS, and nothing else of src/;
  - the device rooms (ref, cpu, cuda) are included by themselves, by tests and by
    src/engine/devices.cc alone;
  - a program in apps/ includes rooms that it links, or their dependencies, and no device room.

Prints one line for each offence and exits with 1 if there is any.
"""
import re
import sys
from pathlib import Path

DEVICES = {"ref", "cpu", "cuda"}
DEVICE_CHOOSER = "src/engine/devices.cc"
KEYWORDS = {"SOURCES", "TESTS", "DEPS", "LIBS", "TEST_LIBS"}
SOURCE_SUFFIXES = {".cc", ".h", ".cu", ".cuh"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def commands(path):
    """Yields (name, words) of every command in a CMake file."""
    text = re.sub(r"#[^\n]*", "", path.read_text())
    for match in re.finditer(r"(\w+)\s*\(([^()]*)\)", text):
        yield match.group(1), match.group(2).split()


def read_rooms(root):
    """Returns {room: [dependency, ...]} as declared."""
    rooms = {}
    for path in sorted((root / "src").glob("*/CMakeLists.txt")):
        for command, words in commands(path):
            if command == "bagel_room" and words:
                keyword, deps = None, []
                for word in words[1:]:
                    if word in KEYWORDS:
                        keyword = word
                    elif keyword == "DEPS":
                        deps.append(word)
                rooms[words[0]] = deps
    return rooms


def read_order(root):
    path = root / "src" / "CMakeLists.txt"
    return [words[0] for command, words in commands(path) if command == "add_subdirectory"]


def closure(names, rooms):
    """The rooms in `names` and all that they depend on."""
    found, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name not in found and name in rooms:
            found.add(name)
            todo.extend(rooms[name])
    return found


def includes(path):
    """Yields (line number, included file) for the quoted includes of a source."""
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            match = INCLUDE.match(line)
            if match:
                yield number, match.group(1)


def sources(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in SOURCE_SUFFIXES)


def check_order(rooms, order):
    for room, deps in rooms.items():
        if room not in order:
            yield f"src/CMakeLists.txt: room {room} is not listed"
            continue
        for dep in deps:
            if dep not in order[: order.index(room)]:
                yield f"src/{room}/CMakeLists.txt: {room} depends on {dep}, which is not above it"


def check_includes(root, folder, allowed, rooms, why, may_choose_device=lambda path: False):
    for path in sources(folder):
        name = path.relative_to(root).as_posix()
        for number, included in includes(path):
            room = included.split("/")[0]
            if "/" not in included or room not in rooms:
                continue
            if room in DEVICES and not may_choose_device(name):
                yield f'{name}:{number}: "{included}": only {DEVICE_CHOOSER} names a device'
            elif room not in allowed:
                yield f'{name}:{number}: "{included}": {why}'


def check_rooms(root, rooms):
    for room in rooms:
        allowed = closure([room], rooms)

        def may_choose(name, room=room):
            return room in DEVICES or name == DEVICE_CHOOSER or name.endswith("_test.cc")

        yield from check_includes(root, root / "src" / room, allowed, rooms,
                                  f"not among the DEPS of room {room}", may_choose)


def linked_rooms(folder):
    found = set()
    for path in folder.rglob("CMakeLists.txt"):
        for command, words in commands(path):
            if command == "target_link_libraries":
                found.update(w.removeprefix("bagel_") for w in words if w.startswith("bagel_"))
    return found


def check_apps(root, rooms):
    for folder in sorted(p for p in (root / "apps").iterdir() if p.is_dir()):
        allowed = closure(linked_rooms(folder), rooms)
        yield from check_includes(root, folder, allowed, rooms,
                                  f"{folder.name} does not link that room")


def main():
    root = Path(__file__).resolve().parent.parent
    if len(sys.argv) > 1:
        root = Path(sys.argv[1]).resolve()
    rooms = read_rooms(root)
    offences = list(check_order(rooms, read_order(root)))
    offences += check_rooms(root, rooms)
    offences += check_apps(root, rooms)
    for offence in offences:
        print(offence)
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
