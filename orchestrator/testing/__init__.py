"""A private Lokinet under other people's tests: what the fixture `testnet` of the plugin gives.

from orchestrator.testing import Testnet

@pytest.mark.testnet(topology="minimal")
def test_the_page(testnet: Testnet) -> None:
    assert "hello" in testnet.page("web").text
"""

from orchestrator.testing.factory import TestnetFactory
from orchestrator.testing.testnet import Node, Page, Program, Testnet

__all__ = ["Node", "Page", "Program", "Testnet", "TestnetFactory"]
