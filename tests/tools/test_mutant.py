"""The defects of a source text, each of which is one change of it."""

import ast

import pytest

from tools.mutant import mutants

SOURCE = '''"""Text."""
LIMIT = 5


class Box:
    """Holds."""

    def put(self, count: int = 3) -> int:
        """Put."""
        if count < 1 and not self.full:
            logger().info("nothing", count=1)
            return 0
        self.held += count - 2
        self.last = count
        self.tell(max(count, 7))
        for each in ():
            continue
        assert count > 9
        raise ValueError(f"{count + 1}")
'''


def test_every_kind_of_defect_is_made_in_functions_only() -> None:
    found = [(mutant.before, mutant.after) for mutant in mutants("a.py", SOURCE)]
    condition = "if count < 1 and not self.full:"
    assert sorted(found) == sorted(
        [
            (condition, "if not (count < 1 and (not self.full)):"),
            (condition, "if (count < 1 or not self.full):"),
            (condition, "if count <= 1 and not self.full:"),
            (condition, "if count < 2 and not self.full:"),
            ("return 0", "return None"),
            ("return 0", "return 1"),
            ("self.held += count - 2", "pass"),
            ("self.held += count - 2", "self.held += (count + 2)"),
            ("self.held += count - 2", "self.held += count - 3"),
            ("self.last = count", "pass"),
            ("self.tell(max(count, 7))", "pass"),
            ("self.tell(max(count, 7))", "self.tell(min(count, 7))"),
            ("self.tell(max(count, 7))", "self.tell(max(count, 8))"),
            ("continue", "break"),
        ]
    )


def test_each_defect_parses_and_changes_one_place() -> None:
    for mutant in mutants("a.py", SOURCE):
        changed = mutant.apply(SOURCE)
        ast.parse(changed)
        assert changed != SOURCE
        lines = zip(SOURCE.splitlines(), changed.splitlines(), strict=True)
        assert sum(before != after for before, after in lines) == 1
        assert mutant.function == "Box.put"


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("return a >= b", "return a > b"),
        ("return a is b", "return a is not b"),
        ("return a in b", "return a not in b"),
        ("return a * b", "return (a // b)"),
        ("return a or b", "return (a and b)"),
        ("return -a", "return a"),
        ("return True", "return False"),
        ("return 'ä' if a else b", "return 'ä' if (not (a)) else b"),
        ("del a[b]", "pass"),
    ],
)
def test_a_line_has_the_expected_mutants(line: str, after: str) -> None:
    assert after in [m.after for m in mutants("a.py", f"def f(a, b):\n    {line}\n")]


def test_a_zip_stays_strict_and_other_words_change() -> None:
    source = "def f(a, b):\n    g(zip(a, b, strict=True), sort=True)\n"
    assert [m.after for m in mutants("a.py", source)] == [
        "pass", "g(zip(a, b, strict=True), sort=False)",
    ]  # fmt: skip
