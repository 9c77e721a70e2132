"""Firefox's models that there are to get: the records of Mozilla's Remote Settings, as fxtranslate reads them."""

import hashlib
import itertools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from streamtrans.errors import ModelError, StreamtransError, UsageError
from streamtrans.models.marian.downloader import call, discovery
from streamtrans.text.languages import HUB, closest, described, related

Pair = tuple[str, str]


@dataclass(frozen=True)
class Catalogue:
    """The records of all models; `body` as the service sent it."""

    body: str

    @classmethod
    def fetched(cls) -> "Catalogue":
        """Ask the service. Raises UsageError without fxtranslate, StreamtransError without a usable answer."""
        found = cls(call("fetch_records_body"))
        if not found.pairs:
            raise StreamtransError("the records name no model that fxtranslate can use; is there a newer fxtranslate?")
        return found

    @cached_property
    def pairs(self) -> list[Pair]:
        """The directions, sorted. Raises StreamtransError for records that are none."""
        try:
            return sorted(discovery().model_pairs(self.body))
        except ValueError as error:
            raise StreamtransError(f"what the records service sent is not a list of models: {error}") from error

    def legs(self, source: str, target: str) -> list[Pair]:
        """Find the directions that lead from one language to another: one, or two by way of English.

        Raises ModelError for a language that is not there, with the nearest ones that are.
        """
        ends = [self._matched(source, 0), self._matched(target, 1)]
        if ends[0] == ends[1]:
            raise UsageError(f"both languages are {described(ends[0])}")
        try:
            route = discovery().resolve_route(self.body, *ends)
        except ValueError:
            raise ModelError(f"there is no way from {described(ends[0])} to {described(ends[1])}") from None
        stops = [route["src"], *([route["pivot"]] if route["kind"] == "pivot" else []), route["trg"]]
        return list(itertools.pairwise(stops))

    def _matched(self, code: str, side: int) -> str:
        there = {pair[side] for pair in self.pairs}
        if match := closest(code, there):
            return match
        where, turned = ("into", "from") if side else ("from", "into")
        only = f", only {turned} it" if closest(code, {pair[1 - side] for pair in self.pairs}) else ""
        near = f"; nearest: {', '.join(map(described, found))}" if (found := related(code, there - {HUB})) else ""
        raise ModelError(
            f"Firefox has no model {where} {described(code)}{only}{near}; all of them: streamtrans models --available"
        )

    def files(self, pair: Pair) -> list["RemoteFile"]:
        """Name the files of a direction: of each kind the newest that fxtranslate reads."""
        return list(self._newest.get(pair, {}).values())

    @cached_property
    def _newest(self) -> dict[Pair, dict[str, "RemoteFile"]]:
        try:
            records = [record for record in json.loads(self.body)["data"] if record.keys() >= _NEEDED]
            versions = sorted({record["version"] for record in records}, key=_age)
            found: dict[Pair, dict[str, RemoteFile]] = {}
            for version in filter(self._is_read, versions):
                for record in (record for record in records if record["version"] == version):
                    pair = record["sourceLanguage"], record["targetLanguage"]
                    found.setdefault(pair, {})[record["fileType"]] = RemoteFile.of(record)
            return found
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StreamtransError(f"the records of the models are not as they were: {error!r}") from error

    @staticmethod
    def _is_read(version: str) -> bool:
        """Tell whether fxtranslate reads models of a version; it says so itself, about a model made up for that."""
        model = {"name": "model", "fileType": "model", "version": version, "attachment": {"location": "nowhere"}}
        made_up = {"data": [model | {"sourceLanguage": "en", "targetLanguage": "xx"}]}
        return bool(discovery().model_pairs(json.dumps(made_up)))


@dataclass(frozen=True)
class RemoteFile:
    """A file to get: name, bytes to download and on the disk, SHA-256 of what is on the disk (None: not published)."""

    name: str
    download: int
    disk: int
    sha256: str | None

    @classmethod
    def of(cls, record: dict[str, Any]) -> "RemoteFile":
        """Read a record, whose sizes are 0 where it does not tell them."""
        download, disk = record["attachment"].get("size"), record.get("decompressedSize")
        return cls(record["name"], int(download or 0), int(disk or 0), record.get("decompressedHash"))

    def is_in(self, directory: Path) -> bool:
        """Tell whether a directory has this very file."""
        try:
            with (directory / self.name).open("rb") as file:
                return self.sha256 in (None, hashlib.file_digest(file, "sha256").hexdigest())
        except OSError:
            return False


@dataclass(frozen=True)
class Size:
    """Bytes of files: to download, packed, and on the disk."""

    download: int
    disk: int

    @classmethod
    def of(cls, files: Iterable[RemoteFile]) -> "Size":
        """Sum the sizes of files."""
        return cls(*(sum(sizes) for sizes in zip((0, 0), *((file.download, file.disk) for file in files), strict=True)))


_NEEDED = {"name", "fileType", "version", "sourceLanguage", "targetLanguage", "attachment"}


def _age(version: str) -> list[int]:
    """The order of versions, the same as fxtranslate's: 3.0, 3.0a1, 3.1, 3.10."""
    return [int(number) for number in re.findall(r"\d+", version)]
