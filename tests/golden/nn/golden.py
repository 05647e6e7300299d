"""What the generators beside it share: runs a net built of PyTorch's functions and writes a golden file.

A generator has one function per case of tests/support/nn_cases.h, marked @case("the case's name").  It builds the same net, node after
node, on a Net, whose nodes count up as the C net's do, so that weights get the same names ("dense1.weight").  It returns values (B,T,C),
behind which comes a squared loss against one more input, or the loss of each row (B).  Everything runs in double precision, on inputs and
weights that are single precision numbers.

One file a case: blocks of "name count" and count numbers.
    batch           rows
    epsilon         AdamW's
    tensors         how many weights and states there are
    input0 ...      (B,T,C)
    start.NAME      weights and states as they begin
    output          (B,T,C), or the loss of each row
    loss            their mean
    gradient.NAME   of each weight, gradient.input0 of inputs that are differentiable
    after.NAME      weights and states after ten steps of torch.optim.AdamW: rate 0.01, decay 0.01 on weights that decay
    scored          the output after these steps, not training
"""
import pathlib
import re
import sys
import zlib

import numpy
import torch
import torch.nn.functional as F

SEED = 20261123
CASES = []


def case(name, **options):
    """Registers a case; options: batch (2), epsilon (1e-8)."""
    def register(build):
        CASES.append((name, build, options))
        return build
    return register


def squared(y, target):
    return mean_where(target, lambda t: (y - t) ** 2)


def mean_where(target, error):
    """Loss of each row: the mean of error(target) over the targets that are numbers.  No gradient flows to the target."""
    known = ~torch.isnan(target)
    errors = torch.where(known, error(torch.nan_to_num(target.detach())), 0.0).flatten(1)
    return errors.sum(1) / known.flatten(1).sum(1).clamp(min=1)


