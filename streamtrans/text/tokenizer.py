"""Tokenizers behind one protocol: words in, token ids out; token ids in, text out that never shows half a character.

Two families differ in where the space goes. A SentencePiece model trained with white space as *suffix* writes "livro▁":
a token says itself that its word is complete. A Hugging Face byte-level tokenizer writes " livro": only the next token
tells. `space_after` says which, and the engine asks for a look-ahead token only where it must.
"""

import json
from collections.abc import Iterable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

from streamtrans.errors import ModelError

LONGEST_WORD = 4096
"""Characters of a word that are encoded; no tokenizer makes fewer than a hundred tokens of them."""


class Detokenizer(Protocol):
    """Turns the tokens of one target text into characters, as they come; `copy.copy` gives an independent one."""

    def push(self, token: int) -> str:
        """The characters that are complete now and were not before; "" while a character is still open."""

    def flush(self) -> str:
        """The rest, at the end; bytes that never became a character are shown as U+FFFD."""


class Tokenizer(Protocol):
    """The tokenizer as engine and collator need it."""

    vocab_size: int
    end_id: int
    space_after: bool

    prompt_ids: list[int]
    """Tokens in front of the source, there before any word."""
    start_ids: list[int]
    """Tokens that open the target, fed before the first prediction; one at least."""

    def encode(self, text: str) -> list[int]:
        """Token ids of a text as it is; special tokens that it spells out are such tokens."""

    def encode_word(self, word: str, first: bool) -> list[int]:
        """Token ids of one word alone, with its boundary mark; `first` in its text or not; a huge one loses its end.

        A space in front of it, as characters of zh, ja and th may have, may be left out.
        """

    def target_start(self, word: str) -> int | None:
        """The token that begins a word of the target in mid-sentence; None for no word."""

    def spells(self, text: str) -> bool:
        """Whether the source vocabulary has the text in pieces of whole characters: no unknown one, no single bytes."""

    def begins_word(self, token: int) -> bool:
        """Whether the token has the space in front, so that the word before it is complete; needs not `space_after`."""

    def detokenizer(self) -> Detokenizer:
        """A fresh detokenizer for one target text."""


class SentencePieceTokenizer:
    """A SentencePiece model trained with `treat_whitespace_as_suffix`; target starts with its bos token."""

    space_after = True

    def __init__(self, path: str | Path):
        import sentencepiece

        try:
            self._model = sentencepiece.SentencePieceProcessor(model_file=str(path))
        except (OSError, RuntimeError) as error:
            raise ModelError(f"{path}: not a SentencePiece model ({' '.join(str(error).split())})") from error
        self.vocab_size: int = self._model.vocab_size()
        self.start_id: int = self._model.bos_id()
        self.end_id: int = self._model.eos_id()
        if self._model.id_to_piece(self._model.encode("a b")[-1])[-1] != "▁":
            raise ModelError(f"{path}: white space must be a suffix (train with treat_whitespace_as_suffix)")
        self.prompt_ids: list[int] = []
        self.start_ids = [self.start_id]
        self._encode = lru_cache(maxsize=200_000)(lambda word: tuple(self.encode(word)))

    @cached_property
    def pieces(self) -> list[tuple[str, int]]:
        """For each id its text, white space as " ", and its byte value or -1; control tokens have no text."""
        return pieces_of(self._model)

    def encode(self, text: str) -> list[int]:
        """Token ids of the words of a text."""
        return list(self._model.encode(text))

    def encode_word(self, word: str, first: bool) -> list[int]:
        """Token ids of the word, the last of which carries the space after it."""
        return list(self._encode(word.lstrip()[:LONGEST_WORD]))

    def target_start(self, word: str) -> int | None:
        """The token that begins a word in mid-sentence."""
        return next(iter(self.encode_word(word, first=False)), None)

    def spells(self, text: str) -> bool:
        """Whether the vocabulary has the text in pieces of whole characters."""
        return are_whole(self._encode(text), self.pieces)

    def begins_word(self, token: int) -> bool:
        """Never: the space is a suffix."""
        return False

    def detokenizer(self) -> Detokenizer:
        """A fresh detokenizer."""
        return PieceDetokenizer(self.pieces)


