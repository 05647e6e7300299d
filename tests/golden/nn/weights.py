#!/usr/bin/env python3
"""Writes files by the safetensors package that nn/safetensors_test.c reads.  usage: weights.py (in this folder)

Made with safetensors 0.8.0, numpy 2.4.6, torch 2.15.0 (for BF16).  No randomness: number i of tensor t is (i - 7) (t + 1) / 8, which all
four types hold exactly.
"""
import numpy
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

SHAPES = {"encoder.weight": (3, 2, 4), "encoder.bias": (4,), "encoder.mean": (4,)}


def tensors(kind):
    return {name: ((numpy.arange(numpy.prod(shape)) - 7) * (t + 1) / 8).reshape(shape).astype(kind) for t, (name, shape) in enumerate(SHAPES.items())}


def main():
    for name, kind in (("f32", numpy.float32), ("f16", numpy.float16), ("f64", numpy.float64)):
        save_file(tensors(kind), f"{name}.safetensors", metadata={"made by": "numpy"})
    save_torch({name: torch.tensor(values, dtype=torch.bfloat16) for name, values in tensors(numpy.float32).items()}, "bf16.safetensors")
    mixed = tensors(numpy.float32)
    mixed["encoder.count"] = numpy.array([3], dtype=numpy.int64)  # as a batch norm of PyTorch leaves beside its statistics
    save_file(mixed, "i64.safetensors")


if __name__ == "__main__":
    main()
