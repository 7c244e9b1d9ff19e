"""Greedy generation with onnxruntime-genai on a decoder-only model that optimum has exported.

    python genai.py --folder F [--rows N] [--prompt N] [--tokens N] [--threads N] [--rounds N]

The prompts are those of millrace-bench-generation. Prints a line of JSON: the median tokens per second and per second of CPU
time, and the tokens of the first row. Ends with code 3, and the reason on stderr, if onnxruntime-genai cannot run the model.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime_genai as genai


def read_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    for name, default in {"rows": 8, "prompt": 16, "tokens": 64, "threads": 1, "rounds": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def first_of(config, *names):
    return next(config[name] for name in names if name in config)


def genai_config(config, threads):
    """The configuration that onnxruntime-genai reads, for a graph with a key and a value for each layer."""
    heads = first_of(config, "num_attention_heads", "n_head")
    hidden = first_of(config, "hidden_size", "n_embd")
    decoder = {
        "filename": "model.onnx",
        "hidden_size": hidden,
        "head_size": hidden // heads,
        "num_attention_heads": heads,
        "num_key_value_heads": config.get("num_key_value_heads", heads),
        "num_hidden_layers": first_of(config, "num_hidden_layers", "n_layer"),
        "session_options": {"intra_op_num_threads": threads, "provider_options": []},
        "inputs": {
            "input_ids": "input_ids",
            "attention_mask": "attention_mask",
            "position_ids": "position_ids",
            "past_key_names": "past_key_values.%d.key",
            "past_value_names": "past_key_values.%d.value",
        },
        "outputs": {
            "logits": "logits",
            "present_key_names": "present.%d.key",
            "present_value_names": "present.%d.value",
        },
    }
    model = {
        # Its type `gpt2` wants one tensor for the key and value of a layer; every other decoder-only type is the same code.
        "type": "llama",
        "bos_token_id": 0,
        "pad_token_id": 0,
        "eos_token_id": config["vocab_size"] - 1,
        "vocab_size": config["vocab_size"],
        "context_length": first_of(config, "max_position_embeddings", "n_positions"),
        "decoder": decoder,
    }
    return {"model": model, "search": {"do_sample": False, "num_beams": 1, "past_present_share_buffer": False}}


def open_model(folder, threads):
    config = json.loads((folder / "config.json").read_text())
    if config.get("is_encoder_decoder") or not (folder / "model.onnx").exists():
        print(f"onnxruntime-genai has no model of type '{config.get('model_type')}'", file=sys.stderr)
        sys.exit(3)
    with TemporaryDirectory() as place:
        (Path(place) / "genai_config.json").write_text(json.dumps(genai_config(config, threads)))
        (Path(place) / "model.onnx").symlink_to((folder / "model.onnx").resolve())
        return genai.Model(place), config["vocab_size"]


def run(model, prompts, arguments):
    """Continues the prompts; the tokens of the first row, and the seconds and CPU seconds that it took."""
    length = arguments.prompt + arguments.tokens
    parameters = genai.GeneratorParams(model)
    parameters.set_search_options(max_length=length, min_length=length, batch_size=arguments.rows, do_sample=False)
    started, used = time.perf_counter(), time.process_time()
    generator = genai.Generator(model, parameters)
    generator.append_tokens(prompts)
    while not generator.is_done():
        generator.generate_next_token()
    spent = time.perf_counter() - started, time.process_time() - used
    return [int(token) for token in generator.get_sequence(0)[arguments.prompt :]], *spent


def main():
    arguments = read_arguments()
    model, vocabulary = open_model(arguments.folder, arguments.threads)
    prompts = np.array(
        [[(7919 * (i + 1) + 104729 * row) % vocabulary for i in range(arguments.prompt)] for row in range(arguments.rows)],
        dtype=np.int32,
    )
    run(model, prompts, arguments)  # warms up
    results = [run(model, prompts, arguments) for _ in range(arguments.rounds)]
    count = arguments.rows * arguments.tokens
    print(
        json.dumps(
            {
                "rows": arguments.rows,
                "prompt": arguments.prompt,
                "tokens": arguments.tokens,
                "threads": arguments.threads,
                "tokens_per_second": round(statistics.median(count / seconds for _, seconds, _ in results), 1),
                "tokens_per_cpu_second": round(statistics.median(count / cpu for _, _, cpu in results), 1),
                "first_row": results[0][0],
            }
        )
    )


if __name__ == "__main__":
    main()
