"""Exports models with random weights for the benchmark of generation: python export.py FOLDER [NAME ...]

The shapes are those of t5-small and of GPT-2 with 12 layers, or small ones to try the benchmark.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from optimum.exporters.onnx import main_export
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, T5Config, T5ForConditionalGeneration

SEQ2SEQ, CAUSAL = "text2text-generation-with-past", "text-generation-with-past"


def t5(**sizes):
    return T5ForConditionalGeneration(T5Config(decoder_start_token_id=0, **sizes)), SEQ2SEQ


def gpt2(**sizes):
    return GPT2LMHeadModel(GPT2Config(**sizes)), CAUSAL


def llama(**sizes):
    return LlamaForCausalLM(LlamaConfig(**sizes)), CAUSAL


MODELS = {
    "t5-small": lambda: t5(vocab_size=32128, d_model=512, d_kv=64, d_ff=2048, num_layers=6, num_heads=8),
    "gpt2": gpt2,
    "t5-tiny": lambda: t5(vocab_size=128, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4),
    "gpt2-tiny": lambda: gpt2(vocab_size=128, n_positions=128, n_embd=32, n_layer=2, n_head=4),
    "llama-tiny": lambda: llama(
        vocab_size=128,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
    ),
}


def main(folder, *names):
    for name in names or MODELS:
        torch.manual_seed(7)
        model, task = MODELS[name]()
        with TemporaryDirectory() as weights:
            model.eval().save_pretrained(weights)
            main_export(weights, Path(folder) / name, task=task, do_validation=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
