"""A chat model under watch: what was fed to it, and the logits that came out."""

from dataclasses import replace

from streamtrans.runtime import mx


class WatchedModel:
    """Passes calls on to a model of mlx-lm; passes: the token ids of each, (B, L). logits: of the last one."""

    def __init__(self, model):
        self._model, self.passes, self.logits = model, [], None

    def __call__(self, tokens, cache=None):
        self.passes.append(tokens.tolist())
        self.logits = self._model(tokens, cache=cache)
        return self.logits

    def __getattr__(self, name):
        return getattr(self._model, name)

    @property
    def fed(self):
        """The tokens encoded so far, padding included."""
        return sum(len(row) for rows in self.passes for row in rows)

    def whole(self, tokens):
        """The logits of one pass over a whole sequence, (L, V), with nothing in memory."""
        return self._model(mx.array([tokens]))[0]


def watched(executor):
    """An executor like this one whose `model` is under watch."""
    return replace(executor, model=WatchedModel(executor.model))
