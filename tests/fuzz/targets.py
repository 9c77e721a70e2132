"""What is fuzzed: everything that the package reads. A right answer or one StreamtransError of one line, nothing else.

`make_targets` gives each target's inputs and its check; `test_fuzz.py` runs a few of them, `scripts/fuzz.py` many.
"""

import gzip
import json
import os
import shutil
import sys
import warnings
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from hypothesis import strategies as st
from mutations import as_file, cuts, json_changes, mutated, mutations, pieces, texts, with_changes

sys.path.append(str(Path(__file__).parents[1] / "training"))

from firefox_models import vocabulary, write_model
from mlx.utils import tree_flatten
from toy_pairs import toy_config, toy_pairs

from streamtrans.captions.joining import join_cues
from streamtrans.captions.reading import read_cues
from streamtrans.captions.timeline import Timeline, spread
from streamtrans.captions.writing import block, header
from streamtrans.cli.app import run as run_command
from streamtrans.cli.live.keys import KeyDecoder
from streamtrans.cli.models.command import count_parameters
from streamtrans.engine.passes import Prediction
from streamtrans.engine.session import Session
from streamtrans.engine.stream import Stream
from streamtrans.errors import DataError, StreamtransError
from streamtrans.evaluation.instances import read_log, resume, write_log
from streamtrans.evaluation.run_folder import RunFolder
from streamtrans.files import Lines, read_lines, text_lines
from streamtrans.models.embedded import ASSETS
from streamtrans.models.loading import load_checkpoint, model_args, read_config
from streamtrans.models.marian.files import load_vocabulary, read_marian
from streamtrans.models.named import NamedModel, find_named, give_name, names_directory
from streamtrans.models.qwen2_streaming.model import Model, ModelArgs
from streamtrans.models.qwen2_streaming.regret_head import FILE, RegretHead, load_regret_head, save_regret_head
from streamtrans.models.routes import find_route
from streamtrans.models.settings import TranslationSettings
from streamtrans.policies import WaitK, make_policy
from streamtrans.runtime import mx
from streamtrans.speech.agreement import Agreement
from streamtrans.speech.hypotheses import read_hypothesis
from streamtrans.text.clean import without_sequences
from streamtrans.text.encoding import Utf8Decoder
from streamtrans.text.instructions import Instructions, parse_glossary
from streamtrans.text.tokenizer import SentencePieceTokenizer, load_tokenizer
from streamtrans.text.words import Word, WordReader, source_words
from streamtrans.training.config import load_config
from streamtrans.training.data.corpus import read_corpus
from streamtrans.training.log import RunLog
from streamtrans.training.progress import Progress

LANGUAGES = st.sampled_from(["en", "pt-BR", "zh", "ja", "", "x"])
SIZES = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
}


@dataclass(frozen=True)
class Target:
    """Inputs, and a function that raises if the package does anything but answer, or refuse in one line."""

    inputs: st.SearchStrategy[Any]
    check: Callable[[Any], None]


