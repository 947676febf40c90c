"""Service nodes: what happens to them, and what routers are told."""

from __future__ import annotations

import pytest

from tests.unit.chain.people import ALICE, BOB, CAROL, Chain

REFUSED = -16
WRONG = -1
KEY = ALICE.public.hex()
STEPS = {
    "stake": "active",
    "decommission_service_node": "decommissioned",
    "recommission_service_node": "active",
    "deregister_service_node": "deregistered",
}


def bring_to(chain: Chain, state: str) -> None:
    """Alice's service node in a state."""
    if state == "unknown":
        return
    chain.ask("register_service_node", pubkey_ed25519=KEY, funded=state != "registered")
    if state == "decommissioned":
        chain.ask("decommission_service_node", pubkey_ed25519=KEY)
    if state == "deregistered":
        chain.ask("deregister_service_node", pubkey_ed25519=KEY)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("state", "possible"),
    [
        ("unknown", ()),
        ("registered", ("stake", "deregister_service_node")),
        ("active", ("decommission_service_node", "deregister_service_node")),
        ("decommissioned", ("recommission_service_node", "deregister_service_node")),
        ("deregistered", ()),
    ],
)
def test_every_step_from_every_state(
    chain: Chain, state: str, possible: tuple[str, ...], step: str
) -> None:
    bring_to(chain, state)
    if step in possible:
        chain.mine(1)
        assert chain.ask(step, pubkey_ed25519=KEY) == {
            "pubkey_ed25519": KEY,
            "state": STEPS[step],
            "state_height": 2,
            "status": "OK",
        }
    else:
        code, message = chain.error(step, pubkey_ed25519=KEY)
        assert code == REFUSED
        assert state in message or "not registered" in message


@pytest.mark.parametrize("state", ["registered", "active", "decommissioned"])
def test_a_listed_key_is_not_registered_twice(chain: Chain, state: str) -> None:
    bring_to(chain, state)
    code, message = chain.error("register_service_node", pubkey_ed25519=KEY)
    assert (code, message) == (REFUSED, f"the service node is already {state}")


def test_a_deregistered_key_may_come_back(chain: Chain) -> None:
    bring_to(chain, "deregistered")
    assert chain.ask("get_service_nodes")["service_node_states"] == []
    chain.ask("register_service_node", pubkey_ed25519=KEY)
    assert len(chain.ask("get_service_nodes")["service_node_states"]) == 1


@pytest.mark.parametrize(
    ("state", "active", "funded", "decommissioned"),
    [
        ("registered", False, False, False),
        ("active", True, True, False),
        ("decommissioned", False, True, True),
    ],
)
def test_routers_are_told_what_each_state_means(
    chain: Chain, state: str, active: bool, funded: bool, decommissioned: bool
) -> None:
    bring_to(chain, state)
    (row,) = chain.ask("get_service_nodes")["service_node_states"]
    assert row == {
        "service_node_pubkey": KEY,
        "pubkey_ed25519": KEY,
        "registration_height": 1,
        "state_height": 1,
        "active": active,
        "funded": funded,
        "decommissioned": decommissioned,
        "decommission_count": int(decommissioned),
    }
    shown = chain.ask("get_service_nodes", active_only=True)["service_node_states"]
    assert bool(shown) == active


def test_only_what_was_asked_for_is_told(chain: Chain) -> None:
    for key in (ALICE, BOB, CAROL):
        service_key = key.public[::-1].hex()
        chain.ask(
            "register_service_node",
            pubkey_ed25519=key.public.hex(),
            service_node_pubkey=service_key,
        )
    for fields in (["active"], {"active": True, "funded": False}):
        rows = chain.ask("get_service_nodes", fields=fields)["service_node_states"]
        assert rows == [{"active": True}] * 3
    assert len(chain.ask("get_service_nodes", limit=2)["service_node_states"]) == 2
    wanted = [BOB.public[::-1].hex()]
    (row,) = chain.ask("get_service_nodes", service_node_pubkeys=wanted)["service_node_states"]
    assert row["pubkey_ed25519"] == BOB.public.hex()
    assert len(chain.ask("get_service_nodes", fields=["all"])["service_node_states"][0]) == 8


def test_polling_tells_changes_at_once_and_nothing_otherwise(chain: Chain) -> None:
    known = chain.ask("get_service_nodes")["block_hash"]
    assert chain.ask("get_service_nodes", poll_block_hash=known)["unchanged"] is True
    bring_to(chain, "active")
    told = chain.ask("get_service_nodes", poll_block_hash=known)
    assert told["unchanged"] is False, "in force, though its block is still open"
    assert len(told["service_node_states"]) == 1
    chain.mine(1)
    told = chain.ask("get_service_nodes", poll_block_hash=known)
    assert told["unchanged"] is False
    again = chain.ask("get_service_nodes", poll_block_hash=told["block_hash"])
    assert again["unchanged"] is True
    assert "service_node_states" not in again


def test_changes_are_counted_by_height(chain: Chain) -> None:
    bring_to(chain, "decommissioned")
    chain.mine(1)
    chain.ask("recommission_service_node", pubkey_ed25519=KEY)
    chain.ask("deregister_service_node", pubkey_ed25519=KEY)
    first = chain.ask("get_sn_state_changes", start_height=0, end_height=1)
    assert (first["total_decommission"], first["total_recommission"]) == (1, 0)
    rest = chain.ask("get_sn_state_changes", start_height=2)
    assert (rest["total_recommission"], rest["total_deregister"]) == (1, 1)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"pubkey_ed25519": "00"},
        {"pubkey_ed25519": "zz" * 32},
        {"pubkey_ed25519": 5},
        {"pubkey_ed25519": KEY, "funded": 1},
        {"pubkey_ed25519": KEY, "service_node_pubkey": "x"},
        {"pubkey_ed25519": KEY, "public_ip": "10.0.0.1"},
    ],
)
def test_a_registration_that_is_none_is_refused(chain: Chain, params: dict[str, object]) -> None:
    assert chain.error("register_service_node", **params)[0] == WRONG
