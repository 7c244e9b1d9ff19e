"""Compares ways to store minilm in fewer bytes: size, closeness to float32, independence of the batch, and time.

    python -B models/train/compare_forms.py --vader vaderSentiment-0.5.zip

Times are CPU times of one thread, the least of several runs, so that other programs on the machine matter little. The
card of minilm has the figures and the choice.
"""

import argparse
import logging
import tempfile
import time
from pathlib import Path

import minilm
import numpy as np
import onnx
import vader
from bert_graph import AXES, Graph, TokenQuantized, encoder, serialize
from export_minilm import embed
from onnx import TensorProto
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

TEXTS = 64
PADDED = 32
RUNS = 5


class HalfStored(Graph):
    """Matrices and the table are stored as float16, and widened while ONNX Runtime loads them."""

    def matrix(self, name, weights):
        return self.add("Cast", self.constant(name, weights, np.float16), to=TensorProto.FLOAT)

    def lookup(self, ids, name, table):
        rows = self.add("Gather", self.constant(name, table, np.float16), ids)
        return self.add("Cast", rows, to=TensorProto.FLOAT)


class Calibration(CalibrationDataReader):
    """Texts alone, for the ranges of static quantisation."""

    def __init__(self, encodings):
        self.left = [minilm.inputs([encoding]) for encoding in encodings]

    def get_next(self):
        return self.left.pop() if self.left else None


def built(graph):
    config = minilm.config()
    encoder(graph, minilm.weights(), config)
    return serialize(graph, "minilm", "last_hidden_state", AXES, config["hidden_size"])


def forms(folder, encodings):
    """Yields the name and the bytes of each form."""
    exact = built(Graph(int8=False))
    source, target = folder / "source.onnx", folder / "target.onnx"
    source.write_bytes(exact)
    yield "float32", exact
    yield "float16 weights, float32 arithmetic", built(HalfStored(int8=False))
    yield "int8 weights, float32 arithmetic", built(Graph(int8=True))
    for block in (32, 128):
        quantizer = MatMulNBitsQuantizer(
            onnx.load_from_string(built(TableOnly(int8=True))), bits=8, block_size=block, is_symmetric=True, accuracy_level=4
        )
        quantizer.process()
        yield f"MatMulNBits, blocks of {block}, accuracy level 4", quantizer.model.model.SerializeToString()
    yield "int8, a scale for each token", built(TokenQuantized(int8=True))
    quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=True)
    yield "int8, dynamic", target.read_bytes()
    quantize_static(
        source, target, Calibration(encodings), per_channel=True, activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gather"],
    )
    yield "int8, static (QDQ)", target.read_bytes()


class TableOnly(Graph):
    """The table is int8 and the matrices are float32."""

    def matrix(self, name, weights):
        return self.constant(name, weights)


def milliseconds(session, encodings, rows):
    """CPU milliseconds for each text of a batch of so many texts."""
    batch = minilm.inputs(encodings[:rows], PADDED)
    times = []
    for _ in range(RUNS + 1):
        began = time.process_time()
        session.run(None, batch)
        times.append(time.process_time() - began)
    return min(times[1:]) * 1000 / rows


def main():
    # The quantizers report each node.
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--vader", required=True, help="the path of vaderSentiment-0.5.zip")
    texts = [row.text for row in vader.read(parser.parse_args().vader) if row.source == "nytEditorialSnippets"]
    encodings = [e for e in minilm.tokenizer().encode_batch(texts) if PADDED // 2 < len(e.ids) <= PADDED]
    chosen, calibration = encodings[:TEXTS], encodings[TEXTS : 2 * TEXTS]
    print("| form | MB | cosine mean | cosine least | alone and padded in a batch differ by | 1 | 16 | 64 |")
    reference = None
    with tempfile.TemporaryDirectory() as folder:
        for name, model in forms(Path(folder), calibration):
            session = minilm.session(model)
            vectors = embed(session, chosen)
            reference = vectors if reference is None else reference
            cosine = (vectors * reference).sum(axis=1)
            alone = [session.run(None, minilm.inputs([encoding]))[0][0] for encoding in chosen]
            together = list(session.run(None, minilm.inputs(chosen, PADDED))[0])
            apart = minilm.largest_difference(alone, [row[: len(a)] for row, a in zip(together, alone, strict=True)], chosen)
            times = " | ".join(f"{milliseconds(session, chosen, rows):.1f}" for rows in (1, 16, 64))
            print(
                f"| {name} | {len(model) / 1e6:.1f} | {cosine.mean():.4f} | {cosine.min():.4f} | {apart:.0e} | {times} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
