"""The training step of bench/step.ts in PyTorch: python3 step_torch.py THREADS STEPS; prints milliseconds, loss, processor milliseconds a step."""

import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

LAYERS, WIDTH, HEADS, HIDDEN, VOCAB, BATCH, CONTEXT = 4, 256, 4, 1024, 256, 8, 512


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(WIDTH, eps=1e-6), nn.RMSNorm(WIDTH, eps=1e-6)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
        self.up, self.down = nn.Linear(WIDTH, HIDDEN, bias=False), nn.Linear(HIDDEN, WIDTH, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(self.norm1(x)).view(BATCH, CONTEXT, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(BATCH, CONTEXT, WIDTH))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


def main() -> None:
    threads, steps = int(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    embed, norm = nn.Embedding(VOCAB, WIDTH), nn.RMSNorm(WIDTH, eps=1e-6)
    layers, head = nn.Sequential(*[Layer() for _ in range(LAYERS)]), nn.Linear(WIDTH, VOCAB, bias=False)
    model = nn.Sequential(embed, layers, norm, head)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01, fused=True)
    n = torch.arange(BATCH * CONTEXT + 1)
    text = (n * n * 7 + (n >> 3)) % VOCAB
    tokens, targets = text[:-1].view(BATCH, CONTEXT), text[1:]
    for _ in range(steps):
        start, used = time.perf_counter(), time.process_time()
        loss = F.cross_entropy(model(tokens).view(-1, VOCAB), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        value = loss.item()
        busy = (time.process_time() - used) * 1e3
        print(f"{(time.perf_counter() - start) * 1e3:.3f} {value:.4f} {busy:.3f}", flush=True)


main()
