"""Tasks other than classification, one folder each.

Networks come in as objects: a backbone is any module that gives maps at rising strides (`nas.training.tasks.dilation.Features`).
Importing this loads no torch.
"""
