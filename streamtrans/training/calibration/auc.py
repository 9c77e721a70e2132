"""Area under the ROC curve: how well scores tell rows apart."""

import numpy as np


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve of scores (N,) for the rows that are positive (N,): ties count half.

    As the Mann-Whitney statistic: the chance that a positive row has a higher score than another. NaN without both.
    """
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return float("nan")
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))
