"""Trains the line camera's classifier on a gang of Ray workers: data-parallel, by parameter averaging.

The data is scikit-learn's set of 1,797 handwritten digits (8 x 8 grey values, 0 to 16). A fifth, drawn with a fixed
seed and the same share of each class, is held out and never trained on. In each round every worker starts from the
common parameters, passes `EPOCHS` times over its own share of the data, and sends its parameters back; their mean is
the next round's start. (McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data",
2017.)

Reads `TIDEGATE_WORKERS`, `TIDEGATE_WORKER_CPUS`, `TIDEGATE_WORKER_GPUS` and `TIDEGATE_PLACEMENT_GROUP`,
`TIDEGATE_RAY_NAMESPACE`; writes to `TIDEGATE_OUTPUT`:

- `model.onnx`: input `image` float32 [N, 64] (raw grey values); outputs `label` int64 [N], `probabilities` float32 [N,
  10]. Written only after ONNX Runtime gave the same labels as scikit-learn on the held-out fifth.
- `metrics.json`: accuracy on the held-out fifth, parameters, rounds, seconds, digest of the data.
"""

import hashlib
import json
import os
import time
from pathlib import Path

import numpy as np
import onnxruntime
import ray
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

ROUNDS = int(os.environ.get("TRAIN_ROUNDS", "12"))
EPOCHS = 4
HIDDEN = 64
SEED = 7
CLASSES = np.arange(10)
LEAST_ACCURACY = 0.95
"""Below this the job fails: such a model must not reach the line."""


def network(seed):
    """The classifier, before training."""
    return MLPClassifier((HIDDEN,), batch_size=32, learning_rate_init=2e-3, alpha=1e-4, random_state=seed)


class Shard:
    """One worker: a share of the data and a network of its own."""

    def __init__(self, images, labels, seed):
        """`images` float32 [n, 64] scaled to 0..1; `labels` int64 [n]."""
        self.images, self.labels = images, labels
        self.network = network(seed).partial_fit(images[:32], labels[:32], classes=CLASSES)
        self.order = np.random.default_rng(seed)

    def train(self, parameters):
        """Start from `parameters`, pass `EPOCHS` times over the share; gives back the parameters and the loss."""
        for mine, common in zip([*self.network.coefs_, *self.network.intercepts_], parameters, strict=True):
            mine[...] = common
        for _ in range(EPOCHS):
            order = self.order.permutation(len(self.labels))
            self.network.partial_fit(self.images[order], self.labels[order])
        return [*self.network.coefs_, *self.network.intercepts_], float(self.network.loss_)

    def where(self):
        """The node that this worker runs on."""
        return ray.get_runtime_context().get_node_id()


def gang(shards):
    """One actor for each share, each in its own bundle of the gang that was reserved for this job."""
    group = ray.util.get_placement_group(os.environ["TIDEGATE_PLACEMENT_GROUP"])
    worker = ray.remote(Shard).options
    cpus, gpus = float(os.environ["TIDEGATE_WORKER_CPUS"]), float(os.environ["TIDEGATE_WORKER_GPUS"])
    return [
        worker(
            num_cpus=cpus,
            num_gpus=gpus,
            scheduling_strategy=PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=index),
        ).remote(images, labels, SEED + index)
        for index, (images, labels) in enumerate(shards)
    ]


def export(classifier, images):
    """The classifier as ONNX, checked against scikit-learn on `images`; gives back its bytes."""
    document = to_onnx(
        classifier,
        initial_types=[("image", FloatTensorType([None, images.shape[1]]))],
        options={"zipmap": False},
        target_opset=17,
    )
    session = onnxruntime.InferenceSession(document.SerializeToString(), providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["label", "probabilities"]
    labels, probabilities = session.run(None, {"image": images})
    assert labels.dtype == np.int64 and probabilities.dtype == np.float32
    if not np.array_equal(labels, classifier.predict(images)):
        raise SystemExit("the exported model does not answer as the trained one")
    if np.abs(probabilities - classifier.predict_proba(images)).max() > 1e-4:
        raise SystemExit("the exported model's probabilities differ from the trained one's")
    return document.SerializeToString()


def main():
    """Train, check, write."""
    began = time.monotonic()
    workers, output = int(os.environ["TIDEGATE_WORKERS"]), Path(os.environ["TIDEGATE_OUTPUT"])
    images, labels = load_digits(return_X_y=True)
    images = images.astype(np.float32)
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=0.2, stratify=labels, random_state=SEED
    )
    scaler = MinMaxScaler().fit(train_x)
    scaled = scaler.transform(train_x).astype(np.float32)

    ray.init(namespace=os.environ["TIDEGATE_RAY_NAMESPACE"], logging_level="warning", log_to_driver=False)
    actors = gang([(scaled[index::workers], train_y[index::workers]) for index in range(workers)])
    nodes = set(ray.get([actor.where.remote() for actor in actors], timeout=120))
    print(f"{workers} workers on {len(nodes)} nodes, {len(train_y)} images to train on", flush=True)

    final = network(SEED).partial_fit(scaled[:32], train_y[:32], classes=CLASSES)
    parameters = [*final.coefs_, *final.intercepts_]
    for turn in range(1, ROUNDS + 1):
        common = ray.put(parameters)
        results = ray.get([actor.train.remote(common) for actor in actors], timeout=120)
        parameters = [np.mean(arrays, axis=0) for arrays in zip(*(result[0] for result in results), strict=True)]
        print(f"round {turn:2d}  loss {np.mean([result[1] for result in results]):.4f}", flush=True)

    final.coefs_, final.intercepts_ = parameters[:2], parameters[2:]
    classifier = make_pipeline(scaler, final)
    accuracy = float((classifier.predict(test_x) == test_y).mean())
    print(f"accuracy {accuracy:.4f} on {len(test_y)} images held out", flush=True)
    if accuracy < LEAST_ACCURACY:
        raise SystemExit(f"accuracy {accuracy:.4f} is below {LEAST_ACCURACY}")
    (output / "model.onnx").write_bytes(export(classifier, test_x))
    metrics = {
        "accuracy": round(accuracy, 6),
        "held_out": len(test_y),
        "workers": workers,
        "nodes": len(nodes),
        "rounds": ROUNDS,
        "epochs_per_round": EPOCHS,
        "hidden": HIDDEN,
        "seed": SEED,
        "parameters": int(sum(array.size for array in parameters)),
        "seconds": round(time.monotonic() - began, 3),
        "data": "scikit-learn digits",
        "data_digest": f"sha256:{digest}",
    }
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2))


if __name__ == "__main__":
    main()
