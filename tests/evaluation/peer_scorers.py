"""Runs inside a peer's own environment: reads a log a line (a JSON list of instances), answers with its scores.

usage: peer_scorers.py simuleval|omnisteval

A log is {"elapsed": false, "unit": "word", "instances": [...]}; an answer maps metric names to repr of the corpus
value, or holds {"error": ...}. Nothing but their scorer classes computes anything here.
"""

import json
import logging
import sys


def simuleval(log):
    from simuleval.evaluator.instance import LogInstance
    from simuleval.evaluator.scorers.latency_scorer import LATENCY_SCORERS_DICT

    instances = {i: LogInstance(json.dumps(fields), log["unit"]) for i, fields in enumerate(log["instances"])}
    names = log.get("metrics", ["AL", "LAAL", "AP", "DAL"])
    return {name: LATENCY_SCORERS_DICT[name](computation_aware=log["elapsed"])(instances) for name in names}


def omnisteval(log):
    from omnisteval import scoring
    from omnisteval.data import Instance

    instances = [
        Instance.from_dict(fields | {"emission_cu": fields["delays"], "emission_ca": fields["elapsed"]}, log["unit"])
        for fields in log["instances"]
    ]
    names = ("AL", "LAAL", "AP", "DAL", "YAAL")
    scores = {name: getattr(scoring, f"{name}Scorer")(computation_aware=log["elapsed"])(instances) for name in names}
    return scores | scoring.ShortformDegeneracyScorer()(instances)


def main():
    logging.disable(logging.CRITICAL)
    score = {"simuleval": simuleval, "omnisteval": omnisteval}[sys.argv[1]]
    for line in sys.stdin:
        try:
            answer = {name: repr(value) for name, value in score(json.loads(line)).items()}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
