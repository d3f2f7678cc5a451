"""Ask for known weaknesses of everything that is installed here; say loudly what nobody could be asked about.

Ends with 1 when there are some, or when nothing could be audited and ANTIPHON_REQUIRE_AUDIT is set.
"""

import json
import os
import subprocess
import sys

LIMIT_S = 120


def main() -> int:
    """Audit the environment of this Python."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--timeout", "5"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        packages = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError):
        return unaudited("the advisory service cannot be reached")
    weak = [package for package in packages if package.get("vulns")]
    audited = [package for package in packages if "vulns" in package]
    for package in weak:
        for found in package["vulns"]:
            fixed = ", ".join(found["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {found['id']}, fixed in {fixed}", file=sys.stderr)
    if not audited:
        return unaudited("the package index says nothing of weaknesses")
    print(f"{len(audited)} of {len(packages)} packages audited, {len(weak)} with known weaknesses")
    return 1 if weak else 0


def unaudited(why: str) -> int:
    """Say that nothing was found out."""
    print(f"NOT AUDITED: {why}.", file=sys.stderr)
    return 1 if os.environ.get("ANTIPHON_REQUIRE_AUDIT") else 0


if __name__ == "__main__":
    raise SystemExit(main())
