"""Published mobile networks in MUXNet's text form, at 224 pixels.

Each is a text of `search_spaces.muxnet.text`, from the table of the paper named beside it. Where a
paper is ambiguous, the authors' code decides.
"""

from __future__ import annotations

from search_spaces.muxnet.spec import NetworkSpec
from search_spaces.muxnet.text import parse_spec

# Howard et al., "MobileNets", 2017, table 1
MOBILENET_V1 = (
    "r224/stem32relu6/dsa64/dsa128:s2/dsa128/dsa256:s2/dsa256/dsa512:s2/dsa512:x5/dsa1024:s2/dsa1024/head0"
)

# Sandler et al., "MobileNetV2", CVPR 2018, table 2; the head keeps its width below 1.0x
MOBILENET_V2 = (
    "r224/stem32relu6/se0/ds16:v0/ir24:k3s2e6/ir24:k3e6/ir32:k3s2e6/ir32:k3e6x2/ir64:k3s2e6/ir64:k3e6x3"
    "/ir96:k3e6x3/ir160:k3s2e6/ir160:k3e6x2/ir320:k3e6/head1280"
)
MOBILENET_V2_050 = (
    "r224/stem16relu6/se0/ds8:v0/ir16:k3s2e6/ir16:k3e6/ir16:k3s2e6/ir16:k3e6x2/ir32:k3s2e6/ir32:k3e6x3"
    "/ir48:k3e6x3/ir80:k3s2e6/ir80:k3e6x2/ir160:k3e6/head1280"
)

# Howard et al., "Searching for MobileNetV3", ICCV 2019, tables 1 and 2
MOBILENET_V3_LARGE = (
    "r224/stem16hswish/se0/ds16:v0relu/ir24:k3s2e4relu/ir24:k3e3relu/ir40:k5s2e3q24relu/ir40:k5e3q32relux2"
    "/ir80:k3s2e6/ir80:k3e2.5/ir80:k3e2.3x2/ir112:k3e6q120/ir112:k3e6q168/ir160:k5s2e6q168/ir160:k5e6q240x2"
    "/head960n1280"
)
MOBILENET_V3_SMALL = (
    "r224/stem16hswish/se0/ds16:s2v0q8relu/ir24:k3s2e4.5relu/ir24:k3e3.67relu/ir40:k5s2e4q24/ir40:k5e6q64x2"
    "/ir48:k5e3q32/ir48:k5e3q40/ir96:k5s2e6q72/ir96:k5e6q144x2/head576n1024"
)

# Ma, Zhang, Zheng and Sun, "ShuffleNet V2", ECCV 2018, table 5
SHUFFLENET_V2 = "r224/stem24prelu/sn116:s2/sn116:x3/sn232:s2/sn232:x7/sn464:s2/sn464:x3/head1024"
SHUFFLENET_V2_200 = "r224/stem24prelu/sn244:s2/sn244:x3/sn488:s2/sn488:x7/sn976:s2/sn976:x3/head2048"

# Tan et al., "MnasNet", CVPR 2019, figure 7a
MNASNET_A1 = (
    "r224/stem32relu/se0.25/ds16:v0/ir24:k3s2e6v0/ir24:k3e6v0/ir40:k5s2e3/ir40:k5e3x2/ir80:k3s2e6v0/ir80:k3e6v0x3"
    "/ir112:k3e6x2/ir160:k5s2e6/ir160:k5e6x2/ir320:k3e6v0/head1280"
)

# Wu et al., "FBNet", CVPR 2019, figure 4 (FBNet-C); widths of stem and head from table 1
FBNET_C = (
    "r224/stem16relu/se0/ir16:k3/ir24:k3s2e6/ir24:k3x2/ir32:k5s2e6/ir32:k5e3/ir32:k5e6/ir32:k3e6/ir64:k5s2e6"
    "/ir64:k5e3/ir64:k5e6x2/ir112:k5e6x3/ir112:k5e3/ir184:k5s2e6/ir184:k5e6x3/ir352:k3e6/head1984"
)

# Tan and Le, "EfficientNet", ICML 2019, table 1
EFFICIENTNET_B0 = (
    "r224/stem32/se0.25/ds16:swish/ir24:k3s2e6swish/ir24:k3e6/ir40:k5s2e6/ir40:k5e6/ir80:k3s2e6/ir80:k3e6x2"
    "/ir112:k5e6x3/ir192:k5s2e6/ir192:k5e6x3/ir320:k3e6/head1280"
)

# Tan and Le, "MixConv", BMVC 2019, figure 7
MIXNET_M = (
    "r224/stem24relu/se0.5/ds24:v0/ir32:k3.5.7s2e6v0w2.2/ir32:k3e3v0w2.2/ir40:k3.5.7.9s2e6swish"
    "/ir40:k3.5e6w2.2swishx3/ir80:k3.5.7s2e6v0.25swish/ir80:k3.5.7.9e6v0.25w2.2swishx3/ir120:k3e6swish"
    "/ir120:k3.5.7.9e3w2.2swishx3/ir200:k3.5.7.9s2e6swish/ir200:k3.5.7.9e6w1.2swishx3/head1536"
)

TEXTS: dict[str, str] = {
    "mobilenet_v1": MOBILENET_V1,
    "mobilenet_v2_050": MOBILENET_V2_050,
    "mobilenet_v2": MOBILENET_V2,
    "mobilenet_v3_small": MOBILENET_V3_SMALL,
    "mobilenet_v3_large": MOBILENET_V3_LARGE,
    "shufflenet_v2": SHUFFLENET_V2,
    "shufflenet_v2_200": SHUFFLENET_V2_200,
    "mnasnet_a1": MNASNET_A1,
    "fbnet_c": FBNET_C,
    "efficientnet_b0": EFFICIENTNET_B0,
    "mixnet_m": MIXNET_M,
}

MOBILE: dict[str, NetworkSpec] = {name: parse_spec(text) for name, text in TEXTS.items()}
