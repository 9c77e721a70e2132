"""Sentence pairs made from a template, and a configuration of a model that learns them in seconds."""

import random

import yaml

WHO = {"the cook": "der Koch", "my brother": "mein Bruder", "a child": "ein Kind", "the doctor": "der Arzt"}
DOES = {"buys": "kauft", "finds": "findet", "sees": "sieht", "brings": "bringt", "paints": "malt"}
WHAT = {"a red apple": "einen roten Apfel", "the chair": "den Stuhl", "two letters": "zwei Briefe", "water": "Wasser"}
WHERE = {"in the garden": "im Garten", "at the market": "auf dem Markt", "at home": "zu Hause"}


def toy_pairs(count, seed=0):
    """Different pairs, shuffled; at most 240."""
    pairs = [
        (f"{a} {b} {c} {d}.", f"{A} {B} {C} {D}.")
        for a, A in WHO.items()
        for b, B in DOES.items()
        for c, C in WHAT.items()
        for d, D in WHERE.items()
    ]
    random.Random(seed).shuffle(pairs)
    return pairs[:count]


def write_tsv(path, pairs):
    path.write_text("source\ttarget\n" + "".join(f"{s}\t{t}\n" for s, t in pairs), encoding="utf-8")
    return path


def toy_config(folder, count=120, **sections):
    """Writes pairs.tsv and config.yaml into a folder and gives the latter's path."""
    write_tsv(folder / "pairs.tsv", toy_pairs(count))
    values = {
        "model": {"hidden": 32, "layers": 2, "heads": 2, "kv_heads": 1, "intermediate": 64, "vocabulary": 400},
        "data": {
            "path": str(folder / "pairs.tsv"),
            "source_language": "en",
            "target_language": "de",
            "validation_every": 12,
        },
        "optimiser": {"batch_tokens": 500, "steps": 8, "warmup_steps": 2, "decay_steps": 4},
        "report": {"log_every": 1, "validate_every": 4, "save_every": 3, "validation_ks": [1, 3]},
    }
    for name, changes in sections.items():
        values[name] = {**values.get(name, {}), **changes} if isinstance(changes, dict) else changes
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path
