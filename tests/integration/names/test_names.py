"""Names bought on a real chain, resolved by stock programs through real routers."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.integration.names.small import PAGE, Small, small, wait

pytestmark = pytest.mark.integration
NAME = "web.loki"
ROUTERS = [f"r{number}" for number in range(1, 9)]


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    directory = tmp_path_factory.mktemp("n")
    with small(directory) as made:
        made.register(*made.routers)
        for name in (*ROUTERS, "web", "alice"):
            made.start(name)
        (directory / "page").mkdir()
        (directory / "page" / "index.html").write_text(PAGE)
        wait(lambda: ready(made), "both clients are ready")
        page = str(directory / "page")
        made.spawn(
            "http", sys.executable, "-m", "http.server", "80", "-b", "172.21.0.1", "-d", page
        )
        yield made


def ready(net: Small) -> bool:
    return all(net.ask(name, "llarp.get_status").get("networkReady") for name in ("alice", "web"))


def asked(net: Small) -> dict[str, int]:
    return {name: net.ask(name)["names"]["asked"] for name in ROUTERS}


def test_routers_take_their_list_from_the_chain(net: Small) -> None:
    for name in ROUTERS:
        chain = net.ask(name)["chain"]
        assert (chain["active"], chain["state"], chain["reachable"]) == (8, "active", True)


def test_curl_gets_the_page_by_its_bought_name_and_several_routers_were_asked(net: Small) -> None:
    net.buy(NAME, net.web)
    before = asked(net)
    got = net.run("curl", "-sS", "--max-time", "30", f"http://{NAME}/")
    assert (got.stdout, got.stderr) == (PAGE, "")
    more = [name for name, count in asked(net).items() if count > before[name]]
    assert len(more) >= 4, "a majority of six pivots"
    lookups = net.ask("alice")["services"]["default"]["lookups"]
    assert lookups["found"] == 1
    assert lookups["lastRoutersAsked"] >= 4


def test_any_label_before_a_name_leads_to_it_and_case_does_not_matter(net: Small) -> None:
    address = net.dig(NAME)
    assert address.startswith("172.20.")
    assert net.dig(f"www.{NAME.upper()}") == address


def test_a_name_nobody_bought_is_nxdomain(net: Small) -> None:
    assert net.dig("nobody-has-this.loki") == "NXDOMAIN"
    assert net.dig("im_possible.loki") == "NXDOMAIN"


def test_a_name_that_expires_in_use_is_gone_once_the_cache_forgets_it(net: Small) -> None:
    net.buy("brief.loki", net.web)
    url = "http://brief.loki/"
    assert net.run("curl", "-sS", "--max-time", "30", url).stdout == PAGE
    net.mine(4)
    wait(lambda: net.dig("brief.loki") == "NXDOMAIN", "the name is forgotten", 15)
    assert net.run("curl", "-sS", "--max-time", "30", f"http://{net.web}/").stdout == PAGE


def test_a_router_that_is_deregistered_is_left_by_all_and_one_registered_again_returns(
    net: Small,
) -> None:
    gone = net.routers[7]
    net.register(gone, what="deregister_service_node")
    wait(lambda: net.ask("r8")["chain"]["state"] == "unregistered", "it hears", 20)
    wait(
        lambda: (
            not any(
                link["address"] == "127.0.1.8:1090"
                for name in ROUTERS[:7]
                for link in net.ask(name)["links"]
            )
        ),
        "nobody has a link with it",
        20,
    )
    assert net.run("curl", "-sS", "--max-time", "30", f"http://{net.web}/").stdout == PAGE
    net.register(gone)
    wait(
        lambda: all(net.ask(name)["chain"]["active"] == 8 for name in ROUTERS),
        "it is active again",
        20,
    )


def test_without_the_chain_names_are_servfail_and_addresses_work_on(net: Small) -> None:
    net.buy("later.loki", net.web)
    net.chain.kill()
    assert net.dig("later.loki") == "SERVFAIL"
    assert net.run("curl", "-sS", "--max-time", "30", f"http://{net.web}/").stdout == PAGE
    wait(lambda: not net.ask("r1")["chain"]["reachable"], "it notices", 20)
    assert net.ask("r1")["chain"]["active"] == 8, "the last list stays"
    with net.chain_again():
        wait(lambda: net.ask("r1")["chain"]["reachable"], "it notices", 20)
        assert net.dig("later.loki").startswith("172.20.")
