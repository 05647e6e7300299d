#!/usr/bin/env python3
"""Golden vectors of predicted distributions, scores and contrasts in PyTorch.  usage: python3 probabilistic.py

Where PyTorch has the loss, it is called; where it has the distribution, its log_prob, kl_divergence or Jacobian; the others are written as
their papers have them.
"""
import math

import torch
import torch.nn.functional as F
from torch.distributions import Normal, StudentT, kl_divergence

from golden import case, generate, mean_where


def dense_with_target(net, units, fill="gaps"):
    x, target = net.input(4, 3), net.input(4, 2, fill)
    return net.dense(x, units), target


# ---- predicted distributions ----

def clamped(raw):
    return raw.clamp(-13.8155106, 20.0)


@case("Gaussian loss")
def loss_gaussian(net):
    y, target = dense_with_target(net, 4)
    mean, v = y.chunk(2, 2)
    return mean_where(target, lambda t: F.gaussian_nll_loss(mean, t, clamped(v).exp(), eps=1e-6, reduction="none"))


@case("Gaussian head")
def gaussian_head(net):
    mean, raw = net.dense(net.input(4, 3), 4).chunk(2, 2)
    net.node("head")
    return torch.cat([mean, clamped(raw)], 2)


@case("Gaussian head, softplus")
def gaussian_head_softplus(net):
    mean, raw = net.dense(net.input(4, 3), 4).chunk(2, 2)
    net.node("head")
    return torch.cat([mean, (F.softplus(raw) + 1e-6).log()], 2)


def student(net, x, blocks):
    parts = net.dense(x, 2 * blocks).chunk(blocks, 2)
    net.node("head")
    return [parts[0], F.softplus(parts[1]) + 1e-3] + [F.softplus(raw) + 2 for raw in parts[2:]]


@case("Student head")
def student_head(net):
    return torch.cat(student(net, net.input(4, 3), 3), 2)


@case("Student loss, 4 degrees")
def loss_student_fixed(net):
    x, target = net.input(4, 3), net.input(4, 2, "gaps")
    location, scale = student(net, x, 2)
    return mean_where(target, lambda t: -StudentT(4.0, location, scale).log_prob(t))


@case("Student loss, degrees learned")
def loss_student_learned(net):
    x, target = net.input(4, 3), net.input(4, 2, "gaps")
    location, scale, degrees = student(net, x, 3)
    return mean_where(target, lambda t: -StudentT(degrees, location, scale).log_prob(t))


@case("quantile head")
def quantile_head(net):
    first, *steps = net.dense(net.input(4, 3), 6).chunk(3, 2)
    net.node("head")
    return torch.cat([first, first + F.softplus(steps[0]), first + F.softplus(steps[0]) + F.softplus(steps[1])], 2)


@case("quantile loss")
def loss_quantile(net):
    y, target = dense_with_target(net, 6)

    def pinball(t):
        errors = [torch.maximum(q * (t - part), (q - 1) * (t - part)) for q, part in zip(net.single([0.1, 0.5, 0.9]), y.chunk(3, 2))]
        return sum(errors) / 3
    return mean_where(target, pinball)


@case("sample")
def sample(net):
    mean, v = net.dense(net.input(3, 4), 6).chunk(2, 2)
    net.node("sample")
    return mean + 0 * v  # not stochastic


@case("divergence loss")
def loss_divergence(net):
    mean, v = net.dense(net.input(3, 4), 6).chunk(2, 2)
    return kl_divergence(Normal(mean, (clamped(v) / 2).exp()), Normal(0.0, 1.0)).flatten(1).sum(1)


# ---- scores and labels ----

@case("logits loss")
def loss_logits(net):
    y, target = dense_with_target(net, 2, "bit")
    return mean_where(target, lambda t: F.binary_cross_entropy_with_logits(y, t, reduction="none"))


@case("logits loss, one target")
def loss_logits_all(net):
    y = net.dense(net.input(4, 3), 2)
    target = net.single(0.9).expand(y.shape)
    return F.binary_cross_entropy_with_logits(y, target, reduction="none").flatten(1).mean(1)


def focal(x, t, gamma, alpha=None):
    """torchvision.ops.sigmoid_focal_loss, which takes integer gamma as well as any other."""
    p = x.sigmoid()
    loss = F.binary_cross_entropy_with_logits(x, t, reduction="none") * (1 - (p * t + (1 - p) * (1 - t))) ** gamma
    return loss if alpha is None else (alpha * t + (1 - alpha) * (1 - t)) * loss


