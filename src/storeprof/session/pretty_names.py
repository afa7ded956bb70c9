"""Names of C++ functions as `__PRETTY_FUNCTION__` spells them -> the qualified name alone.

Done where recordings are read and not in the probe's header: a compiler's spelling needs no C++ to take apart.
"""

from __future__ import annotations

import re

_TEMPLATE_ARGUMENTS = re.compile(r" \[(?:with |\w+ = )")  # gcc | clang; the end may be clipped
_QUALIFIERS = re.compile(r"(?:\s*(?:const|volatile|noexcept|&&?))*$")
_OPERATOR = re.compile(r"(?<![^: ])operator(?!\w)")
_OPENING, _CLOSING = "<({", ">)}"


def plain_name(pretty: str) -> str:
    """`static int kv::Store<T>::insert(const char*) const [with T = int]` -> `kv::Store<T>::insert`.

    Takes what gcc and clang write. Anything else comes back as it is: a scope's own name (`wal fsync`,
    `flush (forced)`) has no argument list, which stands directly behind a function's name.
    """
    found = _TEMPLATE_ARGUMENTS.search(pretty)
    text = pretty[: found.start()] if found else pretty
    if text.endswith(">") and "(" in text:  # gcc's main()::<lambda(int)>
        return text[_start(text, len(text)) :]
    text = _QUALIFIERS.sub("", text)
    head = text[: _opening(text)] if text.endswith(")") else ""
    if not head or head[-1].isspace():
        return pretty
    operators = [match.start() for match in _OPERATOR.finditer(head)]
    return head[_start(head, operators[-1] if operators else len(head)) :]


def _opening(text: str) -> int:
    """Where the parenthesis opens that the text's last letter closes; 0 when it doesn't."""
    depth = 0
    for at in range(len(text) - 1, -1, -1):
        depth += (text[at] == ")") - (text[at] == "(")
        if depth == 0:
            return at
    return 0


def _start(text: str, end: int) -> int:
    """Where the qualified name begins that ends at `end`: behind the return type."""
    depth = 0
    for at in range(end, 0, -1):
        letter = text[at - 1]
        depth += (letter in _CLOSING) - (letter in _OPENING)
        if depth == 0 and letter in " *&":
            return at
    return 0
