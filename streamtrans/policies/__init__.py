"""When to READ and when to WRITE; pure Python, no mlx, no input or output."""

from streamtrans.policies.agree import Agree
from streamtrans.policies.alignatt import AlignAtt
from streamtrans.policies.base import Action, Policy, PolicyState, revises
from streamtrans.policies.boundary import Boundary, WaitKFlush
from streamtrans.policies.confident import Confident
from streamtrans.policies.learned import Learned
from streamtrans.policies.max_lag import MaxLag
from streamtrans.policies.registry import POLICIES, description_of, make_policy, short_name
from streamtrans.policies.retranslate import Retranslate
from streamtrans.policies.wait_k import WaitK

__all__ = [
    "POLICIES",
    "Action",
    "Agree",
    "AlignAtt",
    "Boundary",
    "Confident",
    "Learned",
    "MaxLag",
    "Policy",
    "PolicyState",
    "Retranslate",
    "WaitK",
    "WaitKFlush",
    "description_of",
    "make_policy",
    "revises",
    "short_name",
]
