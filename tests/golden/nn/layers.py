#!/usr/bin/env python3
"""Golden vectors of the layers: dense, convolution, ... in PyTorch.  usage: python3 layers.py"""
import math

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


@case("dense, ReLU")
def dense_relu(net):
    return net.dense(net.dense(net.input(2, 4), 5, torch.relu), 2)


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


def conv_transposed(net, x, channels=None, kernel=1, dilation=1, stride=1, padding="causal", activation=None, depthwise=False, bias=True):
    name, inputs, span = net.node("conv_transposed"), x.shape[-1], (kernel - 1) * dilation + 1
    channels = inputs if depthwise else channels
    if depthwise:
        weight = net.weight(f"{name}.weight", kernel, inputs, decays=True).t().unsqueeze(1)
    else:
        weight = net.weight(f"{name}.weight", kernel, channels, inputs, decays=True).permute(2, 1, 0)
    bias = net.weight(f"{name}.bias", channels) if bias else None
    y = F.conv_transpose1d(x.transpose(1, 2), weight, bias, stride, dilation=dilation, groups=inputs if depthwise else 1).transpose(1, 2)
    if padding != "valid":
        before = max(span - stride + 1, 0) // 2 if padding == "same" else 0
        y = F.pad(y, (0, 0, 0, stride))[:, before:before + x.shape[1] * stride]
    return activation(y) if activation else y


@case("transposed conv, causal")
def conv_transposed_causal(net):
    x = conv_transposed(net, net.input(4, 3), 4, kernel=3, dilation=2, activation=torch.tanh)
    return conv_transposed(net, x, 2, kernel=3, stride=2, bias=False)


@case("transposed conv, centred")
def conv_transposed_same(net):
    x = conv_transposed(net, net.input(4, 3), 4, kernel=5, stride=2, padding="same")
    return conv_transposed(net, x, 2, kernel=3, stride=3, padding="same")


@case("transposed conv, all of it")
def conv_transposed_valid(net):
    x = conv_transposed(net, net.input(4, 3), 4, kernel=3, stride=2, dilation=2, padding="valid")
    return conv_transposed(net, x, kernel=2, padding="valid", depthwise=True)


# ---- element by element; every operation takes a node ----

def unary(net, x, f):
    net.node("unary")
    return f(x)


def add(net, a, b):
    net.node("add")
    return a + b


def multiply(net, a, b):
    net.node("multiply")
    return a * b


def dropout(net, x, rate):
    net.node("dropout")
    return F.dropout(x, rate, training=False)


@case("smooth functions")
def unary_all(net):
    x = net.dense(net.input(3, 4), 5)
    for f in torch.tanh, torch.exp, torch.log, torch.sigmoid, torch.sqrt, torch.square:
        x = unary(net, x, f)
    return unary(net, unary(net, net.dense(x, 5), F.gelu), F.softplus)


@case("functions with corners")
def unary_corners(net):
    x = net.input(2, 3)
    parts = unary(net, x, torch.relu), unary(net, x, torch.abs)
    net.node("concat")
    return net.dense(torch.cat(parts, 2), 2)


@case("add")
def add_three(net):
    x = net.input(3, 4)
    h = net.dense(x, 4)
    return add(net, add(net, h, x), h)


@case("multiply")
def multiply_three(net):
    x = net.input(3, 4)
    h = net.dense(x, 4)
    return multiply(net, multiply(net, h, x), h)


@case("scale")
def scale(net):
    h = unary(net, net.dense(net.input(3, 4), 4), lambda h: -1.5 * h)
    return add(net, unary(net, h, lambda h: 0.25 * h), h)


@case("detach")
def detach(net):
    x, other = net.input(3, 4), net.input(3, 2)
    y = net.dense(x, 2)
    return multiply(net, y, unary(net, other, torch.detach))


@case("dropout")
def dropout_mean(net):
    return net.dense(dropout(net, net.dense(net.input(3, 4), 7), 0.4), 2)


# ---- channels and steps ----

@case("concat")
def concat(net):
    x = net.input(3, 4)
    h = net.dense(x, 2)
    net.node("concat")
    return net.dense(torch.cat([h, x, h], 2), 2)


