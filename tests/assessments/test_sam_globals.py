"""SAM's Globals: properties that all functions, APIs and tables of a template share."""

from __future__ import annotations

from typing import Any

from assessments.scan.stacks import Stack


def template(**shared: Any) -> Stack:
    return Stack({"Globals": shared, "Parameters": {"Size": {"Type": "Number", "Default": 1024}}})


def function(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::Serverless::Function", "Properties": properties}


def test_a_function_has_what_it_does_not_declare_from_the_globals() -> None:
    stack = template(
        Function={
            "MemorySize": {"Ref": "Size"},
            "Timeout": 3,
            "Layers": ["base"],
            "Environment": {"TABLE": "cart"},
        }
    )
    found = stack.properties(function(Timeout=9, Layers=["own"], Environment={"MODE": "fast"}))
    assert found == {
        "MemorySize": 1024,
        "Timeout": 9,
        "Layers": ["base", "own"],
        "Environment": {"TABLE": "cart", "MODE": "fast"},
    }


def test_globals_are_for_their_own_type_and_only_if_they_are_well_formed() -> None:
    stack = template(Function={"MemorySize": 512})
    table = {"Type": "AWS::Serverless::SimpleTable", "Properties": {"TableName": "cart"}}
    assert stack.properties(table) == {"TableName": "cart"}
    assert stack.properties({"Type": "AWS::Lambda::Function"}) == {}
    globals_: tuple[object, ...] = (None, [], "Function", {"Function": ["MemorySize"]})
    for broken in globals_:
        assert Stack({"Globals": broken}).properties(function(Timeout=1)) == {"Timeout": 1}
    assert stack.properties({"Type": "AWS::Serverless::Function", "Properties": "no"}) == {
        "MemorySize": 512
    }
