"""A Firefox model computed plainly: the reference for everything that computes one fast."""

import numpy as np

from streamtrans.models.marian.files import read_marian


class Plain:
    """One sentence, one token after the other, in float64."""

    def __init__(self, directory):
        self.files = read_marian(directory)
        self.w = {name: values.astype(np.float64) for name, values in self.files.weights.items()}

    def norm(self, x, at):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
        return x * self.w[f"{at}_ln_scale"] + self.w[f"{at}_ln_bias"]

    def linear(self, x, at, part):
        return x @ self.w[f"{at}_W{part}"] + self.w[f"{at}_b{part}"]

    def attention(self, x, memory, at):
        heads, found = self.files.config.heads, []
        q, k, v = (
            np.split(self.linear(y, at, part), heads, -1) for y, part in ((x, "q"), (memory, "k"), (memory, "v"))
        )
        for a, b, c in zip(q, k, v, strict=True):
            scores = a @ b.T / np.sqrt(a.shape[-1])
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            found.append(weights / weights.sum(-1, keepdims=True) @ c)
        return self.norm(x + self.linear(np.concatenate(found, -1), at, "o"), f"{at}_Wo")

    def feed_forward(self, x, at):
        return self.norm(x + self.linear(np.maximum(self.linear(x, at, "1"), 0), at, "2"), f"{at}_ffn")

    def position(self, place):
        half = self.files.config.width // 2
        angles = place / 10000 ** (np.arange(half) / (half - 1))
        return np.concatenate([np.sin(angles), np.cos(angles)])

    def encode(self, ids):
        config, scale = self.files.config, np.sqrt(self.files.config.width)
        x = np.stack([self.w[self.files.source_embedding][t] * scale + self.position(i) for i, t in enumerate(ids)])
        for layer in range(1, config.encoder_layers + 1):
            x = self.feed_forward(self.attention(x, x, f"encoder_l{layer}_self"), f"encoder_l{layer}_ffn")
        return x

    def logits(self, ids, written):
        """After each of the target tokens, and before the first: (T + 1, pieces)."""
        config, x, found = self.files.config, self.encode(ids), []
        cells, embedding = [np.zeros(config.width)] * config.decoder_layers, self.w[self.files.target_embedding]
        for place, token in enumerate([None, *written]):
            y = (0 if token is None else embedding[token] * np.sqrt(config.width)) + self.position(place)
            for layer, cell in enumerate(cells):
                at = f"decoder_l{layer + 1}"
                gate = 1 / (1 + np.exp(-(y @ self.w[f"{at}_rnn_Wf"] + self.w[f"{at}_rnn_bf"][0])))
                cells[layer] = gate * cell + (1 - gate) * (y @ self.w[f"{at}_rnn_W"])
                y = self.norm(y + np.maximum(cells[layer], 0), f"{at}_rnn_ffn")
                y = self.feed_forward(self.attention(y, x, f"{at}_context"), f"{at}_ffn")[0]
            found.append(y @ embedding.T + self.w["decoder_ff_logit_out_b"][0])
        return np.stack(found)

    def translate(self, ids, end, unknown, limit):
        written = []
        while len(written) < limit:
            logits = self.logits(ids, written)[-1]
            logits[unknown] = -np.inf
            written.append(int(logits.argmax()))
            if written[-1] == end:
                return written[:-1]
        return written
