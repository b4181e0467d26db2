"""Run every test of ./run check and end with one line: N passed, N failed, N skipped.

Three parts: the C tests that meson knows, the programs of tests/fault in a build of their own with
injected faults, and the command-line tests under pytest. Nothing here knows a test by name.
"""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run_meson(build, *more):
    subprocess.call(["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs", *more],
                    cwd=ROOT)
    passed = failed = skipped = 0
    with open(os.path.join(ROOT, build, "meson-logs", "testlog.json")) as log:
        for line in log:
            result = json.loads(line)["result"]
            if result in ("OK", "EXPECTEDFAIL"):
                passed += 1
            elif result == "SKIP":
                skipped += 1
            else:
                failed += 1
    return passed, failed, skipped


def run_faults(build="build-faults", *options):
    if not os.path.exists(os.path.join(ROOT, build, "build.ninja")):
        subprocess.call(["meson", "setup", build, "-Dfaults=true", *options], cwd=ROOT,
                        stdout=subprocess.DEVNULL)
    if subprocess.call(["ninja", "-C", build, "--quiet", "fault-programs"], cwd=ROOT):
        return 0, 1, 0
    return run_meson(build, "--suite", "fault")


def run_pytest(args):
    report = os.path.join(ROOT, "build", "pytest.xml")
    if os.path.exists(report):
        os.unlink(report)
    subprocess.call(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml", report,
         "-rs", "tests"] + args, cwd=ROOT)
    if not os.path.exists(report):
        return 0, 1, 0
    passed = failed = skipped = 0
    for suite in ET.parse(report).getroot().iter("testsuite"):
        total, bad = int(suite.get("tests")), int(suite.get("failures")) + int(suite.get("errors"))
        skip = int(suite.get("skipped"))
        passed, failed, skipped = passed + total - bad - skip, failed + bad, skipped + skip
    return passed, failed, skipped


def main():
    sums = [sum(x) for x in zip(run_meson("build"), run_faults(), run_pytest(sys.argv[1:]))]
    print("%d passed, %d failed, %d skipped" % tuple(sums))
    return 1 if sums[1] or not sums[0] else 0


if __name__ == "__main__":
    sys.exit(main())
