from types import SimpleNamespace

from streamtrans.cli.shared.stderr import COPIED, CUT, InputWarnings


def test_each_warning_comes_once_and_at_once(capsys):
    warn = InputWarnings()
    told = []
    for cuts, foreign in ((0, 0), (1, 0), (1, 0), (2, 3), (2, 4)):
        warn(SimpleNamespace(cuts=cuts, foreign=foreign))
        told.append(capsys.readouterr().err)
    assert told == ["", f"streamtrans: warning: {CUT}\n", "", f"streamtrans: warning: {COPIED}\n", ""]
