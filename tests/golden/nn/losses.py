#!/usr/bin/env python3
"""Golden vectors of the losses in PyTorch.  usage: python3 losses.py"""
import torch.nn.functional as F

from golden import case, generate, mean_where, squared


# ---- element by element ----

def pair(net):
    x, target = net.input(4, 3), net.input(4, 2, "gaps")
    return net.dense(x, 2), target


@case("squared loss")
def loss_squared(net):
    return squared(*pair(net))


@case("absolute loss")
def loss_absolute(net):
    y, target = pair(net)
    return mean_where(target, lambda t: F.l1_loss(y, t, reduction="none"))


@case("Huber loss")
def loss_huber(net):
    y, target = pair(net)
    return mean_where(target, lambda t: F.huber_loss(y, t, delta=0.7, reduction="none"))


generate()
