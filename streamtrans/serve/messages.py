"""Messages from clients: their fields, and how a wrong one is told."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from streamtrans.errors import StreamtransError
from streamtrans.policies import Policy, make_policy
from streamtrans.policies.registry import options_stated

T = TypeVar("T")

Number = Annotated[float, Field(allow_inf_nan=False)]
Heard = tuple[str, Number, Number]
"""A word with its start and end in the speech, in milliseconds."""


class ServiceError(StreamtransError):
    """An error that a client is told of: `code` for programs, the message for people; `fatal` closes the session."""

    def __init__(self, code: str, message: str, fatal: bool = False):
        super().__init__(message)
        self.code, self.fatal = code, fatal

    def as_dict(self) -> dict[str, Any]:
        """The error as it is sent."""
        return {"type": "error", "code": self.code, "message": str(self)}


class Message(BaseModel):
    """A message with exactly these fields."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Numbered(Message):
    """A message whose `id`, if it has one, comes back in an `ack` after the last of its events."""

    id: int | None = None


class Wanted(Message):
    """Languages, model and policy; the server's default where nothing is said."""

    model: str | None = None
    source: str | None = Field(default=None, alias="from")
    target: str | None = Field(default=None, alias="to")
    policy: dict[str, Any] | str | None = None


class Text(Wanted):
    """A text to translate at once."""

    text: str


class Open(Wanted):
    """Begins a session; `session` names it for those who watch."""

    type: Literal["open"]
    session: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = None


class Feed(Numbered):
    """More source text, any piece of it."""

    type: Literal["feed"]
    text: str


class Hear(Numbered):
    """Whole source words with their times in the speech."""

    type: Literal["hear"]
    words: list[Heard]


class EndSentence(Numbered):
    """Has everything owed written; the next word starts a sentence."""

    type: Literal["end_sentence"]


class ChangePolicy(Numbered):
    """Another policy from the next word on."""

    type: Literal["policy"]
    policy: dict[str, Any] | str


class Reset(Numbered):
    """Forgets the open sentence, which stays as far as it was written."""

    type: Literal["reset"]


class Finish(Numbered):
    """Has everything owed written and ends the session."""

    type: Literal["finish"]


Incoming = Open | Feed | Hear | EndSentence | ChangePolicy | Reset | Finish
_incoming: TypeAdapter[Incoming] = TypeAdapter(Annotated[Incoming, Field(discriminator="type")])


def read_message(text: str | bytes) -> Incoming:
    """The message in a text; ServiceError as `understood`."""
    return understood(_incoming.validate_json, text)


def understood(validate: Callable[[str | bytes], T], text: str | bytes) -> T:
    """A text as pydantic's `validate` reads it; ServiceError `bad_json` or `bad_message` says where it is wrong."""
    try:
        return validate(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "json_invalid":
            raise ServiceError("bad_json", f"a message must be one JSON object: {first['msg']}") from error
        place = ".".join(map(str, first["loc"]))
        raise ServiceError("bad_message", f"{place}: {first['msg']}" if place else first["msg"]) from error


def policy_of(stated: dict[str, Any] | str, default: Policy) -> Policy:
    """The policy that a client names, {"name": …, options, "max_lag": …} or a name alone; else `bad_policy`.

    default: taken, with the options it has, where only its name is given.
    """
    options = {"name": stated} if isinstance(stated, str) else dict(stated)
    name = options.pop("name", None) or options.pop("policy", None)
    if not isinstance(name, str):
        raise ServiceError("bad_policy", 'a policy is its name, or {"name": …} with its options')
    if name == default.name and not options:
        return default
    numbers = options_stated(options)
    for key, value in numbers.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ServiceError("bad_policy", f"{key} must be a number")
    if isinstance(numbers.get("max_lag"), float):
        raise ServiceError("bad_policy", "max_lag must be a whole number")
    try:
        return make_policy(name, **numbers)
    except StreamtransError as error:
        raise ServiceError("bad_policy", str(error)) from error