def outcome(call: Callable[[], Any]) -> Any:
    """What the call returns; None where it refuses, in one line of bounded length."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call()
    except StreamtransError as error:
        told = str(error)
        assert told
        assert "\n" not in told
        assert "Traceback" not in told
        assert len(told) < 20_000
        return None


def words_of_lines(text: str, language: str) -> list[str]:
    """The words of all lines."""
    return [word for line in without_sequences(text).split("\n") for word in source_words(line, language)]


def words(_: Path) -> Target:
    """Any cut gives the same words, and they are those of the lines."""

    def read(language: str, parts: list[str]) -> list[Any]:
        reader = WordReader(language)
        found = [unit for part in parts for unit in reader.feed(part)]
        return [unit if isinstance(unit, Word) else "end" for unit in [*found, *reader.flush()]]

    def check(given: tuple[str, str, list[int]]) -> None:
        language, text, at = given
        whole = read(language, [text])
        assert read(language, pieces(text, at)) == whole
        assert [unit.text for unit in whole if isinstance(unit, Word)] == words_of_lines(text, language)

    return Target(st.tuples(LANGUAGES, texts, cuts), check)


def utf8(_: Path) -> Target:
    """Any cut of bytes gives the same text, and the same fault if there is one."""

    def read(parts: list[bytes]) -> tuple[str, str]:
        decoder, text = Utf8Decoder(), ""
        for number, part in enumerate([*parts, b""]):
            more, fault = decoder.feed(part, final=number == len(parts))
            text += more
            if fault:
                return text, str(fault)
        return text, ""

    def check(given: tuple[bytes, list[int]]) -> None:
        data, at = given
        (text, fault), (cut_text, cut_fault) = read([data]), read(pieces(data, at))
        if "UTF-16" not in fault + cut_fault:  # which NUL bytes tell as soon as there are enough
            assert (cut_text, cut_fault) == (text, fault)
        try:
            plain = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            assert fault
        else:
            assert (text, fault) == (plain, "") or "UTF-16" in fault

    encoded = st.tuples(texts, st.sampled_from(["utf-8", "utf-16", "utf-16-le"]), mutations).map(
        lambda t: mutated(t[0].encode(t[1], "surrogatepass"), t[2])
    )
    return Target(st.tuples(st.one_of(st.binary(max_size=60), encoded), cuts), check)


def text_files(folder: Path) -> Target:
    """A file of lines is read the same way as a whole and line by line."""
    file = folder / "lines.txt"

    def lazily() -> list[str]:
        lines = Lines(file)
        found = list(lines)
        if lines.error:
            raise lines.error
        return found

    def check(data: bytes) -> None:
        file.write_bytes(data)
        whole = outcome(lambda: read_lines(file))
        assert outcome(lazily) == whole
        if whole is not None:
            assert whole == [line.rstrip("\r") for line in data.decode("utf-8-sig").removesuffix("\n").split("\n")]

    text = st.tuples(texts, mutations).map(lambda t: mutated(t[0].encode("utf-8", "surrogatepass"), t[1]))
    return Target(st.one_of(text, st.binary(max_size=40)), check)


def glossary(folder: Path) -> Target:
    """A file of terms: pairs without white space around them, as many as it has lines that say something."""
    file = folder / "terms.tsv"
    sound = "# ours\ncat\tGato\n\n Good morning \t bom dia\r\n你好\tolá\n".encode()

    def check(data: bytes) -> None:
        file.write_bytes(data)
        terms = outcome(lambda: parse_glossary(text_lines(file), str(file)))
        if terms is not None:
            said = [line for line in data.decode("utf-8-sig").split("\n") if line.strip() and line[0] != "#"]
            assert len(terms) == len(said)
            assert all(half == half.strip() != "" and "\t" not in half for pair in terms for half in pair)

    return Target(st.one_of(mutations.map(lambda changes: mutated(sound, changes)), st.binary(max_size=40)), check)


def named_model(folder: Path) -> Target:
    """The file of a name that somebody gave a model: settings that can all be followed, or one line."""
    configured = mock.patch.dict(os.environ, XDG_CONFIG_HOME=str(folder))
    sound = {
        "model": "en-pt",
        "source": "en",
        "target": "pt",
        "instructions": {"instruction": "Say it in {target}.", "glossary": [["cat", "gato"]], "context": 2},
        "policy": {"name": "agree", "hold": 1, "horizon": "inf", "max_lag": 4},
    }
    with configured:
        give_name("n", NamedModel("en-pt"))

    @configured
    def check(given: Any) -> None:
        changes, damage = given
        (names_directory() / "n.json").write_bytes(mutated(as_file(with_changes(sound, changes)), damage))
        found = outcome(lambda: find_named("n"))
        if found:
            assert (found.instructions or Instructions()).before_text(found.source or "", found.target or "").encode()
            if "/" not in found.model:  # else the Hub may be asked
                outcome(lambda: find_route("n", None, None, None))

    return Target(st.tuples(json_changes, st.one_of(st.just([]), mutations)), check)


def subtitles(folder: Path) -> Target:
    """Files of captions: their words all come in sentences, and what is written of them is read again."""
    sound = (
        "WEBVTT\n\nNOTE a\n\n1\n00:00:01.000 --> 00:00:02,500 align:start\n<i>Hello</i> there,\n- my &amp; friend.\n\n"
        "2\n01:03 --> 00:00:04.1\n今日は。42\n"
    ).encode()
    files = st.one_of(
        mutations.map(lambda changes: mutated(sound, changes)), texts.map(lambda text: text.encode(errors="replace"))
    )

    def check(given: tuple[bytes, str, str]) -> None:
        data, kind, language = given
        file = folder / f"talk.{kind}"
        file.write_bytes(data)
        if (cues := outcome(lambda: read_cues(file))) is None:
            return
        sentences = list(join_cues(cues, language))
        timeline, written = Timeline(), {}
        for sentence in sentences:
            timed = spread(sentence.spans, sentence.words)
            written |= {cue.number: cue for cue in timeline.add(timed, language)}
        file = folder / "written.vtt"
        file.write_text(header("vtt") + "".join(block(cue, "vtt") for cue in written.values()), encoding="utf-8")
        if written:
            again = read_cues(file)
            assert [cue.lines for cue in again] == [cue.lines for cue in written.values()]
        for one, two in pairwise(written.values()):
            assert one.start_ms < one.end_ms <= two.start_ms

    return Target(st.tuples(files, st.sampled_from(["srt", "vtt"]), LANGUAGES), check)


def keys(_: Path) -> Target:
    """What a terminal sends; any cut gives the same strokes."""

    def read(parts: list[bytes]) -> list[Any]:
        decoder = KeyDecoder()
        return [stroke for part in parts for stroke in decoder.feed(part)]

    def check(given: tuple[bytes, list[int]]) -> None:
        data, at = given
        assert read(pieces(data, at)) == read([data])

    typed = st.lists(st.sampled_from([b"\x1b[A", b"\x1b[200~", b"\x1b]0;", b"\x07", b"ab ", "é".encode(), b"\x7f\r"]))
    return Target(st.tuples(st.one_of(st.binary(max_size=30), typed.map(b"".join)), cuts), check)


def _detokenized(tokenizer: Any, tokens: list[int]) -> str:
    detokenizer = tokenizer.detokenizer()
    return "".join(detokenizer.push(token) for token in tokens) + detokenizer.flush()


def _tokenizer_target(tokenizer: Any) -> Target:
    def check(given: tuple[str, list[int]]) -> None:
        text, noise = given
        for number, word in enumerate(source_words(text, "en")):
            tokens = tokenizer.encode_word(word, number == 0)
            assert all(0 <= token < tokenizer.vocab_size for token in tokens)
            tokenizer.spells(word)
        tokens = [token % tokenizer.vocab_size for token in noise]
        _detokenized(tokenizer, tokens).encode()  # no half character, whatever the tokens

    return Target(st.tuples(texts, st.lists(st.integers(0, 10_000), max_size=12)), check)


def sentencepiece(_: Path) -> Target:
    """The embedded tokenizer, with words and with tokens that no model should write."""
    return _tokenizer_target(SentencePieceTokenizer(ASSETS / "en-pt" / "tokenizer.model"))


def byte_level_tokenizer(folder: Path) -> Target:
    """A Hugging Face tokenizer whose files are damaged, and the sound one with any text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<|end|>"], initial_alphabet=alphabet)
    backend.train_from_iterator(["the cat sat on the mat", "the other cat"] * 10, trainer)
    backend.save(str(folder / "tokenizer.json"))
    about = {"eos_token": {"content": "<|end|>"}, "bos_token": "<|end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    sound, config = json.loads((folder / "tokenizer.json").read_text()), {"eos_token_id": 0, "bos_token_id": [0]}
    whole = _tokenizer_target(load_tokenizer(folder, "huggingface"))

    def check(given: Any) -> None:
        changes, other, section, text = given
        (folder / "tokenizer.json").write_bytes(as_file(with_changes(sound, changes)))
        (folder / "tokenizer_config.json").write_bytes(as_file(with_changes(about, other)))
        loaded = outcome(lambda: load_tokenizer(folder, "huggingface", with_changes(config, section)))
        if loaded:
            assert 0 <= loaded.end_id < loaded.vocab_size
            assert 0 <= loaded.start_id < loaded.vocab_size
        whole.check(text)

    return Target(st.tuples(json_changes, json_changes, json_changes, whole.inputs), check)


class _Runner:
    """Answers with tokens that follow from the request alone: no model, so that a session takes a millisecond."""

    def __init__(self, tokenizer: Any):
        self._tokenizer, self._seen = tokenizer, 0

    def answer(self, requests: Any) -> list[Prediction]:
        return [self._prediction(request) for request in requests]

    def _prediction(self, request: Any) -> Prediction:
        if request.fresh:
            self._seen = 0
        self._seen = zlib.crc32(repr((self._seen, request.source)).encode()) if request.source else self._seen
        ends = range(len(request.target) - request.rows + 1, len(request.target) + 1)
        tokens = [zlib.crc32(repr((self._seen, request.target[:end][-2:])).encode()) for end in ends]
        evidence = [
            {"probability": t % 100 / 100, "entropy": 1.0, "regret": t % 7 / 100, "last_read": 0.0} for t in tokens
        ]
        best = [t % self._tokenizer.vocab_size if t % 5 else self._tokenizer.end_id for t in tokens]
        return Prediction(best, evidence if request.evidence else [])


def session(_: Path) -> Target:
    """Any cut of text or bytes gives the same events, and every word that was read is told."""
    tokenizer = SentencePieceTokenizer(ASSETS / "en-pt" / "tokenizer.model")
    policies = [WaitK(1), WaitK(3), WaitK(inf), make_policy("boundary"), make_policy("wait-k-flush", k=2)]

    def events(policy: Any, language: str, parts: list[Any]) -> tuple[list[Any], bool]:
        """The events, and whether the text was refused, as UTF-16 is, after which no more of it is read."""
        settings = TranslationSettings(source_language=language, target_language="pt", max_source_words=6)
        live = Session(Stream(tokenizer, settings, policy), [_Runner(tokenizer)], lambda: 0.0)
        found, refused = [], False
        for part in parts:
            try:
                found += live.feed(part)
            except DataError:
                refused = True
                break
        try:
            return found + live.finish(), refused
        except DataError:
            return found + live.finish(), True

    def check(given: Any) -> None:
        policy, language, text, at, as_bytes = given
        whole: Any = text.encode("utf-8", "replace") if as_bytes else text
        found = events(policy, language, [whole])
        assert events(policy, language, pieces(whole, at)) == found
        events_found, refused = found
        assert events_found[-1].type == "done"
        read = [event.text for event in events_found if event.type == "read"]
        assert refused or read == words_of_lines(
            text.encode("utf-8", "replace").decode() if as_bytes else text, language
        )

    inputs = st.tuples(st.sampled_from(policies), st.sampled_from(["en", "zh"]), texts, cuts, st.booleans())
    return Target(inputs, check)


def recogniser(folder: Path) -> Target:
    """Lines of a recogniser, damaged, whose hypotheses go through agreement: whole words, and no time said twice."""
    timed = [{"word": f" w{i}", "start": i / 2, "end": i / 2 + 0.5} for i in range(4)]
    lists = [["good", 0, 400], ["day", 400.5, 900], ["sir", None, None]]
    sound = st.sampled_from(
        [
            {"text": "good day sir", "start": 0.5, "end": 2, "is_final": False},
            {"text": " w0 w1 w2 w3", "start": 0, "end": 2, "words": timed, "no_speech_prob": 0.1, "id": 1},
            {"partial": "good da"},
            {"text": "good day", "result": [{"word": "good", "start": 0.1, "end": 0.4, "conf": 1}]},
            {"words": lists, "is_final": False, "utterance_id": 3},
        ]
    )
    lines = st.lists(st.tuples(sound, json_changes, st.one_of(st.just([]), mutations)), max_size=6)

    def check(given: Any) -> None:
        lines, unstable = given
        agreement, passed, heard = Agreement(unstable), 0, 0
        for fields, changes, damage in lines:
            line = mutated(as_file(with_changes(fields, changes)), damage)
            hypothesis = outcome(partial(read_hypothesis, line))
            if hypothesis is None:
                continue
            step = agreement.take(hypothesis)
            passed, heard = passed + len(step.words), heard + len(hypothesis.words)
            assert passed <= heard
            assert all(word.text.split() == [word.text] for word in step.words)
            assert all(word.start is None or 0 <= word.start <= word.end for word in step.words)
            assert hypothesis.final or not agreement.take(hypothesis).words
        agreement.flush()
        assert not agreement.pending

    return Target(st.tuples(lines, st.integers(0, 3)), check)


INSTANCE = {
    "index": 0,
    "prediction": "um dois três",
    "delays": [2, 3, 3],
    "elapsed": [2.5, 3.5, 4],
    "prediction_length": 3,
    "reference": "um dois três",
    "source": "one two three",
    "source_length": 3,
    "elapsed_ms": [5, 6, 9],
    "unit": "word",
    "source_unit": "word",
    "references": ["um dois três", "1 2 3"],
    "deleted": 1,
}


def log(folder: Path) -> Target:
    """A log that is damaged; one that is read is written, and read again, as it was."""
    file, again = folder / "instances.log", folder / "again.log"
    sound = as_file(INSTANCE) + b"\n" + as_file(INSTANCE | {"index": 1, "prediction": "um 2 </s>"}) + b"\n"

    def check(given: tuple[Any, Any]) -> None:
        changes, bytes_changed = given
        lines = as_file(with_changes(INSTANCE, changes)) + b"\n" + as_file(INSTANCE | {"index": 1}) + b"\n"
        file.write_bytes(mutated(sound if not changes else lines, bytes_changed))
        found = outcome(lambda: read_log(file))
        if found:
            write_log(again, found)
            assert read_log(again) == found
        outcome(lambda: resume(file))

    return Target(st.tuples(json_changes, st.one_of(st.just([]), mutations)), check)


def run_folder(folder: Path) -> Target:
    """The folder of a run, whose configuration and scores are damaged."""
    configuration = {"configuration": {"model": "m", "k": 3, "sentences": 1}, "seeds": {}, "versions": {"python": "3"}}
    scores = {"policy": "wait-k", "options": {"k": 3, "max_lag": None}, "wait_k": 3, "signature": "nrefs:1|tok:13a"}
    (folder / "instances.log").write_bytes(as_file(INSTANCE) + b"\n")

    def check(given: Any) -> None:
        for name, sound, changes in (("configuration", configuration, given[0]), ("scores", scores, given[1])):
            (folder / f"{name}.json").write_bytes(mutated(as_file(with_changes(sound, changes)), given[2]))
        found = outcome(lambda: RunFolder(folder).read())
        if found:
            assert found.about.family
        outcome(lambda: RunFolder(folder).expected)
        outcome(lambda: RunFolder(folder).begin(configuration["configuration"], resume=True))

    return Target(st.tuples(json_changes, json_changes, st.one_of(st.just([]), mutations)), check)


def training_config(folder: Path) -> Target:
    """The YAML of a run, damaged, and overrides of any kind."""
    texts_of = [path.read_bytes() for path in sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))]
    file = folder / "c.yaml"
    yaml = st.sampled_from(
        [b"!!int ", b"[", b"{", b"? ", b"&a ", b"*a", b": ", b"- ", b"<<: *a", b"!!python/name:os.x "]
    )
    changed = st.lists(st.tuples(st.sampled_from(["insert", "replace"]), st.integers(0, 2**16 - 1), yaml), max_size=2)
    keys = st.sampled_from(["seed", "model", "optimiser.steps", "mix.wait_ks", "lora.rank", "data.path", "run", "a.b"])
    overrides = st.lists(st.tuples(keys, st.one_of(texts, yaml.map(bytes.decode))).map("=".join), max_size=2)

    def check(given: Any) -> None:
        text, first, second, overriding = given
        file.write_bytes(mutated(mutated(text, first), second))
        outcome(lambda: load_config(file, overriding))

    return Target(st.tuples(st.sampled_from(texts_of), st.one_of(st.just([]), mutations), changed, overrides), check)


