"""Measures what an item of each benchmark model costs on one thread, and checks how it was loaded.

    python bench/models/measure.py [model ...]

Prints Markdown: the table of README.md. A figure is the lower decile of the runs of a second (at least
seven), so that what else the machine does counts little; each model in a process of its own. Checks
that constant folding left no formula behind, that the outputs are bounded and that a row's outputs
does not depend on its batch; also times the model with unpacked weights.
"""

import os
import re
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

HERE = Path(__file__).resolve().parent
MODELS = ("tiny", "small", "medium", "large", "fixed-cost")
ROWS = (1, 8, 32, 64)
COLUMNS = (
    "model", *(f"b={rows}" for rows in ROWS), "gain", "b=64, not packed", "load s", "memory MB",
    "first / steady run b=1, ms", "difference",
)
FORMULA = {"Range", "Sin", "Unsqueeze"}


def open_session(name, prepack=True, optimized=None):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if not prepack:
        options.add_session_config_entry("session.disable_prepacking", "1")
    if optimized:
        options.optimized_model_filepath = optimized
    path = str(HERE / f"{name}.onnx")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def features(session, rows):
    width = session.get_inputs()[0].shape[1]
    return {"features": np.random.default_rng(0).standard_normal((rows, width)).astype(np.float32)}


def timed(session, feed, seconds=1.0):
    """(first run, lower decile of the others) in microseconds."""
    runs, end = [], time.perf_counter() + seconds
    while len(runs) < 8 or time.perf_counter() < end:
        start = time.perf_counter()
        session.run(None, feed)
        runs.append((time.perf_counter() - start) * 1e6)
    return runs[0], float(np.quantile(runs[1:], 0.1))


def resident_mb():
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def check_folded(name):
    """Fails if the optimised model still computes its weights."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "optimized.onnx")
        open_session(name, optimized=path)
        nodes = onnx.load(path).graph.node
    # The one Sin that may stay is the one over the rows of fixed-cost.
    left = [n.op_type for n in nodes if n.op_type in FORMULA]
    expected = ["Sin"] if name == "fixed-cost" else []
    if left != expected:
        raise RuntimeError(f"{name}: constant folding left {', '.join(left)} in the graph.")


def check_answers(name, session):
    """Fails on outputs out of bounds; returns the largest difference between alone and together."""
    feed = features(session, 64)
    together = session.run(None, feed)[0]
    picked = (0, 31, 63)
    alone = [session.run(None, {"features": feed["features"][[i]]})[0] for i in picked]
    if not np.isfinite(together).all() or np.abs(together).max() > 100 or together.std(axis=0).min() < 1e-3:
        raise RuntimeError(f"{name}: outputs are not bounded numbers that differ.")
    return float(np.abs(together[list(picked)] - np.concatenate(alone)).max())


def measure(name):
    """Returns one row of the table. Memory counts from before the load: give each model its own process."""
    before, start = resident_mb(), time.perf_counter()
    session = open_session(name)
    load = time.perf_counter() - start
    runs = {rows: timed(session, features(session, rows)) for rows in ROWS}
    memory = resident_mb() - before
    difference = check_answers(name, session)
    del session
    check_folded(name)
    unpacked = open_session(name, prepack=False)
    without = timed(unpacked, features(unpacked, 64))[1] / 64
    items = [runs[rows][1] / rows for rows in ROWS]
    cells = [f"{item:,.2f}" if item < 100 else f"{item:,.0f}" for item in items]
    gain = items[0] / min(items[2:])
    return (
        f"| {name} | {' | '.join(cells)} | {gain:.1f} | {without:,.2f} | {load:.2f} | {memory:.0f} "
        f"| {runs[1][0] / 1000:.2f} / {runs[1][1] / 1000:.2f} | {difference:.0e} |"
    )


def main():
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())[1]
    print(f"{cpu}, {os.cpu_count()} cores, ONNX Runtime {onnxruntime.__version__}\n")
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for row in pool.imap(measure, sys.argv[1:] or MODELS, chunksize=1):
            print(row, flush=True)


if __name__ == "__main__":
    main()
