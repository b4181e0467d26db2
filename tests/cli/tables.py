"""What the tests of hdis protect and hdis audit share: running them, trees, policies of one's own, and an
attacker that knows nothing of hdis but the printed table."""

import csv
import gzip
import io
import itertools
import os
import random
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HDIS = os.environ.get("HDIS", os.path.join(ROOT, "build", "hdis"))
CASES = os.path.join(os.environ.get("HDIS_SHARED", os.path.join(ROOT, "..", "shared")), "cases",
                     "disclosure")
ENDLESS = 10 ** 15

# Only the threshold: what is withheld, and that nobody can work it out.
PLAIN = dict(rounded_to=1, minimum_persons=0, minimum_mean_records=0, small_sums_are_withheld="false",
             below_star_is_withheld="false", minimum_candidates=0, candidates_for_counts_to=0)


def hdis(*args, catalogue=None):
    env = dict(os.environ)
    if catalogue:
        env["HDIS_CATALOGUE"] = str(catalogue)
    return subprocess.run([HDIS, *map(str, args)], capture_output=True, text=True, env=env, timeout=300)


def own_policy(folder, name, **changes):
    """A policy like hes2018 with some keys changed; gives the folder for HDIS_CATALOGUE."""
    with open(os.path.join(ROOT, "catalogue", "policies", "hes2018.yaml"), encoding="utf-8") as f:
        text = f.read()
    for key, value in dict(changes, name=name).items():
        text, n = re.subn("^%s: .*$" % key, "%s: %s" % (key, value), text, flags=re.M)
        assert n == 1, key
    os.makedirs(os.path.join(folder, "policies"), exist_ok=True)
    with open(os.path.join(folder, "policies", name + ".yaml"), "w", encoding="utf-8") as f:
        f.write(text)
    return folder


