from streamtrans.cli.shared.stderr import CUT, OnceWarning


def test_the_warning_of_long_sentences_comes_once_and_at_once(capsys):
    warn = OnceWarning(CUT)
    told = []
    for cuts in (0, 1, 1, 2):
        warn(cuts)
        told.append(capsys.readouterr().err)
    assert told == ["", f"streamtrans: warning: {CUT}\n", "", ""]
