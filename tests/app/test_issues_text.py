from __future__ import annotations

from harness import Running
from issue_samples import failure
from tracer.issues import queries
from tracer.issues.queries import Filters
from tracer.search import parse


def test_text_with_signs_of_search_engines_is_only_text(tracer: Running) -> None:
    tracer.send(failure("OddError", '50% of "a_b" * (OR) NEAR -x ^y'))
    tracer.send(failure("PlainError", "50 of aab OR x"))
    for text in ("50%", "a_b", "(OR)", "* (OR) NEAR", "^y", '"a_b"', "%", "-x"):
        escaped = text.replace('"', '\\"')
        query = parse(f'"{escaped}"')
        page = queries.page(tracer.meta.read(), tracer.reach, Filters(query))
        assert [issue.type for issue in page.issues] == ["OddError"], text
