"""`testnet ps`, `testnet status`, `testnet inspect`: what there is and how it does."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Any

from orchestrator.backends import Backend
from orchestrator.cli.network import host_pids_of, node_of, observed_network
from orchestrator.cli.output import print_json, print_table
from orchestrator.control import full_status
from orchestrator.directories import Places
from orchestrator.errors import EXIT_CHECK_FAILED, EXIT_OK, CheckFailed, UsageError
from orchestrator.ops import CHAIN_PROCESS, NODE_PROCESS, Observed, ObservedNode, ObservedProcess
from orchestrator.readiness.layers import Layer, judge, ready_paths, service_of
from orchestrator.units import format_seconds

__all__ = ["inspect", "ps", "status"]


def ps(arguments: argparse.Namespace) -> int:
    """One line a program."""
    places, _, observed = observed_network(arguments.name)
    pids = host_pids_of(places, observed)
    rows = [
        _process_data(node_name, node, name, pids)
        for node_name, node in observed.nodes.items()
        for name in node.processes
    ]
    if arguments.json:
        print_json(rows)
        return EXIT_OK
    head = ("NODE", "ROLE", "PROGRAM", "STATE", "PID", "ADDRESS", "UP")
    print_table(
        head,
        [
            (
                row["node"],
                row["role"],
                row["program"],
                row["state"],
                str(row["pid"] or "-"),
                _addresses(row),
                format_seconds(row["up_s"]) if row["up_s"] is not None else "-",
            )
            for row in rows
        ],
    )
    return EXIT_OK


def _process_data(
    node_name: str, node: ObservedNode, name: str, pids: Mapping[int, int]
) -> dict[str, Any]:
    process = node.processes[name]
    running = process.exit_code is None
    up_s = time.monotonic() - process.started_us / 1e6
    return {
        "node": node_name,
        "role": node.labels.get("role", ""),
        "program": name,
        "state": _state(process),
        "pid": pids.get(process.pid) if running else None,
        "pid_inside": process.pid if running else None,
        "underlay": node.address,
        "clearnet": node.labels.get("clearnet") or None,
        "port": node.labels.get("port", ""),
        "up_s": round(up_s, 3) if running else None,
    }


def _addresses(row: Mapping[str, Any]) -> str:
    """On the underlay, on the clearnet, or both."""
    return ", ".join(dict.fromkeys(each for each in (row["underlay"], row["clearnet"]) if each))


def _state(process: ObservedProcess) -> str:
    if process.exit_code is None:
        return "running"
    return "stopped" if process.stopped else f"ended with {process.exit_code}"


def status(arguments: argparse.Namespace) -> int:
    """One line a node; exit code 1 if any of them is not ready."""
    places, backend, observed = observed_network(arguments.name)
    rows = [_node_data(backend, name, node) for name, node in observed.nodes.items()]
    ready = all(row["ready"] for row in rows)
    if arguments.json:
        print_json({"name": places.name, "ready": ready, "nodes": rows})
    else:
        head = ("NODE", "ROLE", "READY", "KNOWN", "LINKS", "PATHS", "ADDRESS")
        print_table(
            head,
            [
                (
                    row["node"],
                    row["role"],
                    "yes" if row["ready"] else row["waiting_for"],
                    _shown(row["known"]),
                    _shown(row["links"]),
                    _shown(row["paths"]),
                    row["address"] or "-",
                )
                for row in rows
            ],
        )
    return EXIT_OK if ready else EXIT_CHECK_FAILED


def _shown(number: int | None) -> str:
    return "-" if number is None else str(number)


def _node_data(backend: Backend, name: str, node: ObservedNode) -> dict[str, Any]:
    role: Any = node.labels.get("role", "router")
    data: dict[str, Any] = {
        "node": name,
        "role": role,
        "ready": False,
        "waiting_for": None,
        "known": None,
        "links": None,
        "paths": None,
        "address": None,
        "tun_address": None,
    }
    ended = [program for program, state in node.processes.items() if state.exit_code is not None]
    program = CHAIN_PROCESS if role == "chain" else NODE_PROCESS
    if role == "server":
        program = next(iter(node.processes), "its program")
    if ended or program not in node.processes:
        data["waiting_for"] = f"{Layer.PROCESS.title}: {', '.join(ended) or program} not running"
        return data
    if role == "server":
        return {**data, "ready": True, "address": node.address}
    try:
        found = full_status(backend, name, node.labels["control"])
    except CheckFailed as error:
        data["waiting_for"] = f"{Layer.SOCKET.title}: {error}"
        return data
    judgement = judge(role, found)
    data["ready"] = judgement is None
    data["waiting_for"] = judgement and f"{judgement.layer.title}: {judgement.seen}"
    data["known"] = found.get("numRoutersKnown")
    data["links"] = found.get("numPeersConnected")
    data["paths"] = len(ready_paths(found)) if role in ("client", "service", "exit") else None
    data["address"] = found.get("lokiAddress")
    data["tun_address"] = service_of(found).get("ourIP")
    return data


def inspect(arguments: argparse.Namespace) -> int:
    """Everything the world and the node itself say about one node."""
    if arguments.paths:
        from orchestrator.cli.pictures import show_paths

        return show_paths(arguments)
    if arguments.node is None:
        raise UsageError("say which node: testnet inspect NODE; without one there is only --paths")
    places, backend, observed = observed_network(arguments.name)
    node = node_of(observed, arguments.node)
    try:
        is_server = node.labels.get("role") == "server"
        said: dict[str, Any] | str = (
            {} if is_server else full_status(backend, arguments.node, node.labels["control"])
        )
    except CheckFailed as error:
        said = str(error)
    data = {
        "node": arguments.node,
        "role": node.labels.get("role", ""),
        "underlay": node.address,
        "clearnet": node.labels.get("clearnet") or None,
        "fingerprint": node.fingerprint,
        "directory": str(places.node(arguments.node)),
        "control": node.labels["control"],
        "logs": backend.logs(arguments.node),
        "programs": _programs(arguments.node, places, observed),
        "status": said,
    }
    if arguments.json:
        print_json(data)
    else:
        _print_tree(data)
    return EXIT_OK


def _programs(name: str, places: Places, observed: Observed) -> list[dict[str, Any]]:
    node, pids = observed.nodes[name], host_pids_of(places, observed)
    return [_process_data(name, node, program, pids) for program in node.processes]


def _print_tree(value: Any, indent: int = 0) -> None:
    """Nested data as indented lines; a list of mappings gets a dash an entry."""
    margin = "  " * indent
    for key, entry in value.items():
        if isinstance(entry, dict) and entry:
            print(f"{margin}{key}:")
            _print_tree(entry, indent + 1)
        elif isinstance(entry, list) and entry and isinstance(entry[0], dict):
            print(f"{margin}{key}:")
            for item in entry:
                print(f"{margin}  -")
                _print_tree(item, indent + 2)
        else:
            print(f"{margin}{key}: {_plain(entry)}")


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return "none"
    return str(value)
