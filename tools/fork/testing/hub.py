# SPDX-License-Identifier: Apache-2.0
"""Make small random models, laid out as the cache of a model hub.

Upstream's tests ask for models by name. Here each name gets a model that transformers
itself makes, of the named model's architecture and a few megabytes large, with a
tokenizer trained on the tests' own words, so that their prompts stay short.
"""

import hashlib
import json
import shutil
import tempfile
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
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "bert": {**_SIZES, "intermediate_size": 256, "max_position_embeddings": 512},
    "gemma2": _LLAMA,
    "gpt2": {"n_embd": 128, "n_layer": 2, "n_head": 2, "initializer_range": 0.2},
    "llama": _LLAMA,
    "opt": {
        **_SIZES,
        "word_embed_proj_dim": 128,
        "ffn_dim": 256,
        "init_std": 0.2,
        "tie_word_embeddings": False,
    },
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
}
MODELS = {
    "BAAI/bge-base-en-v1.5": "bert",
    "JackFram/llama-160m": "llama",
    "Qwen/Qwen2-1.5B-Instruct": "qwen2",
    "Qwen/Qwen2.5-1.5B-Instruct": "qwen2",
    "Qwen/Qwen3-0.6B": "qwen3",
    "Qwen/Qwen3-1.7B": "qwen3",
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": "llama",
    "distilbert/distilgpt2": "gpt2",
    "facebook/opt-125m": "opt",
    "hmellor/tiny-random-Gemma2ForCausalLM": "gemma2",
    "hmellor/tiny-random-LlamaForCausalLM": "llama",
    "meta-llama/Llama-3.2-1B": "llama",
    "meta-llama/Llama-3.2-1B-Instruct": "llama",
    "meta-llama/llama-2-7b-hf": "llama",
    "openai-community/gpt2": "gpt2",
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
    hub.mkdir(parents=True, exist_ok=True)
    words = [path.read_text() for path in texts]
    recipe = "".join([Path(__file__).read_text(), *words])
    revision = hashlib.sha1(recipe.encode()).hexdigest()
    for architecture in ARCHITECTURES:
        names = [name for name, it in MODELS.items() if it == architecture]
        if all(snapshot(hub, name, revision).exists() for name in names):
            continue
        with tempfile.TemporaryDirectory(dir=hub) as files:
            make_model(Path(files), architecture, words)
            for name in names:
                place(Path(files), hub, name, revision)


def snapshot(hub: Path, name: str, revision: str) -> Path:
    """Return where a hub's cache keeps one revision of a model."""
    model = "models--" + name.replace("/", "--")
    return hub / "hub" / model / "snapshots" / revision


def place(files: Path, hub: Path, name: str, revision: str) -> None:
    """Put a model's files where the cache keeps them, as its only revision.

    Args:
        files: The folder with configuration, weights and tokenizer.
        hub: As in `make_hub`.
        name: ``organisation/model``.
        revision: 40 hexadecimal digits.
    """
    target = snapshot(hub, name, revision)
    model = target.parents[1]
    shutil.rmtree(model, ignore_errors=True)
    (model / "refs").mkdir(parents=True)
    (model / "refs/main").write_text(revision)
    target.parent.mkdir()
    # Under its name only when whole: a second run would trust it.
    partial = target.with_name(f"{revision}.partial")
    shutil.copytree(files, partial)
    partial.rename(target)


def make_model(folder: Path, architecture: str, words: Sequence[str]) -> None:
    """Make one of ARCHITECTURES with transformers' own classes, always the same."""
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    tokenizer = _make_tokenizer(words, begins=architecture in _BEGINNING)
    tokenizer.save_pretrained(folder)
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = transformers.AutoConfig.for_model(
        architecture,
        vocab_size=len(tokenizer),
        **{**ARCHITECTURES[architecture], **ids},
    )
    kind = "AutoModel" if architecture == "bert" else "AutoModelForCausalLM"
    torch.manual_seed(0)
    model = getattr(transformers, kind).from_config(config).to(torch.float16)
    model.save_pretrained(folder)
    (folder / "generation_config.json").write_text(json.dumps(ids))


def _make_tokenizer(words: Sequence[str], begins: bool) -> Any:
    """Train a byte-level tokenizer; ``begins`` puts a token before every text."""
    import tokenizers as it
    import transformers

    tokenizer = it.Tokenizer(it.models.BPE())
    tokenizer.pre_tokenizer = it.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = it.decoders.ByteLevel()
    trainer = it.trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[BEGIN, END],
        initial_alphabet=it.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(words, trainer)
    if begins:
        tokenizer.post_processor = it.processors.TemplateProcessing(
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
