"""Training in bf16 with float32 master weights, and forward and backward as CUDA graphs."""
import copy

import torch


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
