#!/usr/bin/env python3
"""Makes cells.txt: norms, softmax, attention, LSTM, GRU and optimizers by PyTorch, forward and gradients.

Inputs are floats; PyTorch computes in double, so that what our kernels are off by is their own rounding.
"""
import pathlib

import torch

SEED = 20261125


def main():
    torch.manual_seed(SEED)
    out = [f"# torch {torch.__version__}, seed {SEED}, computed in double"]

    def block(name, tensor):
        values = tensor.detach().reshape(-1).tolist()
        out.append(f"{name} {len(values)}\n" + " ".join(f"{value:.9g}" for value in values))

    def draw(*shape, scale=1.0):
        """Normal numbers that are floats, as a double leaf."""
        return (torch.randn(*shape) * scale).double().requires_grad_()

    def case(name, inputs, run):
        """Runs, with a random gradient of the result; writes inputs, result y, its gradient dy, and every input's gradient."""
        y = run()
        dy = torch.randn(y.shape).double()
        y.backward(dy)
        for key, tensor in inputs.items():
            block(f"{name}.{key}", tensor)
            block(f"{name}.d{key}", tensor.grad)
        block(f"{name}.y", y)
        block(f"{name}.dy", dy)

    x, gain, shift = draw(4, 9, scale=3.0), draw(9), draw(9)
    case("layer_norm", {"x": x, "gain": gain, "shift": shift}, lambda: torch.nn.functional.layer_norm(x, (9,), gain, shift, 1e-5))

    bx, bgain, bshift = draw(12, 5, scale=3.0), draw(5), draw(5)
    case("batch_norm", {"x": bx, "gain": bgain, "shift": bshift},
         lambda: torch.nn.functional.batch_norm(bx, None, None, bgain, bshift, True, 0.1, 1e-5))

    sx = draw(3, 7, scale=4.0)
    case("softmax", {"x": sx}, lambda: torch.softmax(sx, 1))

    for name, causal in (("attention", False), ("attention_causal", True)):
        batch, length, width, heads = 2, 5, 6, 2
        qkv = draw(batch, length, 3 * width)

        def attend(qkv=qkv, causal=causal):
            q, k, v = (part.view(batch, length, heads, width // heads).transpose(1, 2) for part in qkv.split(width, 2))
            y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
            return y.transpose(1, 2).reshape(batch, length, width)

        case(name, {"qkv": qkv}, attend)

    for name, kind, gates in (("lstm", torch.nn.LSTM, 4), ("gru", torch.nn.GRU, 3)):
        batch, length, channels, hidden = 3, 6, 5, 7
        net = kind(channels, hidden, batch_first=True).double()
        weights = {"w_input": draw(channels, gates * hidden, scale=0.5), "w_hidden": draw(hidden, gates * hidden, scale=0.5),
                   "bias_input": draw(gates * hidden, scale=0.5), "bias_hidden": draw(gates * hidden, scale=0.5)}
        series = draw(batch, length, channels)
        names = {"weight_ih_l0": weights["w_input"].T, "weight_hh_l0": weights["w_hidden"].T, "bias_ih_l0": weights["bias_input"],
                 "bias_hh_l0": weights["bias_hidden"]}
        case(name, {"x": series, **weights}, lambda net=net, names=names: torch.func.functional_call(net, names, (series,))[0])
        state = [torch.randn(1, batch, hidden).double() for _ in range(2 if kind is torch.nn.LSTM else 1)]
        y, end = torch.func.functional_call(net, names, (series, tuple(state) if kind is torch.nn.LSTM else state[0]))
        block(f"{name}.begun.h", state[0])
        block(f"{name}.begun.y", y)
        if kind is torch.nn.LSTM:
            block(f"{name}.begun.c", state[1])
            block(f"{name}.begun.c_end", end[1])

    gradients = [torch.randn(11).double() for _ in range(10)]
    begin = torch.randn(11).double()
    block("optimizer.weights", begin)
    block("optimizer.gradients", torch.stack(gradients))
    for name, make in (("adamw", lambda p: torch.optim.AdamW(p, lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.05)),
                       ("sgd", lambda p: torch.optim.SGD(p, lr=1e-2)),
                       ("momentum", lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.9, weight_decay=0.05)),
                       ("nesterov", lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.9, weight_decay=0.05, nesterov=True))):
        weights = begin.clone().requires_grad_()
        optimizer = make([weights])
        for gradient in gradients:
            weights.grad = gradient.clone()
            optimizer.step()
        block(f"optimizer.{name}", weights)

    pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(out) + "\n")


main()
