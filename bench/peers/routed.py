"""Dense causal attention of PyTorch on one GPU, bf16, head size 128: SDPA flash (FlashAttention-2) and cuDNN. Prints JSON lines."""
import json
import torch
import torch.nn.functional as F
from torch.nn.attention import sdpa_kernel, SDPBackend

torch.manual_seed(0)


def bench(fn, within=300):
    fn()
    torch.cuda.synchronize()
    start, end = torch.cuda.Event(True), torch.cuda.Event(True)
    times = []
    rounds = 5
    while len(times) < rounds:
        start.record()
        fn()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end))
        rounds = max(3, min(50, int(within / max(times[0], 1e-3))))
    return sorted(times)[len(times) // 2]


def sdpa(heads, length, backend, backward):
    name = "cudnn" if backend == SDPBackend.CUDNN_ATTENTION else "flash2"
    try:
        q, k, v = [
            torch.randn(1, heads, length, 128, device="cuda", dtype=torch.bfloat16, requires_grad=backward)
            for _ in range(3)
        ]
        with sdpa_kernel(backend):
            run = lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True)
            with torch.no_grad():
                fwd = bench(run)
            bwd = None
            if backward:
                o = run()
                g = torch.randn_like(o)

                def back():
                    q.grad = k.grad = v.grad = None
                    o.backward(g, retain_graph=True)

                bwd = bench(back)
        print(json.dumps(dict(peer=name, H=heads, N=length, D=128, fwd_ms=fwd, bwd_ms=bwd)), flush=True)
    except Exception as ex:
        print(json.dumps(dict(peer=name, H=heads, N=length, err=str(ex)[:200])), flush=True)


for backend in (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION):
    sdpa(16, 32768, backend, False)
    sdpa(16, 16384, backend, True)
    sdpa(4, 131072, backend, False)
