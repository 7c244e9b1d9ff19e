"""The server of the tests in this folder, and clients for it."""

from pathlib import Path

import pytest
import tritonclient.http

from server import Server, repository, text_repository

# Models that are served from the start. Tests load other models of the repository themselves.
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
    # The import is here, because KServe's client has messages with the same names, and a process can have only one of them.
    import tritonclient.grpc

    with tritonclient.grpc.InferenceServerClient(server.grpc) as client:
        yield client


@pytest.fixture(scope="session")
def nlp(request, tmp_path_factory):
    """The address of the NLP service."""
    root: Path = tmp_path_factory.mktemp("texts")
    names = text_repository(root)
    running = Server(request.config.getoption("--runtime"), root, names, "nlp")
    yield f"http://{running.http}"
    assert running.stop() == 0, running.log()
