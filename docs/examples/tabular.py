"""A declared space without networks: scikit-learn's models with their settings, on a table."""

import pickle

from sklearn.datasets import make_friedman1
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score

import nas

MODELS = {"ridge": Ridge, "forest": RandomForestRegressor, "boosting": GradientBoostingRegressor}

space = nas.Space(
    "tabular",
    model=nas.Choice("ridge", "forest", "boosting"),
    alpha=nas.Float(1e-3, 1e3, levels=7, log=True, when={"model": "ridge"}),
    n_estimators=nas.Choice(5, 10, 20, 40, when={"model": ("forest", "boosting")}),
    max_depth=nas.Integer(1, 8, when={"model": ("forest", "boosting")}),
    learning_rate=nas.Float(0.03, 0.3, levels=5, log=True, when={"model": "boosting"}),
)


def evaluate(c):
    """The cross-validated error, and the size of the fitted model in kilobytes."""
    x, y = make_friedman1(300, random_state=0)
    settings = {name: value for name, value in c.items() if name != "model"}  # inactive parameters are absent
    model = MODELS[c.model](random_state=0, **settings)
    scores = cross_val_score(model, x, y, cv=5, scoring="neg_root_mean_squared_error")
    return {"rmse": -scores.mean(), "kilobytes": len(pickle.dumps(model.fit(x, y))) / 1e3}


if __name__ == "__main__":
    found = nas.search(space, [nas.Objective("rmse"), nas.Objective("kilobytes")], evaluate, budget=60)
    print(found.front.to_string(index=False))