def pieces_of(model: Any) -> list[tuple[str, int]]:
    """The text and the byte value of each id of a SentencePiece processor, as `SentencePieceTokenizer.pieces`."""
    rows = []
    for i in range(model.vocab_size()):
        piece = model.id_to_piece(i)
        if model.is_byte(i):
            rows.append(("", int(piece[3:-1], 16)))
        else:
            silent = model.is_control(i) or model.is_unknown(i)
            rows.append(("" if silent else piece.replace("▁", " "), -1))
    return rows


def are_whole(tokens: Iterable[int], pieces: list[tuple[str, int]]) -> bool:
    """Whether all of these tokens are pieces of whole characters: no unknown one, no single bytes."""
    return all(pieces[token][0] for token in tokens)


class PieceDetokenizer:
    """The detokenizer of pieces whose bytes, if any, join into characters."""

    def __init__(self, pieces: list[tuple[str, int]]):
        self._pieces = pieces
        self._bytes = b""

    def push(self, token: int) -> str:
        """The characters that are complete now and were not before."""
        text, byte = self._pieces[token]
        if byte < 0:
            return self.flush() + text
        self._bytes += bytes([byte])
        try:
            text = self._bytes.decode()
        except UnicodeDecodeError as error:
            if error.reason == "unexpected end of data":
                return ""
            text = self._bytes.decode(errors="replace")
        self._bytes = b""
        return text

    def flush(self) -> str:
        """The rest, at the end."""
        text, self._bytes = self._bytes.decode(errors="replace"), b""
        return text


