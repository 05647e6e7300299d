#!/usr/bin/env python3
"""Golden vectors of the layers: dense, convolution, ... in PyTorch.  usage: python3 layers.py"""
import torch
import torch.nn.functional as F

from golden import case, generate


# ---- dense ----

@case("dense")
def dense(net):
    return net.dense(net.input(3, 4), 5)


@case("dense, three activations")
def dense_activated(net):
    x = net.dense(net.input(3, 4), 7, torch.tanh)
    x = net.dense(x, 6, torch.sigmoid)
    return net.dense(x, 2, F.softplus, bias=False)


@case("dense with residual")
def dense_residual(net):
    h = net.dense(net.input(3, 4), 4)
    return net.dense(h, 4, F.softplus, residual=h)


@case("dense, weights used twice")
def dense_shared(net):
    h = net.dense(net.input(1, 4), 4, torch.tanh)
    net.node("dense")
    return net.dense(h, 4, torch.tanh, name="dense1")


# ---- convolution ----

@case("conv, causal and dilated")
def conv_causal(net):
    x = net.conv(net.input(11, 3), 5, kernel=3, dilation=2, activation=torch.tanh)
    return net.conv(x, 5, kernel=2, dilation=4, residual=x)


@case("conv, centred and strided")
def conv_same(net):
    x = net.conv(net.input(9, 3), 4, kernel=4, padding="same", activation=torch.sigmoid)
    return net.conv(x, 2, kernel=3, stride=2, padding="same")


@case("conv, whole windows only")
def conv_valid(net):
    return net.conv(net.input(12, 2), 3, kernel=3, stride=2, dilation=2, padding="valid")


@case("conv, depthwise")
def conv_depthwise(net):
    return net.conv(net.input(10, 4), kernel=3, dilation=2, depthwise=True, activation=torch.tanh)


generate()
