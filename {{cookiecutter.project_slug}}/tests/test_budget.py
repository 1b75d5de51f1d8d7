"""The one budget that every deadline derives from."""

from __future__ import annotations

import math

import pytest

from {{ cookiecutter.package_name }}.lifecycle import Budget, BudgetError


def test_thirty_seconds_are_shared_out_as_the_readme_says() -> None:
    budget = Budget.derive(30)
    assert (budget.drain, budget.requests, budget.cleanup, budget.margin) == (5, 15, 5, 5)


@pytest.mark.parametrize("grace", [5, 7.5, 10, 11, 30, 100, 3600])
def test_every_deadline_fits_into_the_grace_period(grace: float) -> None:
    budget = Budget.derive(grace)
    assert min(budget.drain, budget.requests, budget.cleanup) > 0
    assert budget.margin >= 2
    assert budget.deadline == pytest.approx(budget.drain + budget.requests + budget.cleanup)
    assert budget.deadline < budget.kill_after < grace
    assert budget.deadline + budget.margin == pytest.approx(grace)


def test_a_phase_that_is_given_is_taken() -> None:
    budget = Budget.derive(30, drain=0, requests=1.5, cleanup=2)
    assert (budget.drain, budget.requests, budget.cleanup) == (0, 1.5, 2)
    assert budget.deadline == 3.5


def test_phases_that_do_not_fit_are_refused_with_the_sum_spelled_out() -> None:
    with pytest.raises(BudgetError) as refused:
        Budget.derive(30, drain=10)
    assert str(refused.value) == (
        "drain 10 + requests 15 + cleanup 5 + margin 5 = 35 s, more than the grace period of 30 s"
    )


def test_phases_that_just_fit_are_taken() -> None:
    assert Budget.derive(30, drain=5, requests=10, cleanup=10).deadline == 25


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf])
@pytest.mark.parametrize("phase", ["drain", "requests", "cleanup"])
def test_a_phase_must_be_a_number_of_seconds(phase: str, seconds: float) -> None:
    with pytest.raises(BudgetError, match=f"{phase} must be 0 or more seconds"):
        Budget.derive(30, **{phase: seconds})


@pytest.mark.parametrize("grace", [-1, math.nan, math.inf])
def test_so_must_the_grace_period(grace: float) -> None:
    with pytest.raises(BudgetError, match="must be 0 or more seconds"):
        Budget.derive(grace, drain=0, requests=0, cleanup=0)
