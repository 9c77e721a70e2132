"""Where `live` ends a sentence: a bar marks each end that a reader would set."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrans.text.words import LineEnd, WordReader

LINES = [
    "Open No. 5 please.",
    "She has a Ph.D. in physics.",
    "He got his B.Sc. in 1999.",
    "See you on Mon. morning.",
    "On Mon. 3 May we leave.",
    '"Stop!" he said.',
    'Did you ask "Why?" or not?',
    "Yahoo! is a company.",
    "The meeting starts at 9 a.m. in the hall.",
    "It takes approx. 3.5 hours.",
    "It takes approx. three hours.",
    "I live in the U.S. and work there.",
    "I live in the U.S.|We moved here last year.",
    "Dr. Smith is here.",
    "J. K. Rowling wrote it.",
    "He is tall.|She is not.",
    "He is tall.|she is not.",
    "Wait... what did you say?",
    "Wait...|What did you say?",
    "Is it you?|Yes, it is.",
    'He said "Go."|Then he left.',
    '"Are you sure?" she asked.',
    '"I am sure," he said.|"Good."',
    "Apples, pears, etc. are fruit.",
    "We sell apples, pears, etc.|Come and see.",
    "Mr. and Mrs. Brown are here.",
    "The company Acme Inc. was sold.",
    "He works for Acme Inc.|It was sold last year.",
    "The train leaves at 5 p.m.|Do not be late.",
    "Prof. Lee vs. Dr. Kim is the match.",
    "See fig. 3 for details.",
    "See p. 12 and pp. 14-16.",
    "It costs $3.50.|That is cheap.",
    "Version 2.0 is out.|Try it.",
    "1. Open the door.|2. Close it.",
    "He was born in 1999.|He died in 2020.",
    "Jeopardy! was on TV.",
    "What?|No!|Never!",
    "St. Paul is a city.",
    "He came at 5.|She came at 6.",
    "Please wait.|Thank you.",
    "No.|I will not.",
    "No.|5 is too many.",
    "Is 5 enough?|No.",
    "Sen. Warren met Gov. Brown in Washington D.C. on Friday.",
    "They met in Washington D.C.|It rained.",
    "Vitamin C.|Vitamin D.",
    "e.g. this one, i.e. the red one.",
    '"Really?"|"Yes."',
    "(He left.)|She stayed.",
    'He asked: "Who is it?"|Nobody answered.',
    'Who said "Help!" in the night?',
    'I was like, "No way!" and left.',
    "Let's meet Tue. or Wed. next week.",
    "The U.N. Security Council met.",
    "Jan. 5 is a Sunday.",
    "He was no. 1 in the list.",
    "Was it Thurs. or Fri.?",
    "Lt. Col. Jones et al. wrote it.",
    "The dept. closed in Dec. 2019.",
    "We had fun!|we really did.",
    "Change the pH.|You can see it.",
]
BEYOND = {
    "We sell apples, pears, etc.|Come and see.",
    "Jeopardy! was on TV.",
    "No.|5 is too many.",
    "Vitamin C.|Vitamin D.",
}


def read(pieces, language="en"):
    """The sentences, those that are still open at the end too."""
    reader, sentences = WordReader(language), [[]]
    for unit in [*(unit for piece in pieces for unit in reader.feed(piece)), *reader.flush()]:
        ends = isinstance(unit, LineEnd) or unit.ends_sentence
        sentences[-1] += [] if isinstance(unit, LineEnd) else [unit.text]
        sentences += [[]] * ends
    return [" ".join(words) for words in sentences if words]


@pytest.mark.parametrize("line", LINES)
def test_sentences_end_where_a_reader_would_end_them(line):
    assert (read([line.replace("|", " ")]) == line.split("|")) is (line not in BEYOND)


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("de", "Am 3. Mai kam Dr. Weiß.|Er blieb."),
        ("de", "Das kostet z. B. 5 Euro.|Gut."),
        ("pt", "O Sr. Silva chegou.|Ele saiu."),
        ("es", "¿Qué?|Nada."),
        ("fr", "M. Dupont est là.|Oui."),
        ("xx", "Good.|Bad."),
        ("", "Good.|Bad."),
    ],
)
def test_other_languages(language, line):
    assert read([line.replace("|", " ")], language) == line.split("|")


@pytest.mark.parametrize(
    ("text", "read_words"),
    [
        ("It rains. ", ["It", "rains."]),  # certain: at once
        ("Dr. ", ["Dr."]),  # certainly none
        ("Open No. ", ["Open"]),  # depends on what follows
        ("Open No. 5", ["Open"]),
        ("Open No. 5 ", ["Open", "No.", "5"]),
        ("Open No. \n", ["Open", "No."]),
        ("Open No.\n", ["Open", "No."]),
    ],
)
def test_a_word_waits_only_where_the_end_depends_on_the_next(text, read_words):
    assert [unit.text for unit in WordReader("en").feed(text) if not isinstance(unit, LineEnd)] == read_words


def test_a_pause_ends_the_sentence_of_a_word_that_waits():
    reader = WordReader("en")
    list(reader.feed('"Stop!" '))
    assert [(word.text, word.ends_sentence) for word in reader.flush()] == [('"Stop!"', True)]
    list(reader.feed('"Stop!" he'))
    assert [(word.text, word.ends_sentence) for word in reader.flush()] == [('"Stop!"', False), ("he", False)]


@given(st.sampled_from(LINES), st.lists(st.integers(0, 80)))
def test_any_cut_gives_the_same_sentences(line, cuts):
    text = line.replace("|", " ")
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    assert read([text[a:b] for a, b in pairwise(edges)]) == read([text])


def test_a_huge_word_takes_time_in_proportion():
    """Its letters are put together once, not with each letter that comes."""
    reader = WordReader("en")
    for _ in range(300_000):
        assert not list(reader.feed("x"))
    assert [len(word.text) for word in reader.feed(". ok ")] == [300_001, 2]
