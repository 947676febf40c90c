"""Who may buy, change and renew a name, and when: every rule of the reference, through the RPC."""

from __future__ import annotations

import hashlib

import pytest

from lokinet_node.chain.rules import update_digest
from lokinet_node.crypto.keys import KeyPair
from lokinet_node.crypto.ons import name_hash
from tests.unit.chain.people import ALICE, BOB, CAROL, MALLORY, Chain, sealed, update

REFUSED = -16
WRONG = -1
ZEROS = bytes(32).hex()

# --- buying --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("term", "blocks", "burn"),
    [("lokinet", 2, 7), ("lokinet_2y", 4, 14), ("lokinet_5y", 10, 28), ("lokinet_10y", 20, 42)],
)
def test_a_purchase_lasts_its_term_and_tells_its_price(
    chain: Chain, term: str, blocks: int, burn: int
) -> None:
    bought = chain.buy("web.loki", type=term)
    assert bought["update_height"] == 1
    assert bought["expiration_height"] == 1 + blocks
    assert bought["burn"] == burn * 10**9
    assert bought["tx_hash"] == bought["txid"]


def test_a_name_can_be_used_while_the_height_is_at_most_its_expiry(chain: Chain) -> None:
    chain.buy("web.loki")  # until height 3
    for height in (1, 2, 3):
        assert chain.store.height == height
        assert chain.resolves("web.loki")
        chain.mine(1)
    assert not chain.resolves("web.loki")


def test_a_name_somebody_has_cannot_be_bought_even_by_its_owner(chain: Chain) -> None:
    chain.buy("web.loki", ALICE)
    for buyer in (ALICE, MALLORY):
        code, message = chain.error(
            "ons_buy_mapping",
            name="web.loki",
            owner=buyer.public.hex(),
            encrypted_value=sealed("web.loki"),
        )
        assert code == REFUSED
        assert "already registered, until height 3" in message


def test_an_expired_name_is_anybodys(chain: Chain) -> None:
    first = chain.buy("web.loki", ALICE, backup_owner=BOB.public.hex())
    chain.mine(2)
    code, _ = chain.error(
        "ons_buy_mapping",
        name="web.loki",
        owner=MALLORY.public.hex(),
        encrypted_value=sealed("web.loki"),
    )
    assert code == REFUSED, "height 3 is its last"
    chain.mine(1)
    taken = chain.buy("web.loki", MALLORY)
    assert taken["owner"] == MALLORY.public.hex()
    assert "backup_owner" not in taken
    assert taken["expiration_height"] == 4 + 2
    assert taken["txid"] != first["txid"]
    for old in (ALICE, BOB):  # those who had it before have no rights any more
        params = update("web.loki", old, taken["txid"], owner=old)
        assert chain.error("ons_update_mapping", **params)[0] == REFUSED


def test_a_purchase_names_no_transaction_before_it(chain: Chain) -> None:
    first = chain.buy("web.loki", prev_txid=ZEROS)
    chain.mine(3)
    code, message = chain.error(
        "ons_buy_mapping",
        name="web.loki",
        owner=ALICE.public.hex(),
        encrypted_value=sealed("web.loki"),
        prev_txid=first["txid"],
    )
    assert code == REFUSED
    assert "prev_txid" in message


def test_owner_and_backup_owner_differ(chain: Chain) -> None:
    key = ALICE.public.hex()
    code, message = chain.error(
        "ons_buy_mapping",
        name="web.loki",
        owner=key,
        backup_owner=key,
        encrypted_value=sealed("web.loki"),
    )
    assert (code, message) == (REFUSED, "owner and backup owner are the same")


@pytest.mark.parametrize(
    "name", ["localhost.loki", "www.web.loki", "-web.loki", "ab--c.loki", "web", "a" * 33 + ".loki"]
)
def test_what_is_no_name_cannot_be_bought(chain: Chain, name: str) -> None:
    params = {"name": name, "owner": ALICE.public.hex(), "encrypted_value": sealed(name)}
    assert chain.error("ons_buy_mapping", **params)[0] == WRONG


