"""Runs of made-up systems, whose quality and latency are known."""

import random

import pytest

from streamtrans.evaluation.instances import Instance
from streamtrans.evaluation.runs import About, Run

WORDS = "o gato dorme na cadeira e ela lê um livro novo".split()


def _run(name, wait, errors, n=40, seed=0, reference=True):
    """Wait-k with a share of its words wrong."""
    chance, instances = random.Random(seed), []
    for index in range(n):
        target = chance.choices(WORDS, k=10)
        guess = ["x" if chance.random() < errors else word for word in target]
        delays = tuple(min(wait + i, 10) for i in range(10))
        instances.append(Instance(index, None, 10, " ".join(guess), delays, " ".join(target) if reference else None))
    return Run(About(name), instances)


@pytest.fixture(scope="session")
def run():
    """run(name, wait, errors, n=40, seed=0, reference=True)"""
    return _run
