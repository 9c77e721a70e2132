"""SimulEval on our engine: `simuleval --agent …/streamtrans/interop/simuleval_agent.py --source … --target …`.

SimulEval 1.1.4 imports this file by its path, hands over one source word at a time, and scores what is written. One
sentence is one session, so the delays are those of `streamtrans score --sequential`. SimulEval comes with neither us
nor our dependencies: it must be in the same environment.
"""

from argparse import ArgumentParser, Namespace

from simuleval.agents import TextToTextAgent
from simuleval.agents.actions import Action, ReadAction, WriteAction
from simuleval.utils import entrypoint

from streamtrans.engine.translator import load
from streamtrans.errors import UsageError
from streamtrans.policies import make_policy, revises
from streamtrans.text.words import join


@entrypoint
class StreamtransAgent(TextToTextAgent):
    """Writes what a session writes, as soon as it does."""

    def __init__(self, args: Namespace):
        """Load the model and make the policy that the options ask for."""
        self.translator = load(args.model)
        self.read_policy = self.translator.default_policy
        if args.policy or args.wait_k is not None:
            self.read_policy = make_policy(args.policy or "wait-k", k=args.wait_k)
        if revises(self.read_policy):
            raise UsageError(f"SimulEval cannot show revisions of text; score {self.read_policy.name} with streamtrans")
        super().__init__(args)

    @staticmethod
    def add_args(parser: ArgumentParser) -> None:
        """The options that SimulEval's own command line gets."""
        parser.add_argument("--model", default="en-pt", help="en-pt, a directory, a Hub id, or a name of models add")
        parser.add_argument("--policy", help="a name of `streamtrans policies`, with its defaults")
        parser.add_argument("--wait-k", type=float, metavar="K", help="stay K words behind: 1, 2, … or inf")

    def reset(self) -> None:
        """A new sentence."""
        super().reset()
        self._session = self.translator.session(self.read_policy)
        self._fed = 0

    def policy(self) -> Action:
        """Hands the words that have come to the session; what it wrote is written, else more is read."""
        read, ended = self.states.source, self.states.source_finished
        written: list[str] = []
        while self._fed < len(read):
            self._fed += 1
            events = self._session.feed_word(read[self._fed - 1], last=ended and self._fed == len(read))
            written += [event.text for event in events if event.type == "write"]
        if written or ended:
            return WriteAction(join(written, self.translator.settings.target_language or ""), finished=ended)
        return ReadAction()