def test_case_makes_no_other_name(chain: Chain) -> None:
    chain.buy("Web.LOKI", encrypted_value=sealed("web.loki"))
    assert chain.resolves("web.loki")
    params = {"owner": ALICE.public.hex(), "encrypted_value": sealed("web.loki")}
    assert chain.error("ons_buy_mapping", name="WEB.loki", **params)[0] == REFUSED


@pytest.mark.parametrize("value", ["", "00" * 72, "00" * 71, "zz" * 72, None, 5])
def test_a_value_must_open_under_the_name(chain: Chain, value: object) -> None:
    params = {"name": "web.loki", "owner": ALICE.public.hex(), "encrypted_value": value}
    assert chain.error("ons_buy_mapping", **params)[0] == WRONG


def test_a_value_sealed_for_another_name_is_refused(chain: Chain) -> None:
    params = {"owner": ALICE.public.hex(), "encrypted_value": sealed("other.loki")}
    code, message = chain.error("ons_buy_mapping", name="web.loki", **params)
    assert (code, message) == (WRONG, "encrypted_value does not open under the name")


@pytest.mark.parametrize("type_", ["session", "wallet", 0, 1, 6, "lokinet_3y", True, None, []])
def test_only_lokinet_terms_are_sold(chain: Chain, type_: object) -> None:
    params = {"owner": ALICE.public.hex(), "encrypted_value": sealed("web.loki")}
    assert chain.error("ons_buy_mapping", name="web.loki", type=type_, **params)[0] == WRONG


def test_equal_purchases_are_different_transactions(chain: Chain) -> None:
    value = sealed("web.loki")
    seen = set()
    for _ in range(3):
        seen.add(chain.buy("web.loki", encrypted_value=value)["txid"])
        chain.mine(3)
    assert len(seen) == 3


# --- updating ------------------------------------------------------------------------------------


def test_the_signed_bytes_are_the_references() -> None:
    value, owner, backup, previous = bytes(range(72)), b"o" * 32, b"b" * 32, b"p" * 32
    whole = value + b"\x01" + owner + b"\x01" + backup + previous
    for digest, signed in (
        (update_digest(value, owner, backup, previous), whole),
        (update_digest(None, owner, None, previous), b"\x01" + owner + previous),
        (update_digest(value, None, backup, previous), value + b"\x01" + backup + previous),
    ):
        assert digest == hashlib.blake2b(signed, digest_size=32).digest()


def test_an_update_changes_what_it_names_and_not_the_expiry(chain: Chain) -> None:
    bought = chain.buy("web.loki", ALICE, type="lokinet_5y")
    chain.mine(4)
    value = sealed("web.loki", BOB)
    updated = chain.ask(
        "ons_update_mapping", **update("web.loki", ALICE, bought["txid"], value=value)
    )
    assert updated["burn"] == 0
    assert updated["encrypted_value"] == value
    assert updated["owner"] == ALICE.public.hex()
    assert updated["expiration_height"] == bought["expiration_height"]
    assert updated["update_height"] == 5


@pytest.mark.parametrize("who", [ALICE, BOB], ids=["owner", "backup owner"])
def test_both_owners_may_change_everything_and_shut_each_other_out(
    chain: Chain, who: KeyPair
) -> None:
    txid = chain.buy("web.loki", ALICE, backup_owner=BOB.public.hex())["txid"]
    everything = update(
        "web.loki", who, txid, value=sealed("web.loki", CAROL), owner=CAROL, backup=MALLORY
    )
    updated = chain.ask("ons_update_mapping", **everything)
    assert updated["owner"] == CAROL.public.hex()
    assert updated["backup_owner"] == MALLORY.public.hex()
    for old in (ALICE, BOB):
        params = update("web.loki", old, updated["txid"], owner=old)
        assert chain.error("ons_update_mapping", **params)[0] == REFUSED


