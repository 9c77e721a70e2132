"""The list of `streamtrans models --available`: the directions that there are to get, and which of them are here."""

import json

from streamtrans.cli.shared.tables import print_table
from streamtrans.models.marian.catalogue import Catalogue, Pair, Size
from streamtrans.models.marian.store import cached_models, megabytes
from streamtrans.text.languages import HUB, english_name


def print_available(as_json: bool) -> None:
    """Asks the service and prints a line per language with the sizes of its directions. Raises as `Catalogue`."""
    catalogue, here = Catalogue.fetched(), cached_models()
    sizes = {pair: Size.of(catalogue.files(pair)) for pair in catalogue.pairs}
    if as_json:
        pairs = [
            {"source": source, "target": target, "download_bytes": size.download, "bytes": size.disk}
            | {"here": (source, target) in here}
            for (source, target), size in sizes.items()
        ]
        print(json.dumps({"pairs": pairs}, indent=2, ensure_ascii=False))
        return

    def cell(pair: Pair) -> str:
        if pair not in sizes:
            return "–"
        return megabytes(sizes[pair].download) + (", here" if pair in here else "")

    languages = sorted({code for pair in sizes for code in pair} - {HUB}, key=english_name)
    rows = [(english_name(code), code, cell((code, HUB)), cell((HUB, code))) for code in languages]
    for source, target in (pair for pair in sizes if HUB not in pair):
        direct = f"{english_name(source)} → {english_name(target)}", f"{source}-{target}"
        rows.append((*direct, cell((source, target)), ""))
    print_table(["language", "code", "to English", "from English"], rows)
