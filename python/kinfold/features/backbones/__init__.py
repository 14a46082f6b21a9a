"""Networks that turn pixels into feature maps, with torchvision's parameter names.

A backbone is a ``torch.nn.Module`` made by ``Network(classes)`` whose ``features`` gives maps (n, channels, h, w),
and which says ``channels``, ``classifier_key`` (whose weight has one row a class), ``mean`` and ``std``.
"""

METHODS: dict[str, str] = {
    "squeezenet1_1": "kinfold.features.backbones.squeezenet:SqueezeNet",
    "mobilenet_v2": "kinfold.features.backbones.mobilenet:MobileNetV2",
}
