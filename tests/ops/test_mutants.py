"""The changes `make mutants` tries."""

from types import FunctionType

from tests.mutants.changes import changes_of

SOURCE = """
LIMIT = 3

def is_over(count):
    return count > LIMIT and not is_open(count)

class Till:
    def add(self, amount):
        self.total += amount
        return self.total
"""


def test_every_function_is_changed_one_place_at_a_time() -> None:
    found = {(change.function, change.before, change.after) for change in changes_of(SOURCE, "till.py")}
    assert ("is_over", "count > LIMIT", "count >= LIMIT") in found
    assert ("is_over", "not is_open(count)", "is_open(count)") in found
    assert ("Till.add", "self.total += amount", "pass") in found
    assert ("Till.add", "return self.total", "return None") in found
    assert not [after for _function, before, after in found if before == "3"], "constants of a module stay"


def test_the_changed_code_runs_in_place_of_the_function() -> None:
    [change] = [each for each in changes_of(SOURCE, "till.py") if each.before == "count > LIMIT"]
    is_over = FunctionType(change.code, {"LIMIT": 3, "is_open": lambda _count: False})
    assert is_over(3)
    assert not is_over(2)
