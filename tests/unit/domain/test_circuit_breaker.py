"""The circuit breaker: what opens it, for how long, what closes it."""

from __future__ import annotations

from ctx.domain.circuit_breaker import FAILURES_MAX, OPEN_FIRST_S, OPEN_MAX_S, TIMEOUTS_MAX, CircuitBreaker

SECOND_NS = 1_000_000_000


def test_failures_in_a_row_open_it() -> None:
    """And not one before the last; the reason is told."""
    breaker = CircuitBreaker()
    for n in range(FAILURES_MAX):
        assert not breaker.is_open(n), n
        breaker.record_failure(0, "died")
    assert breaker.is_open(1)
    assert f"left alone for {OPEN_FIRST_S:.0f} s more: died" == breaker.describe(0)


def test_one_slow_question_does_not_open_it() -> None:
    """Nor several with an answer in between."""
    breaker = CircuitBreaker()
    for _ in range(3):
        for _ in range(TIMEOUTS_MAX - 1):
            breaker.record_timeout(0, asked_ns=0)
        breaker.record_success()
    assert not breaker.is_open(0)
    for _ in range(TIMEOUTS_MAX):
        breaker.record_timeout(0, asked_ns=0)
    assert breaker.is_open(0)
    assert "5 questions in a row were not answered in time" == breaker.reason


def test_after_its_time_one_try_decides() -> None:
    """Failing again opens it at once and for twice as long, up to a limit; a success closes it."""
    breaker = CircuitBreaker()
    now_ns = 0
    for _ in range(FAILURES_MAX):
        breaker.record_failure(now_ns, "died")
    lasts_s = OPEN_FIRST_S
    for _ in range(8):
        assert breaker.is_open(now_ns + int(lasts_s * SECOND_NS) - 1)
        now_ns += int(lasts_s * SECOND_NS)
        assert not breaker.is_open(now_ns)
        breaker.record_failure(now_ns, "died")
        lasts_s = min(lasts_s * 2, OPEN_MAX_S)
    assert OPEN_MAX_S == lasts_s
    breaker.record_success()
    assert not breaker.is_open(now_ns)
    assert "" == breaker.describe(now_ns)
    breaker.record_failure(now_ns, "died")
    assert not breaker.is_open(now_ns)
    assert "1 failures in a row: died" == breaker.describe(now_ns)


def test_a_timeout_of_the_one_try_opens_it_again() -> None:
    """A server that hangs is not waited for five times more."""
    breaker = CircuitBreaker()
    for _ in range(TIMEOUTS_MAX):
        breaker.record_timeout(0, asked_ns=0)
    later_ns = int(OPEN_FIRST_S * SECOND_NS)
    assert not breaker.is_open(later_ns)
    breaker.record_timeout(later_ns, asked_ns=later_ns)
    assert breaker.is_open(later_ns)


def test_what_was_asked_before_it_opened_counts_no_more() -> None:
    """However many were on their way; those asked after its time was over do."""
    breaker = CircuitBreaker()
    for _ in range(3 * TIMEOUTS_MAX):
        breaker.record_timeout(2, asked_ns=1)
    assert 1 == breaker.openings
    later_ns = int(OPEN_FIRST_S * SECOND_NS) + 2
    breaker.record_timeout(later_ns, asked_ns=1)
    assert not breaker.is_open(later_ns)
    breaker.record_timeout(later_ns, asked_ns=later_ns)
    assert 2 == breaker.openings
