"""Names and rows that differ in one number are said once."""

import pytest

from geojax.symmetry.action.folding import fold_names, fold_rows


@pytest.mark.parametrize(
    "names, expected",
    [
        (["a", "b"], ["a", "b"]),
        (["l/0/w[1]", "l/1/w[1]"], ["l/0/w[1]", "l/1/w[1]"]),
        (["l/0/w[1]", "x", "l/1/w[1]", "l/2/w[1]"], ["l/{0..2}/w[1]", "x"]),
        (["w[0]", "w[1]", "w[2]"], ["w[0]", "w[1]", "w[2]"]),
        ([f"l{i}/h{k}/w" for i in range(3) for k in range(4)], ["l{0..2}/h{0..3}/w"]),
        (["a9", "a11", "a10", "a2", "b"], ["a{2,9..11}", "b"]),
        (["a1^2", "a2^2", "a3"], ["a1^2", "a2^2", "a3"]),
    ],
)
def test_names_that_differ_in_one_number(names, expected):
    assert fold_names(names) == expected


def row(i, size="4"):
    return ((f"net/{i}:sign",), "sign", size, (f"net/{i}",), (f"net/{i}/w[1]", f"net/{i + 1}/w[0]", "emb[0]"))


def test_rows_of_one_pattern_are_one_and_count_their_neighbours_from_themselves():
    other = (("net/7",), "permutation", "4", (), ("net/7/w[1]",))
    folded = fold_rows([row(0), other, row(1), row(2)])
    assert folded == [
        (
            ("net/{i}:sign, i = 0..2",),
            "sign",
            "4",
            ("net/{i}",),
            ("net/{i}/w[1]", "net/{i+1}/w[0]", "emb[0]"),
        ),
        other,
    ]


def test_rows_that_differ_in_more_than_the_number_stay():
    rows = [row(0), row(1), row(2, size="5")]
    assert fold_rows(rows) == rows
    assert fold_rows([]) == []
