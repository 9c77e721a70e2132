"""A Firefox model as a teacher, in PyTorch on a GPU or a CPU: whole sentences, greedily, in batches of like length."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from streamtrans.errors import UsageError
from streamtrans.models.marian.files import MarianFiles, read_marian
from streamtrans.models.marian.positions import sinusoids
from streamtrans.training.pytorch import F, chosen_device, torch

BATCH_TOKENS = {"cpu": 2048, "cuda": 262_144, "mps": 65_536}
"""Source tokens per batch, padding included: measured best on an H200; on a CPU small batches stay in its caches."""

CHUNK = {"cpu": 256, "cuda": 200_000, "mps": 20_000}
"""Sentences to translate together, and to lose when the program is killed."""

_LONGEST = 512  # source tokens that are read; the rest of a longer line is left out
_LONGER = 2.0  # target tokens per source token, at most, as in Firefox
_ROOM = 8  # target tokens more that even a short source may have
_LOOK = 8  # steps between two looks at whether all sentences have ended: a look waits for the device


class MarianTeacher:
    """Translates sentences with the model of a directory.

    Raises ModelError for a directory that is none, UsageError for a device that is not there.
    """

    def __init__(self, directory: Path, device: str = "auto"):
        self.device = chosen_device(device)
        files = read_marian(directory)
        self.source, self.target = files.vocabularies()
        self.chunk = CHUNK[self.device.type]
        self.model = TorchMarian(files, self.device, self.target.eos_id(), self.target.unk_id())
        self._batch_tokens = BATCH_TOKENS[self.device.type]

    def __call__(self, sentences: Sequence[str]) -> list[str]:
        """A translation for each sentence, "" for one without words."""
        end = self.source.eos_id()
        ids = [[*row[: _LONGEST - 1], end] for row in self.source.encode(list(sentences))]
        found = [""] * len(ids)
        for batch in self._batches([len(row) for row in ids]):
            for i, tokens in zip(batch, self._translated([ids[i] for i in batch]), strict=True):
                found[i] = self.target.decode(tokens) if len(ids[i]) > 1 else ""
        return found

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Cuts sentences, by their lengths in tokens, into batches of like length."""
        batch: list[int] = []
        for i in sorted(range(len(lengths)), key=lengths.__getitem__):
            if batch and (len(batch) + 1) * lengths[i] > self._batch_tokens:
                yield batch
                batch = []
            batch.append(i)
        if batch:
            yield batch

    def _translated(self, ids: list[list[int]]) -> list[list[int]]:
        """Target tokens of each row, without the end mark; a batch that finds no memory is halved."""
        try:
            return self.model.translate(ids)
        except RuntimeError as error:  # OutOfMemoryError is one
            if "out of memory" not in str(error):
                raise
            if len(ids) == 1:
                raise UsageError(f"{self.device} has no memory for a single sentence; try --device cpu") from error
        half = len(ids) // 2
        return self._translated(ids[:half]) + self._translated(ids[half:])