def training_pairs(folder: Path) -> Target:
    """Sentence pairs in a damaged table, JSON lines, or packed file."""
    config = load_config(toy_config(folder, count=14))
    pairs = toy_pairs(14)
    table = "source\ttarget\n" + "".join(f"{source}\t{target}\n" for source, target in pairs)
    rows = "".join(json.dumps({"source": source, "target": target}) + "\n" for source, target in pairs)
    files = {"p.tsv": table.encode(), "p.jsonl": rows.encode(), "p.tsv.gz": gzip.compress(table.encode())}

    def check(given: tuple[str, Any]) -> None:
        name, changes = given
        (folder / name).write_bytes(mutated(files[name], changes))
        data = config.data.model_copy(update={"path": folder / name})
        found = outcome(lambda: read_corpus(config.model_copy(update={"data": data})))
        assert found is None or (found.pairs and all(source and target for source, target in found.pairs))

    return Target(st.tuples(st.sampled_from(sorted(files)), mutations), check)


def training_state(folder: Path) -> Target:
    """The place of a run that is to go on, and its log."""
    Progress(step=3, best=1.5, fixed={"seed": "1"}).write(folder)
    sound = json.loads((folder / "state.json").read_text())
    rows = b'{"step": 1, "loss": 2.5}\n{"step": 2, "loss": 2.25, "nll_3": 1.5}\n'

    def check(given: Any) -> None:
        changes, state, lines = given
        (folder / "state.json").write_bytes(mutated(as_file(with_changes(sound, changes)), state))
        found = outcome(lambda: Progress.read(folder, {"seed": "1", "trainer": '"mlx"'}))
        assert found is None or (found.step >= 0 and found.seconds >= 0)
        (folder / "log.jsonl").write_bytes(mutated(rows, lines))
        outcome(lambda: RunLog(folder / "log.jsonl", 1))

    return Target(st.tuples(json_changes, st.one_of(st.just([]), mutations), mutations), check)


