"""The images: what is in them, and that each does its work with no right it does not need."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.docker.engine import (
    CONFINED,
    IMAGES,
    ROOT,
    Bench,
    docker,
    eventually,
    image,
    inspect,
)

MOST_MB = {"node": 155, "web": 135, "tools": 155, "clearnet": 155, "voip": 180}
"""Measured: 146, 128, 143, 142, 167, on a base of 82."""
BUILD_TOOLS = re.compile(
    r"^(gcc|g\+\+|cpp|make|cmake|binutils|build-essential|.*-dev|python3-(pip|venv|setuptools|wheel)"
    r"|python3\.\d+-venv|git|rustc|cargo)$"
)
BUILDING = re.compile(r"\b(pip|venv|gcc|make|setuptools|compileall|cargo|git)\b")
NODE_USER = "1090"
"""The user of the node image."""


def run_in(name: str, *argv: str, user: str = "") -> str:
    """Output of a program of an image, confined and without network."""
    who = (f"--user={user}",) if user else ()
    entry = f"--entrypoint={argv[0]}"
    fixed = ("run", "--rm", "--network=none", *CONFINED, *who, entry, image(name))
    return docker(*fixed, *argv[1:]).stdout


# --- what they are made of -----------------------------------------------------------------------


def test_a_second_build_changes_nothing(images: str) -> None:
    done = subprocess.run(["images/build"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r"(\w+):local unchanged in", done.stderr) == list(IMAGES)


def test_the_command_builds_the_same_from_what_it_lays_out(images: str) -> None:
    command = [sys.executable, "-m", "orchestrator", "images", *IMAGES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r"(\w+):local unchanged in", done.stderr) == list(IMAGES)


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_stays_small(name: str, images: str) -> None:
    assert inspect("image", image(name))["Size"] / 1e6 < MOST_MB[name]


@pytest.mark.parametrize("name", IMAGES)
def test_the_size_is_told_by_the_build_and_by_the_page(name: str, images: str) -> None:
    """Exactly by the one; by the other as it was measured, which a newer Debian moves a little."""
    megabytes = inspect("image", image(name))["Size"] / 1e6
    assert re.findall(rf"{image(name)} .*, (\d+) MB$", images, re.M) == [str(int(megabytes))]
    page = (ROOT / "docs/images.md").read_text()
    (told,) = re.findall(rf"^\| `{image(name)}` \|[^|]*\| (\d+) \|", page, re.M)
    assert abs(megabytes - int(told)) < 0.05 * megabytes


@pytest.mark.parametrize("name", IMAGES)
def test_the_history_of_the_final_stage_builds_nothing(name: str, images: str) -> None:
    shown = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image(name)).stdout
    steps = shown.splitlines()
    assert any("apt-get install" in step for step in steps)
    assert [step for step in steps if BUILDING.search(step)] == []


@pytest.mark.parametrize("name", IMAGES)
def test_nothing_to_build_with_is_in_an_image(name: str, images: str) -> None:
    packages = run_in(name, "dpkg-query", "--show", "--showformat=${Package}\\n").split()
    assert "dpkg" in packages
    assert [package for package in packages if BUILD_TOOLS.match(package)] == []
    folders = "/usr/bin /usr/local/bin /opt"
    found = run_in(name, "sh", "-c", f"find {folders} -name 'pip*' -o -name setuptools -o -name cc")
    assert found == ""


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_tells_that_its_base_is_a_stand_in(name: str, images: str) -> None:
    label = "lokinet-testnet.base"
    base = (inspect("image", "debian:bookworm-slim")["Config"]["Labels"] or {}).get(label)
    assert inspect("image", image(name))["Config"]["Labels"].get(label) == base
    assert ("a stand-in for this machine alone" in images) == (base == "stand-in")


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("web", "nginx"),
        ("voip", "mumble-server"),
        ("tools", "curl"),
        ("tools", "iperf3"),
        ("clearnet", "dnsmasq-base"),
        ("clearnet", "python3-aiosmtpd"),
    ],
)
def test_the_application_is_the_distributions(name: str, package: str, images: str) -> None:
    """Every file of the package has the md5 it was shipped with; the base leaves manuals out."""
    script = f"dpkg --verify {package} | grep -v ' /usr/share/\\(doc\\|man\\|locale\\|info\\)/'; :"
    assert run_in(name, "sh", "-c", script, user="0") == ""
    assert run_in(name, "dpkg-query", "--show", "--showformat=${Package}", package) == package


def test_the_bill_of_materials_names_what_is_in_the_images(images: str) -> None:
    subprocess.run(["python3", "images/sbom.py"], cwd=ROOT, check=True, capture_output=True)
    purls: dict[str, list[str]] = {}
    for name in IMAGES:
        bill = json.loads((ROOT / f".artifacts/images/{name}.cdx.json").read_text())
        assert bill["metadata"]["component"]["version"] == inspect("image", image(name))["Id"]
        purls[name] = [component["purl"] for component in bill["components"]]
        assert [purl for purl in purls[name] if purl.startswith("pkg:deb/debian/base-files@")]
    locked = re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.M)
    pypi = {purl.removeprefix("pkg:pypi/") for purl in purls["node"] if ":pypi/" in purl}
    ours = {purl for purl in pypi if purl.startswith("lokinet-testnet@")}
    assert pypi - ours <= {f"{name}@{version}" for name, version in locked}
    assert len(ours) == 1
    assert len(pypi) > len(ours)


# --- what they do --------------------------------------------------------------------------------


def test_web_serves_a_page_to_the_tools(bench: Bench) -> None:
    web = bench.run("web", "web", options=["--tmpfs=/tmp"])
    status = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://web/")

    def answers() -> bool:
        return bench.tools(*status, check=False).stdout == "200"

    assert eventually(answers), bench.logs(web)
    assert "1 received" in bench.tools("ping", "-c1", "-W5", "web").stdout
    assert re.match(r"10\.78\.200\.\d+$", bench.tools("dig", "+short", "web").stdout)
    docker("stop", web)
    assert inspect("container", web)["State"]["ExitCode"] == 0


def test_voip_answers_a_mumble_ping(bench: Bench) -> None:
    voip = bench.run("voip", "voip", options=["--tmpfs=/tmp", "--ip=10.78.200.9"])
    # type 0, eight bytes to recognise it by; the answer begins with the server's version
    script = r"printf '\0\0\0\0whoisit?' | nc -u -w1 10.78.200.9 64738 | od -An -c | tr -d ' \n'"

    def answers() -> bool:
        return "whoisit?" in bench.tools("sh", "-c", script, check=False).stdout

    assert eventually(answers), bench.logs(voip)


def node_options(folder: Path, address: str) -> list[str]:
    return [f"--ip={address}", f"--volume={folder}:/var/lib/lokinet"]


def router_ini(address: str, device: str) -> str:
    return (
        "[router]\nnetid=images\ndata-dir=/var/lib/lokinet\nblock-bogons=0\n"
        f"[network]\ntype={device}\n[lokid]\nenabled=0\n[bind]\ninbound={address}:1090\n"
        "[bootstrap]\nseed-node=1\n[dns]\nbind=127.3.2.1:53\nupstream=\n"
        "[api]\nenabled=1\nbind=ipc:///var/lib/lokinet/control.sock\n"
        "[logging]\ntype=print\nlevel=info\n"
    )


def new_router(folder: Path, address: str, device: str, owner: str) -> None:
    """A router's directory: keys made by the image's own command, as `owner`."""
    docker("run", "--rm", "--user=0", f"--volume={folder}:/keys", "--entrypoint=chown",
           image("node"), f"{owner}:{owner}", "/keys")  # fmt: skip
    made = docker(
        "run", "--rm", "--network=none", *CONFINED, f"--user={owner}:{owner}",
        f"--volume={folder}:/var/lib/lokinet", "--entrypoint=python", image("node"),
        "-m", "lokinet_node.keys", "router", "/var/lib/lokinet",
        "--netid", "images", "--public-address", f"{address}:1090",
    )  # fmt: skip
    assert json.loads(made.stdout)["address"].endswith(".snode")
    (folder / "lokinet.ini").write_text(router_ini(address, device))


CONFIG = "/var/lib/lokinet/lokinet.ini"


def test_a_router_without_a_tun_needs_no_right_at_all(bench: Bench, tmp_path: Path) -> None:
    new_router(tmp_path, "10.78.200.10", "null", NODE_USER)
    node = bench.run("node", "node", CONFIG, options=node_options(tmp_path, "10.78.200.10"))
    assert eventually(lambda: (tmp_path / "control.sock").is_socket()), bench.logs(node)
    status = docker("exec", node, "cat", "/proc/1/status").stdout
    assert f"Uid:\t{NODE_USER}\t{NODE_USER}\t{NODE_USER}" in status
    assert re.search(r"CapEff:\t0+\n(.*\n)*CapBnd:\t0+\n", status)
    assert "lokitun" not in docker("exec", node, "cat", "/proc/net/dev").stdout
    docker("stop", node)
    assert inspect("container", node)["State"]["ExitCode"] == 0, bench.logs(node)


def test_a_node_with_a_tun_needs_net_admin_and_the_device(bench: Bench, tmp_path: Path) -> None:
    new_router(tmp_path, "10.78.200.11", "tun", "0")
    rights = ["--user=0", "--cap-add=NET_ADMIN", "--device=/dev/net/tun"]
    options = [*node_options(tmp_path, "10.78.200.11"), *rights]
    node = bench.run("node", "node", CONFIG, options=options)
    assert eventually(lambda: (tmp_path / "control.sock").is_socket()), bench.logs(node)
    assert "lokitun" in docker("exec", node, "cat", "/proc/net/dev").stdout
    docker("stop", node)
    assert inspect("container", node)["State"]["ExitCode"] == 0, bench.logs(node)
