"""What is linked into the library, as a CycloneDX 1.5 SBOM: `sbom.py TARGET` prints it.

cargo-cyclonedx does this too, but would have to be compiled wherever a package is made, and knows
neither which crates only build the others nor Rust's standard library. The same sources give the same
bytes: there is no time and no serial number in it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout


def linked(target: str) -> set[str]:
    """ "NAME VERSION" of each crate whose code is in the library."""
    tree = output("cargo", "tree", "--locked", "--target", target, "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}")
    return {f"{name} {version}" for name, version in re.findall(r"^(\S+) v(\S+)", tree, re.MULTILINE)}


def checksums() -> dict[str, str]:
    lock = (ROOT / "Cargo.lock").read_text("utf-8")
    found = re.findall(r'name = "(.*)"\nversion = "(.*)"\nsource = .*\nchecksum = "(.*)"', lock)
    return {f"{name} {version}": checksum for name, version, checksum in found}


def component(package: dict[str, Any], checksum: str | None) -> dict[str, Any]:
    name, version = package["name"], package["version"]
    made: dict[str, Any] = {"type": "library", "bom-ref": f"pkg:cargo/{name}@{version}", "name": name, "version": version}
    if package["description"]:
        made["description"] = " ".join(package["description"].split())
    if checksum:
        made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["license"]:
        made["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    made["purl"] = made["bom-ref"]
    if package["repository"]:
        made["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return made


def sbom(target: str) -> dict[str, Any]:
    metadata = json.loads(output("cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target))
    packages = {package["id"]: package for package in metadata["packages"]}
    names = {number: f"{package['name']} {package['version']}" for number, package in packages.items()}
    inside, sums = linked(target), checksums()
    own = next(number for number, package in packages.items() if package["name"] == "apivideo")
    ours = {**component(packages[own], None), "name": "libapivideo"}
    rust = re.match(r"rustc (\S+)", output("rustc", "--version"))[1]
    std = {"type": "library", "bom-ref": f"pkg:generic/rust-std@{rust}", "name": "rust-std", "version": rust,
           "description": f"Rust's standard library, for {target}", "licenses": [{"expression": "MIT OR Apache-2.0"}],
           "purl": f"pkg:generic/rust-std@{rust}"}
    components = [component(package, sums[names[number]]) for number, package in packages.items() if names[number] in inside and number != own]
    edges = []
    for node in metadata["resolve"]["nodes"]:
        if names[node["id"]] not in inside:
            continue
        needs = {dependency for dependency in node["dependencies"] if names[dependency] in inside}
        edges.append({"ref": reference(packages[node["id"]]),
                      "dependsOn": sorted(map(reference, map(packages.__getitem__, needs))) + [std["bom-ref"]]})
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": ours, "properties": [{"name": "rust:target", "value": target}]},
        "components": sorted(components, key=lambda made: made["bom-ref"]) + [std],
        "dependencies": sorted(edges, key=lambda edge: edge["ref"]) + [{"ref": std["bom-ref"]}],
    }


def reference(package: dict[str, Any]) -> str:
    return f"pkg:cargo/{package['name']}@{package['version']}"


if __name__ == "__main__":
    json.dump(sbom(sys.argv[1]), sys.stdout, indent=1, ensure_ascii=False)
    print()
