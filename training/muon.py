"""Muon (Jordan et al. 2024) for inner matrices and convolutions and Adam for everything else.

Matrices of one shape are stacked, so that a step costs a handful of batched products. Updates are scaled to the
size of Adam's (Liu et al. 2025), which lets both share a rate.
"""
import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonal(g):
    """Nearly the orthogonal factor of each matrix of a stack [k, rows, columns], by five Newton-Schulz steps."""
    x = g.bfloat16() if g.is_cuda else g
    tall = x.shape[1] > x.shape[2]
    x = x.transpose(1, 2) if tall else x
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(5):
        square = x @ x.transpose(1, 2)
        x = a * x + (b * square + c * square @ square) @ x
    return (x.transpose(1, 2) if tall else x).to(g.dtype)


class Muon:
    """`inner` chooses matrices by name; a convolution [out, in, k, k] counts as [out, in * k * k]."""

    def __init__(self, model, rate, inner, decay=0.02, momentum=0.95):
        matrices = [p for n, p in model.named_parameters() if p.dim() > 1 and inner(n)]
        chosen = {id(p) for p in matrices}
        rest = [p for p in model.parameters() if id(p) not in chosen]
        self.rate, self.decay, self.momentum = rate, decay, momentum
        self.groups = [[p for p in matrices if p.shape == shape] for shape in sorted({tuple(p.shape) for p in matrices})]
        self.velocity = [torch.zeros(len(g), len(g[0]), g[0][0].numel(), device=g[0].device) for g in self.groups]
        self.adam = torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.0, fused=rest[0].is_cuda)

    @torch.no_grad()
    def step(self):
        for group in self.adam.param_groups:
            group["lr"] = self.rate
        self.adam.step()
        for group, velocity in zip(self.groups, self.velocity):
            g = torch.stack([p.grad.flatten(1) for p in group])
            velocity.lerp_(g, 1 - self.momentum)
            update = orthogonal(g.lerp(velocity, self.momentum)) * (0.2 * max(g.shape[1:]) ** 0.5)
            torch._foreach_mul_(group, 1 - self.rate * self.decay)
            torch._foreach_add_(group, [u.view(p.shape) for u, p in zip(update.unbind(0), group)], alpha=-self.rate)

    def state_dict(self):
        return {"adam": self.adam.state_dict(), "velocity": self.velocity}

    def load_state_dict(self, state):
        self.adam.load_state_dict(state["adam"])
        for mine, theirs in zip(self.velocity, state["velocity"]):
            mine.copy_(theirs)
