"""Mozilla's service as it is seen through fxtranslate: records on loopback, and downloads that come from a directory.

The records' address can be redirected; that of the attachments is fixed, so `add_models` is replaced at fxtranslate's
own boundary, by a sitecustomize that every Python process under this environment runs.
"""

import hashlib
import http.server
import json
import os
import threading
from pathlib import Path

FAKE = '''
import hashlib, json, os, pathlib, sys, time

def add_models(source, target, cache_dir=None, progress=False):
    """As fxtranslate 0.5.0: a file that is there with the right hash stays, others come under a hidden name first."""
    pair, fault = f"{source}-{target}", os.environ.get("FAKE_FAULT", "")
    origin, place = pathlib.Path(os.environ["FAKE_ATTACHMENTS"], pair), pathlib.Path(cache_dir, pair)
    place.mkdir(parents=True, exist_ok=True)
    for file in sorted(origin.iterdir(), reverse=True):
        data = file.read_bytes()
        there = place / file.name
        if there.exists() and there.read_bytes() == data:
            continue
        print(f"[fetch] talk of {file.name}", file=sys.stderr)
        with open(os.environ["FAKE_LOG"], "a") as log:
            log.write(f"{pair}/{file.name}\\n")
        hidden = place / f".{file.name}.download"
        hidden.write_bytes(data[: len(data) // 2])
        if fault == "hangs" and file.name.startswith("model"):
            time.sleep(60)
        if fault == "full" and file.name.startswith("model"):
            raise ValueError("No space left on device (os error 28)")
        if fault == "damaged" and file.name.startswith("model"):
            raise ValueError(f"hash mismatch for {file.name} after download: got 12, expected 34")
        if fault == "dies":
            os._exit(9)
        hidden.unlink()
        (place / f".{file.name}.partial").write_bytes(data)
        (place / f".{file.name}.partial").rename(there)
    return {"kind": "direct", "src": source, "trg": target}

if "FAKE_ATTACHMENTS" in os.environ:
    import fxtranslate
    fxtranslate.discovery.add_models = add_models
'''


def playing(folder, pairs, monkeypatch):
    """Yields the service, whose environment holds meanwhile."""
    service = FirefoxService(folder, pairs)
    for name, value in service.environment.items():
        monkeypatch.setenv(name, value)
    yield service
    service.close()


class FirefoxService:
    """Models to get, each a file of weights, a shortlist and a vocabulary with a few bytes; `close` ends it."""

    def __init__(self, folder: Path, pairs):
        self.attachments, self.log = folder / "attachments", folder / "log"
        self.cache = folder / "cache" / "fxtranslate" / "models"
        self.records = [record for source, target in pairs for record in self._model(source, target)]
        self.body = None
        site = folder / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(FAKE)
        self.log.touch()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = service.body if service.body is not None else json.dumps({"data": service.records}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.environment = {
            "PYTHONPATH": os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")])),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "FXTRANSLATE_RECORDS_URL": f"http://127.0.0.1:{self.server.server_port}/records",
            "FAKE_ATTACHMENTS": str(self.attachments),
            "FAKE_LOG": str(self.log),
        }

    def _model(self, source, target):
        """Writes the files of a direction and yields their records, as Mozilla's are (October 2025)."""
        directory = self.attachments / f"{source}-{target}"
        directory.mkdir(parents=True)
        short = f"{source[:2]}{target[:2]}"
        names = {
            "model": f"model.{short}.intgemm.alphas.bin",
            "lex": f"lex.50.50.{short}.s2t.bin",
            "vocab": f"vocab.{short}.spm",
        }
        for kind, name in names.items():
            data = f"{kind} of {source}-{target}".encode() * 100
            (directory / name).write_bytes(data)
            yield {
                "name": name,
                "version": "3.0",
                "fileType": kind,
                "architecture": "tiny",
                "sourceLanguage": source,
                "targetLanguage": target,
                "decompressedSize": len(data),
                "decompressedHash": hashlib.sha256(data).hexdigest(),
                "attachment": {"location": f"main-workspace/{name}.zst", "size": 700, "filename": f"{name}.zst"},
            }

    def new_weights(self, pair):
        """A newer model of a direction: other weights, the rest as it was."""
        for record in self.records:
            if f"{record['sourceLanguage']}-{record['targetLanguage']}" == pair and record["fileType"] == "model":
                data = b"newer" * 300
                (self.attachments / pair / record["name"]).write_bytes(data)
                record["decompressedHash"] = hashlib.sha256(data).hexdigest()

    @property
    def fetched(self):
        """The files that were downloaded, in order."""
        return self.log.read_text().split()

    def left_over(self):
        """What is in the cache and is no model and no lock."""
        inside = [path for path in self.cache.rglob("*") if path.name.startswith(".")] if self.cache.exists() else []
        return [path.name for path in inside if path.name != ".streamtrans.lock"]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
