"""Training in bf16 with float32 master weights, and forward and backward as CUDA graphs."""
import copy
import math
import time

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel


class Half:
    """`work` computes in bf16 on a GPU; the model's own float32 weights take its gradients and the updates."""

    def __init__(self, model, device, memory_format=torch.preserve_format):
        self.masters = list(model.parameters())
        kind = torch.bfloat16 if device.type == "cuda" else torch.float32
        self.work = copy.deepcopy(model).to(device, kind).to(memory_format=memory_format)
        self.copies = list(self.work.parameters())
        for master, mine in zip(self.masters, self.copies):
            master.grad, mine.grad = torch.zeros_like(master), torch.zeros_like(mine)

    @torch.no_grad()
    def collect(self, limit=1.0):
        """The gradients, clipped, to the masters."""
        torch._foreach_copy_([m.grad for m in self.masters], [c.grad for c in self.copies])
        self.clear()
        torch.nn.utils.clip_grad_norm_(self.masters, limit)

    @torch.no_grad()
    def clear(self):
        torch._foreach_zero_([c.grad for c in self.copies])

    @torch.no_grad()
    def refresh(self):
        torch._foreach_copy_(self.copies, self.masters)


class Passes:
    """Forward and backward of one kind of batch, as a CUDA graph on a GPU; gradients add up in place."""

    pool = None

    def __init__(self, run, batch):
        self.run, self.graph, self.batch = run, None, [None if x is None else x.clone() for x in batch]
        if not batch[0].is_cuda:
            return
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.forward_backward()
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, pool=Passes.pool):
            self.shown = self.forward_backward()
        Passes.pool = self.graph.pool()

    def forward_backward(self):
        loss, shown = self.run(self.batch)
        loss.backward()
        return shown.detach()

    def __call__(self, batch):
        for mine, new in zip(self.batch, batch):
            if mine is not None:
                mine.copy_(new)
        if self.graph is None:
            return self.forward_backward()
        self.graph.replay()
        return self.shown.clone()


def attention_kernels(device, shape):
    """Names of the attention kernels in the order in which they are to be tried. cuDNN's come first where they agree with
    plain float32 arithmetic and beat the others on bf16 q, k, v of the shape (B, heads, queries, keys, size) with a mask."""
    safe = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
    if device.type == "cpu":
        return safe
    b, heads, n, m, size = shape
    inputs = [torch.randn(b, heads, rows, size, device=device, dtype=torch.bfloat16, requires_grad=True) for rows in (n, m, m)]
    few = [x[:2].detach().float().requires_grad_() for x in inputs]
    masks = [(torch.arange(m, device=device) >= torch.randint(0, m // 4, (b, 1), device=device))[:, None, None],
             torch.ones(n, m, dtype=torch.bool, device=device).tril(m - n)[None, None]]

    def forward_backward(inputs, mask):
        out = F.scaled_dot_product_attention(*inputs, attn_mask=mask)
        return out, *torch.autograd.grad(out.float().square().sum(), inputs)

    def seconds(backend):
        with sdpa_kernel([backend]):
            for mask in masks:
                got = forward_backward(inputs, mask)
                with sdpa_kernel([SDPBackend.MATH]):
                    wanted = forward_backward(few, mask[:2])
                if any((a[:2].float() - w).norm() > 0.05 * w.norm() for a, w in zip(got, wanted)):
                    return math.inf
            torch.cuda.synchronize()
            begun = time.time()
            for _ in range(5):
                forward_backward(inputs, masks[0])
            torch.cuda.synchronize()
        return (time.time() - begun) / 5

    try:
        taken = [seconds(b) for b in (SDPBackend.CUDNN_ATTENTION, SDPBackend.EFFICIENT_ATTENTION)]
    except RuntimeError as error:  # cuDNN's take no such mask here
        print(f"attention without cuDNN: {str(error).splitlines()[0]}", flush=True)
        return safe
    print(f"attention with a mask: cuDNN {taken[0] * 1e3:.2f} ms, otherwise {taken[1] * 1e3:.2f} ms", flush=True)
    return [SDPBackend.CUDNN_ATTENTION] + safe if taken[0] < taken[1] else safe
