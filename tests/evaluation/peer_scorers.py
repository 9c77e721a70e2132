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


def simuleval_text(log):
    """Their ATD in text mode, which they only enter for instances of their own loop."""
    from simuleval.evaluator.instance import TextInputInstance
    from simuleval.evaluator.scorers.latency_scorer import ATDScorer

    class FromLog(TextInputInstance):
        def __init__(self, fields):
            self.delays, self.metrics = fields["delays"], {}

    return {"ATD": ATDScorer()({i: FromLog(fields) for i, fields in enumerate(log["instances"])})}


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
    scorers = {"simuleval": simuleval, "simuleval text": simuleval_text, "omnisteval": omnisteval}
    for line in sys.stdin:
        try:
            log = json.loads(line)
            score = scorers[sys.argv[1] + (" text" if log.get("text") else "")]
            answer = {name: repr(value) for name, value in score(log).items()}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
