"""Which image each program of a node is started from, where programs come from images at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from orchestrator.applications import CommandApp
from orchestrator.fingerprints import fingerprint
from orchestrator.groups import ServerGroup, ServiceGroup
from orchestrator.ops import CHAIN_PROCESS, NODE_PROCESS, Image, NodeSpec, ProcessSpec
from orchestrator.topology import Member

__all__ = ["APPLICATION_IMAGES", "in_images"]

APPLICATION_IMAGES = {
    "nginx": "web",
    "websocket": "web",
    "command": "tools",
    "dnsmasq": "clearnet",
    "aiosmtpd": "clearnet",
    "mumble": "voip",
}
"""By the application's kind, or the name of a program beside it."""


def in_images(spec: NodeSpec, node: Member, image_of: Callable[[str], Image | None]) -> NodeSpec:
    """The same node with an image beside each program; as it was where there are none."""
    tools = image_of("tools")
    if tools is None:
        return spec
    processes = tuple(
        replace(process, image=image_of(_word(process, node))) for process in spec.processes
    )
    changed = replace(spec, processes=processes, tools=tools)
    if len(processes) == 1 and not spec.rules:
        return changed
    # The container that owns the namespace is made of it: another image is another namespace.
    return replace(
        changed, fingerprint=f"{spec.fingerprint},{fingerprint({'image': tools.number})}"
    )


def _word(process: ProcessSpec, node: Member) -> str:
    if process.name in (NODE_PROCESS, CHAIN_PROCESS):
        return "node"
    app = node.group.app if isinstance(node.group, ServiceGroup | ServerGroup) else None
    if isinstance(app, CommandApp) and app.image is not None:
        return app.image
    return APPLICATION_IMAGES[process.name]
