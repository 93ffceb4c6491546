# SPDX-License-Identifier: Apache-2.0
"""Make a small random model, and the cache of a model hub that has it by many names.

Upstream's tests ask for models by name. Here each of MODELS is the same Llama, which
transformers itself makes, a few megabytes large, with a tokenizer trained on the tests'
own words, so that their prompts stay short.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

# What upstream's tests call the models that a Llama can stand for.
MODELS = (
    "Qwen/Qwen3-0.6B",
    "distilbert/distilgpt2",
    "facebook/opt-125m",
    "hmellor/tiny-random-LlamaForCausalLM",
    "meta-llama/Llama-3.2-1B",
    "meta-llama/Llama-3.2-1B-Instruct",
)
BEGIN, END = "<|begin_of_text|>", "<|end_of_text|>"
CHAT_TEMPLATE = "{% for it in messages %}{{ it['content'] }}\n{% endfor %}"


def make_hub(hub: Path, words: Sequence[str]) -> None:
    """Make ``hub``, to be given as HF_HOME, anew; the tokenizer learns the words."""
    shutil.rmtree(hub, ignore_errors=True)
    made = hub / "model"
    made.mkdir(parents=True)
    make_model(made, words)
    for name in MODELS:
        model = hub / "hub" / f"models--{name.replace('/', '--')}"
        for folder in ("refs", "snapshots"):
            (model / folder).mkdir(parents=True)
        (model / "refs/main").write_text("made")
        (model / "snapshots/made").symlink_to(made)


def make_model(folder: Path, words: Sequence[str]) -> None:
    """Make the model with transformers' own classes, always the same."""
    import tokenizers
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    trained = tokenizers.ByteLevelBPETokenizer()
    options = {"special_tokens": [BEGIN, END], "show_progress": False}
    trained.train_from_iterator(words, vocab_size=8192, min_frequency=0, **options)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer.from_str(trained.to_str()),
        bos_token=BEGIN,
        eos_token=END,
        pad_token=END,
        chat_template=CHAT_TEMPLATE,
        model_max_length=8192,
    ).save_pretrained(folder)
    config = transformers.LlamaConfig(
        bos_token_id=trained.token_to_id(BEGIN),
        eos_token_id=trained.token_to_id(END),
        vocab_size=trained.get_vocab_size(),
        max_position_embeddings=8192,
        # vLLM's attention on the CPU takes heads of 64, but none much smaller.
        hidden_size=128,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=256,
        num_hidden_layers=2,
        # Wide: the best token leads clearly, so that half precision does not turn it.
        initializer_range=0.2,
    )
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(config).to(torch.float16)
    model.save_pretrained(folder)
