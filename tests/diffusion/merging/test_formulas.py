"""Formulas of merging: the numbers of another implementation, and what each says of itself."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from diffusion.merging.formulas import FORMULAS, Terms

STEPS = torch.arange(12, dtype=torch.float32).reshape(3, 4)
A, B, C = ((STEPS * f + p).sin() for f, p in ((1.3, 0.2), (1.7, 0.5), (0.9, -0.4)))

# fmt: off
PUBLISHED: Mapping[str, list[float]] = {
    "weighted_sum": [
        0.282896, 0.940795, 0.028162, -0.762174, -0.285804, 0.40703,
        0.40556, 0.037438, -0.34615, -0.460268, 0.121764, 0.757421,
    ],
    "slerp": [
        0.454265, 1.411103, -0.047987, -1.140181, -0.289778, 0.618405,
        0.4429, 0.031089, -0.354852, -0.651879, 0.045733, 1.097079,
    ],
    "geometric": [
        0.258766, 0.936571, 0.244327, -0.756997, -0.46746, 0.407017,
        0.575692, 0.079698, -0.555515, -0.348951, 0.404265, 0.692217,
    ],
    "cosine": [
        0.479426, 0.923746, -0.687766, -0.741079, 0.850437, 0.407686,
        -0.956635, 0.004718, 0.999309, -0.412797, -0.975626, 0.69069,
    ],
    "train_difference": [
        0.313252, 1.062322, -0.007781, -0.907188, -0.458154, 0.408752,
        0.990593, 0.189918, -0.706749, -0.809209, 0.150415, 1.067246,
    ],
    "perpendicular": [
        0.382846, 1.028845, -0.082388, -1.027983, -0.40722, 0.614909,
        0.736684, 0.122132, -0.586959, -0.73327, 0.097575, 0.929085,
    ],
    "ties": [
        -0.170879, 0.606497, 0.636898, 0.304562, 0.214269, -0.450249,
        -0.666339, -0.267886, 0.069047, 0.585211, 0.456545, 0.139126,
    ],
    "model_stock": [
        0.163622, 0.92428, 0.304639, -0.63447, -0.539581, 0.275999,
        0.594155, 0.043524, -0.586178, -0.39693, 0.455021, 0.770503,
    ],
}
# fmt: on
"""What sd-mecha 1.1.8 computes of A, B and C with 0.3 (TIES keeping everything, the sign by sums; the model stock over
the whole tensor)."""


def result(
    formula: str,
    alpha: float,
    beta: float = 0.0,
    gamma: float = 1.0,
    seed: int = 0,
    *,
    a: Tensor = A,
    b: Tensor = B,
    c: Tensor = C,
) -> Tensor:
    found = Terms(a, b, c, alpha, beta, gamma, torch.Generator().manual_seed(seed), (a, b, c))
    if (survey := FORMULAS[formula].survey) is not None:
        values = survey(found)
        found = found._replace(bounds=(float(values.min()), float(values.max())))
    return FORMULAS[formula].compute(found)


@pytest.mark.parametrize("formula", PUBLISHED)
def test_equals_another_implementation(formula: str) -> None:
    expected = torch.tensor(PUBLISHED[formula]).reshape(3, 4)
    assert (result(formula, 0.3, beta=1.0) - expected).abs().max() <= 2e-6


def test_sums_of_three() -> None:
    assert torch.allclose(result("triple_sum", 0.3, 0.2), 0.5 * A + 0.3 * B + 0.2 * C, atol=1e-6)
    assert torch.allclose(result("sum_twice", 0.3, 0.2), 0.8 * (0.7 * A + 0.3 * B) + 0.2 * C, atol=1e-6)
    assert torch.allclose(result("add_difference", 0.3), A + 0.3 * (B - C), atol=1e-6)


def test_rows_are_taken_as_they_are() -> None:
    assert torch.equal(result("rows", 1 / 3, 1 / 3), torch.stack([A[0], B[1], A[2]]))
    assert torch.equal(result("rows", 1.0, 2 / 3), torch.stack([A[0], A[1], B[2]]))


def test_columns_are_taken_as_they_are() -> None:
    expected = torch.stack([A[:, 0], B[:, 1], B[:, 2], A[:, 3]], dim=1)
    assert torch.equal(result("columns", 0.5, 0.25), expected)
    assert torch.equal(result("columns", 1.0, 0.0, a=A[0], b=B[0]), A[0])


def test_the_mean_of_all() -> None:
    assert torch.allclose(result("average", 1.0), (A + B + C) / 3, atol=1e-6)
    assert torch.allclose(result("average", 0.25), A + 0.25 * ((A + B + C) / 3 - A), atol=1e-6)


def test_quotients() -> None:
    assert torch.allclose(result("multiply_quotient", 1.0), A * B / C, rtol=1e-4)
    assert torch.allclose(result("multiply_quotient", 0.5, b=4 * C), 2 * A, rtol=1e-5)
    assert torch.equal(result("multiply_quotient", 1.0, b=torch.zeros_like(B)), A)


def test_within_two_others() -> None:
    low, high = torch.minimum(B, C), torch.maximum(B, C)
    assert torch.equal(result("within", 1.0), torch.clamp(A, low, high))
    assert torch.allclose(result("within", 0.5), (A + torch.clamp(A, low, high)) / 2, atol=1e-6)


def test_low_rank_is_the_closest_there_is() -> None:
    """By the whole decomposition of what was learned; all ranks give the difference itself."""
    torch.manual_seed(3)
    a, b, c = torch.randn(3, 12, 20).unbind()
    u, s, vh = torch.linalg.svd(b - c, full_matrices=False)
    expected = a + 0.7 * (u[:, :3] * s[:3]) @ vh[:3]
    assert torch.allclose(result("low_rank", 0.7, beta=0.25, a=a, b=b, c=c), expected, atol=1e-4)
    assert torch.allclose(result("low_rank", 0.7, beta=1.0, a=a, b=b, c=c), a + 0.7 * (b - c), atol=1e-6)


def test_low_frequencies_of_one_and_high_ones_of_the_other() -> None:
    steps = torch.arange(64.0)
    slow, fast = (2 * torch.pi * steps / 64).cos(), (2 * torch.pi * 20 * steps / 64).cos()
    merged = result("crossover", 0.5, a=3 * slow + fast, b=slow + 5 * fast)
    assert torch.allclose(merged, slow + fast, atol=1e-5)
    assert torch.allclose(result("crossover", 0.0), A, atol=1e-6)
    assert torch.allclose(result("crossover", 1.01), B, atol=1e-6)


@pytest.mark.parametrize("shape", [(6, 10), (10, 6), (4, 3, 3, 3)])
def test_turning_towards_another(shape: tuple[int, ...]) -> None:
    """All the way it is the turn that made the other; half of it twice is all the way; lengths stay."""
    torch.manual_seed(5)
    a = torch.randn(shape)
    side = min(shape[0], a[0].numel())
    skew = 0.3 * torch.randn(side, side)
    turn = torch.linalg.matrix_exp(skew - skew.T)
    b = (turn @ a.flatten(1) if len(a) == side else a.flatten(1) @ turn).reshape(shape)
    assert torch.allclose(result("rotate", 1.0, a=a, b=b), b, atol=1e-4)
    half = result("rotate", 0.5, a=a, b=b)
    assert torch.allclose(result("rotate", 1.0, a=half, b=b), b, atol=1e-4)
    assert torch.allclose(result("rotate", 0.5, a=a, b=b).norm(), a.norm(), rtol=1e-4)
    assert not torch.allclose(half, b, atol=0.1)


def test_cosines_follow_their_formula() -> None:
    """k = clip((similarity - least) / (most - least) - alpha, 0, 1), the result B + k (A - B); the similarity of a
    column and that of the whole count half each. With columns of one length the whole's is the columns' mean, and the
    bounds are those of the columns alone."""
    column = [float((A[:, i] * B[:, i]).sum() / (A[:, i].norm() * B[:, i].norm())) for i in range(4)]
    whole = float((A * B).sum() / (A.norm() * B.norm()))
    raw = [(c + whole) / 2 for c in column]
    even = [(c + sum(column) / 4) / 2 for c in column]
    for name, similarity, bounding in (("cosine_a", even, column), ("cosine_b", raw, raw)):
        low, high = min(bounding), max(bounding)
        k = [min(1.0, max(0.0, (value - low) / (high - low) - 0.2)) for value in similarity]
        assert torch.allclose(result(name, 0.2), B + torch.tensor(k) * (A - B), atol=1e-5)


def test_extracting_what_is_alike_and_what_is_apart() -> None:
    assert torch.allclose(result("extract", 0.5, beta=0, b=A + 1, c=A + 1), A + 1)
    assert torch.allclose(result("extract", 0.5, beta=1, b=A + 1, c=A + 1), A)
    assert torch.allclose(result("extract", 0.25, beta=0, b=A + 1, c=A - 1), A)
    assert torch.allclose(result("extract", 0.25, beta=1, b=A + 1, c=A - 1), A + 0.5)


def test_train_difference_changes_nothing_that_was_not_learned() -> None:
    assert torch.equal(result("train_difference", 1.0, c=B), A)


def test_ties_keeps_the_largest_that_agree() -> None:
    zero = torch.zeros(4)
    a, b = torch.tensor([4.0, 1.0, -3.0, 0.5]), torch.tensor([2.0, 3.0, 1.0, 0.1])
    merged = result("ties", 1.0, beta=0.5, a=a, b=b, c=zero)
    assert merged.tolist() == [3.0, 3.0, -3.0, 0.0]
    assert torch.equal(result("ties", 1.0, beta=0.0, a=a, b=b, c=zero), zero)


@pytest.mark.parametrize(("formula", "gamma"), [("dare", 0.0), ("della", 0.4)])
def test_what_is_left_out_at_random_is_made_up_for(formula: str, gamma: float) -> None:
    """The mean stays, and as many are left out as asked for."""
    torch.manual_seed(7)
    zero, b = torch.zeros(200, 200), torch.randn(200, 200) + 1
    merged = result(formula, 1.0, beta=0.5, gamma=gamma, a=zero, b=b, c=zero)
    assert abs((merged == 0).float().mean() - 0.5) < 0.01
    assert abs(merged.mean() - b.mean()) < 0.02
    large = b.abs() > b.abs().median()
    kept = [(merged[part] != 0).float().mean() for part in (large, ~large)]
    assert abs(kept[0] - kept[1] - gamma / 2) < 0.02
    assert not torch.equal(merged, result(formula, 1.0, 0.5, gamma, seed=1, a=zero, b=b, c=zero))


def test_geometric_median_is_where_the_sum_of_distances_is_least() -> None:
    median = result("geometric_median", 1.0)

    def distances(x: Tensor) -> float:
        return sum(float(torch.dist(x, point)) for point in (A, B, C))

    torch.manual_seed(0)
    assert all(distances(median) <= distances(median + 0.05 * torch.randn(3, 4)) for _ in range(20))


def test_tensors_that_are_equal_stay_so() -> None:
    for name in FORMULAS:
        if name in ("rows", "columns", "triple_sum", "sum_twice", "dare", "della"):
            continue
        assert torch.allclose(result(name, 0.3, beta=0.5, b=A, c=A), A, atol=1e-6), name
