"""A sequence's proxy node and its items. The proxy is overwritten, attributes and all, when another item is shown."""

from __future__ import annotations

from typing import Any

import slicer


def browser_of(node: Any) -> Any:
    """The browser whose proxy `node` is; None if it is none."""
    if node is None or node.GetID() is None:
        return None
    for browser in slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode", slicer.mrmlScene):
        if browser.IsProxyNode(node.GetID()):
            return browser
    return None


def sequence_of(node: Any) -> Any:
    """The sequence that `node` shows an item of; None if there is none."""
    browser = browser_of(node)
    return None if browser is None else browser.GetSequenceNode(node)


def items_of(sequence: Any) -> list[Any]:
    """The nodes of a sequence in their order; they lie outside of the scene."""
    return [sequence.GetNthDataNode(number) for number in range(sequence.GetNumberOfDataNodes())]


def node_and_items(node: Any) -> list[Any]:
    """A node and, if it is the proxy of a sequence, all its items: what shall hold for every frame goes to all."""
    sequence = sequence_of(node)
    return [node] if sequence is None else [node, *items_of(sequence)]


def set_attribute(node: Any, name: str, value: str | None) -> None:
    """Set an attribute of a node for every frame that it may show; None takes it away."""
    for one in node_and_items(node):
        one.SetAttribute(name, value)


def index_text(value: float | str) -> str:
    """An index value as sequences write it; a text stays as it is."""
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def play_through(browser: Any, sequence: Any, proxy: Any) -> None:
    """Let `browser` show the items of `sequence` in the node `proxy`, which keeps its name; edits are not recorded."""
    # In one go: between the two calls the browser would make a proxy of its own.
    with slicer.util.NodeModify(browser):
        browser.AddSynchronizedSequenceNode(sequence)
        browser.AddProxyNode(proxy, sequence, False)
        browser.SetOverwriteProxyName(sequence, False)
        browser.SetSaveChanges(sequence, False)
