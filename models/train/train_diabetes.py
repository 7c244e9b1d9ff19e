"""Trains the diabetes regressor v1.0 and prints its R² and mean absolute error on the held-out rows.

    python -B models/train/train_diabetes.py [--check]
"""

from artifacts import command_line, dense_model, fold_standardisation, predict, publish
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

SEED = 0
HELD_OUT = 89


def main():
    check = command_line(__doc__).parse_args().check
    data = load_diabetes(scaled=False)
    train_x, test_x, train_y, test_y = train_test_split(
        data.data, data.target, test_size=HELD_OUT, random_state=SEED
    )
    scaler = StandardScaler().fit(train_x)
    ridge = Ridge(alpha=1.0, solver="cholesky").fit(scaler.transform(train_x), train_y)
    layer = fold_standardisation(
        ridge.coef_[:, None], ridge.intercept_.reshape(1), scaler.mean_, scaler.scale_
    )
    model = dense_model("diabetes", [layer], [None], train_x.shape[1], "target", 1)
    predictions = predict(model, test_x)
    r2 = r2_score(test_y, predictions)
    error = mean_absolute_error(test_y, predictions)
    print(f"diabetes v1.0: {HELD_OUT} held-out rows, R² {r2:.4f}, mean absolute error {error:.2f}")
    rows = [
        {
            "features": test_x[i].tolist(),
            "target": float(test_y[i]),
            "predictions": {"v1.0": float(predictions[i, 0])},
        }
        for i in range(HELD_OUT)
    ]
    fixture = {"model": "diabetes", "rows": rows}
    publish({"diabetes/v1.0/model.onnx": model}, fixture, "diabetes-heldout.json", check)


if __name__ == "__main__":
    with threadpool_limits(limits=1):
        main()