@case("slice")
def slices(net):
    x = net.input(3, 7)
    a, b = unary(net, x, lambda x: x[:, :, :4]), unary(net, x, lambda x: x[:, :, 3:])
    return net.dense(multiply(net, a, b), 2)


@case("reverse")
def reverse(net):
    h = net.dense(net.input(3, 5), 5)
    return multiply(net, h, unary(net, h, lambda h: h.flip(2)))


@case("softmax")
def softmax(net):
    return unary(net, net.dense(net.input(3, 4), 5), lambda h: h.softmax(2))


@case("steps")
def steps(net):
    h = net.dense(net.input(6, 3), 2)
    return multiply(net, unary(net, h, lambda h: h[:, 1:4]), unary(net, h, lambda h: h[:, 2:5]))


@case("last step")
def last(net):
    x = net.conv(net.input(6, 3), 4, kernel=3)
    return net.dense(unary(net, x, lambda x: x[:, -1:]), 2)


@case("repeat")
def repeat(net):
    h = net.dense(net.input(1, 4), 3)
    return net.dense(unary(net, h, lambda h: h.expand(-1, 5, -1)), 2)


@case("reshape")
def reshape(net):
    x = net.input(4, 3)
    h = net.dense(unary(net, x, lambda x: x.reshape(-1, 1, 12)), 8)
    h = unary(net, unary(net, h, lambda h: h.reshape(-1, 4, 2)), lambda h: h.reshape(-1, 2, 4))
    other = unary(net, unary(net, x, lambda x: x.reshape(-1, 3, 4)), lambda x: x[:, 1:])
    return add(net, h, other)


def pool(net, x, function, *window):
    return unary(net, x, lambda x: function(x.transpose(1, 2), *window).transpose(1, 2))


@case("mean pooling")
def pool_mean(net):
    return net.dense(pool(net, net.dense(net.input(9, 3), 4), F.avg_pool1d, 3, 2), 2)


@case("max pooling")
def pool_max(net):
    return net.dense(pool(net, net.input(9, 3), F.max_pool1d, 3, 2), 2)


@case("global pooling")
def pool_global(net):
    x = net.input(5, 3)
    h = net.dense(x, 4)
    parts = [pool(net, h, F.avg_pool1d, 5), pool(net, x, F.max_pool1d, 5)]
    net.node("concat")
    return torch.cat(parts, 2)


@case("mean")
def mean(net):
    h = unary(net, net.dense(net.input(5, 3), 4), torch.tanh)
    return unary(net, h, lambda h: h.mean((1, 2)).reshape(-1, 1, 1))


# ---- normalization ----

def layer_norm(net, x):
    name, channels = net.node("layer_norm"), x.shape[2]
    return F.layer_norm(x, (channels,), net.weight(f"{name}.gain", channels, offset=1), net.weight(f"{name}.shift", channels))


def batch_norm(net, x, epsilon=1e-5, momentum=0.1):
    name, channels = net.node("batch_norm"), x.shape[2]
    running = net.state(f"{name}.mean", [0] * channels), net.state(f"{name}.variance", [1] * channels)
    gain, shift = net.weight(f"{name}.gain", channels, offset=1), net.weight(f"{name}.shift", channels)
    return F.batch_norm(x.transpose(1, 2), *running, gain, shift, net.is_training, momentum, epsilon).transpose(1, 2)


@case("layer norm")
def layer_norm_between(net):
    return net.dense(layer_norm(net, net.dense(net.input(3, 4), 6)), 2)


@case("batch norm", batch=3)
def batch_norm_twice(net):
    x = net.dense(net.input(3, 4), 6, bias=False)
    x = unary(net, batch_norm(net, x), torch.tanh)
    return batch_norm(net, net.dense(x, 2, bias=False), 1e-3, 0.3)


