"""Hugging Face transformers on torch, doing the same passes with the same weights: dual positions, keys cached.

Run as a program of its own, with any Python that has torch and transformers; it imports nothing of ours:

    python transformers_peer.py MODEL_DIRECTORY

Reads a JSON object a line. First {"offset": φ, "sentences": [[[source, target, take_back], …], …]}; then, as often as
wanted, {"dtype": "float32" | "bfloat16", "threads": n}, each answered by a line {"seconds": […], "predicted": [[…], …]}
with one entry a sentence.
"""

import json
import sys
import time
from typing import Any


class Replay:
    """The cache of one sentence: the kinds of its entries, and the next position of source and target."""

    def __init__(self, model: Any, offset: int):
        from transformers import DynamicCache

        self._model, self._offset = model, offset
        self._cache = DynamicCache()
        self._is_target: list[bool] = []

    def run(self, source: list[int], target: list[int], take_back: int) -> int:
        """One pass: the best successor of the last token."""
        import torch

        if take_back:
            del self._is_target[-take_back:]
            self._cache.crop(-take_back)
        written = sum(self._is_target)
        read = len(self._is_target) - written
        positions = [*range(read, read + len(source))]
        positions += [self._offset + written + number for number in range(len(target))]
        new = [False] * len(source) + [True] * len(target)
        mask = self._mask(new) if len(new) > 1 or not target else None
        self._is_target += new
        logits = self._model(
            input_ids=torch.tensor([source + target]),
            position_ids=torch.tensor([positions]),
            attention_mask=mask,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits
        return int(logits[0, -1].argmax())

    def _mask(self, new: list[bool]) -> Any:
        """Mask of the new tokens, bool (1, 1, L, N): source sees earlier source, target everything earlier."""
        import torch

        kinds = torch.tensor(self._is_target + new)
        queries = torch.tensor(new)
        order = torch.arange(len(kinds))
        earlier = order[None, :] <= order[-len(new) :, None]
        return (earlier & (queries[:, None] | ~kinds[None, :]))[None, None]


def main() -> None:
    """Serve until the input ends."""
    import torch
    import transformers

    print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__}), flush=True)
    work = json.loads(sys.stdin.readline())
    models: dict[str, Any] = {}
    for line in sys.stdin:
        wanted = json.loads(line)
        torch.set_num_threads(wanted["threads"])
        name = wanted["dtype"]
        if name not in models:
            models[name] = transformers.AutoModelForCausalLM.from_pretrained(
                sys.argv[1], dtype=getattr(torch, name)
            ).eval()
        seconds, predicted = [], []
        with torch.inference_mode():
            for passes in work["sentences"]:
                stream = Replay(models[name], work["offset"])
                start = time.perf_counter()
                predicted.append([stream.run(*one) for one in passes])
                seconds.append(time.perf_counter() - start)
        print(json.dumps({"seconds": seconds, "predicted": predicted}), flush=True)


if __name__ == "__main__":
    main()
