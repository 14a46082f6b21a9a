"""Networks that turn pixels into feature maps, with torchvision's parameter names.

A backbone is a ``torch.nn.Module`` made by ``Network(classes)`` which says ``layers`` (name -> where to cut, the
first is the default, see ``backbones.cut``), ``classifier_key`` (whose weight has one row a class), ``mean`` and
``std``. Its ``features`` are an ``nn.Sequential`` from pixels (n, 3, h, w) to maps, its ``head`` are modules by name
from there to class scores: between any two of all these it can be cut, too.
"""

METHODS: dict[str, str] = {
    "squeezenet1_1": "kinfold.features.backbones.squeezenet:SqueezeNet",
    "mobilenet_v2": "kinfold.features.backbones.mobilenet:MobileNetV2",
    "alexnet": "kinfold.features.backbones.alexnet:AlexNet",
    "vgg16": "kinfold.features.backbones.vgg:VGG16",
    "vgg19": "kinfold.features.backbones.vgg:VGG19",
    "resnet18": "kinfold.features.backbones.resnet:ResNet18",
    "resnet50": "kinfold.features.backbones.resnet:ResNet50",
    "resnet101": "kinfold.features.backbones.resnet:ResNet101",
    "efficientnet_lite0": "kinfold.features.backbones.efficientnet_lite:EfficientNetLite0",
    "efficientnet_lite1": "kinfold.features.backbones.efficientnet_lite:EfficientNetLite1",
    "efficientnet_lite2": "kinfold.features.backbones.efficientnet_lite:EfficientNetLite2",
    "compact": "kinfold.features.backbones.compact:Compact",
}