CONFIG = {
    "model_type": "qwen2",
    **SIZES,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    "eos_token_id": 3,
    "streamtrans": {
        "tokenizer": "sentencepiece-suffix",
        "source_language": "en",
        "target_language": "pt",
        "max_source_words": 12,
        "trained_wait_k": [1, "inf"],
        "length_ratio": 2.0,
        "policy": {"name": "wait-k", "k": 3},
        "alignment_heads": [[0, 1]],
        "target_position_offset": 0,
    },
}


def model_config(folder: Path) -> Target:
    """A config.json that lies, without weights."""

    def read() -> ModelArgs:
        config = read_config(folder)
        return model_args(config, TranslationSettings.from_config(config))

    def check(given: Any) -> None:
        changes, damage = given
        (folder / "config.json").write_bytes(mutated(as_file(with_changes(CONFIG, changes)), damage))
        args = outcome(read)
        assert args is None or args.hidden_size <= 10**6

    return Target(st.tuples(json_changes, st.one_of(st.just([]), mutations)), check)


def _tiny(folder: Path) -> bytes:
    """Writes a model of a few thousand numbers, and gives the bytes of its weights."""
    mx.random.seed(1)
    weights = dict(tree_flatten(Model(ModelArgs(**SIZES)).parameters()))
    mx.save_safetensors(str(folder / "model.safetensors"), weights)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return (folder / "model.safetensors").read_bytes()