class InstanceNorm:
    """As the code published with Kim et al. 2022, github.com/ts-kim/RevIN: RevIN.py"""

    def __init__(self, net, x):
        self.net = net
        net.node("instance_statistics")
        self.mean = x.mean(1, keepdim=True).detach()
        self.deviation = torch.sqrt(x.var(1, keepdim=True, unbiased=False) + 1e-5).detach()
        name = net.node("instance_norm")
        self.gain, self.shift = net.weight(f"{name}.gain", 3, offset=1, scale=0.2), net.weight(f"{name}.shift", 3)
        self.y = (x - self.mean) / self.deviation * self.gain + self.shift

    def back(self, y):
        self.net.node("instance_denorm")
        return (y - self.shift) / (self.gain + 1e-5 * 1e-5) * self.deviation + self.mean


@case("instance statistics")
def instance_statistics(net):
    norm = InstanceNorm(net, net.input(6, 3, "positive"))
    return net.dense(torch.cat([norm.mean, norm.deviation], 1), 2)


@case("instance norm")
def instance_norm(net):
    return net.dense(InstanceNorm(net, net.input(6, 3, "positive")).y, 2)


@case("instance denorm")
def instance_denorm(net):
    norm = InstanceNorm(net, net.input(6, 3, "positive"))
    h = net.dense(norm.y, 3, torch.tanh)
    return norm.back(unary(net, h, lambda h: h[:, 2:]))


# ---- memory and attention ----

def recurrent(net, kind, x, hidden):
    name, inputs = net.node(kind), x.shape[2]
    gates, function = (4, torch.lstm) if kind == "lstm" else (3, torch.gru)
    weights = [net.weight(f"{name}.weight_input", inputs, gates * hidden, decays=True).t(),
               net.weight(f"{name}.weight_hidden", hidden, gates * hidden, decays=True).t(),
               net.weight(f"{name}.bias_input", gates * hidden), net.weight(f"{name}.bias_hidden", gates * hidden)]
    zeros = torch.zeros(1, x.shape[0], hidden)
    return function(x, (zeros, zeros) if kind == "lstm" else zeros, weights, True, 1, 0.0, net.is_training, False, True)[0]


@case("LSTM")
def lstm(net):
    x = recurrent(net, "lstm", net.input(5, 3), 4)
    return net.dense(recurrent(net, "lstm", x, 3), 2)


@case("LSTM, last state")
def lstm_last(net):
    h = recurrent(net, "lstm", net.input(5, 3), 5)
    return net.dense(unary(net, h, lambda h: h[:, -1:]), 2)


@case("GRU")
def gru(net):
    x = recurrent(net, "gru", net.input(5, 3), 4)
    return net.dense(recurrent(net, "gru", x, 3), 2)


def causal_mask(length):
    return torch.full((length, length), -math.inf).triu(1)


# The bias of the keys has no gradient, as softmax does not see what all steps share; a large epsilon keeps Adam from magnifying rounding.

def self_attention(net, x, heads, causal):
    width, names = x.shape[2], (net.node("dense"), net.node("attention"), net.node("dense"))
    triple, triple_bias = net.weight(f"{names[0]}.weight", width, 3 * width, decays=True), net.weight(f"{names[0]}.bias", 3 * width)
    out, out_bias = net.weight(f"{names[2]}.weight", width, width, decays=True), net.weight(f"{names[2]}.bias", width)
    rows = x.transpose(0, 1)
    y, _ = F.multi_head_attention_forward(rows, rows, rows, width, heads, triple.t(), triple_bias, None, None, False, 0.0, out.t(),
                                          out_bias, attn_mask=causal_mask(x.shape[1]) if causal else None)
    return y.transpose(0, 1)


@case("attention", epsilon=1e-3)
def attention(net):
    return self_attention(net, net.input(5, 4), 2, False)


@case("attention, causal", epsilon=1e-3)
def attention_causal(net):
    return self_attention(net, net.input(6, 6), 3, True)


