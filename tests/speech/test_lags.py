"""Lags, summed up."""

from streamtrans.speech.lags import Lags


def test_no_words():
    assert Lags().line("recogniser lag") == "recogniser lag: no words"


def test_the_thirds_tell_whether_a_lag_grows():
    lags = Lags()
    lags.seconds += [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 9.0]
    assert lags.summary() == {"words": 9, "median": 2.0, "p95": 3.0, "max": 9.0, "first": 1.0, "last": 3.0}
    assert (
        lags.line("lag") == "lag: median 2.0 s, 95 % within 3.0 s, at most 9.0 s; first third 1.0 s, last third 3.0 s"
    )
