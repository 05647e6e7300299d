#!/usr/bin/env python3
"""The peer of nn_bench: the same networks in PyTorch, with the same weights, on the same rows.

usage: nn_peer.py FOLDER       (driven by nn_bench; one command a line on standard input, one answer a line)
    model NAME                 build NAME from FOLDER/weights.bin (float32, tensors in the order of nn_bench), answer its number of weights
    threads N
    precision P                bfloat16: autocast; single (at first): not
    rows B                     take the first B rows of FOLDER/x.bin and FOLDER/target.bin
    check                      write the output to FOLDER/output.bin; answer the losses of ten training steps from the loaded weights
    score N                    N forward passes; answer processor seconds and elapsed seconds of one
    train N                    N training steps with AdamW; answer the same
Inputs and targets are laid out as PyTorch wants them before the clock starts; nothing but the network is timed.
"""
import os
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from torch import nn

torch.set_num_interop_threads(1)
WINDOW, FEATURES = 64, 8


class Autoencoder(nn.Module):
    shape_in, shape_out = (1, 64), (1, 64)

    def __init__(self):
        super().__init__()
        sizes = (64, 32, 8, 32, 64)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


class Lstm(nn.Module):
    shape_in, shape_out = (WINDOW, FEATURES), (1, FEATURES)

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(FEATURES, 64, batch_first=True)
        self.head = nn.Linear(64, FEATURES)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1:])


class Tcn(nn.Module):
    shape_in, shape_out, channels_first = (WINDOW, FEATURES), (WINDOW, FEATURES), True

    def __init__(self):
        super().__init__()
        self.enter = nn.Conv1d(FEATURES, 32, 1)
        self.convs = nn.ModuleList(nn.Conv1d(32, 32, 3, dilation=d) for d in (1, 1, 2, 2, 4, 4, 8, 8))
        self.head = nn.Conv1d(32, FEATURES, 1)

    def forward(self, x):
        h = self.enter(x)
        for first, second in zip(self.convs[::2], self.convs[1::2]):
            reach = 2 * first.dilation[0]
            inner = torch.relu(first(nn.functional.pad(h, (reach, 0))))
            h = torch.relu(second(nn.functional.pad(inner, (reach, 0))) + h)
        return self.head(h)


class Transformer(nn.Module):
    shape_in, shape_out = (WINDOW, FEATURES), (WINDOW, FEATURES)

    def __init__(self):
        super().__init__()
        self.enter = nn.Linear(FEATURES, 64)
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(64, 4, 128, 0.0, "relu", batch_first=True, norm_first=True) for _ in range(2))
        self.head = nn.Linear(64, FEATURES)

    def forward(self, x):
        h = self.enter(x)
        for layer in self.layers:
            h = layer(h)
        return self.head(h)


class Encoder(nn.Module):
    shape_in, shape_out, channels_first = (WINDOW, 1), (1, 64), True

    def __init__(self):
        super().__init__()
        sizes, kernels = (1, 128, 256, 128, 64), (7, 5, 3, 3)
        self.convs = nn.ModuleList(nn.Conv1d(a, b, k, padding=k // 2) for a, b, k in zip(sizes, sizes[1:], kernels))

    def forward(self, x):
        for conv in self.convs:
            x = torch.relu(conv(x))
        return x.mean(-1, keepdim=True)


MODELS = {"autoencoder": Autoencoder, "lstm": Lstm, "tcn": Tcn, "transformer": Transformer, "encoder": Encoder}


def parameters_in_order(model):
    """The tensors in nn_bench's order, each with what turns ours into PyTorch's: dense (in,out) -> (out,in), conv (K,C,O) -> (O,C,K)."""
    named = list(model.named_parameters())
    if isinstance(model, Transformer):  # ours: norm, attention, norm, feed-forward; PyTorch declares the norms last
        inner = ("norm1", "self_attn.in_proj", "self_attn.out_proj", "norm2", "linear1", "linear2")
        rank = lambda name: next(i for i, part in enumerate(inner) if part in name)
        named = [n for n in named if "enter" in n[0]] + sorted((n for n in named if "layers" in n[0]),
                 key=lambda n: (n[0].split(".")[1], rank(n[0]))) + [n for n in named if "head" in n[0]]
    for name, parameter in named:
        kind = "dense" if parameter.dim() == 2 else "conv" if parameter.dim() == 3 else "vector"
        yield name, parameter, kind


def load(model, values):
    at = 0
    with torch.no_grad():
        for _, parameter, kind in parameters_in_order(model):
            count, shape = parameter.numel(), parameter.shape
            mine = values[at:at + count]
            at += count
            if kind == "dense":
                mine = mine.reshape(shape[1], shape[0]).T
            elif kind == "conv":
                mine = mine.reshape(shape[2], shape[1], shape[0]).transpose(2, 1, 0)
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(mine).reshape(shape)))
    assert at == len(values), f"{len(values)} weights given, {at} wanted"
    return at


