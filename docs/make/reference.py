"""What the documentation takes from the code: the command's help, the verdict's limits, the simulator. `make docs`.

python docs/make/reference.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from DiffRegistrationLib.command_line.main import app
from DiffRegistrationLib.registration import quality
from simulator_tables import effects_table, ranges_table

DOCS = Path(__file__).parents[1]

_HEAD = """# The command `fluororeg`

Written by `make docs` from the command's own help; `fluororeg register --help` shows the same in a terminal.

Every verb ends with exit code 0 when it did what was asked, 1 when a registration failed, and 2 for input that cannot
be used; the message then says what was found, what was expected and what to do. Words and progress go to standard
error. With `--json` one JSON object goes to standard output and nothing else, so it can be piped.

Sample data is looked for in the folder that `FLUOROREG_DATA` names, then in the user's cache, then at its public
address, where it has one: the Visible Human's head has none and is only read from that folder.
"""


def written() -> dict[Path, str]:
    """Every file with generated text, as it should read."""
    registration, simulator = DOCS / "registration.md", DOCS / "simulator.md"
    return {
        DOCS / "command-line.md": command_line(),
        registration: _filled(registration, {"verdict": verdict()}),
        simulator: _filled(simulator, {"effects": effects_table(), "ranges": ranges_table()}),
    }


def _filled(page: Path, parts: dict[str, str]) -> str:
    """A page's text with each part between its marks, <!-- name: … --> and <!-- end of name -->."""
    text = page.read_text(encoding="utf-8")
    for name, part in parts.items():
        around = re.compile(f"(<!-- {name}: .*? -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        text, found = around.subn(lambda m, part=part: m[1] + part + m[2], text)
        if found != 1:
            raise ValueError(f"{page.name} has {found} places for {name}, expected one")
    return text


def verdict() -> str:
    """The limits that `judge` keeps to, as a table."""
    q = quality
    rows = (
        ("edges agree to", f"{q.WHOLE.accepted:g} or more", f"less than {q.WHOLE.failed:g}"),
        (
            "fine structure of a bone without its surroundings agrees in each view to",
            f"{q.CUT_OUT.accepted:g} or more",
            f"less than {q.CUT_OUT.failed:g}",
        ),
        ("brightness agrees to", f"{q._CORRELATION_ACCEPTED:g} or more", f"less than {q._CORRELATION_FAILED:g}"),
        ("part of the CT on the usable X-ray", "", f"less than {q._LEAST_COVERED:.0%}"),
        (
            "rotation uncertain by (1 std)",
            f"{q._MOST_ROTATION_STD_DEG:g}° at most",
            f"more than {q._HOPELESS_ROTATION_STD_DEG:g}°",
        ),
        (
            "in-plane position uncertain by (1 std)",
            f"{q._MOST_IN_PLANE_STD_MM:g} mm at most",
            f"more than {q._HOPELESS_IN_PLANE_STD_MM:g} mm",
        ),
        (
            "what the best other pose leaves unexplained of the edges",
            f"{q._CLEAR_LEAD:g} times as much or more",
            "",
        ),
        ("what the best other pose of such a bone explains", f"{q._CLEAR_PART:.0%} of it at most", ""),
        ("solver", "came to rest", ""),
    )
    lines = ["| | accepted: all of | failed: any of |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n\nEverything between is **doubtful**, with the reason in words.\n"


def command_line() -> str:
    """The page about the command."""
    parts = [_HEAD]
    for name, verb in _verbs("fluororeg", typer.main.get_command(app)):
        parts.append(f"## {name}\n\n{_paragraphs(verb.help)}\n\n```\n{_usage(name, verb)}\n```\n\n{_table(verb)}")
    return "\n".join(parts)


def _verbs(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Every command below a group with its full name."""
    if not hasattr(command, "commands"):
        yield name, command
        return
    for word, below in command.commands.items():
        yield from _verbs(f"{name} {word}", below)


def _paragraphs(text: str | None) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (text or "").split("\n\n"))


def _usage(name: str, verb: Any) -> str:
    arguments = [
        f"{p.name.upper()}{' …' if p.nargs == -1 else ''}" for p in verb.params if p.param_type_name == "argument"
    ]
    needed = [f"{p.opts[0]} {p.name.upper()}" for p in verb.params if p.param_type_name == "option" and p.required]
    return " ".join([name, *arguments, *needed, "[options]"])


def _table(verb: Any) -> str:
    lines = ["| | | default |", "|---|---|---|"]
    for p in verb.params:
        name = p.name.upper() if p.param_type_name == "argument" else " / ".join((*p.opts, *p.secondary_opts))
        given = p.default is not None and p.default is not False
        default = "needed" if p.required else f"`{p.default}`" if given else ""
        lines.append(f"| `{name}` | {_paragraphs(p.help).replace('|', chr(92) + '|')} | {default} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for path, text in written().items():
        path.write_text(text, encoding="utf-8")
        print("Wrote", path)
