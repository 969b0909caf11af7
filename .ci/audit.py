"""Known vulnerabilities and licences of everything in constraints.txt; `make audit`.

Ends with code 1 for a known vulnerability, and for a licence that is neither permissive nor named below with a reason.
Packages that the source of advisories does not know are counted and named: they were not checked.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

PERMISSIVE = {
    *("MIT", "MIT License", "MIT-0", "MIT-CMU", "ISC", "ISC License (ISCL)", "0BSD", "Zlib", "CC0-1.0", "Unlicense"),
    *("BSD", "BSD License", "BSD-2-Clause", "BSD-3-Clause", "3-Clause BSD License", "BSL-1.0", "HPND"),
    *("Apache-2.0", "Apache 2.0", "Apache License 2.0", "Apache Software License", "Apache-2.0 WITH LLVM-exception"),
    *("PSF-2.0", "Python-2.0", "Python Software Foundation License", "The Unlicense (Unlicense)"),
}
EXCEPTIONS = {
    "certifi": "MPL-2.0: used unchanged, as a package of its own",
    "hypothesis": "MPL-2.0: for tests only, not shipped",
    "pathspec": "MPL-2.0: for the documentation and type checks only, not shipped",
    "tqdm": "MPL-2.0 and MIT: used unchanged, as a package of its own",
}


def main() -> None:
    root = Path(__file__).parents[1]
    bad = _vulnerabilities(root / "constraints.txt") + _licences()
    sys.exit(bool(bad))


def _vulnerabilities(constraints: Path) -> int:
    command = [sys.executable, "-m", "pip_audit", "-r", str(constraints), "--no-deps", "--disable-pip", "-f", "json"]
    ended = subprocess.run([*command, "--progress-spinner", "off"], capture_output=True, text=True, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(ended.stdout)["dependencies"]
    except ValueError:
        print(f"vulnerabilities: not checked, pip-audit failed: {(ended.stderr.splitlines() or ['?'])[-1]}")
        return 1
    unknown = [one["name"] for one in found if "skip_reason" in one]
    vulnerable = [one for one in found if one.get("vulns")]
    for one in vulnerable:
        for advisory in one["vulns"]:
            mend = ", ".join(advisory["fix_versions"]) or "no release"
            print(f"{one['name']} {one['version']}: {advisory['id']}, mended in {mend}")
    print(f"vulnerabilities: {len(vulnerable)} of {len(found) - len(unknown)} packages")
    if unknown:
        print(f"not checked, because there are no data on them: {len(unknown)} ({', '.join(unknown[:8])} …)")
    if len(unknown) == len(found):
        print("no package at all could be checked: is the source of advisories reachable?")
    return len(vulnerable) + (len(unknown) == len(found))


def _licences() -> int:
    command = [sys.executable, "-m", "piplicenses", "--format=json", "--from=mixed"]
    packages = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    foreign = 0
    for one in packages:
        name, licence = one["Name"].lower(), one["License"]
        if name in EXCEPTIONS:
            print(f"{one['Name']}: {EXCEPTIONS[name]}")
        elif not all(part in PERMISSIVE for part in _parts(licence)):
            foreign += 1
            print(f"{one['Name']} {one['Version']}: the licence {licence!r} is not on the list of permissive ones")
    print(f"licences: {len(packages)} packages, {foreign} not permissive")
    return foreign


def _parts(licence: str) -> list[str]:
    """Return what a licence expression is made of; of alternatives, one that is permissive is enough."""
    if licence in PERMISSIVE:
        return [licence]
    alternatives = [
        [part if part in PERMISSIVE else part.strip(" ()") for part in re.split(r" AND |; ", one)]
        for one in re.split(r" OR ", licence)
    ]
    good = [one for one in alternatives if all(part in PERMISSIVE for part in one)]
    return (good or alternatives)[0]


if __name__ == "__main__":
    main()
