"""Every indicator of ten thousand synthetic people equals the planted truth; see tests/truth.py."""

import truth


def test_every_indicator_equals_the_planted_truth(people):
    wrong, compared = truth.differences(people)
    assert compared > 5000
    assert not wrong, "%d differences:\n%s" % (len(wrong), "\n".join(wrong[:40]))


def test_every_indicator_of_the_catalogue_has_a_truth(people):
    names = {line.split()[0] for line in people.run("indicators").stdout.split("\n") if line}
    assert names == set(people.truth())


def test_released_figures_hold_no_small_number(people):
    for name in sorted(people.truth()):
        for row in people.indicator(name, true_counts=False):
            for column in ("numerator", "denominator"):
                x = row[column]
                if x not in ("", "*", ":"):
                    assert float(x) == 0 or float(x) >= 10 or name.startswith(("mean", "median", "ae_")), \
                        (name, row)
