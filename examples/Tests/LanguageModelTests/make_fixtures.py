"""Makes the models and expected numbers in Fixtures/ with PyTorch and transformers.

    python make_fixtures.py [FOLDER]

Each folder is a tiny random model as `save_pretrained` writes it, beside
`expected.safetensors`: rows of input embeddings (two sequences end to end, lengths in the
metadata), the logits, a random upstream gradient of the logits, and the gradients of
Σ upstream · logits with respect to the input embeddings and to every parameter but the
embeddings. Everything was computed in f32 from the weights as they stand in the file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import (
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

LENGTHS = (7, 4)
COMMON = {"num_hidden_layers": 2, "max_position_embeddings": 32}


def llama(**fields: object) -> LlamaForCausalLM:
    shape = {"vocab_size": 13, "hidden_size": 8, "intermediate_size": 12} | COMMON
    return LlamaForCausalLM(LlamaConfig(**shape | fields))


def neox(**fields: object) -> GPTNeoXForCausalLM:
    shape = {"vocab_size": 13, "hidden_size": 16, "intermediate_size": 12} | COMMON
    return GPTNeoXForCausalLM(GPTNeoXConfig(**shape | fields))


def models() -> dict[str, tuple[PreTrainedModel, torch.dtype, str]]:
    """For each folder: the model, what its weights are stored as, the size of a shard."""
    rope = {"rope_type": "default", "rope_theta": 500.0}
    one = "1GB"
    return {
        "llama-grouped-tied": (
            llama(
                num_attention_heads=4,
                num_key_value_heads=2,
                tie_word_embeddings=True,
                rms_norm_eps=1e-3,
            ),
            torch.float32,
            one,
        ),
        "llama-biased-untied": (
            llama(
                num_attention_heads=2,
                num_key_value_heads=1,
                head_dim=6,
                attention_bias=True,
                mlp_bias=True,
                tie_word_embeddings=False,
                rope_parameters=rope,
            ),
            torch.float32,
            one,
        ),
        "llama-sharded-bf16": (
            llama(num_attention_heads=2, tie_word_embeddings=False),
            torch.bfloat16,
            "1KB",
        ),
        "neox-parallel": (
            neox(
                num_attention_heads=2,
                use_parallel_residual=True,
                layer_norm_eps=1e-3,
            ),
            torch.float32,
            one,
        ),
        "neox-sequential-f16": (
            neox(
                num_attention_heads=2,
                use_parallel_residual=False,
                tie_word_embeddings=True,
                rope_parameters=rope | {"partial_rotary_factor": 0.5},
            ),
            torch.float16,
            one,
        ),
    }


def randomize(model: PreTrainedModel) -> None:
    """Parameters of about the size that trained ones have, biases and gains too."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.3)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.2)


def expected(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Logits and gradients of sequences of LENGTHS, one after the other."""
    rows = sum(LENGTHS)
    input_rows = torch.randn(rows, model.config.hidden_size)
    upstream = torch.randn(rows, model.config.vocab_size)
    input_rows.requires_grad_()
    logits = torch.cat(
        [
            model(inputs_embeds=part[None]).logits[0]
            for part in input_rows.split(LENGTHS)
        ]
    )
    (logits * upstream).sum().backward()
    tables = {
        model.get_input_embeddings().weight,
        model.get_output_embeddings().weight,
    }
    gradients = {
        f"gradient.{name}": parameter.grad
        for name, parameter in model.named_parameters()
        if parameter not in tables
    }
    return gradients | {
        "input": input_rows.detach(),
        "logits": logits.detach(),
        "upstream": upstream,
        "input_gradient": input_rows.grad,
    }


def main() -> None:
    beside = Path(__file__).resolve().parent / "Fixtures"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else beside
    torch.manual_seed(7)
    for name, (model, dtype, shard) in models().items():
        randomize(model)
        model.to(dtype).save_pretrained(folder / name, max_shard_size=shard)
        (folder / name / "generation_config.json").unlink(missing_ok=True)
        # Read again: `to` has rounded the tables of rotary positions as well.
        reread = type(model).from_pretrained(folder / name, dtype=torch.float32)
        save_file(
            expected(reread.eval()),
            folder / name / "expected.safetensors",
            metadata={
                "lengths": " ".join(map(str, LENGTHS)),
                "torch": torch.__version__,
                "transformers": transformers.__version__,
            },
        )


if __name__ == "__main__":
    main()
