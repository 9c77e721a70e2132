"""`streamtrans models get`, `remove` and `--available`, and `--from` and `--to`, as processes."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest
from processes import COMMAND, TIMEOUT, run, start

pytest.importorskip("fxtranslate", reason="fxtranslate is not installed")
from firefox_service import playing

MODELS = [("en", "de"), ("de", "en"), ("es", "en"), ("en", "ru"), ("en", "ta")]


@pytest.fixture
def service(tmp_path, monkeypatch):
    yield from playing(tmp_path, MODELS, monkeypatch)


def one_line(done, code):
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line.removeprefix("streamtrans: ")


def test_a_model_comes_once(service):
    done = run("models", "get", "en-de")
    assert (done.returncode, done.stdout) == (0, f"en-de is in {service.cache / 'en-de'}\n")
    assert re.fullmatch(r"en-de: 0\.0 MB to fetch, 0\.0 MB on the disk\n", done.stderr)
    again = run("models", "get", "English", "German")
    assert (again.returncode, again.stdout) == (0, f"en-de was there already: {service.cache / 'en-de'}\n")
    assert again.stderr == ""
    assert len(service.fetched) == 3


def test_both_legs_come(service):
    done = run("models", "get", "es-ru", "--json")
    assert done.returncode == 0
    models = json.loads(done.stdout)["models"]
    assert [model["model"] for model in models] == ["es-en", "en-ru"]
    assert all(model["fetched"] and Path(model["path"]).is_dir() and model["bytes"] > 0 for model in models)
    assert [model["fetched"] for model in json.loads(run("models", "get", "es-ru", "--json").stdout)["models"]] == [
        False
    ] * 2


def test_progress_on_a_terminal(service):
    terminal = pexpect.spawn(sys.executable, ["-m", "streamtrans", "models", "get", "en-de"], timeout=TIMEOUT)
    terminal.expect("to fetch")
    terminal.expect("en-de.*kB")
    terminal.expect("en-de is in")
    terminal.expect(pexpect.EOF)


def test_what_there_is(service):
    run("models", "get", "en-de")
    done = run("models", "--available")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert rows[0] == ["language", "code", "to English", "from English"]
    assert [row[1] for row in rows[1:]] == ["de", "ru", "es", "ta"]
    assert rows[1] == ["German", "de", "0.0 MB", "0.0 MB, here"]
    assert rows[2] == ["Russian", "ru", "–", "0.0 MB"]
    pairs = json.loads(run("models", "--available", "--json").stdout)["pairs"]
    assert {(pair["source"], pair["target"]): pair["here"] for pair in pairs} == {
        pair: pair == ("en", "de") for pair in MODELS
    }
    assert {pair["download_bytes"] for pair in pairs} == {2100}


def test_cached_models_are_listed_and_removed(service):
    run("models", "get", "en-de")
    assert "en-de\ten → de\tfirefox\t\t0.0 MB\t–" in run("models").stdout.splitlines()
    (model,) = [found for found in json.loads(run("models", "--json").stdout)["models"] if found["kind"] == "firefox"]
    assert (model["model"], model["path"], model["parameters"]) == ("en-de", str(service.cache / "en-de"), None)
    done = run("models", "remove", "English", "German")
    assert (done.returncode, done.stdout, done.stderr) == (0, "removed en-de, 0.0 MB\n", "")
    assert "en-de is not in" in one_line(run("models", "remove", "en-de"), 1)


def test_a_cached_model_with_the_name_of_the_embedded_one_is_listed_by_its_directory(service):
    (service.cache / "en-pt").mkdir(parents=True)
    for name in ("model.enpt.intgemm.alphas.bin", "vocab.enpt.spm"):
        (service.cache / "en-pt" / name).touch()
    names = [line.split("\t")[0] for line in run("models").stdout.splitlines()[1:]]
    assert names == ["en-pt", str(service.cache / "en-pt")]


@pytest.mark.parametrize(
    ("pair", "code", "said"),
    [
        (["en-fr"], 1, "Firefox has no model into French (fr)"),
        (["en-gsw"], 1, "Firefox has no model into gsw; nearest: German (de)"),
        (["de", "de"], 2, "both languages are German (de)"),
        (["Germn", "en"], 2, "'Germn-en' is no pair of languages; write it as en-de or English-German"),
        (["model"], 2, "'model' is no pair of languages"),
    ],
)
def test_pairs_that_cannot_be_had(service, pair, code, said):
    assert one_line(run("models", "get", *pair), code).startswith(said)
    assert service.fetched == []


def test_without_a_network_what_is_here_stays(service, monkeypatch):
    run("models", "get", "en-de")
    monkeypatch.setenv("FXTRANSLATE_RECORDS_URL", "http://127.0.0.1:9/records")
    assert "could not be fetched: no answer; is there a network?" in one_line(run("models", "get", "de-en"), 1)
    assert "could not be fetched: no answer; is there a network?" in one_line(run("models", "--available"), 1)
    done = run("models", "get", "en-de")
    assert (done.returncode, done.stdout) == (0, f"en-de was there already: {service.cache / 'en-de'}\n")
    assert "warning: the list of models could not be fetched" in done.stderr
    closest = run("models", "get", "en-GB", "de-AT")
    assert (closest.returncode, closest.stdout) == (0, done.stdout)
    assert "en-de" in run("models").stdout


@pytest.mark.parametrize(
    ("fault", "said"), [("full", "the disk is full"), ("damaged", "what came is damaged; try again")]
)
def test_faults_are_one_line_after_the_size(service, monkeypatch, fault, said):
    monkeypatch.setenv("FAKE_FAULT", fault)
    done = run("models", "get", "en-de")
    size, line = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert size.startswith("en-de: ")
    assert line.startswith(f"streamtrans: en-de could not be fetched: {said}")
    assert list(service.cache.glob("en-de")) == []
    assert service.left_over() == []


def test_a_newer_model_that_does_not_come_is_a_failure(service, monkeypatch):
    run("models", "get", "en-de")
    service.new_weights("en-de")
    monkeypatch.setenv("FAKE_FAULT", "damaged")
    done = run("models", "get", "en-de")
    assert (done.returncode, done.stdout) == (1, "")
    assert "en-de" in run("models").stdout


def test_ctrl_c_leaves_nothing(service, monkeypatch):
    monkeypatch.setenv("FAKE_FAULT", "hangs")
    process = start("models", "get", "en-de")
    _wait_for(lambda: "en-de/model.ende.intgemm.alphas.bin" in service.fetched)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert service.left_over() == []
    assert list(service.cache.glob("en-de")) == []


def test_a_killed_one_leaves_nothing_that_passes_for_a_model(service, monkeypatch):
    monkeypatch.setenv("FAKE_FAULT", "hangs")
    process = start("models", "get", "en-de", start_new_session=True)
    _wait_for(lambda: "en-de/model.ende.intgemm.alphas.bin" in service.fetched)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert "firefox" not in run("models").stdout
    monkeypatch.setenv("FAKE_FAULT", "")
    assert run("models", "get", "en-de").returncode == 0
    assert service.left_over() == []


def test_two_at_once_fetch_it_once(service):
    processes = [start("models", "get", "en-de") for _ in range(3)]
    ended = [process.communicate(timeout=3 * TIMEOUT) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ended
    assert len(service.fetched) == 3
    assert sum(b"en-de is in" in output for output, _ in ended) == 1


def _wait_for(happened):
    end = time.monotonic() + TIMEOUT
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def without_fxtranslate(service, monkeypatch):
    """The environment of somebody who has not installed the extra."""
    site = Path(service.environment["PYTHONPATH"].split(os.pathsep)[0])
    (site / "sitecustomize.py").write_text("import sys\nsys.modules['fxtranslate'] = None\n")


def test_without_the_extra(service, monkeypatch):
    run("models", "get", "en-de")
    without_fxtranslate(service, monkeypatch)
    install = "getting models needs fxtranslate: pip install 'streamtrans[firefox]'"
    assert one_line(run("models", "get", "de-en"), 2) == install
    assert one_line(run("models", "--available"), 2) == install
    assert "en-de\ten → de" in run("models").stdout
    assert run("models", "remove", "en-de").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "de", "--to", "en"], "no model from German (de) to English (en) is here; get it with: "),
        (["--from", "es", "--to", "ru"], "no model from Spanish (es) to Russian (ru) is here; get it with: "),
        (["--from", "Germn"], "'Germn' is no language; nearest: German (de)"),
        (["--model", "en-pt", "--from", "de"], "--from is German (de), but en-pt translates from English (en) to"),
    ],
)
@pytest.mark.parametrize("command", [["live"], ["translate", "-"], ["score", "SOURCE", "SOURCE"]])
def test_languages_that_no_model_here_has(service, tmp_path, command, arguments, said):
    (tmp_path / "source").write_text("Hello.\n")
    command = [str(tmp_path / "source") if word == "SOURCE" else word for word in command]
    done = run(*command, *arguments, text="Hello.\n")
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert done.stderr.startswith(f"streamtrans: {said}")
    assert done.stderr.count("\n") == 1
    assert service.fetched == []


def test_the_embedded_model_by_its_languages(service):
    plain = run("live", text="How are you?\n").stdout
    assert plain.strip()
    for languages in (["--from", "English", "--to", "pt-BR"], ["--to", "Portuguese"]):
        done = run("live", *languages, text="How are you?\n")
        assert (done.returncode, done.stdout, done.stderr) == (0, plain, "")


def test_a_run_that_is_resumed_with_its_languages_is_the_same(service, tmp_path):
    (tmp_path / "source").write_text("How are you?\n")
    output, folder = str(tmp_path / "out"), str(tmp_path / "run")
    arguments = ["translate", str(tmp_path / "source"), "-o", output, "--save-log", folder]
    assert run(*arguments).returncode == 0
    done = run(*arguments, "--resume", "--from", "en", "--to", "pt")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_model_of_a_recorded_run(service, tmp_path):
    from streamtrans.cli.shared.recording import model_record
    from streamtrans.models.routes import Route

    for pair in ("es-en", "en-ru"):
        shutil.copytree(service.attachments / pair, tmp_path / pair)
    chain = Route((tmp_path / "es-en", tmp_path / "en-ru"), "es", "ru")
    record = model_record(chain, None)
    assert record["model"] == [str(tmp_path / "es-en"), str(tmp_path / "en-ru")]
    assert record["languages"] == "es-ru"
    (tmp_path / "en-ru" / "lex.50.50.enru.s2t.bin").write_bytes(b"another shortlist")
    assert model_record(chain, None)["weights"] != record["weights"]
    assert "languages" not in model_record(Route(("en-pt",), "en", "pt"), None)


def test_completion_knows_languages(service):
    environment = {**os.environ, "_STREAMTRANS_COMPLETE": "complete_bash", "COMP_WORDS": "streamtrans live --from ga"}
    done = subprocess.run(
        COMMAND, env={**environment, "COMP_CWORD": "3"}, capture_output=True, timeout=TIMEOUT, text=True
    )
    assert "ga" in done.stdout.split()