class HuggingFaceTokenizer:
    """A `tokenizer.json` with the space in front of its words, read by the `tokenizers` library.

    The target starts with the bos token where there is one, else with the end token, as causal language models do.
    end_id and start_id count where tokenizer_config.json names no such token.
    """

    space_after = False

    def __init__(self, directory: str | Path, end_id: int | None = None, start_id: int | None = None):
        from tokenizers import Tokenizer as Backend

        path = Path(directory) / "tokenizer.json"
        try:
            backend = Backend.from_file(str(path))
        except BaseException as error:  # the library raises bare Exception, and a panic of its Rust is not even one
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise ModelError(f"{path}: not a tokenizer ({' '.join(str(error).split())})") from error
        self._use(backend)
        special = _special_tokens(Path(directory) / "tokenizer_config.json")
        self.end_id: int = self._id(end_id, special.get("eos_token"), path)
        start_id = self.end_id if start_id is None else start_id
        self.start_id: int = self._id(start_id, special.get("bos_token"), path)
        self.prompt_ids: list[int] = []
        self.start_ids = [self.start_id]

    def _use(self, backend: Any) -> None:
        self._backend = backend
        self.vocab_size: int = backend.get_vocab_size()
        self._encode = lru_cache(maxsize=200_000)(lambda text: tuple(self.encode(text)))

    def _id(self, otherwise: int | None, token: str | None, path: Path) -> int:
        found = self._backend.token_to_id(token) if token else otherwise
        if found is None:
            raise ModelError(f"{path}: no end token; give eos_token_id in config.json")
        if type(found) is not int or not 0 <= found < self.vocab_size:
            raise ModelError(
                f"{path}: {found!r} is no id of its {self.vocab_size} tokens; see eos_token_id in config.json"
            )
        return found

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, its special tokens recognised and none added."""
        return list(self._backend.encode(text, add_special_tokens=False).ids)

    def encode_word(self, word: str, first: bool) -> list[int]:
        """Token ids of the word, a space in front of it unless it is the first."""
        return list(self._encode((word.lstrip() if first else " " + word.lstrip())[:LONGEST_WORD]))

    def target_start(self, word: str) -> int | None:
        """The token that begins a word in mid-sentence."""
        return next(iter(self.encode_word(word, first=False)), None)

    def spells(self, text: str) -> bool:
        """Whether the vocabulary has the text in pieces of whole characters."""
        return "\ufffd" not in "".join(self._backend.decode([token]) for token in self._encode(text))

    def begins_word(self, token: int) -> bool:
        """Whether the piece starts with the mark of a space (Ġ in byte-level vocabularies, ▁ in SentencePiece's)."""
        return (self._backend.id_to_token(token) or "")[:1] in ("Ġ", "▁", "Ċ")

    def detokenizer(self) -> Detokenizer:
        """A fresh detokenizer."""
        return _ByteLevelDetokenizer(self._backend)


class _ByteLevelDetokenizer:
    """Decodes the tokens of an open character together, after one earlier token that keeps the leading space."""

    def __init__(self, backend: Any):
        self._backend = backend
        self._before: list[int] = []
        self._open: list[int] = []

    def push(self, token: int) -> str:
        self._open = [*self._open, token]  # a new list: copies share the old one
        text = self._open_text()
        if text.endswith("\ufffd"):
            return ""
        self._before, self._open = self._open, []
        return text

    def flush(self) -> str:
        text, self._open = (self._open_text() if self._open else ""), []
        return text

    def _open_text(self) -> str:
        before = self._backend.decode(self._before)
        return self._backend.decode(self._before + self._open)[len(before) :]


def _first(ids: Any) -> int | None:
    """An id of config.json, which may list several."""
    return ids[0] if isinstance(ids, list) and ids else ids if isinstance(ids, int) else None


def _special_tokens(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        tokens = {name: entries.get(name) for name in ("eos_token", "bos_token")}
        found = {
            name: token["content"] if isinstance(token, dict) else token for name, token in tokens.items() if token
        }
    except (OSError, ValueError, RecursionError, AttributeError, KeyError) as error:
        raise ModelError(f"{path} cannot be read as the JSON of a tokenizer: {error!r}") from error
    for name, token in found.items():
        if not isinstance(token, str):
            raise ModelError(f"{path}: {name} must be a string, not {token!r}")
    return found


def load_tokenizer(directory: str | Path, kind: str, config: dict[str, Any] | None = None) -> Tokenizer:
    """The tokenizer of a checkpoint directory; kind: "sentencepiece-suffix" or "huggingface".

    config: its config.json, whose eos_token_id and bos_token_id count where the tokenizer does not name these tokens,
    and whose `streamtrans` section may state prompt_ids and start_ids.
    Raises ModelError for another kind, a file that is missing or unreadable, or ids that are none.
    """
    tokenizer = _load(Path(directory), kind, config or {})
    section = (config or {}).get("streamtrans", {})
    tokenizer.prompt_ids = _known_ids(section, "prompt_ids", tokenizer.prompt_ids, tokenizer.vocab_size)
    tokenizer.start_ids = _known_ids(section, "start_ids", tokenizer.start_ids, tokenizer.vocab_size)
    return tokenizer


def _known_ids(section: dict[str, Any], name: str, default: list[int], vocab_size: int) -> list[int]:
    ids = section.get(name, default)
    known = isinstance(ids, list) and all(type(i) is int and 0 <= i < vocab_size for i in ids)
    if not known or len(ids) < len(default[:1]):  # a target cannot start with nothing
        raise ModelError(f"config.json: streamtrans.{name} must be a list of ids below {vocab_size}, not {ids!r}")
    return list(ids)


def _load(directory: Path, kind: str, config: dict[str, Any]) -> Tokenizer:
    if kind == "sentencepiece-suffix":
        return SentencePieceTokenizer(directory / "tokenizer.model")
    if kind == "huggingface":
        return HuggingFaceTokenizer(directory, *(_first(config.get(name)) for name in ("eos_token_id", "bos_token_id")))
    raise ModelError(f"{directory}: unknown tokenizer kind {kind!r}; use sentencepiece-suffix or huggingface")