def read(path):
    opened = gzip.open if str(path).endswith(".gz") else open
    with opened(path, "rt", newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def write(path, rows, columns=None):
    with open(path, "w", newline="", encoding="utf-8") as f:
        out = csv.DictWriter(f, columns or list(rows[0]))
        out.writeheader()
        out.writerows(rows)
    return path


def write_tree(path, edges):
    """edges: (code, parent) pairs; tops without a line of their own go under Total."""
    edges = sorted(set(edges))
    tops = sorted({p for _, p in edges} - {c for c, _ in edges} - {"Total"})
    return write(path, [dict(code=c, parent=p) for c, p in edges + [(t, "Total") for t in tops]])


class Table:
    """Cells of a printed table, and every sum between them."""

    def __init__(self, rows, dims, trees=None, total="Total"):
        self.dims, self.cells = dims, {tuple(r[d] for d in dims): r for r in rows}
        self.rules = []
        for d in dims:
            codes = list(dict.fromkeys(r[d] for r in rows))
            rules = []
            for tree in (trees or {}).get(d, []):
                children = {}
                for e in read(tree):
                    children.setdefault(e["parent"], []).append(e["code"])
                rules += list(children.items())
            self.rules.append(rules or ([(total, [c for c in codes if c != total])]
                                        if len(codes) > 1 else []))
        codes = [list(dict.fromkeys(r[d] for r in rows)) for d in dims]
        self.sums = []
        for i, rules in enumerate(self.rules):
            others = [codes[k] if k != i else [None] for k in range(len(dims))]
            for parent, children in rules:
                for at in itertools.product(*others):
                    put = lambda code: at[:i] + (code,) + at[i + 1:]
                    self.sums.append((put(parent), [put(c) for c in children]))

    def below(self, marked):
        """The cells that are parts, however far down, of one that is marked."""
        found, news = set(), set(marked)
        parts = {}
        for parent, children in self.sums:
            parts.setdefault(parent, []).extend(children)
        while news:
            news = {c for p in news for c in parts.get(p, ())} - found
            found |= news
        return found


# What a reader knows of a policy: what is withheld, and the base of the others ("mid": 1-6 is 3, 7-12 is 9).
PRINTS = {"hes2018": (1, 7, 5), "hes2014": (1, 5, 1), "mhsds": (0, 4, 5), "iapt": (0, 4, 5),
          "opensafely": (1, 7, 5), "opensafely-midpoint6": (1, 0, "mid"), "ons10-5": (0, 9, 5)}


def printed(n, policy):
    """A count as the policy prints it where nothing else hangs on it."""
    start, end, base = PRINTS[policy]
    if base == "mid":
        return str(-(-n // 6) * 6 - 3 if n else 0)
    return "*" if start <= n <= end else str((n + base // 2) // base * base)


def known_of(table, policy):
    """What a reader of a table knows by its marks and numbers. Sums of what is shown tell no more."""
    start, end, base = PRINTS[policy]
    exact = {c for c, r in table.cells.items() if r.get("exact") == "true"}
    summed = {p for p, _ in table.sums} - exact if policy == "opensafely" else set()
    stars = {c for c, r in table.cells.items() if r["shown"] == "*"}
    below = table.below(stars - exact - summed) - table.below({c for c, r in table.cells.items()
                                                               if r["shown"] == "0"})
    totals = {p for p, _ in table.sums}
    known = {}
    for c, r in table.cells.items():
        if c in summed:
            known[c] = (0, ENDLESS)
        elif r["shown"] == "*" and start == 0 and c in totals:
            known[c] = (0, ENDLESS)  # where zeros are withheld, the mark of a total says nothing
        elif r["shown"] == "*":
            known[c] = (0 if c in below else start, end)
        elif r["shown"] == ":":
            known[c] = (1 if c in exact else end + 1, ENDLESS)
        elif c in exact or r["shown"] == "0":
            known[c] = (int(r["shown"]),) * 2
        else:
            n = int(r["shown"])
            known[c] = (n - 2, n + 3) if base == "mid" else (max(end + 1, n - base // 2), n + base // 2)
    return known


def attack(table, known):
    """Bounds tightened over every sum until nothing changes; None when no table can be."""
    low, high = {c: b[0] for c, b in known.items()}, {c: b[1] for c, b in known.items()}
    of = {}
    for i, (parent, children) in enumerate(table.sums):
        for c in [parent, *children]:
            of.setdefault(c, []).append(i)
    queue, waiting = list(range(len(table.sums))), set(range(len(table.sums)))

    def narrow(c, a, b):
        a, b = max(a, low[c]), min(b, high[c])
        if a > b:
            return False
        if (a, b) != (low[c], high[c]):
            low[c], high[c] = a, b
            for i in of[c]:
                if i not in waiting:
                    waiting.add(i)
                    queue.append(i)
        return True

    while queue:
        i = queue.pop()
        waiting.discard(i)
        parent, children = table.sums[i]
        least, most = sum(low[c] for c in children), sum(high[c] for c in children)
        if not narrow(parent, least, most):
            return None
        for c in children:
            rest_low, rest_high = least - low[c], most - high[c]
            if not narrow(c, low[parent] - min(rest_high, ENDLESS), high[parent] - rest_low):
                return None
            least, most = rest_low + low[c], rest_high + high[c]
    return {c: (low[c], high[c]) for c in low}


def computable(table, withheld):
    """The withheld cells that sums and differences of the others give: elimination modulo a prime."""
    p, rows, of = 2 ** 31 - 1, {}, {}  # rows: by pivot; of: pivots of the rows that name a cell

    def subtract(row, other, factor):
        for c, x in other.items():
            y = (row.get(c, 0) - factor * x) % p
            if y:
                row[c] = y
            else:
                row.pop(c, None)

    for parent, children in table.sums:
        row = {c: x for c, x in [(parent, p - 1)] + [(c, 1) for c in children] if c in withheld}
        for c in [c for c in row if c in rows]:
            subtract(row, rows[c], row[c])
        if not row:
            continue
        pivot = min(row, key=lambda c: len(of.get(c, ())))
        inverse = pow(row[pivot], -1, p)
        row = {c: x * inverse % p for c, x in row.items()}
        for other in list(of.get(pivot, ())):
            before = set(rows[other])
            subtract(rows[other], row, rows[other][pivot])
            for c in before ^ set(rows[other]):
                (of.setdefault(c, set()).add if c in rows[other] else of[c].discard)(other)
        rows[pivot] = row
        for c in row:
            of.setdefault(c, set()).add(pivot)
    return {c for c, row in rows.items() if len(row) == 1}


def census(people, regions=15, seed=7):
    """Fictitious records of region, single year of age, and sex; and the tree of bands of ten."""
    r = random.Random(seed)
    weights = [r.uniform(0.2, 3) for _ in range(regions)]
    rows = []
    for g in r.choices(range(regions), weights, k=people):
        age = min(109, int(abs(r.gauss(38, 24)))) if r.random() < 0.985 else r.randrange(85, 110)
        rows.append(dict(region="R%02d" % g, age=str(age), sex="M" if r.random() < 0.49 else "F"))
    bands = [(str(a), "%d-%d" % (a // 10 * 10, a // 10 * 10 + 9)) for a in range(110)]
    return rows, bands
