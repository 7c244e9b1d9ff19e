"""Runs a service in a separate process, with a repository of links."""

import json
import os
import platform
import subprocess
from collections import deque
from pathlib import Path
from threading import Thread

TOP = Path(__file__).resolve().parents[2]
ARCHITECTURE = "arm64" if platform.machine() == "aarch64" else "x64"
DENO = f"node_modules/@deno/linux-{ARCHITECTURE}-glibc/deno"
COMMANDS = {
    # The same program as `npx millrace`.
    "bun": ["node", "services/cli/millrace.mjs", "serve"],
    "deno": [DENO, "run", "-A", "--no-check", "services/main.ts"],
}

LABELLED = """
max_batch_size: 8
input { name: "features" data_type: TYPE_FP32 dims: 4 }
output { name: "probabilities" data_type: TYPE_FP32 dims: 3 label_filename: "labels.txt" }
"""


def repository(root: Path) -> list[str]:
    """Fills a folder with models of the project, one of them in the layout of Triton. Returns their names."""
    (root / "iris").symlink_to(TOP / "models/iris")
    for model in (TOP / "test/fixtures/models").glob("*.onnx"):
        (root / model.name).symlink_to(model)
    labelled = root / "labelled"
    (labelled / "1").mkdir(parents=True)
    (labelled / "1/model.onnx").symlink_to(TOP / "models/iris/v1.0/model.onnx")
    (labelled / "config.pbtxt").write_text(LABELLED)
    (labelled / "labels.txt").write_text("setosa\nversicolor\nvirginica\n")
    return sorted(path.stem for path in root.iterdir())


# A model of each task, by name: folders of test/fixtures/text.
TEXT_MODELS = {
    "embedder": "bert-embed",
    "reranker": "xlmr-rerank",
    "sentiment": "bert-sentiment",
}


def text_repository(root: Path) -> list[str]:
    """Fills a folder with small models of texts. Returns their names."""
    for name, folder in TEXT_MODELS.items():
        (root / name).symlink_to(TOP / "test/fixtures/text" / folder)
    return list(TEXT_MODELS)


class Server:
    """A server that runs until it is stopped. Clients can load other models."""

    def __init__(self, runtime: str, models: Path, served: list[str], service: str = "inference"):
        self._models = models
        self._lines: deque[str] = deque(maxlen=100)
        # The test runner finds remaining processes by this mark.
        inherited = {name: os.environ.get(name, "") for name in ("PATH", "MILLRACE_TEST_MARK")}
        settings = {
            "HOST": "127.0.0.1",
            "CACHE_DIR": str(models.parent / "cache"),
            "MODEL_CONTROL_MODE": "explicit",
            "LOAD_MODEL": ",".join(served),
            "DENO_NO_UPDATE_CHECK": "1",
        }
        arguments = [service, "--models", str(models), "--port", "0", "--grpc-port", "0"]
        self._process = subprocess.Popen(
            [*COMMANDS[runtime], *arguments],
            cwd=TOP,
            env={**inherited, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ports = self._ports()
        self.http = f"127.0.0.1:{ports[service]}"
        self.grpc = f"127.0.0.1:{ports.get('grpc')}"
        # A thread reads the pipe, because a full one would block the server.
        Thread(target=self._lines.extend, args=[self._process.stdout], daemon=True).start()

    def _ports(self) -> dict[str, int]:
        for line in self._process.stdout:
            self._lines.append(line)
            if line.startswith("{") and (entry := json.loads(line))["msg"] == "ready":
                return entry["ports"]
        raise RuntimeError(f"The server ended: {self.log()}")

    def link(self, name: str, folder: Path) -> None:
        """Adds a model to the repository."""
        (self._models / name).symlink_to(folder)

    def log(self) -> str:
        return "".join(self._lines)

    def stop(self) -> int:
        """Stops the server. Returns its exit code."""
        self._process.terminate()
        return self._process.wait(timeout=30)
