#!/usr/bin/env python3
"""The peer of cells_bench: the same cells by PyTorch on one thread, one run per line of standard input.

usage: cells_peer.py CASE INPUT OUTPUT      (driven by cells_bench)
INPUT and OUTPUT are files of float32, arrays in the order of cells_bench.c.
Writes what the first run gave to OUTPUT and prints its version.  Each line is a number of runs, answered with the seconds of processor time
of one of them, after one that is not timed.
"""
import sys
import time

import numpy as np
import torch

BATCH, LENGTH, CHANNELS, HIDDEN, WIDTH, HEADS, ROWS, STEPS = 64, 64, 8, 64, 64, 4, 4096, 20
functional = torch.nn.functional


def recurrent(kind, batch, length, training, begun=False):
    def make(take):
        gates = 4 if kind is torch.nn.LSTM else 3
        net = kind(CHANNELS, HIDDEN, batch_first=True)
        with torch.no_grad():
            net.weight_ih_l0.copy_(take(CHANNELS, gates * HIDDEN).T)
            net.weight_hh_l0.copy_(take(HIDDEN, gates * HIDDEN).T)
            net.bias_ih_l0.copy_(take(gates * HIDDEN))
            net.bias_hh_l0.copy_(take(gates * HIDDEN))
        dy = take(batch, length, HIDDEN) if training else None
        state = (take(1, batch, HIDDEN), take(1, batch, HIDDEN)) if begun else None
        if begun and kind is torch.nn.GRU:
            state = state[0]
        x = take(batch, length, CHANNELS).requires_grad_(training)

        def run():
            if not training:
                with torch.inference_mode():
                    return [net(x, state)[0]]
            net.zero_grad()
            x.grad = None
            y = net(x)[0]
            y.backward(dy)
            return [y, x.grad, net.weight_ih_l0.grad.T, net.weight_hh_l0.grad.T, net.bias_ih_l0.grad, net.bias_hh_l0.grad]

        return run

    return make


def attention(take):
    batch = 8
    qkv, dy = take(batch, LENGTH, 3 * WIDTH).requires_grad_(), take(batch, LENGTH, WIDTH)

    def run():
        qkv.grad = None
        q, k, v = (part.view(batch, LENGTH, HEADS, WIDTH // HEADS).transpose(1, 2) for part in qkv.split(WIDTH, 2))
        y = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, LENGTH, WIDTH)
        y.backward(dy)
        return [y, qkv.grad]

    return run


def layer_norm(take):
    x, gain, shift, dy = take(ROWS, WIDTH).requires_grad_(), take(WIDTH).requires_grad_(), take(WIDTH).requires_grad_(), take(ROWS, WIDTH)

    def run():
        x.grad = gain.grad = shift.grad = None
        y = functional.layer_norm(x, (WIDTH,), gain, shift, 1e-5)
        y.backward(dy)
        return [y, x.grad, gain.grad, shift.grad]

    return run


def softmax(take):
    x = take(ROWS, WIDTH)
    return lambda: [torch.softmax(x, 1)]


def gelu(take):
    x = take(ROWS, WIDTH)
    return lambda: [functional.gelu(x)]


def adamw(take):
    weights, gradient = take(ROWS * 16).requires_grad_(), take(ROWS * 16)
    begin = weights.detach().clone()

    def run():
        with torch.no_grad():
            weights.copy_(begin)
        weights.grad = gradient
        optimizer = torch.optim.AdamW([weights], lr=1e-3, weight_decay=0.01, fused=True)
        for _ in range(STEPS):
            optimizer.step()
        return [weights]

    return run


CASES = {
    "lstm_score": recurrent(torch.nn.LSTM, 1, LENGTH, False), "lstm_step": recurrent(torch.nn.LSTM, 1, 1, False, True),
    "lstm_train": recurrent(torch.nn.LSTM, BATCH, LENGTH, True), "gru_score": recurrent(torch.nn.GRU, 1, LENGTH, False),
    "gru_step": recurrent(torch.nn.GRU, 1, 1, False, True), "gru_train": recurrent(torch.nn.GRU, BATCH, LENGTH, True),
    "attention": attention, "layer_norm": layer_norm, "softmax": softmax, "gelu": gelu, "adamw": adamw,
}


def main():
    torch.set_num_threads(1)
    values, at = torch.from_numpy(np.fromfile(sys.argv[2], dtype=np.float32)), 0

    def take(*shape):
        nonlocal at
        count = int(np.prod(shape))
        at += count
        return values[at - count:at].clone().reshape(shape)

    run = CASES[sys.argv[1]](take)
    np.concatenate([part.detach().numpy().ravel() for part in run()]).astype(np.float32).tofile(sys.argv[3])
    print("PyTorch", torch.__version__, flush=True)
    for line in sys.stdin:
        run()
        begin = time.process_time()
        for _ in range(int(line)):
            run()
        print((time.process_time() - begin) / int(line), flush=True)


main()
