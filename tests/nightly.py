"""The long tests of ./run nightly: what is too slow for every change.

Sanitizers over the whole C suite (address with undefined; thread), 64 askers of one vault under the
thread sanitizer, every injected fault under sanitizers, a million random queries, ten million small tables against brute force, two million
synthetic people against the planted truth, a census under every policy of hdis protect, and the fuzz targets for a while each. Ends with the
same line as ./run check. Arguments choose parts by name, see PARTS.
"""

import glob
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check  # noqa: E402

ROOT = check.ROOT
FUZZ_SECONDS = int(os.environ.get("HDIS_FUZZ_SECONDS", "600"))


def build(folder, *options, compiler="cc"):
    path = os.path.join(ROOT, folder)
    if not os.path.exists(os.path.join(path, "build.ninja")):
        subprocess.check_call(["meson", "setup", path, *options], cwd=ROOT,
                              env=dict(os.environ, CC=compiler), stdout=subprocess.DEVNULL)
    subprocess.check_call(["ninja", "-C", path], stdout=subprocess.DEVNULL)


def sanitize():
    sums = (0, 0, 0)
    # Without detect_stack_use_after_return: under it gcc 12 puts objects that need 64-byte alignment
    # on 32 bytes, and the undefined-behaviour checks stop there.
    os.environ["LSAN_OPTIONS"] = "suppressions=" + os.path.join(ROOT, "tests", "lsan.supp")
    os.environ["UBSAN_OPTIONS"] = "halt_on_error=1:print_stacktrace=1"
    os.environ["TSAN_OPTIONS"] = "halt_on_error=1:suppressions=" + os.path.join(ROOT, "tests", "tsan.supp")
    for name, kind in (("build-asan", "address,undefined"), ("build-tsan", "thread")):
        build(name, "-Db_sanitize=" + kind, "-Db_lundef=false", "-Dbuildtype=debugoptimized")
        sums = tuple(a + b for a, b in zip(sums, check.run_meson(name)))
    return sums


def faults():
    os.environ["HDIS_FAULT_ALL"] = "1"
    return check.run_faults("build-faults-asan", "-Db_sanitize=address,undefined",
                            "-Db_lundef=false")


def one(*command, **env):
    code = subprocess.call(command, cwd=ROOT, env=dict(os.environ, **env))
    return (1, 0, 0) if code == 0 else (0, 1, 0)


def askers():
    """64 askers of one vault at once, and questions that are stopped, under the thread sanitizer."""
    build("build-tsan", "-Db_sanitize=thread", "-Db_lundef=false", "-Dbuildtype=debugoptimized")
    made = os.path.join(ROOT, "build", "bench", "with_hdis")
    program = os.path.join(ROOT, "build-tsan", "bench", "askers")
    options = "halt_on_error=1:suppressions=" + os.path.join(ROOT, "tests", "tsan.supp")
    with tempfile.TemporaryDirectory() as folder:
        vault = [os.path.join(folder, "vault"), os.path.join(folder, "key")]
        subprocess.check_call([made, "make", *vault, "140000", "1", "english"])
        return one(program, *vault, os.path.join(ROOT, "catalogue", "yardstick"), "none",
                   os.environ.get("HDIS_NIGHTLY_ASKERS", "64"), "1", "4", TSAN_OPTIONS=options)


def queries():
    program = os.path.join(ROOT, "build", "tests", "oracle", "random_queries")
    jobs = str(os.cpu_count() or 1)
    sums = [one(program, "--count", "1000000", "--jobs", jobs),
            one(program, "--count", "50000", "--seed", "2", "--streamed", "--jobs", jobs),
            one(program, "--count", "5000", "--seed", "3", "--streamed", "--rows", "200000",
                "--jobs", jobs)]
    return tuple(map(sum, zip(*sums)))


def attacks():
    program = os.path.join(ROOT, "build", "tests", "attack", "attack")
    sums = [one(program, "--populations", "5000", "--policy", policy, HDIS_SOURCE=ROOT)
            for policy in ("hes2018", "hes2018-cellkey")]
    return tuple(map(sum, zip(*sums)))


def tables():
    """Ten million small tables against a search over all whole-number tables."""
    program = os.path.join(ROOT, "build", "tests", "oracle", "small_tables")
    total = int(os.environ.get("HDIS_NIGHTLY_TABLES", "10000000"))
    jobs = os.cpu_count() or 1
    running = [subprocess.Popen([program, str(-(-total // jobs)), str(1000 + job)])
               for job in range(jobs)]
    failed = sum(1 for job in running if job.wait() != 0)
    return (jobs - failed, failed, 0)


def people():
    return one(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/nightly",
               HDIS_NIGHTLY_PEOPLE="2000000", HDIS_NIGHTLY_SPELLS="2400")


def matrix():
    """A census under every policy, rounded and with exact national figures, protected and attacked."""
    times = os.path.join(ROOT, "build", "matrix.txt")
    if os.path.exists(times):
        os.remove(times)
    done = one(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
               os.path.join("tests", "nightly", "test_matrix.py"), HDIS_NIGHTLY_MATRIX=times)
    with open(times, encoding="utf-8") as f:
        print(f.read(), end="")
    return done


def fuzz():
    build("build-fuzz", "-Dfuzz=true", "-Db_lundef=false", compiler="clang")
    sums = (0, 0, 0)
    for target in sorted(glob.glob(os.path.join(ROOT, "build-fuzz", "tests", "fuzz", "fuzz_*"))):
        if not os.path.isfile(target) or not os.access(target, os.X_OK):
            continue
        corpus = os.path.join(ROOT, "tests", "fuzz", "corpus",
                              os.path.basename(target)[len("fuzz_"):])
        sums = tuple(a + b for a, b in zip(sums, one(
            target, "-max_total_time=%d" % FUZZ_SECONDS, "-timeout=20", corpus)))
    return sums


PARTS = {"sanitize": sanitize, "askers": askers, "faults": faults, "queries": queries, "tables": tables,
         "attacks": attacks, "people": people, "matrix": matrix, "fuzz": fuzz}


def main():
    wanted = sys.argv[1:] or list(PARTS)
    sums = (0, 0, 0)
    for name in wanted:
        print("nightly: " + name, flush=True)
        sums = tuple(a + b for a, b in zip(sums, PARTS[name]()))
    print("%d passed, %d failed, %d skipped" % sums)
    return 1 if sums[1] or not sums[0] else 0


if __name__ == "__main__":
    sys.exit(main())