class Net:
    def __init__(self, name, batch):
        self.rng = numpy.random.default_rng([SEED, zlib.crc32(name.encode())])
        self.batch, self.inputs, self.weights, self.decaying, self.states = batch, [], {}, set(), {}
        self.begin(True)

    def begin(self, is_training):
        """The next run: nodes and inputs count from 0 again."""
        self.nodes = self.next_input = 0
        self.is_training = is_training

    def node(self, op):
        """The next node's name; every node must take one."""
        self.nodes += 1
        return f"{op}{self.nodes - 1}"

    def single(self, values):
        return torch.tensor(numpy.asarray(values, dtype=numpy.float32).astype(numpy.float64))

    def input(self, length, channels, fill="normal"):
        """fill: normal, positive, bit, index (0..4), sign (-1, 0, 1), gaps (every fifth is missing)"""
        self.node("input")
        if self.next_input == len(self.inputs):
            shape = (self.batch, length, channels)
            values = self.rng.normal(size=shape)
            if fill == "positive":
                values = values ** 2 + 0.1
            if fill == "bit":
                values = values > 0
            if fill == "sign":
                values = (values > 0.4) * 1.0 - (values < -0.4)
            if fill == "index":
                values = self.rng.integers(0, 5, size=shape)
            if fill == "gaps":
                values.reshape(-1)[3::5] = numpy.nan
            self.inputs.append(self.single(values).requires_grad_(fill in ("normal", "positive")))
        self.next_input += 1
        return self.inputs[self.next_input - 1]

    def weight(self, name, *shape, decays=False, scale=0.5, offset=0.0):
        if name not in self.weights:
            self.weights[name] = self.single(offset + scale * self.rng.normal(size=shape)).requires_grad_()
            if decays:
                self.decaying.add(name)
        return self.weights[name]

    def state(self, name, values):
        """Running statistics: a tensor that the net may change in place."""
        if name not in self.states:
            self.states[name] = self.single(values)
        return self.states[name]

    # ---- layers that other cases build on ----

    def dense(self, x, units, activation=None, residual=None, bias=True, name=None):
        name = self.node("dense") if name is None else name
        y = x @ self.weight(f"{name}.weight", x.shape[-1], units, decays=True)
        if bias:
            y = y + self.weight(f"{name}.bias", units)
        if residual is not None:
            y = y + residual
        return activation(y) if activation else y

    def conv(self, x, channels=None, kernel=1, dilation=1, stride=1, padding="causal", activation=None, residual=None, depthwise=False):
        name, inputs = self.node("conv"), x.shape[-1]
        reach = (kernel - 1) * dilation
        before = {"causal": reach, "same": (reach + 1) // 2, "valid": 0}[padding]
        length = (x.shape[1] - reach - 1) // stride + 1 if padding == "valid" else -(-x.shape[1] // stride)
        padded = F.pad(x.transpose(1, 2), (before, reach))  # more than enough behind; cut below
        if depthwise:
            channels = inputs
            weight = self.weight(f"{name}.weight", kernel, inputs, decays=True).t().unsqueeze(1)
        else:
            weight = self.weight(f"{name}.weight", kernel, inputs, channels, decays=True).permute(2, 1, 0)
        bias = self.weight(f"{name}.bias", channels)
        y = F.conv1d(padded, weight, bias, stride, dilation=dilation, groups=inputs if depthwise else 1)[:, :, :length].transpose(1, 2)
        if residual is not None:
            y = y + residual
        return activation(y) if activation else y


def run(net, build, is_training):
    """(output, loss of each row)"""
    net.begin(is_training)
    output = build(net)
    if output.dim() == 1:
        return output, output
    return output, squared(output, net.input(*output.shape[1:]))


def text(values):
    return " ".join("nan" if v != v else f"{v:.8g}" for v in values)


def blocks_of(name, build, batch=2, epsilon=1e-8):
    net = Net(name, batch)
    blocks = {}
    output, rows = run(net, build, True)
    for key, values in net.states.items():  # that run has moved them; what is compared begins here
        blocks[f"start.{key}"] = values.clone()
    for key, values in net.weights.items():
        blocks[f"start.{key}"] = values.detach().clone()
    output, rows = run(net, build, True)
    rows.mean().backward()
    blocks |= {f"input{i}": values.detach() for i, values in enumerate(net.inputs)}
    blocks |= {"output": output.detach(), "loss": rows.mean().detach()}
    blocks |= {f"gradient.{key}": torch.zeros_like(values) if values.grad is None else values.grad.clone()
               for key, values in net.weights.items()}
    blocks |= {f"gradient.input{i}": values.grad.clone() for i, values in enumerate(net.inputs) if values.grad is not None}
    for key, values in net.states.items():
        values.copy_(blocks[f"start.{key}"])
    groups = [{"params": [v for k, v in net.weights.items() if (k in net.decaying) == decays], "weight_decay": 0.01 if decays else 0}
              for decays in (True, False)]
    groups = [group for group in groups if group["params"]]
    optimizer = torch.optim.AdamW(groups, lr=1e-2, eps=epsilon) if groups else None
    for _ in range(10):
        if optimizer:
            optimizer.zero_grad()
        run(net, build, True)[1].mean().backward()
        if optimizer:
            optimizer.step()
    blocks |= {f"after.{key}": values.detach() for key, values in (net.weights | net.states).items()}
    with torch.no_grad():
        blocks["scored"] = run(net, build, False)[0]
    return {"batch": torch.tensor(batch), "epsilon": torch.tensor(epsilon), "tensors": torch.tensor(len(net.weights | net.states))} | blocks


def generate():
    """Writes the files of all cases that the calling generator registered."""
    torch.set_default_dtype(torch.float64)
    script = pathlib.Path(sys.argv[0])
    for name, build, options in CASES:
        lines = [f"# {name}: tests/golden/nn/{script.name}, torch {torch.__version__}, numpy {numpy.__version__}, seed {SEED}"]
        for key, values in blocks_of(name, build, **options).items():
            values = numpy.ravel(numpy.asarray(values, dtype=numpy.float64))
            lines.append(f"{key} {values.size}\n{text(values)}")
        slug = re.sub("[^a-z0-9]+", "_", name.lower())
        script.with_name(slug + ".txt").write_text("\n".join(lines) + "\n")
