"""Every entry of the table names what there is: nodes, inputs, outputs, types of values, options, defaults."""

from __future__ import annotations

import pytest

from compat.workflows.kinds import Port
from compat.workflows.rewrites import VALUES, widgets_of
from compat.workflows.table import CLASSES
from graph.node import NodeSpec
from graph.widgets import InputFile, ModelFile
from tests.compat.conftest import Here


@pytest.mark.parametrize("name", CLASSES)
def test_an_entry_names_what_there_is(here: Here, name: str) -> None:
    kind = CLASSES[name]
    spec = here.registry[kind.type]
    beside = here.registry[kind.beside.type] if kind.beside else None
    last = beside if beside is not None and kind.beside is not None and kind.beside.takes else spec
    assert set(kind.outputs) <= {output.name for output in last.outputs}
    for port in kind.ports:
        if port.target:
            owner = beside if port.beside else spec
            assert owner is not None
            check(here, owner, port)
    for name, value in kind.fixed.items():
        port = spec.port(name)
        assert port is not None
        assert port.widget is not None
        port.widget.check(value, here.files)
    if kind.beside is not None and beside is not None:
        giver, taker = (beside, spec) if kind.beside.gives else (spec, beside)
        output, input = kind.beside.gives or kind.beside.takes or ("", "")
        assert output in {each.name for each in giver.outputs}
        assert taker.port(input) is not None


def check(here: Here, spec: NodeSpec, port: Port) -> None:
    ours = next(each for each in spec.inputs if each.name == port.target)
    assert port.many == (ours.type[:5] == "list[")
    if not port.is_widget:
        return
    assert ours.widget is not None or ours.type in ("int", "float", "str", "bool")
    if port.name == "image" or isinstance(ours.widget, ModelFile | InputFile) or ours.widget is None:
        return
    value = port.default if port.convert is None else port.convert(port.default)
    if (spec.id, port.name) != ("ControlNetKind", "type"):  # "auto" has to be chosen here
        ours.widget.check(value, here.files)


@pytest.mark.parametrize("name", CLASSES)
def test_every_required_input_has_a_source(name: str, here: Here) -> None:
    kind = CLASSES[name]
    given = {port.target for port in kind.ports} | set(kind.fixed)
    for owner, more in ((kind.type, ()), *(((kind.beside.type, ()),) if kind.beside else ())):
        fed = given | {pair[1] for pair in (kind.beside.gives, kind.beside.takes) if pair} if kind.beside else given
        assert [port.name for port in here.registry[owner].inputs if port.required and port.name not in fed] == list(
            more
        )


def test_values_have_a_widget_that_holds_them() -> None:
    assert all(widgets_of(kind)[0].name == name for kind, name in VALUES.items())