def test_a_transfer_is_an_update_of_the_owner(chain: Chain) -> None:
    txid = chain.buy("web.loki", ALICE)["txid"]
    moved = chain.ask("ons_update_mapping", **update("web.loki", ALICE, txid, owner=BOB))
    assert moved["owner"] == BOB.public.hex()
    back = update("web.loki", ALICE, moved["txid"], owner=ALICE)
    assert chain.error("ons_update_mapping", **back)[0] == REFUSED
    chain.ask("ons_update_mapping", **update("web.loki", BOB, moved["txid"], owner=CAROL))


def test_a_strangers_signature_changes_nothing(chain: Chain) -> None:
    txid = chain.buy("web.loki", ALICE, backup_owner=BOB.public.hex())["txid"]
    params = update("web.loki", MALLORY, txid, owner=MALLORY)
    code, message = chain.error("ons_update_mapping", **params)
    assert (code, message) == (
        REFUSED,
        "the signature is neither the owner's nor the backup owner's",
    )
    assert chain.record("web.loki")["owner"] == ALICE.public.hex()


def test_a_signature_holds_for_the_signed_fields_only(chain: Chain) -> None:
    txid = chain.buy("web.loki", ALICE)["txid"]
    value = sealed("web.loki", BOB)
    signed = update("web.loki", ALICE, txid, value=value)
    for change in (
        {"encrypted_value": sealed("web.loki", MALLORY)},
        {"owner": MALLORY.public.hex()},
        {"backup_owner": MALLORY.public.hex()},
    ):
        assert chain.error("ons_update_mapping", **(signed | change))[0] == REFUSED
    as_backup = update("web.loki", ALICE, txid, owner=BOB)
    as_backup["backup_owner"] = as_backup.pop("owner")
    # owner and backup owner are told apart by their order only, as in the reference: the bytes
    # signed for one alone are those for the other alone
    assert chain.ask("ons_update_mapping", **as_backup)["backup_owner"] == BOB.public.hex()


def test_a_signature_works_once(chain: Chain) -> None:
    txid = chain.buy("web.loki", ALICE, type="lokinet_10y")["txid"]
    to_bob = update("web.loki", ALICE, txid, value=sealed("web.loki", BOB))
    second = chain.ask("ons_update_mapping", **to_bob)["txid"]
    code, message = chain.error("ons_update_mapping", **to_bob)
    assert code == REFUSED
    assert f"prev_txid is not the name's last transaction {second}" in message


@pytest.mark.parametrize("previous", [ZEROS, "11" * 32])
def test_an_update_names_the_last_transaction(chain: Chain, previous: str) -> None:
    chain.buy("web.loki", ALICE)
    params = update("web.loki", ALICE, previous, owner=BOB)
    code, message = chain.error("ons_update_mapping", **params)
    assert code == REFUSED
    assert "prev_txid" in message


def test_each_field_of_an_update_must_change(chain: Chain) -> None:
    value = sealed("web.loki")
    txid = chain.buy("web.loki", ALICE, backup_owner=BOB.public.hex(), encrypted_value=value)[
        "txid"
    ]
    for params in (
        update("web.loki", ALICE, txid, value=value),
        update("web.loki", ALICE, txid, owner=ALICE),
        update("web.loki", ALICE, txid, backup=BOB),
    ):
        code, message = chain.error("ons_update_mapping", **params)
        assert code == REFUSED
        assert "is what it was" in message
    both = update("web.loki", ALICE, txid, value=sealed("web.loki", BOB), owner=ALICE)
    assert chain.error("ons_update_mapping", **both)[0] == REFUSED, "one that stays spoils all"


def test_an_update_of_nothing_is_refused(chain: Chain) -> None:
    txid = chain.buy("web.loki", ALICE)["txid"]
    code, message = chain.error("ons_update_mapping", **update("web.loki", ALICE, txid))
    assert code == REFUSED
    assert "changes the value, the owner or the backup owner" in message


