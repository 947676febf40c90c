"""The words of commands that make no network and change none."""

from __future__ import annotations

from orchestrator.cli.loads import add_load
from orchestrator.cli.options import (
    Commands,
    add_backend,
    add_node,
    add_report,
    add_topology,
    count,
    declare,
    duration,
    some,
)

__all__ = ["add_tools"]


def add_tools(commands: Commands) -> None:
    """Files first, then what looks at the machine."""
    _add_files(commands)
    _add_images(commands)
    _add_doctor(commands)
    _add_test(commands)
    _add_watching(commands)
    _add_forwards(commands)
    add_load(commands)
    _add_shells(commands)


def _add_files(commands: Commands) -> None:
    init = declare(
        commands, "init", "topologies", "write a first topology file, with comments", network=False
    )
    init.add_argument(
        "file", nargs="?", default="testnet.yaml", metavar="FILE", help="new file; - prints it"
    )
    init.add_argument(
        "--preset", default="minimal", metavar="PRESET", help="what to begin with: see --list"
    )
    init.add_argument("--list", action="store_true", help="print the presets and write nothing")
    validate = declare(
        commands,
        "validate",
        "topologies",
        "tell everything that is wrong with topology files",
        json=True,
        network=False,
    )
    validate.add_argument("files", nargs="+", metavar="FILE", help="file, or a bundled name")
    render = declare(
        commands, "render", "topologies", "print the files a topology becomes", json=True
    )
    render.add_argument(
        "form",
        nargs="?",
        metavar="compose",
        help="this word: as a compose file, for `docker compose` and docker-compose 1.29",
    )
    render.add_argument("topology", nargs="?", metavar="TOPOLOGY", help="file, or a bundled name")
    render.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="write them to an empty directory instead; a compose file beside others like it",
    )
    render.add_argument(
        "--context",
        metavar="DIR",
        help="of a compose file: what its images are built from, a checkout or written by `images`",
    )
    declare(
        commands, "schema", "topologies", "print the JSON Schema of topology files", network=False
    )


def _add_images(commands: Commands) -> None:
    images = declare(
        commands, "images", "images", "build the images that containers are made of", network=False
    )
    images.add_argument("images", nargs="*", metavar="IMAGE", help="some of them; else all")
    images.add_argument(
        "-o", "--output", metavar="DIR", help="write what they are built of to a new directory"
    )


def _add_doctor(commands: Commands) -> None:
    doctor = declare(
        commands,
        "doctor",
        "doctor",
        "say whether this machine is fit for a network, and how to mend it",
        json=True,
        network=False,
    )
    add_topology(doctor)
    add_backend(doctor)
    doctor.add_argument(
        "--routers", type=count("routers"), metavar="N", help="as if it had that many routers"
    )


def _add_test(commands: Commands) -> None:
    test = declare(commands, "test", "test", "check what the topology says must hold", json=True)
    test.add_argument(
        "topology",
        nargs="?",
        metavar="TOPOLOGY",
        help="whose tests; without it those of the network that is up",
    )
    test.add_argument(
        "-k", metavar="EXPR", help="only tests with such words: 'http and not (bob or eve)'"
    )
    test.add_argument("--list", action="store_true", help="print their names and run none")
    test.add_argument("--junit", metavar="FILE", help="write the results as JUnit's XML too")
    test.add_argument(
        "--repeat", type=some("rounds"), default=1, metavar="N", help="all of them N times (1)"
    )
    test.add_argument(
        "--seed", type=count("a seed"), metavar="S", help="shuffle each round; the same S, the same"
    )
    test.add_argument("--fail-fast", action="store_true", help="end with the first that fails")
    add_report(test, is_always_possible=True)
    report = declare(
        commands, "report", "report", "write what is known of a network as a page", json=True
    )
    report.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="new or empty directory; else one in TESTNET_REPORTS, or in the state directory",
    )


def _add_watching(commands: Commands) -> None:
    top = declare(commands, "top", "watching", "show what each node takes and carries", json=True)
    top.add_argument("--once", action="store_true", help="one table, not a live one")
    top.add_argument(
        "--interval", type=duration, default=1.0, metavar="1s", help="between two tables"
    )
    events = declare(commands, "events", "watching", "tell what happens, until Ctrl-C", json=True)
    events.add_argument(
        "--for", dest="last", type=duration, metavar="10s", help="end by itself after that time"
    )
    graph = declare(commands, "graph", "pictures", "draw links and the ways of packets", json=True)
    graph.add_argument(
        "--format", choices=("mermaid", "dot", "html"), default="mermaid", help="of the drawing"
    )
    graph.add_argument(
        "--layer", choices=("both", "underlay", "overlay"), default="both", help="links, or ways"
    )
    graph.add_argument("-o", "--output", metavar="FILE", help="write it to a file instead")


def _add_forwards(commands: Commands) -> None:
    forward = declare(
        commands,
        "forward",
        "forward",
        "lead a port of this machine's loopback into a node",
        json=True,
    )
    add_node(forward, optional=True, text="from whose point of view the target is reached")
    forward.add_argument(
        "target",
        nargs="?",
        metavar="LOCAL:HOST:PORT",
        help="such as 8080:web.loki:80; LOCAL 0 is any free port; HOST may be a node, "
        "and PORT left out is its application's",
    )
    forward.add_argument(
        "--background", action="store_true", help="go on until --stop or `testnet down`"
    )
    forward.add_argument("--list", action="store_true", help="print those there are")
    forward.add_argument(
        "--stop", type=count("a port"), metavar="LOCAL", help="end the one of that port"
    )
    browse = declare(
        commands, "browse", "forward", "open a page of the network in your own browser"
    )
    add_node(browse, text="from whose point of view")
    browse.add_argument("url", metavar="URL", help="http://web.loki/, or the name of a node")
    browse.add_argument("--fetch", action="store_true", help="print the page instead")


def _add_shells(commands: Commands) -> None:
    shells = declare(
        commands, "completion", "completion", "print what makes a shell complete", network=False
    )
    shells.add_argument("shell", choices=("bash", "zsh", "fish"), help="bash, zsh or fish")
