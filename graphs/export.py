#!/usr/bin/env python3
"""Export the bundled networks to weight-free ONNX files.

    pip install -r graphs/requirements.txt
    python graphs/export.py                 # write graphs/*.onnx
    python graphs/export.py --check         # export again and compare with what is there
    python graphs/export.py ghostnet_1.0    # one network

A file holds the whole graph but no weights: each initializer of 256 bytes or
more is a reference to external data (`weights.bin`) that does not exist. Batch
norm stays apart from the convolution that it follows, as in training code and
in the papers' counts of parameters. The run prints the multiply-accumulates of
convolutions and matrix products (torch's own counter) and the parameters of
each live module.
"""

import argparse
import io
import math
import sys
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np
import onnx
import timm
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

HERE = Path(__file__).resolve().parent
INPUT_SHAPE = (1, 3, 224, 224)
OPSET = 17
EXTERNAL_FROM = 256  # bytes
CLASSES = 1000


# Own definitions, from the papers --------------------------------------------


def conv_bn(name, inp, out, kernel, stride=1, groups=1, relu=True):
    """The named modules of a convolution with batch norm and, if asked, ReLU."""
    modules = [
        (name, nn.Conv2d(inp, out, kernel, stride, kernel // 2, groups=groups, bias=False)),
        (f"{name}_bn", nn.BatchNorm2d(out)),
    ]
    if relu:
        modules.append((f"{name}_relu", nn.ReLU()))
    return modules


def chain(*parts):
    return nn.Sequential(OrderedDict(m for part in parts for m in part))


class ChannelShuffle(nn.Module):
    """Channels read as (groups, n), written as (n, groups)."""

    def __init__(self, channels, size, groups):
        super().__init__()
        self.split = (1, groups, channels // groups, size, size)
        self.merged = (1, channels, size, size)

    def forward(self, x):
        return x.reshape(self.split).transpose(1, 2).reshape(self.merged)


class ShuffleV1Unit(nn.Module):
    """ShuffleNet V1 unit: Figure 2 (b) with stride 1, (c) with stride 2."""

    def __init__(self, inp, out, size, stride, groups, first_groups):
        super().__init__()
        self.stride = stride
        mid = out // 4  # the bottleneck has a quarter of the unit's output channels
        main_out = out - inp if stride == 2 else out
        self.compress = chain(conv_bn("gconv", inp, mid, 1, groups=first_groups))
        self.shuffle = ChannelShuffle(mid, size, groups)
        self.depthwise = chain(conv_bn("dwconv", mid, mid, 3, stride, groups=mid, relu=False))
        self.expand = chain(conv_bn("gconv", mid, main_out, 1, groups=groups, relu=False))
        if stride == 2:
            self.shortcut = nn.AvgPool2d(3, 2, 1)
        self.relu = nn.ReLU()

    def forward(self, x):
        main = self.expand(self.depthwise(self.shuffle(self.compress(x))))
        if self.stride == 2:
            return self.relu(torch.cat((self.shortcut(x), main), 1))
        return self.relu(x + main)


class ShuffleNetV1(nn.Module):
    """ShuffleNet, arXiv:1707.01083, Table 1. The last layer has no bias, as in
    the authors' repository."""

    def __init__(self, channels=(24, 240, 480, 960), groups=3, repeats=(4, 8, 4)):
        super().__init__()
        inp = channels[0]
        self.conv1 = chain(conv_bn("conv", 3, inp, 3, stride=2))
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        size = 56
        for stage, (out, units) in enumerate(zip(channels[1:], repeats), start=2):
            blocks = []
            for i in range(units):
                stride = 2 if i == 0 else 1
                # The paper leaves the very first pointwise layer ungrouped: it has few inputs.
                first_groups = 1 if stage == 2 and i == 0 else groups
                blocks.append(ShuffleV1Unit(inp, out, size, stride, groups, first_groups))
                inp, size = out, size // stride
            setattr(self, f"stage{stage}", nn.Sequential(*blocks))
        self.globalpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(inp, CLASSES, bias=False)

    def forward(self, x):
        x = self.maxpool(self.conv1(x))
        x = self.stage4(self.stage3(self.stage2(x)))
        return self.fc(self.flatten(self.globalpool(x)))


class ShuffleV2Unit(nn.Module):
    """ShuffleNet V2 unit: Figure 3 (c) with stride 1, (d) with stride 2.

    With stride 2 the projection branch keeps the number of input channels and
    the main branch supplies the rest, as in the authors' repository; the two
    are unequal in the first unit of stage 2 alone."""

    def __init__(self, inp, out, size, stride):
        super().__init__()
        self.half = out // 2
        self.stride = stride
        if stride == 2:
            self.proj = chain(
                conv_bn("dwconv", inp, inp, 3, 2, groups=inp, relu=False),
                conv_bn("pwconv", inp, inp, 1),
            )
        else:
            inp = self.half
        main_out = out - inp
        self.main = chain(
            conv_bn("pwconv1", inp, self.half, 1),
            conv_bn("dwconv", self.half, self.half, 3, stride, groups=self.half, relu=False),
            conv_bn("pwconv2", self.half, main_out, 1),
        )
        self.shuffle = ChannelShuffle(out, size // stride, 2)

    def forward(self, x):
        if self.stride == 2:
            kept, main = self.proj(x), self.main(x)
        else:
            kept, main = torch.split(x, self.half, 1)
            main = self.main(main)
        return self.shuffle(torch.cat((kept, main), 1))


class ShuffleNetV2(nn.Module):
    """ShuffleNet V2, arXiv:1807.11164, Table 5. The last layer has no bias, as in
    the authors' repository."""

    def __init__(self, channels, repeats=(4, 8, 4)):
        super().__init__()
        inp = channels[0]
        self.conv1 = chain(conv_bn("conv", 3, inp, 3, stride=2))
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        size = 56
        for stage, (out, units) in enumerate(zip(channels[1:4], repeats), start=2):
            blocks = []
            for i in range(units):
                stride = 2 if i == 0 else 1
                blocks.append(ShuffleV2Unit(inp, out, size, stride))
                inp, size = out, size // stride
            setattr(self, f"stage{stage}", nn.Sequential(*blocks))
        self.conv5 = chain(conv_bn("conv", inp, channels[4], 1))
        self.globalpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels[4], CLASSES, bias=False)

    def forward(self, x):
        x = self.maxpool(self.conv1(x))
        x = self.conv5(self.stage4(self.stage3(self.stage2(x))))
        return self.fc(self.flatten(self.globalpool(x)))


# The networks ----------------------------------------------------------------


def from_torchvision(name, **kwargs):
    return lambda: torchvision.models.get_model(name, weights=None, **kwargs)


def from_timm(name):
    return lambda: timm.create_model(name, pretrained=False)


NETWORKS = {
    "efficientnet_lite0": from_timm("efficientnet_lite0"),
    "ghostnet_0.5": from_timm("ghostnet_050"),
    "ghostnet_1.0": from_timm("ghostnet_100"),
    "ghostnet_1.3": from_timm("ghostnet_130"),
    "mobilenet_v1_1.0": from_timm("mobilenetv1_100"),
    "mobilenet_v2_0.5": from_torchvision("mobilenet_v2", width_mult=0.5),
    "mobilenet_v2_1.0": from_torchvision("mobilenet_v2"),
    "mobilenet_v2_1.4": from_torchvision("mobilenet_v2", width_mult=1.4),
    "mobilenet_v3_large_1.0": from_torchvision("mobilenet_v3_large"),
    "mobilenet_v3_small_1.0": from_torchvision("mobilenet_v3_small"),
    "shufflenet_v1_1.0_g3": ShuffleNetV1,
    "shufflenet_v2_0.5": lambda: ShuffleNetV2((24, 48, 96, 192, 1024)),
    "shufflenet_v2_1.0": lambda: ShuffleNetV2((24, 116, 232, 464, 1024)),
    "shufflenet_v2_1.5": lambda: ShuffleNetV2((24, 176, 352, 704, 1024)),
    "shufflenet_v2_2.0": lambda: ShuffleNetV2((24, 244, 488, 976, 2048)),
    "squeezenet_1.0": from_torchvision("squeezenet1_0"),
    "squeezenet_1.1": from_torchvision("squeezenet1_1"),
}


# Export ----------------------------------------------------------------------


def fill(model):
    """Give every tensor values of its own: the same on every machine, and no two
    tensors alike, since the exporter merges initializers of equal contents."""
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not tensor.is_floating_point():
                continue
            unit = torch.from_numpy(rng.random(tuple(tensor.shape), dtype=np.float32))
            if tensor.dim() > 1:
                unit = (unit - 0.5) * (2 * math.sqrt(6 / tensor[0].numel()))
            elif name.endswith(("bias", "running_mean")):
                unit = (unit - 0.5) / 4
            else:
                unit = unit + 0.5
            tensor.copy_(unit)


def strip(proto, name):
    """Drop the weights and all that describes the exporting process."""
    proto.graph.name = name
    offset = 0
    for tensor in proto.graph.initializer:
        size = len(tensor.raw_data)
        if size < EXTERNAL_FROM:
            continue
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", "weights.bin"), ("offset", offset), ("length", size)):
            tensor.external_data.add(key=key, value=str(value))
        offset += size
    graph = proto.graph
    for part in (proto, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")


def load(name):
    model = NETWORKS[name]().eval()
    fill(model)
    return model


def export(model):
    """The model as a complete ONNX model, batch norm kept apart."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (torch.zeros(INPUT_SHAPE),),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            input_names=["input"],
            output_names=["logits"],
            # An evaluation-mode export would fold batch norm into the convolutions.
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
        )
    return onnx.load_from_string(buffer.getvalue())


def count(model):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(INPUT_SHAPE))
    return counter.get_total_flops() // 2, sum(p.numel() for p in model.parameters())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks (default: all)")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    args = parser.parse_args()
    if unknown := set(args.names) - set(NETWORKS):
        parser.error(f"no such network: {', '.join(sorted(unknown))}")

    stale = []
    for name in args.names or NETWORKS:
        model = load(name)
        macs, params = count(model)
        proto = export(model)
        strip(proto, name)
        data = proto.SerializeToString(deterministic=True)
        path = HERE / f"{name}.onnx"
        if not args.check:
            path.write_bytes(data)
        elif not path.exists() or path.read_bytes() != data:
            stale.append(path.name)
        print(f"{name:24} macs {macs:>9} params {params:>7} bytes {len(data):>6}")
    if stale:
        sys.exit(f"differs from a fresh export: {', '.join(stale)}")


if __name__ == "__main__":
    main()
