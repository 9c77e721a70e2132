"""An agent for SimulEval's own loop: wait-3 that copies its source and says every fifth word twice."""

from simuleval.agents import TextToTextAgent
from simuleval.agents.actions import ReadAction, WriteAction
from simuleval.utils import entrypoint


@entrypoint
class Copy(TextToTextAgent):
    def policy(self):
        written, read, ended = self.states.target, self.states.source, self.states.source_finished
        due = [word for i, word in enumerate(read, 1) for word in [word] * (1 + (i % 5 == 0))]
        if len(read) - len(written) < 3 and not ended:
            return ReadAction()
        return WriteAction(due[len(written)], finished=ended and len(written) + 1 == len(due))
