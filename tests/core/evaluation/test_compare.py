"""Which differences mean something, and which evaluations may stand in one table."""

from dataclasses import replace

import pytest

from kgen.errors import KgenError
from kgen.evaluation.record import Value
from kgen.evaluation.report import catalogue
from kgen.evaluation.report.compare import BETTER, EQUAL, SAME, UNKNOWN, WORSE, Comparison, judge
from kgen.evaluation.report.compare_page import page
from tests.core.evaluation import records
from tests.markup import Page


def judged(name, first, second):
    return judge(catalogue.value(name, "x"), Value(**first), Value(**second))


def v(value, sd=None):
    return {"value": value, "sd": sd}


@pytest.mark.parametrize(
    ("name", "first", "second", "verdict"),
    [
        # 15 % of the larger number decides where the deviations are small.
        ("frechet_distance", v(10.0, 0.1), v(8.51, 0.1), SAME),
        ("frechet_distance", v(10.0, 0.1), v(8.49, 0.1), BETTER),
        ("frechet_distance", v(8.49, 0.1), v(10.0, 0.1), WORSE),
        # 5 sqrt(3^2 + 4^2) = 25 decides where they are large.
        ("frechet_distance", v(60.0, 3.0), v(35.1, 4.0), SAME),
        ("frechet_distance", v(60.0, 3.0), v(34.9, 4.0), BETTER),
        ("coverage", v(0.5, 0.001), v(0.6, 0.001), BETTER),
        ("coverage", v(0.6, 0.001), v(0.5, 0.001), WORSE),
        # Without deviations the 15 % alone; one of two counts as it is.
        ("coverage", v(0.5), v(0.6), BETTER),
        ("coverage", v(0.5), v(0.58), SAME),
        ("coverage", v(0.5, 0.03), v(0.6), SAME),
        ("duplicates", v(0.0), v(0.0), EQUAL),
        ("duplicates", v(0.0), v(0.01), WORSE),
        ("duplicates", v(0.0, 0.0), v(0.01, 0.01), SAME),
        # Signs: an unbiased distance can be negative, and an ELBO too.
        ("kernel_distance", v(-0.001, 0.001), v(0.002, 0.001), SAME),
        ("kernel_distance", v(-0.001, 0.0001), v(0.002, 0.0001), WORSE),
        # A likelihood's zero is arbitrary: 15 % of it mean nothing, standard deviations do.
        ("elbo", v(-100.0, 0.1), v(-99.0, 0.1), BETTER),
        ("elbo", v(620.0, 1.0), v(623.0, 1.0), SAME),
        ("elbo", v(620.0), v(700.0, 1.0), UNKNOWN),
        ("bits_per_dim", v(6.85, 0.003), v(6.80, 0.003), BETTER),
        # Near its target, from either side.
        ("density", v(0.5, 0.01), v(1.2, 0.01), BETTER),
        ("density", v(1.2, 0.01), v(0.5, 0.01), WORSE),
        ("density", v(0.75, 0.01), v(1.25, 0.01), SAME),
    ],
)  # fmt: skip
def test_a_difference_counts_if_it_exceeds_the_noise(name, first, second, verdict):
    assert judged(name, first, second) == verdict


DIRECTED = [name for name, entry in catalogue.VALUES.items() if entry.better != "neither"]


@pytest.mark.parametrize("name", DIRECTED)
@pytest.mark.parametrize(("a", "b"), [(0.2, 0.4), (0.5, 0.51), (-0.3, 0.9), (0.0, 1.0)])
def test_swapping_two_models_swaps_the_verdict(name, a, b):
    swapped = {BETTER: WORSE, WORSE: BETTER}
    there, back = judged(name, v(a, 0.01), v(b, 0.01)), judged(name, v(b, 0.01), v(a, 0.01))
    assert back == swapped.get(there, there)


def two(**values):
    first = records.record("gan", name="short")
    return first, records.changed(records.record("gan", name="long", seed=100), **values)


def row(comparison, name):
    (found,) = [r for r in comparison.rows if r.name == name]
    return found


def test_every_number_and_every_known_cost_has_a_row():
    first, second = two()
    names = [r.name for r in Comparison.of([first, second]).rows]
    costs = ["parameters", "training_seconds", "seconds_per_picture"]
    assert names[-3:] == costs  # nobody knows a size on device
    assert set(names[:-3]) == set(first.findings.values)


def test_a_number_that_one_model_lacks_has_no_verdict():
    first, second = two(elbo=Value(value=1.0, sd=1.0))
    found = row(Comparison.of([first, second]), "elbo")
    assert (found.cells, found.verdicts) == ((None, "1.0 ± 1.0"), (None,))


def test_what_is_neither_better_nor_worse_has_no_verdict():
    first = records.record("vae")
    second = records.changed(first, active_units=Value(value=9.0))
    comparison = Comparison.of([first, second])
    assert row(comparison, "active_units").verdicts == (None,)


