"""Pages and their files: what a browser may have without the token, and what headers it gets."""

import asyncio
import re
from types import SimpleNamespace
from urllib.parse import unquote

import pytest

from streamtrans.serve.app import STATIC, make_app


def ask(path, token="secret"):
    """Status, headers and body of a GET."""
    sent = []
    path, _, query = path.partition("?")
    scope = {"type": "http", "method": "GET", "path": unquote(path), "raw_path": path.encode(), "root_path": ""}
    scope |= {"query_string": query.encode(), "headers": [(b"host", b"127.0.0.1:8484")], "scheme": "http"}
    scope |= {"http_version": "1.1", "server": ("127.0.0.1", 8484), "client": ("127.0.0.1", 1)}

    async def receive():
        await asyncio.Event().wait()  # there is no body, and the browser stays

    async def send(message):
        sent.append(message)

    asyncio.run(make_app(SimpleNamespace(), token)(scope, receive, send))
    start, *bodies = sent
    headers = {key.decode(): value.decode() for key, value in start["headers"]}
    return start["status"], headers, b"".join(body.get("body", b"") for body in bodies)


def test_pages_need_the_token_and_their_files_do_not():
    for path in ("/", "/captions", "/v1/about", "/metrics"):
        assert ask(path)[0] == 401, path
    assert ask("/?token=secret")[0] == ask("/captions?token=secret")[0] == 200
    for file in STATIC.iterdir():
        assert ask(f"/static/{file.name}")[0] == 200, file.name


@pytest.mark.parametrize("path", ["/static/../v1/about", "/static/%2e%2e/v1/about", "/static/..%2fapp.py", "/staticky"])
def test_the_open_folder_leads_nowhere_else(path):
    assert ask(path)[0] in (401, 404)


def test_browsers_run_nothing_inline_and_nothing_stale():
    for path in ("/", "/captions"):
        _, headers, body = ask(path, token=None)
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cache-control"] == "no-cache"
        page = body.decode()
        assert not re.search(r"<style|<script(?![^>]*src=)|\sstyle=|\son\w+=|https?://", page)
    assert ask("/static/page.js")[1]["cache-control"] == "no-cache"
    assert "javascript" in ask("/static/page.js")[1]["content-type"]


def test_files_name_no_other_place():
    for file in STATIC.iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|@import|url\(", text), file.name
        assert len(text.splitlines()) <= 300, file.name
