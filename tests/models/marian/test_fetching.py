"""What there is to get, and how it comes; the service is played on loopback, the downloads come from a directory."""

import os
import shutil
from contextlib import nullcontext

import pytest

from streamtrans.errors import ModelError, StreamtransError, UsageError
from streamtrans.models.marian import fetching, store
from streamtrans.models.marian.catalogue import Catalogue, Size

pytest.importorskip("fxtranslate", reason="fxtranslate is not installed")
from firefox_service import playing

PAIRS = [("en", "de"), ("de", "en"), ("es", "en"), ("en", "ru"), ("en", "zh-Hans"), ("en", "ta")]


@pytest.fixture
def service(tmp_path, monkeypatch):
    yield from playing(tmp_path, PAIRS, monkeypatch)


def fetch(*pair, advance=lambda count: None, shown=None):
    shown = shown or (lambda name, size: nullcontext(advance))
    return fetching.fetch(pair, Catalogue.fetched(), shown, lambda: None)


def test_the_directions(service):
    assert Catalogue.fetched().pairs == sorted(PAIRS)


def test_sizes_are_those_of_the_newest_files_that_are_read(service):
    (model, lex, vocab) = [record for record in service.records if record["targetLanguage"] == "de"]
    for version, size in (("2.0", 1), ("3.1", 5), ("3.0a1", 2), ("4.0", 3)):
        service.records.append(model | {"version": version, "decompressedSize": size})
    service.records.append({"version": "3.9", "fileType": "model"})  # lacks the rest
    rest = lex["decompressedSize"] + vocab["decompressedSize"]
    assert Size.of(Catalogue.fetched().files(("en", "de"))) == Size(2100, 5 + rest)


@pytest.mark.parametrize(
    ("source", "target", "legs"),
    [
        ("en", "de", [("en", "de")]),
        ("de-AT", "en", [("de", "en")]),
        ("es", "ru", [("es", "en"), ("en", "ru")]),
        ("es", "zh", [("es", "en"), ("en", "zh-Hans")]),
    ],
)
def test_the_way_from_one_language_to_another(service, source, target, legs):
    assert Catalogue.fetched().legs(source, target) == legs


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("en", "fr", r"no model into French \(fr\).*; all of them: streamtrans models --available"),
        ("lb", "en", r"no model from lb; nearest: German \(de\)"),
        ("ta", "en", r"no model from Tamil \(ta\), only into it; all of them"),
        ("en", "es", r"no model into Spanish \(es\), only from it"),
    ],
)
def test_a_language_that_is_not_there(service, source, target, said):
    with pytest.raises(ModelError, match=said):
        Catalogue.fetched().legs(source, target)


def test_a_language_into_itself(service):
    with pytest.raises(UsageError, match=r"both languages are German \(de\)"):
        Catalogue.fetched().legs("de", "de-AT")


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b'{"data": 3}', b'{"data": []}', b'{"data": [{}, 3]}'])
def test_an_answer_that_is_no_list_of_models(service, body):
    service.body = body
    with pytest.raises(StreamtransError, match=r"records"):
        Catalogue.fetched()


def test_records_whose_fields_are_odd(service):
    for record in service.records:
        record["attachment"] = {"location": "somewhere", "size": "large"}
    with pytest.raises(StreamtransError, match="the records of the models are not as they were"):
        Catalogue.fetched().files(("en", "de"))


def test_no_network(service, monkeypatch):
    monkeypatch.setenv("FXTRANSLATE_RECORDS_URL", "http://127.0.0.1:9/records")
    said = r"^the list of models could not be fetched: no answer; is there a network\? \(127.0.0.1: .*refused.*\)"
    with pytest.raises(StreamtransError, match=said):
        Catalogue.fetched()


def test_a_model_comes(service):
    told = []
    shown = lambda name, size: told.append((name, size)) or nullcontext(lambda count: told.append(count))  # noqa: E731
    assert fetch("en", "de", shown=shown)
    assert told[0] == ("en-de", Size(2100, sum(file.stat().st_size for file in (service.cache / "en-de").iterdir())))
    assert sum(told[1:]) == 2100
    for file in (service.attachments / "en-de").iterdir():
        assert (service.cache / "en-de" / file.name).read_bytes() == file.read_bytes()
    assert store.cached_models() == {("en", "de"): service.cache / "en-de"}
    assert service.left_over() == []


def test_nothing_is_fetched_twice(service):
    assert fetch("en", "de")
    before = service.fetched
    assert len(before) == 3
    assert not fetch("en", "de")
    assert service.fetched == before


def test_only_what_is_missing_or_new_is_fetched(service):
    fetch("en", "de")
    (service.cache / "en-de" / "vocab.ende.spm").unlink()
    service.new_weights("en-de")
    assert store.cached_models() == {}
    before = len(service.fetched)
    assert fetch("en", "de")
    assert sorted(service.fetched[before:]) == ["en-de/model.ende.intgemm.alphas.bin", "en-de/vocab.ende.spm"]
    assert (service.cache / "en-de" / "model.ende.intgemm.alphas.bin").read_bytes() == b"newer" * 300
    assert service.left_over() == []


def test_a_file_that_was_damaged_is_fetched_again(service):
    fetch("en", "de")
    weights = service.cache / "en-de" / "model.ende.intgemm.alphas.bin"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert fetch("en", "de")
    assert weights.read_bytes() == (service.attachments / "en-de" / weights.name).read_bytes()


def test_links_are_not_needed(service, monkeypatch):
    fetch("en", "de")
    (service.cache / "en-de" / "vocab.ende.spm").unlink()

    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    assert fetch("en", "de")
    assert service.fetched.count("en-de/model.ende.intgemm.alphas.bin") == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("full", r"^en-de could not be fetched: the disk is full \(.*\); nothing of it was kept$"),
        ("damaged", r"^en-de could not be fetched: what came is damaged; try again \(.*\); nothing of it was kept$"),
        ("dies", r"^en-de could not be fetched: it ended with 9; nothing of it was kept$"),
    ],
)
@pytest.mark.parametrize("older", [False, True])
def test_a_fault_leaves_nothing_half_written(service, monkeypatch, fault, said, older):
    if older:
        fetch("en", "de")
        service.new_weights("en-de")
    before = {file.name: file.read_bytes() for file in service.cache.glob("en-de/*")}
    monkeypatch.setenv("FAKE_FAULT", fault)
    with pytest.raises(StreamtransError, match=said):
        fetch("en", "de")
    assert {file.name: file.read_bytes() for file in service.cache.glob("en-de/*")} == before
    assert service.left_over() == []


def test_a_disk_without_room_is_seen_before(service, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100, 98, 2))
    with pytest.raises(StreamtransError, match=r"en-de needs 0.0 MB, and .*models has 0.0 MB left; make room there"):
        fetch("en", "de")
    assert service.fetched == []
    assert service.left_over() == []


def test_an_interrupt_is_heeded_at_once_and_leaves_nothing(service, monkeypatch):
    monkeypatch.setenv("FAKE_FAULT", "hangs")

    def interrupted(count):
        if count:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("en", "de", advance=interrupted)
    assert service.left_over() == []
    assert store.cached_models() == {}