def test_costs_are_compared_too():
    first, second = two()
    small = replace(second.target, parameters=1_000_000, training_seconds=310.0, bytes=870_000)
    comparison = Comparison.of([first, replace(second, target=small)])
    # Counted: any difference is one. Measured: 15 %.
    assert row(comparison, "parameters").verdicts == (BETTER,)
    assert row(comparison, "training_seconds").verdicts == (SAME,)
    assert row(comparison, "bytes").cells == (None, "870 kB")


def test_all_are_compared_with_the_first():
    first, second = two(frechet_distance=Value(value=12.0, sd=0.2))
    third = records.changed(records.record("gan", name="worse"),
                            frechet_distance=Value(value=40.0, sd=0.2))  # fmt: skip
    comparison = Comparison.of([first, second, third])
    assert row(comparison, "frechet_distance").verdicts == (BETTER, WORSE)
    one, other = comparison.summary()
    assert "better in FD-lenet64-v1" in one
    assert "worse in FD-lenet64-v1" in other


def test_the_same_evaluation_twice_shows_no_difference():
    first = records.record("gan")
    comparison = Comparison.of([first, first])
    assert {verdict for r in comparison.rows for verdict in r.verdicts} == {EQUAL}
    assert comparison.summary() == (f"GAN gan-fashion (2) beside GAN gan-fashion (1): {SAME}.",)


def test_the_plain_table_has_a_verdict_beside_every_number_but_the_first():
    first, second = two(frechet_distance=Value(value=12.0, sd=0.2))
    head, *rows = Comparison.of([first, second]).table()
    assert head == ("number", "better is", "GAN short", "GAN long", "beside the first")
    assert {len(r) for r in rows} == {5}
    (found,) = [r for r in rows if r[0] == "FD-lenet64-v1"]
    assert found == ("FD-lenet64-v1", "lower", "23.61 ± 0.21", "12.00 ± 0.20", BETTER)


def test_one_evaluation_is_no_comparison():
    with pytest.raises(KgenError, match=r"two evaluations or more\. Received: 1"):
        Comparison.of([records.record()])


@pytest.mark.parametrize(
    ("changes", "said", "kept"),
    [
        ({"extractor": "inception"}, "extractor: short=lenet64-v1, long=inception", True),
        ({"extractor_sha256": "f" * 64}, "weights of the extractor", True),
        ({"n": 2000}, "number of generated pictures: short=10000, long=2000", True),
        ({"data": "mnist"}, "data: short=fashion_mnist, long=mnist", False),
        ({"split": "held out"}, "split: short=test, long=held out", False),
        ({"reference": 400}, "number of real pictures: short=10000, long=400", False),
    ],
)
def test_different_protocols_never_share_a_table(changes, said, kept):
    first, second = two(elbo=Value(value=1.0, sd=0.1))
    second = replace(second, protocol=replace(second.protocol, **changes))
    with pytest.raises(KgenError) as caught:
        Comparison.of([first, second])
    assert said in str(caught.value)
    assert "kgen evaluate NAME --data fashion_mnist -n 10000" in str(caught.value)
    partly = Comparison.of([first, second], partly=True)
    names = {r.name for r in partly.rows}
    assert names & {"frechet_distance", "coverage"} == set()
    # Copies are found by pixels: another extractor changes nothing, other numbers of pictures do.
    assert ("copies" in names) == (changes.keys() <= {"extractor", "extractor_sha256"})
    assert ("elbo" in names, "parameters" in names) == (kept, True)
    assert len(partly.left_out) == 1


def test_another_seed_compares():
    first, second = two()
    second = replace(second, protocol=replace(second.protocol, seed=3))
    comparison = Comparison.of([first, second])
    assert "All are of seed" not in Page(page(comparison)).text


def test_the_page_shows_both_grids_side_by_side():
    first, second = two(frechet_distance=Value(value=12.0, sd=0.2))
    shown = Page(page(Comparison.of([first, second])))
    assert shown.problems() == []
    samples = [a["alt"] for a in shown.all("img") if "64 generated pictures" in a["alt"]]
    assert [alt.partition(":")[0] for alt in samples] == ["GAN short", "GAN long"]
    assert "All are of seed 0" in shown.text
    assert "FD-lenet64-v1 23.61 ± 0.21 12.00 ± 0.20 better lower" in shown.text


def test_the_page_of_two_families_and_three_models_is_whole():
    vae = replace(records.record("vae"), protocol=records.record("gan").protocol)
    shown = Page(page(Comparison.of([*two(), vae])))
    assert shown.problems() == []


def test_names_are_never_markup():
    first, second = two()
    evil = replace(second, target=replace(second.target, name="<script>x</script>"))
    shown = Page(page(Comparison.of([first, evil])))
    assert shown.all("script") == []
    assert shown.problems() == []
