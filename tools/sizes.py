"""Reports files of more than 400 lines and functions of more than 50: each is usually two. It reports, and never fails."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

MOST_LINES_IN_FILE = 400
MOST_LINES_IN_FUNCTION = 50


def too_large(source: str, name: str) -> Iterator[str]:
    """A sentence for the file and for each function in it that passes its limit."""
    lines = len(source.splitlines())
    if lines > MOST_LINES_IN_FILE:
        yield f"{name}: {lines} lines (at most {MOST_LINES_IN_FILE})"
    for node in ast.walk(ast.parse(source, name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MOST_LINES_IN_FUNCTION:
                yield f"{name}:{node.lineno}: {node.name} has {length} lines (at most {MOST_LINES_IN_FUNCTION})"


def main(arguments: Sequence[str]) -> int:
    """``python -m tools.sizes FOLDER...``: one line for each thing that is too large."""
    for folder in map(Path, arguments):
        for path in sorted(folder.rglob("*.py")):
            for sentence in too_large(path.read_text(), str(path)):
                print(sentence)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
