"""Trains the iris classifiers v1.0 and v2.0 and prints their accuracy on the held-out rows.

    python -B models/train/train_iris.py [--check]
"""

import numpy as np
from artifacts import command_line, dense_model, fold_standardisation, predict, publish
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

SEED = 0
HELD_OUT = 45
STEPS = 1000
LABELS = ["setosa", "versicolor", "virginica"]


def train_linear(rows, labels):
    """v1.0: multinomial logistic regression. Returns its one layer."""
    model = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(rows, labels)
    return [(model.coef_.T, model.intercept_)], ["Softmax"]


def train_mlp(rows, labels):
    """v2.0: 4-16-3 with tanh. Returns its two layers.

    Full-batch gradient descent is smooth: unlike L-BFGS or Adam it does not blow the last bits, which
    differ between processors, up to another model.
    """
    model = MLPClassifier(
        (16,), activation="tanh", solver="sgd", alpha=0.1, batch_size=len(rows),
        learning_rate_init=0.1, shuffle=False, random_state=SEED,
    )
    for _ in range(STEPS):
        model.partial_fit(rows, labels, classes=range(len(LABELS)))
    return list(zip(model.coefs_, model.intercepts_, strict=True)), ["Tanh", "Softmax"]


def main():
    check = command_line(__doc__).parse_args().check
    iris = load_iris()
    train_x, test_x, train_y, test_y = train_test_split(
        iris.data, iris.target, test_size=HELD_OUT, stratify=iris.target, random_state=SEED
    )
    scaler = StandardScaler().fit(train_x)
    models, predictions = {}, {}
    for version, train in (("v1.0", train_linear), ("v2.0", train_mlp)):
        layers, activations = train(scaler.transform(train_x), train_y)
        layers[0] = fold_standardisation(*layers[0], scaler.mean_, scaler.scale_)
        model = dense_model("iris", layers, activations, 4, "probabilities", len(LABELS))
        models[f"iris/{version}/model.onnx"] = model
        predictions[version] = predict(model, test_x)
        right = int(np.sum(predictions[version].argmax(axis=1) == test_y))
        print(f"iris {version}: {right} of {HELD_OUT} held-out rows right, accuracy {right / HELD_OUT:.4f}")
    rows = [
        {
            "features": test_x[i].tolist(),
            "label": LABELS[test_y[i]],
            "probabilities": {version: predictions[version][i].tolist() for version in predictions},
        }
        for i in range(HELD_OUT)
    ]
    publish(models, {"model": "iris", "rows": rows}, "iris-heldout.json", check)


if __name__ == "__main__":
    with threadpool_limits(limits=1):
        main()
