# SPDX-License-Identifier: Apache-2.0
"""Make small random models, laid out as the cache of a model hub.

Upstream's tests ask for models by name. Here each name gets a model that transformers
itself makes, of the named model's architecture and a few megabytes large, with a
tokenizer trained on the tests' own words, so that their prompts stay short.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

# vLLM's attention on the CPU takes heads of 64, but none much smaller.
_SIZES: dict[str, Any] = {
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    # Wide enough that the best token leads clearly: half precision must not turn it.
    "initializer_range": 0.2,
    "max_position_embeddings": 2048,
}
_LLAMA: dict[str, Any] = {
    **_SIZES,
    "intermediate_size": 256,
    "num_key_value_heads": 1,
    "head_dim": 64,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": False,
}
_OPT: dict[str, Any] = {
    **_SIZES,
    "word_embed_proj_dim": 128,
    "ffn_dim": 256,
    "init_std": 0.2,
    "tie_word_embeddings": False,
}
_BERT = {**_SIZES, "intermediate_size": 256, "max_position_embeddings": 512}
_GPT2 = {"n_embd": 128, "n_layer": 2, "n_head": 2, "initializer_range": 0.2}
# By architecture its sizes, and what upstream's tests call models of it.
MODELS: dict[str, tuple[dict[str, Any], str]] = {
    "bert": (_BERT, "BAAI/bge-base-en-v1.5"),
    "gemma2": (_LLAMA, "hmellor/tiny-random-Gemma2ForCausalLM"),
    "gpt2": (_GPT2, "distilbert/distilgpt2 openai-community/gpt2"),
    "llama": (
        _LLAMA,
        "JackFram/llama-160m TinyLlama/TinyLlama-1.1B-Chat-v1.0 "
        "hmellor/tiny-random-LlamaForCausalLM meta-llama/Llama-3.2-1B "
        "meta-llama/Llama-3.2-1B-Instruct meta-llama/llama-2-7b-hf",
    ),
    "opt": (_OPT, "facebook/opt-125m"),
    "qwen2": (_LLAMA, "Qwen/Qwen2-1.5B-Instruct Qwen/Qwen2.5-1.5B-Instruct"),
    "qwen3": (_LLAMA, "Qwen/Qwen3-0.6B Qwen/Qwen3-1.7B"),
}
# The architectures whose tokenizer puts a token before every text.
_BEGINNING = ("bert", "gemma2", "llama", "opt")

VOCABULARY = 8192
BEGIN, END = "<|begin_of_text|>", "<|end_of_text|>"
CHAT_TEMPLATE = (
    "{% for it in messages %}{{ it['role'] }}: {{ it['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def make_hub(hub: Path, texts: Iterable[Path]) -> None:
    """Make every model that ``hub``, to be given as HF_HOME, does not have yet.

    Their tokenizers learn the words of ``texts``.
    """
    words = [path.read_text() for path in texts]
    recipe = "".join([Path(__file__).read_text(), *words])
    revision = hashlib.sha1(recipe.encode()).hexdigest()
    for architecture, (_, names) in MODELS.items():
        for name in names.split():
            model = hub / "hub" / f"models--{name.replace('/', '--')}"
            target = model / "snapshots" / revision
            if target.exists():
                continue
            shutil.rmtree(model, ignore_errors=True)
            (model / "refs").mkdir(parents=True)
            (model / "refs/main").write_text(revision)
            # Under its name only when whole: a second run would trust it.
            partial = target.with_name("partial")
            partial.mkdir(parents=True)
            make_model(partial, architecture, words)
            partial.rename(target)


def make_model(folder: Path, architecture: str, words: Sequence[str]) -> None:
    """Make one of MODELS with transformers' own classes, always the same."""
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    tokenizer = _make_tokenizer(words, begins=architecture in _BEGINNING)
    tokenizer.save_pretrained(folder)
    tokens = ("bos_token_id", "eos_token_id", "pad_token_id")
    ids = {name: getattr(tokenizer, name) for name in tokens}
    sizes = {**MODELS[architecture][0], **ids, "vocab_size": len(tokenizer)}
    config = transformers.AutoConfig.for_model(architecture, **sizes)
    kind = "AutoModel" if architecture == "bert" else "AutoModelForCausalLM"
    torch.manual_seed(0)
    model = getattr(transformers, kind).from_config(config).to(torch.float16)
    model.save_pretrained(folder)
    (folder / "generation_config.json").write_text(json.dumps(ids))


def _make_tokenizer(words: Sequence[str], begins: bool) -> Any:
    """Train a byte-level tokenizer; ``begins`` puts a token before every text."""
    import tokenizers
    import transformers

    trained = tokenizers.ByteLevelBPETokenizer()
    options = {"special_tokens": [BEGIN, END], "show_progress": False}
    trained.train_from_iterator(words, VOCABULARY, min_frequency=0, **options)
    tokenizer = tokenizers.Tokenizer.from_str(trained.to_str())
    if begins:
        tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
            single=f"{BEGIN} $A",
            pair=f"{BEGIN} $A {BEGIN} $B",
            special_tokens=[(BEGIN, tokenizer.token_to_id(BEGIN))],
        )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=END,
        chat_template=CHAT_TEMPLATE,
        model_max_length=8192,
    )
