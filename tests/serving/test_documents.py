"""What OpenAPI says is so: examples have the forms that they are examples of."""

import jsonschema_rs
import pytest

from metaforge.screening.verdicts import FileVerdict
from metaforge.serving.errors import CODES
from metaforge.serving.examples import VERDICT


@pytest.fixture(scope="module")
def document(running):
    return running.get("/openapi.json").json()


def with_parts(schema, document):
    return schema | {"components": document["components"]}


def test_every_example_has_the_form_that_it_is_an_example_of(document):
    seen = 0
    for path in document["paths"].values():
        for operation in path.values():
            bodies = [*operation["responses"].values(), operation.get("requestBody", {})]
            for content in (content for body in bodies for content in body.get("content", {}).values()):
                if "example" in content:
                    schema = with_parts(content["schema"], document)
                    jsonschema_rs.validate(schema, content["example"])
                    seen += 1
    assert seen >= 4
    problem = document["components"]["schemas"]["Problem"]
    assert jsonschema_rs.is_valid(problem, problem["example"])


def test_the_example_of_a_verdict_is_a_record():
    assert FileVerdict.from_json(VERDICT).as_json() == VERDICT


def test_the_form_of_a_verdict_is_that_of_records(document):
    schema = with_parts(document["components"]["schemas"]["Verdict"], document)
    assert jsonschema_rs.is_valid(schema, VERDICT)
    assert not jsonschema_rs.is_valid(schema, VERDICT | {"decision": "perhaps"})


def test_every_route_says_what_may_go_wrong(document):
    for place, path in document["paths"].items():
        for operation in path.values():
            for status, answer in operation["responses"].items():
                if place.startswith(("/v1/predict", "/v1/models")) and int(status) >= 400:
                    assert int(status) in CODES.values()
                    assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