def checkpoint(folder: Path) -> Target:
    """A directory whose config.json and weights are damaged: a model whose every number is finite, or one line."""
    sound = _tiny(folder)

    def check(given: Any) -> None:
        changes, damage = given
        (folder / "config.json").write_bytes(as_file(with_changes(CONFIG, changes)))
        (folder / "model.safetensors").write_bytes(mutated(sound, damage))
        found = outcome(lambda: load_checkpoint(folder, packed=False))
        if found:
            assert all(bool(mx.all(mx.isfinite(w))) for _, w in tree_flatten(found.model.parameters()))
        outcome(lambda: count_parameters(folder / "model.safetensors"))

    return Target(st.tuples(json_changes, mutations), check)


def shard_index(folder: Path) -> Target:
    """An index of weights that names other files."""
    _tiny(folder)
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    names = list(mx.load(str(folder / "model-1.safetensors")))
    sound = {"metadata": {"total_size": 1}, "weight_map": dict.fromkeys(names[:3], "model-1.safetensors")}

    def check(given: Any) -> None:
        changes, damage = given
        index = folder / "model.safetensors.index.json"
        index.write_bytes(mutated(as_file(with_changes(sound, changes)), damage))
        outcome(lambda: load_checkpoint(folder, packed=False))

    return Target(st.tuples(json_changes, st.one_of(st.just([]), mutations)), check)