class TorchMarian:
    """A post-norm transformer encoder and an SSRU decoder; weights under Marian's names, float16 on a GPU."""

    def __init__(self, files: MarianFiles, device: Any, end: int, unknown: int):
        """end, unknown: ids of the target vocabulary; `unknown` is never written."""
        self.config, self.device, self.end, self.unknown = files.config, device, end, unknown
        self.dtype = torch.float32 if device.type == "cpu" else torch.float16
        self.w = {name: torch.from_numpy(array).to(device, self.dtype) for name, array in files.weights.items()}
        self.source, self.target = self.w[files.source_embedding], self.w[files.target_embedding]
        length = int(_LONGEST * _LONGER) + _ROOM
        self.positions = torch.from_numpy(sinusoids(length, self.config.width)).to(self.device, self.dtype)

    def translate(self, ids: Sequence[Sequence[int]]) -> list[list[int]]:
        """The best target tokens, greedily, for rows of source tokens that end with the end mark."""
        with torch.inference_mode():
            width = max(map(len, ids))
            lengths = torch.tensor([len(row) for row in ids], device=self.device)
            padded = torch.tensor([[*row, *[0] * (width - len(row))] for row in ids], device=self.device)
            bias = torch.zeros(len(ids), 1, 1, width, dtype=self.dtype, device=self.device)
            bias.masked_fill_((torch.arange(width, device=self.device) >= lengths[:, None])[:, None, None], -1e4)
            best = self._decode(self._encode(padded, bias), bias, int(width * _LONGER) + _ROOM)
        return [row[: row.index(self.end)] if self.end in row else row for row in best.tolist()]

    def _encode(self, ids: Any, bias: Any) -> list[tuple[Any, Any]]:
        """Keys and values (B, heads, S, D) of each decoder layer, from ids (B, S) and bias (B, 1, 1, S)."""
        x = self.source[ids] * self.config.width**0.5 + self.positions[: ids.shape[1]]
        for layer in range(1, self.config.encoder_layers + 1):
            at = f"encoder_l{layer}_self"
            q, k, v = (self._heads(self._linear(x, at, part)) for part in "qkv")
            x = self._feed_forward(self._attended(x, at, q, k, v, bias), f"encoder_l{layer}_ffn")
        layers = [f"decoder_l{layer}_context" for layer in range(1, self.config.decoder_layers + 1)]
        return [(self._heads(self._linear(x, at, "k")), self._heads(self._linear(x, at, "v"))) for at in layers]

    def _decode(self, memory: list[tuple[Any, Any]], bias: Any, limit: int) -> Any:
        """Target ids (B, T), T at most `limit`; after a row's end mark there are only end marks."""
        rows = len(bias)
        cells = [bias.new_zeros(rows, 1, self.config.width) for _ in memory]
        embedded, done, found = bias.new_zeros(rows, 1, self.config.width), bias.new_zeros(rows, dtype=torch.bool), []
        for step in range(limit):
            y = embedded * self.config.width**0.5 + self.positions[step]
            for layer, (k, v) in enumerate(memory):
                y, cells[layer] = self._decoder_layer(f"decoder_l{layer + 1}", y, cells[layer], k, v, bias)
            logits = torch.addmm(self.w["decoder_ff_logit_out_b"][0], y[:, 0], self.target.T)
            if self.unknown >= 0:
                logits[:, self.unknown] = -torch.inf
            best = torch.where(done, self.end, logits.argmax(-1))
            found.append(best)
            done |= best == self.end
            if step % _LOOK == _LOOK - 1 and bool(done.all()):
                break
            embedded = self.target[best][:, None]
        return torch.stack(found, 1)

    def _decoder_layer(self, at: str, y: Any, cell: Any, k: Any, v: Any, bias: Any) -> tuple[Any, Any]:
        """States (B, 1, width) after a layer, and its cell: a gated average of all inputs so far (SSRU)."""
        forget = torch.sigmoid(y @ self.w[f"{at}_rnn_Wf"] + self.w[f"{at}_rnn_bf"])
        cell = forget * cell + (1 - forget) * (y @ self.w[f"{at}_rnn_W"])
        y = self._norm(y + F.relu(cell), f"{at}_rnn_ffn")
        q = self._heads(self._linear(y, f"{at}_context", "q"))
        return self._feed_forward(self._attended(y, f"{at}_context", q, k, v, bias), f"{at}_ffn"), cell

    def _attended(self, x: Any, at: str, q: Any, k: Any, v: Any, bias: Any) -> Any:
        mask = bias.expand(-1, self.config.heads, q.shape[2], -1)
        found = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(x.shape)
        return self._norm(x + self._linear(found, at, "o"), f"{at}_Wo")

    def _feed_forward(self, x: Any, at: str) -> Any:
        inner = F.relu(self._linear(x, at, "1"))
        return self._norm(x + self._linear(inner, at, "2"), f"{at}_ffn")

    def _linear(self, x: Any, at: str, part: str) -> Any:
        return x @ self.w[f"{at}_W{part}"] + self.w[f"{at}_b{part}"]

    def _norm(self, x: Any, at: str) -> Any:
        return F.layer_norm(x, x.shape[-1:], self.w[f"{at}_ln_scale"][0], self.w[f"{at}_ln_bias"][0], 1e-6)

    def _heads(self, x: Any) -> Any:
        return x.unflatten(-1, (self.config.heads, -1)).transpose(1, 2)
