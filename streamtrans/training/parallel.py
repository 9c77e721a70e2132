"""Several processes that train one model, each on its share of every batch (`mlx.launch`)."""

from dataclasses import dataclass
from typing import Any

from streamtrans.runtime import mx


@dataclass(frozen=True)
class Ranks:
    """This process among `size` that do the same; alone where none was launched."""

    rank: int = 0
    size: int = 1

    @classmethod
    def launched(cls) -> "Ranks":
        """The processes that `mlx.launch` started, connected; one process otherwise."""
        group = mx.distributed.init()
        return cls(group.rank(), group.size())

    @property
    def first(self) -> bool:
        """Whether this process writes, validates and talks."""
        return self.rank == 0

    def total(self, tree: Any) -> Any:
        """The sum over all processes of each array of a tree."""
        if self.size == 1:
            return tree
        import mlx.nn as nn
        from mlx.utils import tree_map

        # mlx packs small arrays into one message and divides by the number of processes.
        return tree_map(lambda array: array * self.size, nn.average_gradients(tree))

    def meet(self) -> None:
        """Waits until every process is here."""
        if self.size > 1:
            mx.eval(mx.distributed.all_sum(mx.array(1)))