def test_an_update_to_two_equal_owners_is_refused(chain: Chain) -> None:
    txid = chain.buy("web.loki", ALICE)["txid"]
    params = update("web.loki", ALICE, txid, owner=BOB, backup=BOB)
    assert chain.error("ons_update_mapping", **params)[1] == "owner and backup owner are the same"


def test_a_name_that_is_not_registered_or_expired_cannot_be_updated(chain: Chain) -> None:
    params = update("web.loki", ALICE, ZEROS, owner=BOB)
    assert chain.error("ons_update_mapping", **params) == (REFUSED, "the name is not registered")
    txid = chain.buy("web.loki", ALICE)["txid"]
    chain.mine(3)
    params = update("web.loki", ALICE, txid, owner=BOB)
    assert chain.error("ons_update_mapping", **params) == (
        REFUSED,
        "the name expired at height 3",
    )


# --- renewing ------------------------------------------------------------------------------------


def test_anybody_may_renew_and_gains_nothing(chain: Chain) -> None:
    """Renewals are not signed: whoever pays, the owners stay."""
    bought = chain.buy("web.loki", ALICE, backup_owner=BOB.public.hex())
    renewed = chain.ask(
        "ons_renew_mapping", name="web.loki", type="lokinet_2y", prev_txid=bought["txid"]
    )
    assert renewed["burn"] == 14 * 10**9
    for field in ("owner", "backup_owner", "encrypted_value"):
        assert renewed[field] == bought[field]


def test_a_renewal_adds_to_the_expiry_there_is(chain: Chain) -> None:
    bought = chain.buy("web.loki")  # until 3
    chain.mine(2)
    renewed = chain.ask(
        "ons_renew_mapping", name="web.loki", type="lokinet_5y", prev_txid=bought["txid"]
    )
    assert renewed["expiration_height"] == 3 + 10
    assert renewed["update_height"] == 3


def test_an_expired_or_unknown_name_cannot_be_renewed(chain: Chain) -> None:
    assert chain.error("ons_renew_mapping", name="web.loki", prev_txid=ZEROS)[0] == REFUSED
    txid = chain.buy("web.loki")["txid"]
    chain.mine(3)
    assert chain.error("ons_renew_mapping", name="web.loki", prev_txid=txid) == (
        REFUSED,
        "the name expired at height 3",
    )


def test_a_renewal_names_the_last_transaction(chain: Chain) -> None:
    txid = chain.buy("web.loki")["txid"]
    renewed = chain.ask("ons_renew_mapping", name="web.loki", prev_txid=txid)
    assert chain.error("ons_renew_mapping", name="web.loki", prev_txid=txid)[0] == REFUSED
    chain.ask("ons_renew_mapping", name="web.loki", prev_txid=renewed["txid"])


def test_every_change_is_a_row_that_stays(chain: Chain) -> None:
    bought = chain.buy("web.loki", ALICE)
    chain.buy("other.loki", BOB)
    chain.mine(1)
    renewed = chain.ask("ons_renew_mapping", name="web.loki", prev_txid=bought["txid"])
    moved = chain.ask("ons_update_mapping", **update("web.loki", ALICE, renewed["txid"], owner=BOB))
    told = chain.ask("ons_history", name="web.loki")["entries"]
    assert [(row["kind"], row["height"], row["prev_txid"], row["txid"]) for row in told] == [
        ("buy", 1, None, bought["txid"]),
        ("renew", 2, bought["txid"], renewed["txid"]),
        ("update", 2, renewed["txid"], moved["txid"]),
    ]
    assert [row["owner"] for row in told] == [ALICE.public.hex()] * 2 + [BOB.public.hex()]
    whole = chain.ask("ons_history", start_height=1, end_height=1)["entries"]
    assert len(whole) == 2
    by_hash = chain.ask("ons_history", name_hash=name_hash("other.loki").hex(), limit=1)["entries"]
    assert [row["owner"] for row in by_hash] == [BOB.public.hex()]
