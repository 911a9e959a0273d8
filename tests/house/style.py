#!/usr/bin/env python3
"""Sizes and words: how long files and functions may be, notes that must not stay, paths of the machine it was written on.

usage: style.py ROOT    prints each fault as file:line, exit 1 if there is one
"""
import ast
import re
import sys
from pathlib import Path

MOST_FILE_LINES = 500
MOST_FUNCTION_LINES = 50

# Tables and texts that are longer because what they list is; each with its reason.
LONG_FILES = {}
LONG_FUNCTIONS = {
    "campaign/config/fields_execution.cpp:const Section* execution_section()": "rows of the field table",
    "campaign/config/fields_runner.cpp:std::vector<Field> process_rows()": "rows of the field table",
    "campaign/config/fields_runner.cpp:std::vector<Field> container_rows()": "rows of the field table",
    "compose/loader/fields_service.cpp:const Section& service_section()": "the table of a service's keys",
    "controller/cli/compose.cpp:const std::vector<ComposeCommand>& compose_commands()": "the table of compose commands",
    "controller/cli/commands.cpp:std::vector<Command> own_commands()": "the table of commands with their help",
    "tests/campaign/config_value_test.cpp:Value nasty()": "the table of values that other YAML readers change",
}

TREES = ("campaign", "container", "compose", "controller", "images", "tests", "docs", "examples", "cmake")
CODE = {".cpp", ".hpp", ".py", ".sh"}
TEXT = CODE | {".md", ".yaml", ".txt", ".json", ".cmake", ""}
NOTES = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
PLACES = re.compile(r"(?<![\w$}./-])/((home|Users)/(?!me\b|you\b|user\b)|work/|farm/|builds/|workspace/)\w")

RAW_STRING = re.compile(r'R"([^(\s]*)\(.*?\)\1"', re.S)
SKIPPED = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.S)
SCOPE = re.compile(r"^(template\s*<.*>\s*)?(inline\s+)?(namespace|class|struct|union|enum|extern)\b", re.S)


def blank(found):
    return re.sub(r"[^\n]", " ", found.group(0))


def cpp_functions(text):
    """(line, lines, name) of every function that stands in a namespace or class; lambdas count to what holds them."""
    text = SKIPPED.sub(blank, RAW_STRING.sub(blank, text))
    text = re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", blank, text, flags=re.M)
    scopes, begin, round_depth = [], 0, 0  # scopes: (is it a function?, where its first line begins, its head)
    inside = 0
    for at, letter in enumerate(text):
        if letter == "(":
            round_depth += 1
        elif letter == ")":
            round_depth -= 1
        elif letter == "{":
            head = text[begin:at].strip()
            function = not inside and not SCOPE.match(head) and ("(" in head or not head) and round_depth == 0
            scopes.append((function, begin + len(text[begin:at]) - len(text[begin:at].lstrip()), head))
            opaque = function or inside or round_depth or not SCOPE.match(head)
            inside += 1 if opaque else 0
            if not opaque:
                begin = at + 1
        elif letter == "}" and scopes:
            function, start, head = scopes.pop()
            inside = max(0, inside - 1)
            if function:
                first = text.count("\n", 0, start) + 1
                yield first, text.count("\n", 0, at) + 2 - first, " ".join(head.split())
            if not inside:
                begin = at + 1
        elif letter == ";" and not inside and not round_depth:
            begin = at + 1


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.end_lineno - node.lineno + 1, node.name


def shell_functions(text):
    for found in re.finditer(r"^(\w+)\(\) \{\n.*?^\}", text, re.M | re.S):
        yield text.count("\n", 0, found.start()) + 1, found.group(0).count("\n") + 1, found.group(1)


def functions(path, text):
    if path.suffix in (".cpp", ".hpp"):
        return cpp_functions(text)
    first = text.split("\n", 1)[0]
    if path.suffix == ".py" or first.startswith("#!") and "python" in first:
        return python_functions(text)
    if path.suffix == ".sh" or first.startswith("#!") and "sh" in first:
        return shell_functions(text)
    return ()


def too_long(name, lines, found):
    if lines > MOST_FILE_LINES and name not in LONG_FILES:
        yield 1, f"{lines} lines, more than {MOST_FILE_LINES}"
    for line, length, function in found:
        if length > MOST_FUNCTION_LINES and f"{name}:{function}" not in LONG_FUNCTIONS:
            yield line, f"a function of {length} lines, more than {MOST_FUNCTION_LINES}: {function[:80]}"


def out_of_date(root):
    """Exceptions that nobody needs any more."""
    for name in LONG_FILES:
        if not (root / name).exists():
            yield f"tests/house/style.py: LONG_FILES names {name}, which is not there"
    for entry in LONG_FUNCTIONS:
        name, function = entry.split(":", 1)
        path = root / name
        found = functions(path, path.read_text()) if path.exists() else ()
        if not any(head == function and length > MOST_FUNCTION_LINES for _, length, head in found):
            yield f"tests/house/style.py: LONG_FUNCTIONS names {entry}, which is not there or not long"


def faults_of(path, name, text):
    lines = text.split("\n")
    yield from too_long(name, len(lines) - 1 if path.suffix in CODE else 0, functions(path, text))
    for number, line in enumerate(lines, 1):
        if path.suffix in CODE and NOTES.search(line):
            yield number, "a note to self; do it or delete it"
        if PLACES.search(line):
            yield number, "a path of one machine"
        if path.suffix in (".cpp", ".hpp") and line != line.rstrip():
            yield number, "blanks at the end of the line"


def left_by_runs(path, root):
    parts = path.relative_to(root).parts
    made = any(part.startswith(".") or part in ("node_modules", "__pycache__") for part in parts)
    return made or (parts[0] == "examples" and "results" in parts)


def files(root):
    yield from (p for p in root.iterdir() if p.is_file() and p.suffix in TEXT and p.name != ".git")
    for tree in TREES:
        yield from (p for p in (root / tree).rglob("*") if p.is_file() and p.suffix in TEXT and not left_by_runs(p, root))


def main():
    root = Path(sys.argv[1])
    faults, seen = [], 0
    for path in sorted(files(root)):
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        seen += 1
        name = str(path.relative_to(root))
        faults += [f"{name}:{line}: {what}" for line, what in faults_of(path, name, text)]
    faults += out_of_date(root)
    print("\n".join(faults) or f"{seen} files within the rules")
    return 1 if faults or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