def rank(net, fill):
    x, target = net.input(5, 3), net.input(5, 1, fill)
    s, losses = net.dense(x, 1, bias=False), []  # a constant is nothing to it
    for row, wanted in zip(s.flatten(1), target.flatten(1)):
        rare, normal = row[wanted >= 0.5], row[wanted < 0.5]
        counts = len(rare) > 0 and len(normal) > 0
        usual = torch.logsumexp(normal, 0) - math.log(max(len(normal), 1))
        losses.append(F.softplus(usual + 1.5 - rare).mean() if counts else 0 * row.sum())
    return torch.stack(losses)


@case("rank loss")
def loss_rank(net):
    return rank(net, "bit")


@case("rank loss, gaps")
def loss_rank_gaps(net):
    return rank(net, "gaps")


@case("focal loss")
def loss_focal(net):
    y, target = dense_with_target(net, 2, "bit")
    return mean_where(target, lambda t: focal(y, t, 2, 0.25))


@case("focal loss, adjusted")
def loss_focal_adjusted(net):
    y, target = dense_with_target(net, 2)  # targets beyond 0 and 1 count as these
    rate, tau = net.single(0.2), net.single(0.8)
    return mean_where(target, lambda t: focal(y + tau * (rate / (1 - rate)).log(), t.clamp(0, 1), 1.5))


@case("tolerant focal loss")
def loss_tolerant(net):
    y, target = dense_with_target(net, 2)
    q = net.single(0.7)

    def generalized(t):
        t, p = t.clamp(0, 1), y.sigmoid()
        entropy = t * (1 - p ** q) / q + (1 - t) * (1 - (1 - p) ** q) / q
        return entropy * (p * (1 - t) + (1 - p) * t) ** 0.5
    return mean_where(target, generalized)


def unlabelled(net, share, is_overfitted):
    """Kiryo et al.'s risk with the weight of yes and of the rest as in the batch, shared out over its rows."""
    x, label = net.input(1, 3), net.input(1, 1, "bit").flatten()
    y = net.dense(x, 1).flatten()
    net.node("loss_logits")
    net.node("loss_logits")
    pi = net.state(net.node("loss_unlabelled") + ".share", [share])
    called, others = label > 0, label == 0
    as_yes, as_no = focal(y, torch.ones_like(y), 1), focal(y, torch.zeros_like(y), 1)
    rest = (as_no[others].mean() - pi * as_no[called].mean()) / (1 - pi)
    assert called.any() and others.any() and (rest < 0) == is_overfitted
    rows = torch.where(called, as_yes, 0.0)
    if is_overfitted:
        return rows
    taken = pi * others.sum() / called.sum() / (1 - pi)
    return rows + torch.where(called, -taken * as_no, as_no / (1 - pi))


@case("unlabelled loss", batch=6)
def loss_unlabelled(net):
    return unlabelled(net, 0.2, False)


@case("unlabelled loss, overfitted", batch=8)
def loss_unlabelled_overfitted(net):
    return unlabelled(net, 0.98, True)


@case("deviation loss")
def loss_deviation(net):
    y, target = dense_with_target(net, 2, "bit")  # not stochastic: the reference has mean 0, deviation 1
    return mean_where(target, lambda t: (1 - t) * y.abs() + t * (5 - y).clamp(min=0))


# ---- one class ----

def sphere_distance(net):
    z = net.dense(net.input(2, 4), 3, bias=False).flatten(1)
    center = net.state(net.node("sphere") + ".center", 0.3 * net.rng.normal(size=z.shape[1]))
    return ((z - center) ** 2).sum(1)


@case("sphere")
def sphere(net):
    return sphere_distance(net)


@case("soft boundary loss", batch=6)
def loss_soft_boundary(net):
    distance = sphere_distance(net)
    squared = net.state(net.node("loss_soft_boundary") + ".radius", [1.2]) ** 2
    return squared + torch.maximum(torch.zeros_like(distance), distance - squared) / net.single(0.1)


@case("sphere loss with labels", batch=6)
def loss_sphere_labels(net):
    distance = sphere_distance(net)
    label = net.input(1, 1, "sign").flatten()
    return torch.where(label == 0, distance, 2 * (distance + 1e-6) ** label)


# ---- rows among each other ----

