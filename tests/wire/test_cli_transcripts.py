"""Transcripts of the command line, in `transcripts/`: what is typed, and what comes back.

`$ ` begins a command, `! ` a line on stderr, `[N]` an exit code that is not 0; everything else is stdout, in full.
`<word>` stands for any text, and a run of blanks for one. `> FILE` begins a file, whose lines follow after `| `.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.wire.cli_process import Shell

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


@dataclass(slots=True)
class Step:
    command: list[str]
    stdout: list[str] = field(default_factory=list)
    stderr: list[str] = field(default_factory=list)
    code: int = 0


@dataclass(slots=True)
class File:
    name: str
    lines: list[str] = field(default_factory=list)


def read(transcript: Path) -> Iterator[Step | File]:
    current: Step | File | None = None
    for line in transcript.read_text().splitlines():
        if line.startswith("#"):
            continue
        if line.startswith(("$ certuary ", "> ")):
            if current is not None:
                yield current
            words = shlex.split(line[2:])
            current = Step(words[1:]) if line.startswith("$") else File(words[0])
        elif isinstance(current, File):
            current.lines += [line.removeprefix("| ")] if line.startswith("|") else []
        elif current is not None:
            _add(current, line)
    if current is not None:
        yield current


def _add(step: Step, line: str) -> None:
    if line.startswith("! "):
        step.stderr.append(line[2:])
    elif re.fullmatch(r"\[\d+\]", line):
        step.code = int(line[1:-1])
    elif line.strip():
        step.stdout.append(line)


def matches(expected: list[str], told: str) -> bool:
    lines = [_one_blank(line) for line in told.splitlines() if line.strip()]
    return len(lines) == len(expected) and all(
        re.fullmatch(_pattern(_one_blank(text)), line) for text, line in zip(expected, lines, strict=True)
    )


def _one_blank(line: str) -> str:
    return " ".join(line.split())


def _pattern(line: str) -> str:
    return "".join(
        ".+?" if re.fullmatch(r"<\w+>", part) else re.escape(part) for part in re.split(r"(<\w+>)", line)
    )


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_the_command_line_does_what_the_transcript_says(transcript: Path, shell: Shell) -> None:
    for step in read(transcript):
        if isinstance(step, File):
            (shell.directory / step.name).write_text("".join(f"{line}\n" for line in step.lines))
            continue
        done = shell.run(*step.command)
        command = "$ certuary " + shlex.join(step.command)
        assert done.code == step.code, f"{command}\n{done.stdout}{done.stderr}"
        assert matches(step.stdout, done.stdout), f"{command}\n{done.stdout}"
        assert matches(step.stderr, done.stderr), f"{command}\n{done.stderr}"
