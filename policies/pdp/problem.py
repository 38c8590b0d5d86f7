"""What is wrong with a policy, and where: the only exception that the language raises. Pure."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

PROBLEMS_MAX = 50
"""A document with more problems than this reports the first ones."""

_EXCERPT = 100
_NAME_MAX = 64
_LINE_BREAK = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One fault. Line and column count from 1; 0 and 0 mean that it has no place in a text."""

    line: int
    column: int
    message: str
    hint: str = ""


class PolicyError(Exception):
    """A policy cannot be used. `problems` is sorted by place and never empty."""

    def __init__(self, problems: Iterable[Problem], source: str = "") -> None:
        self.problems = tuple(sorted(set(problems)))[:PROBLEMS_MAX]
        self.source = source
        super().__init__("\n".join(_render(problem, source) for problem in self.problems))

    @property
    def line(self) -> int:
        """The line of the first problem."""
        return self.problems[0].line

    @property
    def column(self) -> int:
        """The column of the first problem."""
        return self.problems[0].column

    @property
    def message(self) -> str:
        """What the first problem is."""
        return self.problems[0].message

    @property
    def hint(self) -> str:
        """What would solve the first problem; may be empty."""
        return self.problems[0].hint


def closest(name: str, known: Iterable[str]) -> str:
    """Return 'did you mean "x"?' for the known name nearest to `name`, or nothing."""
    if len(name) > _NAME_MAX:
        return ""
    near = difflib.get_close_matches(name, sorted(known), 1, 0.6)
    return f'did you mean "{near[0]}"?' if near else ""


def split_lines(text: str) -> list[str]:
    """Return the lines of `text` as YAML counts them."""
    return _LINE_BREAK.split(text)


def _render(problem: Problem, source: str) -> str:
    if not problem.line:
        return " - ".join(filter(None, (problem.message, problem.hint)))
    parts = [f"{problem.line}:{problem.column}: {problem.message}"]
    lines = split_lines(source)
    if source and problem.line <= len(lines):
        parts += _excerpt(lines[problem.line - 1], problem.column)
    if problem.hint:
        parts.append(f"  hint: {problem.hint}")
    return "\n".join(parts)


def _excerpt(line: str, column: int) -> list[str]:
    """Return the part of the line around the column, and a caret under that column."""
    start = max(0, column - 1 - _EXCERPT // 2)
    shown = line[start : start + _EXCERPT]
    under = "".join("\t" if char == "\t" else " " for char in line[start : column - 1])
    return [f"  {shown}", f"  {under}^"]