def regret_head(folder: Path) -> Target:
    """A regret head that is damaged."""
    _tiny(folder)
    args = ModelArgs(**SIZES)
    save_regret_head(RegretHead(args.hidden_size, ((0, 0),)), folder / FILE)
    sound = (folder / FILE).read_bytes()

    def check(damage: Any) -> None:
        (folder / FILE).write_bytes(mutated(sound, damage))
        found = outcome(lambda: load_regret_head(folder, args))
        assert found is None or all(bool(mx.all(mx.isfinite(w))) for _, w in tree_flatten(found.parameters()))

    return Target(mutations, check)


def adapter(folder: Path) -> Target:
    """A low-rank adapter whose configuration and tensors are damaged."""
    model = folder / "model"
    model.mkdir()
    _tiny(model)
    random = np.random.default_rng(0)
    at = "model.layers.0.self_attn.q_proj"
    arrays = {f"{at}.lora_a": random.normal(0, 1, (16, 2)), f"{at}.lora_b": random.normal(0, 1, (2, 16))}
    mx.save_safetensors(str(folder / "adapters.safetensors"), {n: mx.array(a.astype("f4")) for n, a in arrays.items()})
    sound = (folder / "adapters.safetensors").read_bytes()
    parameters = {"rank": 2, "scale": 4.0, "dropout": 0.0, "keys": ["self_attn.q_proj"]}
    about = {"num_layers": 1, "lora_parameters": parameters, "model": "m", "streamtrans": {"length_ratio": 3.0}}

    def check(given: Any) -> None:
        changes, damage = given
        (folder / "adapter_config.json").write_bytes(as_file(with_changes(about, changes)))
        (folder / "adapters.safetensors").write_bytes(mutated(sound, damage))
        outcome(lambda: load_checkpoint(model, packed=False, adapter=folder))

    return Target(st.tuples(json_changes, st.one_of(st.just([]), mutations)), check)


