"""Runs the node tests of the ONNX package through the server, which passes those that ONNX Runtime passes."""

import pytest
import tritonclient.grpc
import tritonclient.http

from onnx_nodes import Node, survey

FOUND = survey()


@pytest.fixture(scope="module")
def nodes(server):
    """A server with the models of the tests."""
    for node in FOUND.passed:
        server.link(node.name, node.folder)


def send(client, module, node: Node, **binary):
    """Returns the outputs, by one of the clients."""
    inputs = []
    for tensor in node.inputs:
        inputs.append(module.InferInput(tensor.name, tensor.value.shape, tensor.datatype))
        inputs[-1].set_data_from_numpy(tensor.value, **binary)
    outputs = [module.InferRequestedOutput(tensor.name, **binary) for tensor in node.outputs]
    result = client.infer(node.name, inputs, outputs=outputs)
    return [result.as_numpy(tensor.name) for tensor in node.outputs]


def test_most_node_tests_are_run():
    assert len(FOUND.passed) > 1300


@pytest.mark.parametrize("node", FOUND.passed, ids=lambda node: node.name)
def test_node(nodes, http, grpc, node):
    http.load_model(node.name)
    try:
        node.check(send(http, tritonclient.http, node))
        node.check(send(grpc, tritonclient.grpc, node))
        # The client does not support BF16 in JSON.
        if "BF16" not in [tensor.datatype for tensor in [*node.inputs, *node.outputs]]:
            node.check(send(http, tritonclient.http, node, binary_data=False))
    finally:
        http.unload_model(node.name)


@pytest.mark.parametrize("what", FOUND.inexpressible)
def test_inexpressible(what):
    pytest.skip(f"the protocol has no {what}: {len(FOUND.inexpressible[what])} node tests")


def test_beyond_onnx_runtime():
    pytest.skip(f"ONNX Runtime itself fails {len(FOUND.failed)} node tests")
