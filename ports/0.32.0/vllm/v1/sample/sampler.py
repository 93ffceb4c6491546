# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project
import time

import torch
import torch.nn as nn


class Sampler(nn.Module):
    def __init__(*_: ...):
        ...
        self.use_fp64_gumbel = use_fp64_gumbel
        self._compile_ahead()
        ...

    @torch.inference_mode()
    def _compile_ahead(self) -> None:
        """Compile for the model that is being served, before a request waits for it."""
        vllm_config = get_current_vllm_config_or_none()
        model_config = vllm_config.model_config if vllm_config else None
        if model_config is None or model_config.runner_type == "pooling":
            return
        if not current_platform.is_cpu() and not current_platform.is_cuda_alike():
            return
        start = time.perf_counter()
        try:
            shape = 2, model_config.get_vocab_size()
            device = current_platform.device_type
            logprobs = torch.zeros(shape, dtype=torch.float32, device=device)
            self.gather_logprobs(logprobs, 0, logprobs.argmax(dim=-1))
            logger.info("Compiled token ranks in %.2f s", time.perf_counter() - start)
        except Exception:
            logger.warning("Could not compile token ranks ahead", exc_info=True)

    def greedy_sample(*_: ...):
        ...
        # Nothing to change; but before this was so, random sampling was compiled, too.
        if current_platform.is_cpu():
            return torch.ops._C.greedy_argmax(logits)
        ...

    def sample(*_: ...): ...
