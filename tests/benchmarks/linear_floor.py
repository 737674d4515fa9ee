"""What a linear model tells of the shared radiographs: the floor under every network that learns from them.

    python linear_floor.py DIR [--splits 20] [--testing 0.25]

DIR has index.csv and one folder a hospital. Each picture becomes 32 x 32 grey values, these become 100 principal components, and on
them stands a logistic regression (classes) or a ridge regression (age). Patients are split at random; the figures are means over the
splits, with the standard deviation between splits. Needs numpy, Pillow, scikit-learn, pydicom and, for compressed files,
pylibjpeg-libjpeg, pylibjpeg-openjpeg and pylibjpeg-rle.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

SIDE = 32
COMPONENTS = 100
HOSPITALS = "abcd"


def picture(path):
    """The grey values, bright where the film is bright, in the middle of a square."""
    dataset = pydicom.dcmread(path, force=True)
    values = dataset.pixel_array.astype(np.float32)
    if values.ndim > 2:
        values = values[..., 0] if values.shape[-1] == 3 else values[0]
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        values = -values
    low, high = np.percentile(values, [0.5, 99.5])
    values = np.clip((values - low) / max(high - low, 1e-6), 0, 1)
    scale = SIDE / max(values.shape)
    rows, columns = (max(1, round(length * scale)) for length in values.shape)
    small = Image.fromarray((values * 255).astype(np.uint8)).resize((columns, rows), Image.Resampling.BOX)
    square = np.zeros((SIDE, SIDE), np.float32)
    top, left = (SIDE - rows) // 2, (SIDE - columns) // 2
    square[top : top + rows, left : left + columns] = np.asarray(small) / 255
    return square.ravel()


def load(folder):
    with open(folder / "index.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["hospital"] in HOSPITALS]
    pictures, kept, unread = [], [], 0
    for row in rows:
        try:
            pictures.append(picture(folder / row["file"]))
            kept.append(row)
        except Exception:  # a decoder that is not installed, a file that it does not take
            unread += 1
    print(f"{len(kept)} radiographs, {unread} could not be read")
    return np.array(pictures), kept


def features(pictures, training, testing):
    components = PCA(COMPONENTS, random_state=0).fit(pictures[training])
    known, asked = components.transform(pictures[training]), components.transform(pictures[testing])
    spread = known.std(axis=0)
    return known / spread, asked / spread


def classes(known, truth, asked, expected):
    model = LogisticRegression(C=0.01, max_iter=2000).fit(known, truth)
    if len(model.classes_) == 2:
        return {"AUROC": roc_auc_score(expected, model.decision_function(asked))}
    return {"balanced accuracy": balanced_accuracy_score(expected, model.predict(asked))}


def age(known, truth, asked, expected):
    said = np.clip(Ridge(alpha=1000).fit(known, truth).predict(asked), 0, 100)
    constant = np.abs(np.median(truth) - expected).mean()
    return {"years off": np.abs(said - expected).mean(), "years off, constant": constant}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--testing", type=float, default=0.25)
    asked = parser.parse_args()
    pictures, rows = load(asked.folder)
    column = lambda name: np.array([row[name] for row in rows])
    patients, is_chest = column("patient"), column("body_part") == "CHEST"
    ages = np.array([float(row["age"]) if row["age"] else -1.0 for row in rows])
    view, sex = column("view"), column("sex")
    questions = [
        ("body part", column("body_part") != "", column("body_part"), classes),
        ("chest view", is_chest & np.isin(view, ["AP", "PA"]), view, classes),
        ("chest sex", is_chest & np.isin(sex, ["F", "M"]), sex, classes),
        ("chest age", is_chest & (ages >= 0), ages, age),
    ]
    for name, holds, truth, learn in questions:
        figures = {}
        for seed in range(asked.splits):
            everyone = np.unique(patients)
            np.random.default_rng(seed).shuffle(everyone)
            is_tested = np.isin(patients, everyone[: int(len(everyone) * asked.testing)])
            training, testing = holds & ~is_tested, holds & is_tested
            known, unknown = features(pictures, training, testing)
            for figure, value in learn(known, truth[training], unknown, truth[testing]).items():
                figures.setdefault(figure, []).append(value)
        told = ", ".join(f"{figure} {np.mean(values):.3f} ({np.std(values):.3f})" for figure, values in figures.items())
        print(f"{name}: {told}; {holds.sum()} radiographs")


if __name__ == "__main__":
    main()