def marian(folder: Path) -> Target:
    """The files of a Firefox model, weights and vocabulary damaged."""
    write_model(folder, "tiny", [vocabulary(["the cat sat on a mat", "a dog ran"] * 20)])
    model, spm = next(folder.glob("model.*.bin")), next(folder.glob("vocab.*.spm"))
    sound, pieces_of = model.read_bytes(), spm.read_bytes()

    def check(given: Any) -> None:
        damage, other = given
        model.write_bytes(mutated(sound, damage))
        found = outcome(lambda: read_marian(folder))
        if found:
            assert all(np.isfinite(values).all() for values in found.weights.values())
            spm.write_bytes(mutated(pieces_of, other))
            outcome(lambda: load_vocabulary(spm, len(found.weights[found.source_embedding])))

    return Target(st.tuples(mutations, st.one_of(st.just([]), mutations)), check)


def command_line(folder: Path) -> Target:
    """Options and values of any kind, for commands that then find no file: an exit code and at most one line."""
    options = "--wait-k --policy --max-lag --max-wait --threshold --limit --batch-size --at --pause --word-ms --json -o"
    values = st.one_of(st.sampled_from(["0", "-1", "3", "inf", "nan", "1,3", "", "wait-k", "1e400", "a:b"]), texts)
    words_of = st.lists(st.one_of(st.sampled_from(options.split()), values), max_size=5)
    commands = st.sampled_from(["translate", "score", "inspect", "compare", "policy", "", "\ud800"])
    missing = str(folder / "missing")
    shutil.rmtree(folder)

    def check(given: Any) -> None:
        command, arguments = given
        code = run_command([command, *arguments, "--", missing, missing, missing])
        assert code in (0, 1, 2)

    return Target(st.tuples(commands, words_of), check)


MAKERS: dict[str, Callable[[Path], Target]] = {
    maker.__name__: maker
    for maker in [
        words,
        utf8,
        text_files,
        glossary,
        named_model,
        subtitles,
        keys,
        sentencepiece,
        byte_level_tokenizer,
        session,
        recogniser,
        log,
        run_folder,
        training_config,
        training_pairs,
        training_state,
        model_config,
        checkpoint,
        shard_index,
        regret_head,
        adapter,
        marian,
        command_line,
    ]
}


def make_targets(folder: Path, names: Iterable[str] = tuple(MAKERS)) -> dict[str, Target]:
    """Targets by name; `folder` holds what they need."""
    found = {}
    for name in names:
        (folder / name).mkdir()
        found[name] = MAKERS[name](folder / name)
    return found
