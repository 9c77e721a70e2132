"""The cache of Firefox's models, found and changed without fxtranslate."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from firefox_models import real_models

from streamtrans.errors import ModelError, StreamtransError
from streamtrans.models.marian import store


def write(directory, *names):
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        (directory / name).write_bytes(b"x" * 100)
    return directory


def model(directory, short="ende"):
    return write(directory, f"model.{short}.intgemm.alphas.bin", f"vocab.{short}.spm", f"lex.50.50.{short}.s2t.bin")


def no_wait():
    raise AssertionError("nobody else holds the lock")


def test_where_it_is(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert store.cache_directory() == tmp_path / ".cache" / "fxtranslate" / "models"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert store.cache_directory() == tmp_path / ".cache" / "fxtranslate" / "models"
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert store.cache_directory() == Path("/elsewhere/fxtranslate/models")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert store.cache_directory() == tmp_path / "Library" / "Caches" / "fxtranslate" / "models"


def test_it_is_where_fxtranslate_has_it(cache, monkeypatch):
    fxtranslate = pytest.importorskip("fxtranslate", reason="fxtranslate is not installed")
    model(cache / "en-de")
    assert fxtranslate.Cache().root == str(store.cache_directory())
    (listed,) = fxtranslate.Cache().list_cached()
    assert listed == {"name": "en-de", "bytes": store.size_on_disk(cache / "en-de")}


def test_without_a_cache_nothing_is_there(cache):
    assert store.cached_models() == {}
    assert not cache.exists()


def test_whole_models_are_found(cache):
    model(cache / "en-de")
    model(cache / "zh-Hans-en", "zhen")
    write(cache / "en-ja", "model.enja.intgemm.alphas.bin", "srcvocab.enja.spm", "trgvocab.enja.spm")
    write(cache / "en-ko", "model.enko.intgemm.alphas.bin", "srcvocab.enko.spm")  # half a vocabulary
    write(cache / "en-ru", "model.enru.intgemm.alphas.bin", ".vocab.enru.spm.download")  # still coming
    write(cache / "es-en", "vocab.esen.spm")
    model(cache / ".streamtrans.new" / "en-fr", "enfr")
    model(cache / "mine")
    assert store.cached_models() == {
        ("en", "de"): cache / "en-de",
        ("en", "ja"): cache / "en-ja",
        ("zh-Hans", "en"): cache / "zh-Hans-en",
    }


@pytest.mark.parametrize(
    ("directory", "short", "languages"),
    [
        ("en-de", "ende", ("en", "de")),
        ("enpt-1693087644", "enpt", ("en", "pt")),
        ("anything", "deen", ("de", "en")),
        ("en-zh-Hans", "enzh", ("en", "zh-Hans")),  # the directory tells more
        ("en-de", "enfr", ("en", "fr")),  # a directory that somebody renamed
        ("en-de", "student", ("en", "de")),
        ("anything", "student", None),
        ("anything", "xxyy", None),
        ("anything", "engsw", None),
    ],
)
def test_the_languages_of_a_directory(tmp_path, directory, short, languages):
    assert store.languages_of(model(tmp_path / directory, short)) == languages


def test_the_real_models_tell_theirs():
    found = sorted(store.languages_of(path) for path in real_models().values() if store.is_whole(path))
    assert found == [("en", "pt"), ("pt", "en")]


def test_a_model_is_removed(cache):
    model(cache / "en-de")
    model(cache / "de-en", "deen")
    assert store.remove_model("en-de", no_wait) == 300
    assert list(store.cached_models()) == [("de", "en")]
    assert sorted(path.name for path in cache.iterdir()) == [".streamtrans.lock", "de-en"]


def test_half_a_model_is_removed_too(cache):
    write(cache / "en-de", "model.ende.intgemm.alphas.bin")
    store.remove_model("en-de", no_wait)
    assert not (cache / "en-de").exists()


def test_what_is_not_there_cannot_be_removed(cache):
    with pytest.raises(ModelError, match=r"en-de is not in .*models; nothing is"):
        store.remove_model("en-de", no_wait)
    model(cache / "de-en", "deen")
    with pytest.raises(ModelError, match=r"en-de is not in .*; there are de-en"):
        store.remove_model("en-de", no_wait)


def test_a_whole_model_takes_its_place(cache):
    write(model(cache / "en-de"), "of-yesterday")
    with store.changing(no_wait) as (staging, _):
        store.put(model(staging / "en-de"))
    assert not (cache / "en-de" / "of-yesterday").exists()
    assert sorted(path.name for path in cache.iterdir()) == [".streamtrans.lock", "en-de"]


def test_the_old_one_stays_where_the_new_one_cannot_come(cache):
    write(model(cache / "en-de"), "of-yesterday")
    with pytest.raises(StreamtransError, match="No such file"), store.changing(no_wait) as (staging, _):
        store.put(staging / "en-de")  # is not there
    assert (cache / "en-de" / "of-yesterday").exists()


@pytest.mark.parametrize("ends", [ValueError, KeyboardInterrupt])
def test_nothing_half_written_stays(cache, ends):
    def half():
        with store.changing(no_wait) as (staging, _):
            write(staging / "en-de", ".model.ende.intgemm.alphas.bin.download")
            raise ends

    with pytest.raises(ends):
        half()
    assert [path.name for path in cache.iterdir()] == [".streamtrans.lock"]


def test_what_a_killed_process_left_goes(cache):
    write(cache / ".streamtrans.new" / "en-de", ".model.ende.intgemm.alphas.bin.download")
    with store.changing(no_wait) as (staging, _):
        assert list(staging.iterdir()) == []


def test_one_changes_it_at_a_time(cache):
    code = (
        "from streamtrans.models.marian import store\n"
        "with store.changing(lambda: None): print('holds', flush=True); input()"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "holds\n"
    waited = []

    def wait():
        waited.append(True)
        threading.Timer(0.1, lambda: other.communicate("\n")).start()

    with store.changing(wait) as (staging, _):
        assert staging.is_dir()
    assert waited == [True]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_cannot_be_written(cache):
    cache.mkdir(parents=True)
    cache.chmod(0o500)
    with pytest.raises(StreamtransError, match="Permission denied; models are kept in"), store.changing(no_wait):
        pass
    cache.chmod(0o700)


def test_a_cache_that_is_a_file(cache):
    cache.parent.mkdir(parents=True)
    cache.write_text("")
    assert store.cached_models() == {}
    with pytest.raises(StreamtransError, match="models are kept in"), store.changing(no_wait):
        pass
