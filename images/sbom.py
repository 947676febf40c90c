#!/usr/bin/env python3
"""images/sbom.py [NAME…]: what each image is made of, in .artifacts/images/NAME.cdx.json.

CycloneDX 1.5. Debian packages are asked of the image's own dpkg, Python packages of its own
interpreter, each in a container without network, rights or a writable file system. The images must
be there (`make images`). Exit code 1 if one is not, or tells of no package.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TypedDict
from urllib.parse import quote

ALL = ("node", "web", "tools", "clearnet", "voip")
ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".artifacts" / "images"
CONFINED = ("--rm", "--network=none", "--cap-drop=ALL", "--read-only")
DEBIAN = ("dpkg-query", "--show", "--showformat=${Package}\\t${Version}\\t${Architecture}\\n")
PYTHON = (
    "python",
    "-c",
    "from importlib.metadata import distributions as d\n"
    "for x in d(): print(x.name, x.version, sep='\\t')",
)

Component = dict[str, str]


class Bill(TypedDict):
    """CycloneDX's outermost object."""

    bomFormat: str
    specVersion: str
    version: int
    metadata: dict[str, Component]
    components: list[Component]


def image_name(name: str) -> str:
    """What `images/build` calls it."""
    return f"localhost/lokinet-testnet/{name}:local"


def run_in(image: str, argv: tuple[str, ...]) -> list[list[str]]:
    """The lines a program of the image prints, split at tabs."""
    command = ["docker", "run", *CONFINED, "--entrypoint", argv[0], image, *argv[1:]]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def debian_packages(image: str) -> list[Component]:
    """Everything dpkg has installed."""
    return [
        {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={architecture}",
        }
        for name, version, architecture in run_in(image, DEBIAN)
    ]


def python_packages(image: str) -> list[Component]:
    """Everything the node's own environment holds."""
    return [
        {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{quote(name.lower())}@{quote(version)}",
        }
        for name, version in run_in(image, PYTHON)
    ]


def bill(name: str) -> Bill:
    """The whole document of one image."""
    image = image_name(name)
    inspect = ["docker", "image", "inspect", "--format", "{{.Id}}", image]
    found = subprocess.run(inspect, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    parts = debian_packages(image) + (python_packages(image) if name == "node" else [])
    if not parts:
        raise ValueError(f"{image} tells of no package")
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": image, "version": found}},
        "components": sorted(parts, key=lambda part: part["purl"]),
    }


def main(names: list[str]) -> int:
    """Write the bills; the exit code."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names or ALL:
        try:
            document = bill(name)
        except (subprocess.CalledProcessError, OSError, ValueError) as error:
            print(f"sbom: {name}: {error}; `make images` builds the images", file=sys.stderr)
            return 1
        path = FOLDER / f"{name}.cdx.json"
        path.write_text(json.dumps(document, indent=1) + "\n")
        print(f"{path.relative_to(ROOT)}  {len(document['components'])} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
