"""The report as one HTML file that needs nothing else: no network, no other file, no Node.

Script and style are built ahead from `web/` (`make page`) and lie in `page/`; here they meet the data.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from storeprof import __version__
from storeprof.analysis.runs.findings import key_of
from storeprof.report.packing import packed
from storeprof.views.view import View


@dataclass(frozen=True)
class Side:
    """One findings document and the views of the recordings it speaks of, each with a name to choose it by."""

    document: dict[str, Any]
    views: Sequence[tuple[str, View]]


def page(title: str, shown: Side, against: Side | None = None) -> str:
    """The page of a recording (or several runs), or of what changed against another."""
    script, style = _built("page.js"), _built("page.css")
    sides = {"shown": shown} | ({"against": against} if against else {})
    data = {
        "storeprof": __version__,
        "sides": {
            key: {"document": _with_keys(side.document), "views": [name for name, _ in side.views]}
            for key, side in sides.items()
        },
    }
    blobs = "".join(
        f'<script type="application/octet-stream" id="{key}-{at}">{packed(view)}</script>\n'
        for key, side in sides.items()
        for at, (_, view) in enumerate(side.views)
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src '{_digest(script)}'; \
style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(title)}</title>
<style>{style}</style>
</head>
<body>
<div id="page"></div>
<script type="application/json" id="data">{_in_script(data)}</script>
{blobs}<script>{script}</script>
</body>
</html>
"""


def _with_keys(document: dict[str, Any]) -> dict[str, Any]:
    """The document, each finding with what tells that one of another recording is the same."""
    findings = [row | {"same": json.dumps(key_of(row))} for row in document["findings"]]
    return document | {"findings": findings}


def _built(name: str) -> str:
    return (files("storeprof.report") / "page" / name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    """What the browser demands of a script that may run: names out of a program can never become one."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def _in_script(data: dict[str, Any]) -> str:
    """JSON in which nothing can end the tag that it stands in."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
