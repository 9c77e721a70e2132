from streamtrans.text.disfluencies import is_slip


def test_a_language_may_be_written_in_capitals():
    assert is_slip("um", "", "EN")
    assert is_slip("um", "", "En-GB")
    assert not is_slip("table", "", "EN")
