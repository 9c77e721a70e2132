"""A name of `models add` is a model that clients may ask for, with its own policy and in its own languages."""

import asyncio

import pytest

from streamtrans.models.named import NamedModel, give_name
from streamtrans.models.routes import Route
from streamtrans.policies import WaitK
from streamtrans.serve.hall import Hall
from streamtrans.serve.messages import ServiceError, Wanted


@pytest.fixture
def hall(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    give_name("hasty", NamedModel("en-pt", "en", "pt", policy={"name": "wait-k", "k": 1}))
    hall = Hall(Route(("en-pt",)))
    yield hall
    hall.close()


def opened(hall, **wishes):
    return asyncio.run(hall.open(Wanted(**wishes)))


def test_a_client_asks_for_a_name(hall):
    hosted, route = opened(hall, model="hasty")
    assert (hosted.policy, route.title) == (WaitK(1), "hasty")
    assert opened(hall, model="hasty", policy="boundary")[0].policy.name == "boundary"
    assert opened(hall)[0].policy.name == "learned"


def test_its_languages_are_not_the_clients_to_choose(hall):
    first, _ = opened(hall, model="hasty")
    again, _ = opened(hall, model="hasty", **{"from": "en-GB", "to": "pt"})
    assert again.settings is first.settings  # no second copy of the model
    with pytest.raises(ServiceError, match=r"^hasty translates from English \(en\) to Portuguese \(pt\)$") as error:
        opened(hall, model="hasty", to="de")
    assert error.value.code == "unsupported_direction"


@pytest.mark.parametrize("name", ["nothing", "x" * 300, "../hasty", "hasty.json"])
def test_what_nobody_named_is_no_model(hall, name):
    with pytest.raises(ServiceError) as error:
        opened(hall, model=name)
    assert error.value.code == "unknown_model"
