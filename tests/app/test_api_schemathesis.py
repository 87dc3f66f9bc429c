"""Every documented operation, asked with what its document allows and with what it does not."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from harness import HOST, Running, running
from issue_samples import failure, issues

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 5


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("fuzz") / "data") as tracer:
        for number in range(30):
            tracer.send(
                failure(f"Error{number}", release="shop@1.0.0", tags={"shop": "x"}), digest=False
            )
        report = {"event_id": tracer.send(failure()), "comments": "It broke"}
        tracer.send(items=[({"type": "user_report"}, report)])
        yield tracer


def _likely(tracer: Running, document: dict[str, Any]) -> dict[str, Any]:
    """The document with path values that exist, so that operations get past "not found"."""
    found = issues(tracer, limit="50")
    event_id = tracer.api(f"/api/0/issues/{found[0]['id']}/events/latest/").json()["eventID"]
    known = {
        "organization_slug": [tracer.org.slug],
        "project_slug": [tracer.project.slug],
        "issue_id": [one["id"] for one in found] + [one["shortId"] for one in found],
        "event_id": [event_id, "latest", "oldest", "recommended"],
        "key": ["shop", "level"],
    }
    document = copy.deepcopy(document)
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation["parameters"]:
                if parameter["in"] == "path" and parameter["name"] in known:
                    parameter["schema"] = {"enum": known[parameter["name"]]}
    return document


def _started(site: Any) -> Any:
    """The application as one that runs already: it is opened and closed by its fixture."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await site(scope, receive, send)
            return
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})

    return app


def _ask(tracer: Running, operation: Any, mode: GenerationMode) -> None:
    headers = {"Authorization": f"Bearer {tracer.token()}"}

    @seed(20261123)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        response = case.call(base_url=HOST, headers=headers)
        case.validate_response(response, checks=CHECKS)

    ask()


def _rank(operation: Any) -> int:
    """What deletes or renames goes last, or the rest would find nothing."""
    of_project = operation.path.endswith("/{project_slug}/")
    if operation.method.upper() == "DELETE":
        return 3 if of_project else 1
    return 2 if of_project and operation.method.upper() == "PUT" else 0


def test_no_operation_fails_or_answers_what_its_document_does_not_say(served: Running) -> None:
    document = served.visitor.get("/api/0/openapi.json").json()
    site, asked = _started(served.app.site), []
    for paths, mode in (
        (_likely(served, document), GenerationMode.POSITIVE),
        (_likely(served, document), GenerationMode.NEGATIVE),
        (document, GenerationMode.POSITIVE),
    ):
        schema = from_dict(paths)
        schema.app = site
        asked += [(found.ok(), mode) for found in schema.get_all_operations()]
    assert len(asked) == 3 * sum(len(methods) for methods in document["paths"].values())
    for operation, mode in sorted(asked, key=lambda one: _rank(one[0])):
        try:
            _ask(served, operation, mode)
        except Unsatisfiable:
            # An operation without any input has nothing to be got wrong.
            assert mode is GenerationMode.NEGATIVE
        except Exception as error:
            error.add_note(f"{mode}: {operation.method.upper()} {operation.path}")
            raise
