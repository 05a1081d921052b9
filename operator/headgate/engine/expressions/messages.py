"""From what the CEL library says to what the author of an expression can act on."""

from __future__ import annotations

import re

_LONGEST = 200
_STATUS = re.compile(r"^[A-Z_]+: ")
_TRAILER = re.compile(r"\s*\[[A-Z_]+\]$")
_COMPILE = re.compile(r"ERROR: [^:]*:(?P<line>-?\d+):(?P<column>-?\d+): (?P<text>.*)")
_REWRITES = (
    (re.compile(r"^undeclared reference to '(?P<n>[^']*)' \(in container ''\)$"), r"unknown name \g<n>"),
    (re.compile(r"^[Ss]yntax error: (?P<m>.*?) expecting \{.*$"), r"syntax error: \g<m>"),
    (re.compile(r"^Syntax error: "), "syntax error: "),
    (re.compile(r"^syntax error: mismatched input '<EOF>'.*$"), "syntax error: the expression ends too early"),
    (
        re.compile(r"^syntax error: (extraneous|mismatched) input (?P<w>'.*') expecting <EOF>$"),
        r"syntax error at \g<w>",
    ),
    (re.compile(r"^syntax error: token recognition error at: "), "syntax error at "),
    (
        re.compile(r"^found no matching overload for '(?P<f>[^']*)' applied to '(?P<a>.*)'$"),
        r"\g<f> does not take \g<a>",
    ),
    (
        re.compile(r"^No matching overloads found : <jump_condition>$"),
        "the condition before ? is neither true nor false",
    ),
    (re.compile(r"^No matching overloads found : <iter_range>$"), "only lists and maps can be iterated over"),
    (re.compile(r"^No matching overloads found : (?P<f>[^()\s]+)$"), r"\g<f> does not take operands of these types"),
    (re.compile(r"^No matching overloads found : (?P<f>.*[^()\s])(?P<a>\([^()]*\))$"), r"\g<f> does not take \g<a>"),
    (re.compile(r"^Key not found in map : (?P<k>.*)$"), r"no such key: \g<k> (has(...) tells whether there is one)"),
    (re.compile(r"^Applying SELECT to non-message type$"), "a field is read from a value that is not a map"),
    (re.compile(r"^Index error: index=(?P<i>-?\d+) size=(?P<s>\d+)$"), r"no index \g<i> in a list of \g<s>"),
    (re.compile(r"^Index error: "), "list index: "),
    (re.compile(r"^Iteration budget exceeded$"), "it iterates over too many elements"),
    (re.compile(r"^(Exceeded max recursion depth|Expression recursion limit exceeded).*$"), "it is nested too deeply"),
    (re.compile(r"^(?P<f>[!\-]_|_[^\s\w]+_|@in|_\[_\]|_\?_:_) does"), lambda match: _operator(match["f"]) + " does"),
)


def for_author(text: str) -> str:
    """One line, at most 200 characters, with the place in the expression where the library tells it."""
    place = ""
    if compiled := _COMPILE.search(text):
        text = compiled["text"]
        if int(compiled["column"]) > 0:
            line = "" if compiled["line"] == "1" else f"line {compiled['line']}, "
            place = f" ({line}column {compiled['column']})"
    text = _TRAILER.sub("", _STATUS.sub("", text.split("\n", 1)[0])).strip()
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return shorten(text, _LONGEST - len(place)) + place


def shorten(text: str, longest: int) -> str:
    """``text`` in one line of at most ``longest`` characters, with an ellipsis where something is missing."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _operator(name: str) -> str:
    """The operator as written, from the library's name for it, such as ``_+_``."""
    return {"_[_]": "[]", "_?_:_": "?:"}.get(name, name.strip("_@"))
