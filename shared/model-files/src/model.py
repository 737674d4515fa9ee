"""Opens this folder's network in PyTorch.

    import model
    network = model.load()                      # the folder that this file lies in
    outputs = network(pictures)                 # [N, 1, side, side] float32; a dict, one output a head
    features = network.features(pictures)       # what the heads see
    drawn = network.draw(pictures)              # where radiographs were drawn again: [N, 1, side, side]
    outputs["site_lungs"].argmax(1)             # where the head is a mask: 0 beside all classes, then the classes in their order

`python model.py` says what the network is and that its weights fit.

Needs torch and safetensors. The weights go in strictly: a missing or a foreign name is an error.
"""

import json
import pathlib

import safetensors.torch
import torch
from torch.nn import functional


class Network(torch.nn.Module):
    """The network that `network.json` describes, its layers under the names of the weights."""

    def __init__(self, description):
        super().__init__()
        self.description = description
        for step in description["steps"]:
            if "layer" in step:
                self._add(step["layer"], _layer(step))

    def forward(self, pictures):
        """One output `[N, outputs]` a head, of a mask `[N, outputs, side, side]`; `reconstruction` where the network draws pictures again, `projection` where it compares them."""
        signals = self._signals(pictures)
        outputs = {head["label"]: signals[head["step"]] for head in self.description["heads"]}
        if "reconstruction" in self.description:
            outputs["reconstruction"] = signals[self.description["reconstruction"]]
        if "projection" in self.description:
            outputs["projection"] = signals[self.description["projection"]]
        if "mask" in self.description:
            mask = self.description["mask"]
            outputs[mask["label"]] = signals[mask["step"]]
        return outputs

    def draw(self, pictures):
        """The pictures drawn again, `[N, 1, side, side]`; where the network was trained to."""
        return self._signals(pictures)[self.description["reconstruction"]]

    def features(self, pictures):
        """What the heads see, `[N, features]`."""
        return self._signals(pictures)[self.description["features"]]

    def _signals(self, pictures):
        signals = [pictures]
        for step in self.description["steps"][1:]:
            inputs = [signals[number] for number in step["inputs"]]
            signals.append(self._do(step, inputs))
        return signals

    def _do(self, step, inputs):
        operation = step["operation"]
        if "layer" in step:
            return self.get_submodule(step["layer"])(inputs[0])
        if operation == "relu":
            return functional.relu(inputs[0])
        if operation in ("max_pool", "mean_pool"):
            pool = functional.max_pool2d if operation == "max_pool" else functional.avg_pool2d
            return pool(inputs[0], step["side"], step["stride"], step["padding"])
        if operation == "grid":
            return functional.adaptive_avg_pool2d(inputs[0], step["fields"])
        if operation == "mean":
            return inputs[0].mean((2, 3))
        if operation == "maximum":
            return inputs[0].amax((2, 3))
        if operation == "flatten":
            return inputs[0].flatten(1)
        if operation == "upsample":
            height, width = inputs[1].shape[2:]
            return functional.interpolate(inputs[0], scale_factor=2, mode="nearest")[:, :, :height, :width]
        if operation == "add":
            return inputs[0] + inputs[1]
        if operation == "concat":
            return torch.cat(inputs, 1)
        raise ValueError(f"network.json has a step that this file does not know: {operation}")

    def _add(self, name, layer):
        *path, last = name.split(".")
        place = self
        for part in path:
            if not hasattr(place, part):
                place.add_module(part, torch.nn.Module())
            place = getattr(place, part)
        place.add_module(last, layer)


def _layer(step):
    operation = step["operation"]
    if operation == "convolution":
        return torch.nn.Conv2d(
            step["channels"],
            step["outputs"],
            step["size"],
            stride=step["stride"],
            padding=step["padding"],
            groups=step["groups"],
            bias=step["bias"],
        )
    if operation == "group_norm":
        return torch.nn.GroupNorm(step["groups"], step["channels"], eps=step["epsilon"])
    if operation == "linear":
        return torch.nn.Linear(step["features"], step["outputs"])
    raise ValueError(f"network.json has a layer that this file does not know: {operation}")


def load(folder=None):
    """The network of a folder with its weights, for use and not for training."""
    folder = pathlib.Path(folder or pathlib.Path(__file__).parent)
    network = Network(json.loads((folder / "network.json").read_text(encoding="utf-8")))
    network.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"), strict=True)
    return network.eval()


if __name__ == "__main__":
    opened = load()
    parameters = sum(value.numel() for value in opened.parameters())
    side = opened.description["side"]
    with torch.no_grad():
        shapes = {label: list(output.shape) for label, output in opened(torch.zeros(1, 1, side, side)).items()}
    print(f"{opened.description['architecture']}, {parameters} parameters, pictures of {side} x {side}; outputs {shapes}")
