"""AlexNet and Xception as published, written out in PyTorch, with norms over groups as ours have them.

AlexNet is torchvision's (Krizhevsky 2014), layer for layer, and has no norms: one follows each convolution here. Xception is Chollet's
(2017) under the names of Cadene's and timm's port. Each is first built as published, and its parameters are counted.
"""

import sys

try:
    import numpy
    import safetensors.torch
    import torch
except ImportError as missing:
    print("skipped:", missing, file=sys.stderr)
    sys.exit(9)
from torch import nn


class AlexNet(nn.Module):
    PUBLISHED = 61_100_840

    def __init__(self, classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(64, 192, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(192, 384, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, classes),
        )
        self.norms = nn.ModuleDict()

    def with_norms(self):
        for number, layer in enumerate(self.features):
            if isinstance(layer, nn.Conv2d):
                self.norms[str(len(self.norms) + 1)] = by_groups(layer.out_channels)
        return self

    def forward(self, pictures):
        norms = iter(self.norms.values())
        signal = pictures
        for layer in self.features:
            signal = layer(signal)
            if isinstance(layer, nn.Conv2d):
                signal = next(norms)(signal)
        return self.classifier(self.avgpool(signal).flatten(1))

    def last(self):
        return self.classifier[-1]


class SeparableConv2d(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, signal):
        return self.pointwise(self.conv1(signal))


class Block(nn.Module):
    def __init__(self, inputs, outputs, repetitions, stride=1, starts_with_relu=True, grows_first=True):
        super().__init__()
        if outputs != inputs or stride != 1:
            self.skip = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
            self.skipbn = nn.BatchNorm2d(outputs)
        else:
            self.skip = None
        layers = []
        for number in range(repetitions):
            grown = outputs if grows_first or number == repetitions - 1 else inputs
            before = inputs if number == 0 or not grows_first else outputs
            layers += [nn.ReLU(), SeparableConv2d(before, grown), nn.BatchNorm2d(grown)]
        if not starts_with_relu:
            layers = layers[1:]
        if stride != 1:
            layers.append(nn.MaxPool2d(3, stride, 1))
        self.rep = nn.Sequential(*layers)

    def forward(self, signal):
        past = signal if self.skip is None else self.skipbn(self.skip(signal))
        return self.rep(signal) + past


class Xception(nn.Module):
    PUBLISHED = 22_855_952

    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, 2, 0, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 64, 3, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.block1 = Block(64, 128, 2, 2, starts_with_relu=False)
        self.block2 = Block(128, 256, 2, 2)
        self.block3 = Block(256, 728, 2, 2)
        for number in range(4, 12):
            self.add_module(f"block{number}", Block(728, 728, 3))
        self.block12 = Block(728, 1024, 2, 2, grows_first=False)
        self.conv3 = SeparableConv2d(1024, 1536)
        self.bn3 = nn.BatchNorm2d(1536)
        self.conv4 = SeparableConv2d(1536, 2048)
        self.bn4 = nn.BatchNorm2d(2048)
        self.fc = nn.Linear(2048, classes)

    def with_norms(self):
        exchange(self)
        return self

    def forward(self, pictures):
        signal = self.bn1(self.conv1(pictures)).relu()
        signal = self.bn2(self.conv2(signal)).relu()
        for number in range(1, 13):
            signal = getattr(self, f"block{number}")(signal)
        signal = self.bn3(self.conv3(signal)).relu()
        signal = self.bn4(self.conv4(signal)).relu()
        return self.fc(signal.mean((2, 3)))

    def last(self):
        return self.fc


def by_groups(channels):
    return nn.GroupNorm(max(channels // 8, 1), channels)


def exchange(module):
    for label, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, label, by_groups(child.num_features))
        else:
            exchange(child)


folder, name, side = sys.argv[1], sys.argv[2], int(sys.argv[3])
kind = {"alexnet": AlexNet, "xception": Xception}[name]
counted = sum(parameter.numel() for parameter in kind(1000).parameters())
assert counted == kind.PUBLISHED, f"{name} as published has {kind.PUBLISHED} parameters, and this one {counted}"
torch.manual_seed(1)
network = kind(3).with_norms().eval()
with torch.no_grad():
    for parameter in network.parameters():
        if parameter.dim() == 1:
            parameter.add_(0.2 * torch.randn_like(parameter))
    pictures = torch.rand(2, 1, side, side)
    outputs = network(pictures.expand(-1, 3, -1, -1))
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    safetensors.torch.save_file(state, folder + "/model.safetensors")
    files = {"pictures": pictures, "outputs": outputs, "weight": network.last().weight, "bias": network.last().bias}
    for number, norm in getattr(network, "norms", {}).items():
        files |= {f"norm{number}.weight": norm.weight, f"norm{number}.bias": norm.bias}
    for label, values in files.items():
        values.numpy().astype("<f4").tofile(f"{folder}/{label}.f32")
