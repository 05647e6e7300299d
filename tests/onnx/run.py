#!/usr/bin/env python3
"""What other programs make of the files we write: ONNX models in ONNX's checker and ONNX Runtime, weights in the safetensors package.

usage: run.py EXPORT_CASES BUILD_FOLDER        Prints TAP.

EXPORT_CASES (export_cases.c beside this file) writes a model, its weights, inputs and our outputs for every net of
tests/support/nn_cases.h.  Outputs must agree to 1e-5 (relative above 1, absolute below) for batches of 1 and 5 rows.
The packages of requirements.txt are no part of tocsin's own needs, so this looks for a Python that has them: TOCSIN_TEST_PYTHON, else
BUILD_FOLDER/python (tools/test_python makes it), else the one that runs this.  Without them every case is skipped, and counted; but a
TOCSIN_TEST_PYTHON without them fails.
"""
import importlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import traceback

HOW_TO = pathlib.Path(__file__).resolve().parents[2] / "docs/how-to/exchange-models.md"
TOLERANCE = 1e-5
# Operations that are refused; what is refused without standing here is a failure, and so is what stands here and is not.
REFUSED = {
    "loss_bayes": "what its weights cost, in training",
    "loss_deviation": "compares a score with a label",
    "loss_farthest": "compares the rows of a batch",
    "loss_infonce": "compares the rows of a batch",
    "loss_logits": "compares a score with a label",
    "loss_rank": "compares a score with a label",
    "loss_soft_boundary": "draws a boundary, in training; sphere is the score",
    "loss_sphere_labels": "compares a score with a label; sphere is the score",
    "loss_triplet": "compares a row with others that somebody chose",
}


def change_python(build):
    """Goes on in the Python that is meant for this, if it is another."""
    wanted, own = os.environ.get("TOCSIN_TEST_PYTHON"), build / "python/bin/python"
    if "TOCSIN_TEST_PYTHON_CHOSEN" not in os.environ and (wanted or own.exists()):
        os.execvpe(wanted or own, [wanted or own, *sys.argv], dict(os.environ, TOCSIN_TEST_PYTHON_CHOSEN="1"))


def missing_packages():
    missing = []
    for name in ("numpy", "onnx", "onnxruntime", "safetensors"):
        try:
            importlib.import_module(name)
        except ImportError:
            missing.append(name)
    return missing


def read_array(path, shape):
    import numpy
    return numpy.fromfile(path, "<f4" if sys.byteorder == "little" else ">f4").reshape(shape)


def check_values(session, folder, k, case, batch):
    """Problems of one batch, as sentences."""
    import numpy
    feeds = {i.name: read_array(folder / f"{k}.{batch}.{i.name}", [batch, *i.shape[1:]]) for i in session.get_inputs()}
    values = session.run(list(case["outputs"]), feeds)
    for i, (name, shape) in enumerate(case["outputs"].items()):
        ours, theirs = read_array(folder / f"{k}.{batch}.output{i}", [batch, *shape]), values[i]
        if theirs.shape != ours.shape:
            yield f"{name} of {batch} rows has shape {theirs.shape}, expected {ours.shape}"
            continue
        error = numpy.abs(theirs.astype(float) - ours) / numpy.maximum(1, numpy.abs(ours))
        if not numpy.all(error <= TOLERANCE):
            yield f"{name} of {batch} rows differs by {numpy.max(error)}"


def check_model(folder, k, case):
    import onnx
    import onnxruntime
    if case["refused"]:
        if not any(f"{operation} cannot be exported" in case["refused"] for operation in REFUSED):
            yield f"refused: {case['refused']}"
        return
    if case["operation"] in REFUSED:
        yield "is exported by now: take it out of REFUSED"
    model = onnx.load(folder / f"{k}.onnx")
    onnx.checker.check_model(model, full_check=True)
    if (model.producer_name, model.ir_version, model.opset_import[0].version) != ("tocsin", 8, 17):
        yield f"made by {model.producer_name}, IR version {model.ir_version}, {model.opset_import}"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / f"{k}.onnx"), options, providers=["CPUExecutionProvider"])
    for batch in (1, 5):
        yield from check_values(session, folder, k, case, batch)


def check_weights(folder, k, case):
    import numpy
    from safetensors.numpy import load_file
    weights, numbers, at = load_file(folder / f"{k}.safetensors"), read_array(folder / f"{k}.weights", [-1]), 0
    if set(weights) != set(case["weights"]):
        yield f"tensors {list(weights)}, expected {list(case['weights'])}"
    for name, shape in case["weights"].items():
        count = int(numpy.prod(shape))
        expected, at = numbers[at:at + count].reshape(shape), at + count
        if name not in weights or weights[name].dtype != numpy.float32 or not numpy.array_equal(weights[name], expected):
            yield f"{name} is not what was saved"


def check_how_to(folder, export):
    """The blocks of the how-to that open with ```python test, in order, beside the example's files; what they save is read again."""
    blocks = re.findall(r"^```python test\n(.*?)^```", HOW_TO.read_text(encoding="utf-8"), re.M | re.S)
    script = "\n".join(blocks).encode()
    outcome = subprocess.run([sys.executable, "-"], input=script, cwd=folder, capture_output=True, timeout=120, check=False)
    if not blocks or outcome.returncode != 0:
        yield f"{len(blocks)} blocks, status {outcome.returncode}: {outcome.stderr.decode(errors='replace')[-500:]}"
    elif subprocess.run([export, folder, "back"], check=False).returncode != 0:
        yield "back.safetensors is not what the page says"


def run_cases(cases):
    """Prints one TAP line for each (name, check, arguments); returns how many failed."""
    missing, failed = missing_packages(), 0
    if missing and os.environ.get("TOCSIN_TEST_PYTHON"):
        print(f"Bail out! {sys.executable} has no {', '.join(missing)}")
        return len(cases)
    print(f"1..{len(cases)}")
    for number, (name, check, arguments) in enumerate(cases, 1):
        if missing:
            print(f"ok {number} - {name} # SKIP no {', '.join(missing)}")
            continue
        try:
            problems = list(check(*arguments))
        except Exception:  # a case that fails must not hide the others
            problems = traceback.format_exc().splitlines()[-3:]
        failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {number} - {name}", flush=True)
        for problem in problems:
            print("#", problem.replace("\n", " ")[:600])
    return failed


def main():
    export, build = sys.argv[1], pathlib.Path(sys.argv[2])
    change_python(build)
    with tempfile.TemporaryDirectory(prefix="tocsin-onnx-") as top:
        folder = pathlib.Path(top)
        subprocess.run([export, folder], check=True, stdin=subprocess.DEVNULL)
        listed = json.loads((folder / "cases.json").read_text(encoding="utf-8"))
        cases = [("ONNX: " + case["name"], check_model, (folder, k, case)) for k, case in enumerate(listed)]
        cases += [("safetensors: " + case["name"], check_weights, (folder, k, case)) for k, case in enumerate(listed)]
        cases.append((f"examples of {HOW_TO.name}", check_how_to, (folder, export)))
        return 1 if run_cases(cases) else 0


if __name__ == "__main__":
    sys.exit(main())
