"""The server that the tests of this folder talk to, and clients for it."""

from pathlib import Path

import pytest
import tritonclient.http

from server import Server, repository

# Served from the start; everything else of the repository is loaded by the tests that ask for it.
SERVED = ["iris", "labelled", "two-in-two-out", "slow-loop"]


def pytest_addoption(parser):
    parser.addoption("--runtime", choices=["bun", "deno"], default="bun")


@pytest.fixture(scope="session")
def server(request, tmp_path_factory):
    root: Path = tmp_path_factory.mktemp("repository")
    names = repository(root)
    identities = [name for name in names if name.startswith("identity-")]
    running = Server(request.config.getoption("--runtime"), root, [*SERVED, *identities])
    yield running
    assert running.stop() == 0, running.log()


@pytest.fixture(scope="session")
def http(server):
    with tritonclient.http.InferenceServerClient(server.http, concurrency=4) as client:
        yield client


@pytest.fixture(scope="session")
def grpc(server):
    # Not above: a process with KServe's client can have no other with messages of the same names.
    import tritonclient.grpc

    with tritonclient.grpc.InferenceServerClient(server.grpc) as client:
        yield client
