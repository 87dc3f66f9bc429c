"""Made-up stack traces for `gen_events`: Python with real source lines, JavaScript, Java."""

from __future__ import annotations

import hashlib
import json
import random
import sysconfig
from pathlib import Path
from typing import Any

WORDS: dict[str, Any] = json.loads((Path(__file__).parent / "words.json").read_text())

Source = list[tuple[str, list[str]]]
Frames = list[dict[str, Any]]


def word(r: random.Random) -> str:
    return r.choice(WORDS["nouns"])


def camel(r: random.Random) -> str:
    """Two words as JavaScript and Java name a function."""
    first = word(r)
    return first + word(r).title()


def source_files() -> Source:
    """Modules of the standard library with enough lines to take context from."""
    library = Path(sysconfig.get_paths()["stdlib"])
    found = []
    for name in WORDS["source_files"]:
        if (library / name).exists():
            text = (library / name).read_text(encoding="utf-8", errors="replace")
            lines = [line[:160] for line in text.removesuffix("\n").split("\n")]
            if len(lines) > 120:
                found.append((name, lines))
    return found


def python_frames(r: random.Random, count: int, source: Source) -> Frames:
    """Frames with source context; `_vars` are names that get a value in each event."""
    frames = []
    for number in range(count):
        name, lines = r.choice(source)
        line = r.randint(6, len(lines) - 7)
        in_app = number > count * 0.6 and r.random() < 0.8
        module = name[:-3].replace("/", ".")
        path = "/usr/local/lib/python3.11/" + name
        if in_app:
            module = f"shop.{word(r)}.{word(r)}"
            name = module.replace(".", "/") + ".py"
            path = "/srv/app/releases/current/" + name
        own = [f"_{word(r)}_{word(r)}", f"{word(r)}_{word(r)}", f"process_{word(r)}"]
        frame = {
            "filename": name,
            "abs_path": path,
            "function": r.choice(WORDS["python_functions"] + own),
            "module": module,
            "lineno": line + 1,
            "pre_context": lines[line - 5 : line],
            "context_line": lines[line],
            "post_context": lines[line + 1 : line + 6],
            "in_app": in_app,
        }
        names = r.randint(2, 6) if in_app else r.randint(0, 2)
        frames.append({**frame, "_vars": [word(r) for _ in range(names)]})
    return frames


def javascript_frames(r: random.Random, count: int, source: Source) -> Frames:
    """Minified bundles at the bottom of the trace, packages above; some with context."""
    frames = []
    chunk = hashlib.md5(str(r.random()).encode()).hexdigest()[:8]
    for number in range(count):
        in_app = number > count * 0.7
        if in_app:
            bundle = r.choice(WORDS["javascript_bundles"])
            path = f"https://shop.example.com/static/js/{bundle}.{chunk}.js"
        else:
            package = r.choice(WORDS["javascript_packages"])
            file = r.choice(WORDS["javascript_files"])
            path = f"webpack-internal:///./node_modules/{package}/{file}.js"
        own = ["?", f"Object.{word(r)}", camel(r), f"async {word(r)}"]
        frame = {
            "filename": path,
            "abs_path": path,
            "function": r.choice(own + WORDS["javascript_functions"]),
            "lineno": r.randint(1, 4) if in_app else r.randint(10, 25000),
            "colno": r.randint(1, 180000 if in_app else 120),
            "in_app": in_app,
        }
        if r.random() < 0.45:  # as node's SDK and the browser's ContextLines send it
            _, lines = r.choice(source)
            line = r.randint(6, len(lines) - 7)
            frame["pre_context"] = lines[line - 3 : line]
            frame["context_line"] = lines[line]
            frame["post_context"] = lines[line + 1 : line + 4]
        frames.append(frame)
    return frames


def java_frames(r: random.Random, count: int, source: Source) -> Frames:
    """Frameworks' classes at the bottom, a shop's own above. No source is sent by Java's SDK."""
    frames = []
    for number in range(count):
        in_app = number > count * 0.75
        if in_app:
            package, name = word(r), word(r).title()
            module = f"com.example.shop.{package}.{name}{r.choice(WORDS['java_kinds'])}"
        else:
            module = r.choice(WORDS["java_modules"])
        file = module.split(".")[-1].split("$")[0] + ".java"
        frames.append(
            {
                "module": module,
                "filename": file,
                "abs_path": file,
                "function": r.choice([*WORDS["java_functions"], camel(r)]),
                "lineno": r.randint(20, 2400),
                "in_app": in_app,
                "native": False,
            }
        )
    return frames


FRAMES = {"python": python_frames, "javascript": javascript_frames, "java": java_frames}
