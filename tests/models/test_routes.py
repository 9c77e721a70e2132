"""Which model translates, from what is asked and what is here."""

import json
import shutil
from pathlib import Path

import pytest

from streamtrans.errors import ModelError, StreamtransError, UsageError
from streamtrans.models.embedded import ASSETS
from streamtrans.models.routes import Route, find_route


def put(cache, *pairs):
    for pair in pairs:
        short = pair.replace("-Hans", "").replace("-", "")
        (cache / pair).mkdir(parents=True)
        for name in (f"model.{short}.intgemm.alphas.bin", f"vocab.{short}.spm"):
            (cache / pair / name).touch()


def find(model=None, adapter=None, source=None, target=None):
    return find_route(model, adapter, source, target)


def test_nothing_asked_is_the_embedded_model(cache):
    put(cache, "en-pt", "en-de")
    assert find() == Route(("en-pt",))
    assert find("somebody/something") == Route(("somebody/something",))  # not looked at, let alone downloaded


def test_the_embedded_model_where_its_languages_fit(cache):
    put(cache, "en-pt")
    for source, target in (("en", "pt"), ("English", "Portuguese"), ("en-GB", "pt-BR")):
        assert find(source=source, target=target) == Route(("en-pt",), "en", "pt")


def test_a_cached_model(cache):
    put(cache, "en-de", "de-en", "en-zh-Hans")
    assert find(source="en", target="German") == Route((cache / "en-de",), "en", "de")
    assert find(source="de", target="en") == Route((cache / "de-en",), "de", "en")
    assert find(source="en", target="zh") == Route((cache / "en-zh-Hans",), "en", "zh-Hans")


def test_two_models_through_english(cache):
    put(cache, "es-en", "en-ru")
    chain = Route((cache / "es-en", cache / "en-ru"), "es", "ru")
    assert find(source="es-MX", target="ru") == chain
    assert find("es-ru") == chain
    assert chain.name == f"{cache / 'es-en'} → {cache / 'en-ru'}"
    put(cache, "es-ru")
    assert find(source="es", target="ru").models == (cache / "es-ru",)  # a direct one is better


def test_a_name_like_the_cache_has_it(cache):
    put(cache, "de-en")
    assert find("de-en") == Route((cache / "de-en",), "de", "en")
    assert find("en-pt") == Route(("en-pt",))


def test_one_language_says_the_other(cache):
    put(cache, "de-en", "en-fr")
    assert find(source="de") == Route((cache / "de-en",), "de", "en")
    assert find(target="fr") == Route((cache / "en-fr",), "en", "fr")
    assert find(target="pt") == Route(("en-pt",), "en", "pt")
    assert find(target="en") == Route((cache / "de-en",), "de", "en")  # the only one into English


def test_one_language_that_does_not(cache):
    with pytest.raises(UsageError, match=r"^--to English \(en\) needs --from$"):
        find(target="en")
    put(cache, "en-de")
    with pytest.raises(UsageError, match=r"^--from English \(en\) needs --to, one of German \(de\), Portu"):
        find(source="en")


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        (
            "de",
            "en",
            r"^no model from German \(de\) to English \(en\) is here; get it .*get de-en \(17 to 44 MB\)",
        ),
        ("es", "ru", r"Spanish.*Russian.*streamtrans models get es-ru \(two of 17 to 44 MB, through English\)"),
        ("zh-TW", "en", r"streamtrans models get zh-TW-en"),
    ],
)
def test_what_is_not_here_says_how_to_get_it(cache, source, target, said):
    put(cache, "en-es", "ru-en", "zh-Hans-en")
    with pytest.raises(ModelError, match=said):
        find(source=source, target=target)
    with pytest.raises(ModelError, match=said):
        find(f"{source}-{target}")


def test_a_model_that_is_being_written(cache):
    put(cache, "en-de")
    (cache / "en-de" / "vocab.ende.spm").unlink()
    with pytest.raises(ModelError, match=r"en-de lacks files, so somebody is fetching it or was stopped; get it with"):
        find(source="en", target="de")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"source": "Germn"}, r"'Germn' is no language; nearest: German"),
        ({"source": "de", "target": "de"}, r"--from and --to are both German \(de\)"),
        ({"model": "en-pt", "source": "de"}, r"--from is German \(de\), but en-pt translates from English \(en\) to"),
        ({"model": "en-pt", "target": "fr"}, r"--to is French \(fr\), but en-pt translates from English"),
        ({"model": "de-en", "target": "fr"}, r"--to is French \(fr\), but .*de-en translates from German"),
    ],
)
def test_what_cannot_be(cache, asked, said):
    put(cache, "de-en")
    with pytest.raises(UsageError, match=said):
        find(**asked)


def test_a_directory_of_files_from_elsewhere(cache, tmp_path):
    put(tmp_path / "copies", "en-de", "teacher")
    named, unnamed = tmp_path / "copies" / "en-de", tmp_path / "copies" / "teacher"
    assert find(str(named)) == Route((named,), "en", "de")
    assert find(str(named), target="German") == Route((named,), "en", "de")
    with pytest.raises(UsageError, match=r"--from is French \(fr\), but .*en-de translates from English \(en\)"):
        find(str(named), source="fr")
    with pytest.raises(UsageError, match=r"teacher does not tell its languages; say them with --from and --to"):
        find(str(unnamed), source="en")
    assert find(str(unnamed), source="en", target="cs") == Route((unnamed,), "en", "cs")


def test_an_embedded_name_is_no_directory(cache, tmp_path, monkeypatch):
    put(tmp_path, "en-pt")
    monkeypatch.chdir(tmp_path)
    assert find() == find("en-pt") == Route(("en-pt",))
    assert find("./en-pt").models == (Path("en-pt"),)


def test_no_adapter_goes_on_a_firefox_model(cache, tmp_path):
    put(cache, "en-de")
    with pytest.raises(UsageError, match=r"is one of Firefox's models, on which no adapter goes"):
        find(str(cache / "en-de"), adapter=tmp_path)


def test_a_checkpoint_that_names_no_languages(cache, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    assert find(str(tmp_path), source="en", target="cs") == Route((str(tmp_path),), "en", "cs")


def test_an_adapter_has_languages_of_its_own(cache, tmp_path):
    about = {"model": "en-pt", "streamtrans": {"source_language": "en", "target_language": "gl"}}
    (tmp_path / "adapter_config.json").write_text(json.dumps(about))
    assert find(adapter=tmp_path, target="gl") == Route(("en-pt",), "en", "gl")
    with pytest.raises(UsageError, match=r"--to is Portuguese \(pt\), but en-pt"):
        find(adapter=tmp_path, target="pt")


def test_a_model_that_does_not_exist(cache):
    with pytest.raises(StreamtransError, match="no model 'nothing'"):
        find("nothing", source="en", target="de")


def test_a_copy_of_the_embedded_model_is_read(cache, tmp_path):
    copy = shutil.copytree(ASSETS / "en-pt", tmp_path / "mine", ignore=shutil.ignore_patterns("*.safetensors"))
    assert find(str(copy), target="pt") == Route((str(copy),), "en", "pt")
