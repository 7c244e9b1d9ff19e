"""A row for each model `identity-*`, with the extreme values of its datatype."""

import asyncio

import numpy as np
from ml_dtypes import bfloat16


def _integers(name: str) -> tuple[str, str, np.ndarray]:
    edges = np.iinfo(name)
    return f"identity-{name}", name.upper(), np.array([[edges.min, 1, edges.max]], dtype=name)


def _floats(name: str, datatype: str) -> tuple[str, str, np.ndarray]:
    edges = np.finfo(name)
    return f"identity-{name}", datatype, np.array([[edges.min, 0.1, edges.max]], dtype=name)


# Model, datatype, row.
SAMPLES = [
    ("identity-bool", "BOOL", np.array([[True, False, True]])),
    *(_integers(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)),
    _floats("float16", "FP16"),
    ("identity-bfloat16", "BF16", np.array([[-1.5, 0.1, 3e38]], dtype=bfloat16)),
    _floats("float32", "FP32"),
    _floats("float64", "FP64"),
    ("identity-string", "BYTES", np.array([["", "\ufeffa\0b", "größer 💡"]], dtype=object)),
]
# Elements that are not UTF-8, which only JSON cannot represent.
ANY_BYTES = np.array([[bytes(range(256)), b"\xff\xfe\0", b""]], dtype=object)
# The client does not support BF16 in JSON.
JSON_SAMPLES = [sample for sample in SAMPLES if sample[1] != "BF16"]


def same(got: np.ndarray, row: np.ndarray) -> bool:
    """Compares rows. Strings in binary data are bytes."""
    if row.dtype == object:
        got = np.array([[v if isinstance(v, str) else v.decode() for v in r] for r in got], object)
    return got.shape == row.shape and got.tolist() == row.tolist()


async def check_at_once(client, inputs_of) -> None:
    """Sends all samples concurrently through an asynchronous client of Triton, and compares the outputs."""
    waiting = [client.infer(model, inputs_of("x", datatype, row)) for model, datatype, row in SAMPLES]
    for (_, _, row), result in zip(SAMPLES, await asyncio.gather(*waiting), strict=True):
        assert same(result.as_numpy("y"), row)