@case("association", epsilon=1e-2)
def association(net):
    x = net.input(5, 4)
    pairs, raw = net.dense(x, 8), net.dense(x, 2)
    net.node("association")
    query, key = (part.unflatten(2, (2, 2)).transpose(1, 2) for part in pairs.split(4, 2))
    series = torch.softmax(query @ key.transpose(2, 3) / math.sqrt(2), 3)
    away = torch.arange(5.0)[:, None] - torch.arange(5.0)
    width = (F.softplus(raw) + 0.1).transpose(1, 2)[..., None]
    prior = torch.softmax(-away ** 2 / (2 * width ** 2), 3)
    y = ((prior - series) * ((prior + 1e-4).log() - (series + 1e-4).log())).sum(3).mean(1)
    return net.dense(y[..., None].expand(-1, -1, 2), 2)


def transformer(net, x, heads, hidden, causal, norm_first):
    """torch.nn.TransformerEncoderLayer with our weights, whose nodes stand in the order of nn/transformer.c."""
    width = x.shape[2]
    norm1 = net.node("layer_norm") if norm_first else None
    triple, _, out = net.node("dense"), net.node("attention"), net.node("dense")
    if norm_first:  # dropped out, added
        net.node("dropout"), net.node("add")
    norm = net.node("layer_norm")
    norm1, norm2 = (norm1, norm) if norm_first else (norm, None)
    feed1, _ = net.node("dense"), net.node("unary")
    if norm_first:
        net.node("dropout")
    feed2 = net.node("dense")
    if norm_first:
        net.node("dropout"), net.node("add")
    else:
        norm2 = net.node("layer_norm")
    parameters = {}
    for name, ours, inputs, outputs in (("self_attn.in_proj_", triple, width, 3 * width), ("self_attn.out_proj.", out, width, width),
                                        ("linear1.", feed1, width, hidden), ("linear2.", feed2, hidden, width)):
        parameters[name + "weight"] = net.weight(f"{ours}.weight", inputs, outputs, decays=True).t()
        parameters[name + "bias"] = net.weight(f"{ours}.bias", outputs)
    for name, ours in (("norm1.", norm1), ("norm2.", norm2)):
        parameters[name + "weight"] = net.weight(f"{ours}.gain", width, offset=1)
        parameters[name + "bias"] = net.weight(f"{ours}.shift", width)
    layer = torch.nn.TransformerEncoderLayer(width, heads, hidden, 0.0, F.gelu, batch_first=True, norm_first=norm_first)
    return torch.func.functional_call(layer, parameters, x, {"src_mask": causal_mask(x.shape[1]) if causal else None})


@case("transformer, norm after", epsilon=1e-3)
def transformer_after(net):
    return transformer(net, net.input(4, 4), 2, 6, False, False)


@case("transformer, norm before, causal", epsilon=1e-3)
def transformer_before(net):
    return transformer(net, net.input(4, 4), 1, 5, True, True)


# ---- time and kinds ----

@case("sinusoidal positions")
def position_sinusoidal(net):
    """The table as in the tutorial "Language modeling with nn.Transformer" of PyTorch."""
    h = net.dense(net.input(5, 3), 5)
    net.node("position_sinusoidal")
    position, step = torch.arange(5).unsqueeze(1), torch.exp(torch.arange(0, 5, 2) * (-math.log(10000.0) / 5))
    table = torch.zeros(5, 5)
    table[:, 0::2], table[:, 1::2] = torch.sin(position * step), torch.cos(position * step)[:, :2]
    return net.dense(h + table, 2)


@case("learned positions")
def position_learned(net):
    h = net.dense(net.input(5, 3), 4)
    return net.dense(h + net.weight(net.node("position_learned") + ".position", 5, 4), 2)


@case("time2vec")
def time2vec(net):
    x, name = net.input(5, 2), net.node("time2vec")
    angles = x.unsqueeze(3) * net.weight(f"{name}.frequency", 2, 3) + net.weight(f"{name}.phase", 2, 3)
    waves = torch.cat([angles[..., :1], torch.sin(angles[..., 1:])], 3)
    return net.dense(waves.flatten(2), 2)


@case("embedding")
def embedding(net):
    x = net.input(2, 3, "index").long()
    parts = [F.embedding(x[:, :, channel], net.weight(net.node("embedding") + ".weight", count, units, decays=True))
             for channel, count, units in ((1, 5, 4), (2, 6, 3))]
    net.node("concat")
    return net.dense(torch.cat(parts, 2), 2)


generate()