def views(net, count):
    inputs = [net.input(2, 4) for _ in range(count)]
    return [net.dense(x, 3).flatten(1) for x in inputs]


def cosines(a, b):
    return F.cosine_similarity(a.unsqueeze(1), b.unsqueeze(0), dim=2)


@case("InfoNCE loss", batch=5)
def loss_infonce(net):
    a, b = views(net, 2)
    return F.cross_entropy(cosines(a, b) / 0.5, torch.arange(len(a)), reduction="none")


@case("farthest in batch loss", batch=5)
def loss_farthest(net):
    anchor, positive = views(net, 2)
    others = 1 - cosines(anchor, anchor) - 9 * torch.eye(len(anchor))
    return (2 + 1 - F.cosine_similarity(anchor, positive) - others.max(1).values).clamp(min=0)


@case("triplet loss", batch=4)
def loss_triplet(net):
    return F.triplet_margin_loss(*views(net, 3), margin=4, eps=1e-6, reduction="none")


@case("sum of losses")
def loss_sum(net):
    y, target = dense_with_target(net, 2)
    return mean_where(target, lambda t: 0.5 * (y - t) ** 2 + 3 * F.huber_loss(y, t, delta=0.5, reduction="none"))


# ---- weights that are distributions ----

def bayes(net, x, units, activation=None, bias=True):
    """Not stochastic: the means.  Returns y and the distributions."""
    name = net.node("bayes")
    shapes = {"weight": (x.shape[2], units)} | ({"bias": (units,)} if bias else {})
    means = {key: net.weight(f"{name}.{key}", *shape) for key, shape in shapes.items()}
    rhos = {key: net.weight(f"{name}.{key}_rho", *shape, offset=-1.0) for key, shape in shapes.items()}
    y = x @ means["weight"] + (means["bias"] if bias else 0) + 0 * sum(rho.sum() for rho in rhos.values())
    return (activation(y) if activation else y), [Normal(means[key], F.softplus(rhos[key])) for key in shapes]


@case("Bayes by backprop")
def bayes_layers(net):
    x, _ = bayes(net, net.input(3, 4), 5, torch.tanh)
    return bayes(net, x, 2, bias=False)[0]


@case("Bayes by backprop with its loss")
def loss_bayes(net):
    x, target = net.input(3, 4), net.input(3, 2)
    y, distributions = bayes(net, x, 2)
    divergence = sum(kl_divergence(own, Normal(0.0, net.single(0.7))).sum() for own in distributions)
    return ((y - target.detach()) ** 2).flatten(1).mean(1) + net.single(0.2) * divergence


# ---- flows ----

def couple(x, h, inverse=False, bound=1.5):
    kept = x.shape[2] // 2
    raw, shift = h.chunk(2, 2)
    scale = (bound * (raw / bound).tanh()).exp()
    moved = (x[:, :, kept:] - shift) / scale if inverse else x[:, :, kept:] * scale + shift
    return torch.cat([x[:, :, :kept], moved], 2)


@case("coupling")
def coupling(net):
    x, h = net.input(2, 5), net.input(2, 3)
    x = net.dense(x, 5)
    return couple(x, net.dense(h, 6))


@case("coupling, undone")
def coupling_inverse(net):
    x, h = net.input(2, 4), net.input(2, 3)
    x = net.dense(x, 4)
    return couple(x, net.dense(h, 4), inverse=True)


@case("log determinant")
def log_det(net):
    h = net.input(2, 3)
    return sum(1.5 * (net.dense(h, 4).chunk(2, 2)[0] / 1.5).tanh().flatten(1).sum(1) for _ in range(2)).reshape(-1, 1, 1)


@case("flow likelihood loss")
def loss_flow(net):
    x, h = net.input(2, 4), net.input(2, 3)
    first = net.dense(h, 4)
    net.node("coupling")
    second = net.dense(h, 4)

    def through(values, b):
        return couple(couple(values.reshape(1, 2, 4), first[b:b + 1]), second[b:b + 1]).flatten()
    losses = []
    for b in range(len(x)):
        jacobian = torch.autograd.functional.jacobian(lambda values: through(values, b), x[b].flatten(), create_graph=True)
        losses.append(-Normal(0.0, 1.0).log_prob(through(x[b].flatten(), b)).sum() - torch.linalg.slogdet(jacobian)[1])
    return torch.stack(losses)


generate()
