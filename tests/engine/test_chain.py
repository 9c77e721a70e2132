"""Chains of two models: one stream, append-only, whose delays are words of the real source."""

from math import inf

import pytest
from firefox_models import vocabulary, write_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamtrans.engine.chain import Chain, load_route
from streamtrans.engine.lines import SequentialEngine
from streamtrans.errors import UsageError
from streamtrans.models.routes import Route
from streamtrans.policies import make_policy

GERMAN = ["die Katze saß auf der Matte", "ein Hund lief davon", "mein Freund sah drei rote Vögel dort"] * 30
ENGLISH = ["the cat sat on a mat", "a dog ran", "my friend has seen three red birds there"] * 20
WORDS = " ".join(GERMAN[:3]).split()
POLICIES = [make_policy("wait-k", k=2), make_policy("agree"), make_policy("wait-k", k=inf), make_policy("boundary")]


@pytest.fixture(scope="module")
def directories(tmp_path_factory):
    german, english = vocabulary(GERMAN, 50), vocabulary(ENGLISH)
    found = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
    write_model(found[0], "tiny", [german, english], seed=4)
    write_model(found[1], "tiny", [english, german], seed=6)
    return found


@pytest.fixture(scope="module")
def chain(directories):
    return load_route(Route(tuple(directories), "de", "pt"))


def seen(events):
    return [(e.type, e.sentence, e.index, e.text, e.delay) for e in events]


sentences = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=7).map(" ".join), min_size=1, max_size=3)


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=sentences, policy=st.sampled_from(POLICIES), data=st.data())
def test_any_cut_gives_the_same_and_nothing_is_lost(chain, lines, policy, data):
    text = "\n".join(lines)
    whole = chain.session(policy)
    wanted = [*whole.feed(text), *whole.finish()]
    pieces, found, rest = chain.session(policy), [], text
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        found += pieces.feed(rest[:size])
        rest = rest[size:]
    assert seen([*found, *pieces.finish()]) == seen(wanted)
    assert [e.text for e in wanted if e.type == "read"] == text.split()
    ends = [e for e in wanted if e.type == "end"]
    assert [e.delay for e in ends] == [len(line.split()) for line in lines]
    for number, end in enumerate(ends):
        written = [e for e in wanted if e.type == "write" and e.sentence == number]
        delays = [e.delay for e in written]
        assert delays == sorted(delays)
        assert all(1 <= delay <= end.delay for delay in delays)
        assert [e.index for e in written] == list(range(len(written)))
        assert " ".join(e.text for e in written) == end.text
    assert wanted[-1].type == "done"


def test_the_second_reads_what_the_first_has_written(chain):
    line = "mein Freund sah drei rote Vögel dort"
    between = chain.first.translate(line, make_policy("wait-k", k=inf))
    assert between
    assert chain.translate(line, make_policy("wait-k", k=inf)) == chain.second.translate(
        between, make_policy("wait-k", k=inf)
    )


def test_lines_and_languages(chain):
    lines = ["die Katze saß", "", "ein Hund lief davon"]
    found = dict(chain.lines(batch_size=7).translate(lines))
    assert found[1] == []
    assert seen(found[2]) == seen(chain.session().feed_line(lines[2]))
    assert isinstance(chain.lines(), SequentialEngine)
    assert (chain.settings.source_language, chain.settings.target_language) == ("de", "pt")
    assert chain.session().settings == chain.settings
    assert chain.second.settings.source_language == "en"
    assert chain.session().policy == chain.default_policy == chain.first.default_policy


def test_a_policy_that_takes_words_back_is_refused(chain):
    with pytest.raises(UsageError, match="policy retranslate takes words back"):
        chain.session(make_policy("retranslate"))


def test_a_route_of_one_model_is_that_model(directories):
    found = load_route(Route((directories[0],), "de", "en"))
    assert not isinstance(found, Chain)
    assert (found.settings.source_language, found.settings.target_language) == ("de", "en")
