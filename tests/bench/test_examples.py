"""The examples in the docstrings of the bench are true."""

import doctest
from types import ModuleType

import pytest

from bench import histogram, pipeline, stylised


@pytest.mark.parametrize(
    "module", [histogram, pipeline, stylised], ids=lambda module: str(module.__name__)
)
def test_docstring_examples_are_true(module: ModuleType) -> None:
    outcome = doctest.testmod(module)
    assert outcome.attempted > 0
    assert outcome.failed == 0
