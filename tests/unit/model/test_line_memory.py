"""What header lines say is kept, and whoever sends them can't make us keep more and more."""

from __future__ import annotations

from gateway.model.line_memory import LINE_BYTES_MAX, LINES_MAX, remember


def test_what_a_line_says_is_kept_and_returned() -> None:
    """So that a look that fails and this are one expression."""
    known: dict[bytes, int] = {}
    assert remember(known, b"A: 1", 4, 1) == 1
    assert known == {b"A: 1": 1}


def test_a_long_line_is_read_anew_each_time() -> None:
    """One byte beyond the bound."""
    known: dict[bytes, bool] = {}
    for size in (LINE_BYTES_MAX, LINE_BYTES_MAX + 1):
        assert remember(known, b"x" * size, size, True)
    assert [len(line) for line in known] == [LINE_BYTES_MAX]


def test_no_more_lines_than_the_bound_are_ever_kept() -> None:
    """Whoever sends new ones without end makes it forget; what comes then is kept again."""
    known: dict[int, int] = {}
    sizes = set()
    for number in range(3 * LINES_MAX):
        assert remember(known, number, 8, number) == number
        sizes.add(len(known))
        assert known[number] == number
    assert max(sizes) == LINES_MAX