class Peer:
    def __init__(self, folder):
        self.folder = folder
        self.model = self.x = self.target = None
        self.is_rounded = False

    def read(self, name, rows, shape):
        values = torch.from_numpy(np.fromfile(f"{self.folder}/{name}.bin", np.float32).reshape(-1, *shape)[:rows].copy())
        return values.transpose(1, 2).contiguous() if getattr(self.model, "channels_first", False) else values

    def do(self, word, argument):
        if word == "model":
            self.model = MODELS[argument]()
            return load(self.model, np.fromfile(f"{self.folder}/weights.bin", np.float32))
        if word == "threads":
            torch.set_num_threads(int(argument))
            return argument
        if word == "precision":
            self.is_rounded = argument == "bfloat16"
            return argument
        if word == "rows":
            self.x = self.read("x", int(argument), self.model.shape_in)
            self.target = self.read("target", int(argument), self.model.shape_out)
            return argument
        if word == "check":
            return self.check()
        return self.timed(word, int(argument))

    def step(self, optimizer):
        optimizer.zero_grad(set_to_none=True)
        with self.autocast():
            output = self.model(self.x)
        loss = nn.functional.mse_loss(output.float(), self.target)
        loss.backward()
        optimizer.step()
        return loss

    def autocast(self):
        return torch.autocast("cpu", torch.bfloat16, enabled=self.is_rounded)

    def optimizer(self):
        return torch.optim.AdamW(self.model.parameters(), 1e-3, weight_decay=0)

    def check(self):
        saved = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.eval() if not isinstance(self.model, Transformer) else self.model.train()
        with torch.inference_mode():
            output = self.model(self.x)
        if getattr(self.model, "channels_first", False):
            output = output.transpose(1, 2)
        output.contiguous().numpy().astype(np.float32).tofile(f"{self.folder}/output.bin")
        optimizer = self.optimizer()
        losses = [float(self.step(optimizer).detach()) for _ in range(10)]
        self.model.load_state_dict(saved)
        return " ".join(f"{loss:.9g}" for loss in losses)

    def timed(self, word, count):
        if word == "train":
            self.model.train()
            optimizer = self.optimizer()
            self.step(optimizer)
            begin, elapsed = time.process_time(), time.perf_counter()
            for _ in range(count):
                self.step(optimizer)
        else:
            self.model.eval()
            with torch.inference_mode(), self.autocast():
                self.model(self.x)
                begin, elapsed = time.process_time(), time.perf_counter()
                for _ in range(count):
                    self.model(self.x)
        return f"{(time.process_time() - begin) / count:.9g} {(time.perf_counter() - elapsed) / count:.9g}"


def main():
    peer = Peer(sys.argv[1])
    print("PyTorch", torch.__version__, flush=True)
    for line in sys.stdin:
        word, _, argument = line.strip().partition(" ")
        print(peer.do(word, argument), flush=True)


if __name__ == "__main__":
    main()
