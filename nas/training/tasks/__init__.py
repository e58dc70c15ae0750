"""What networks are trained for beside classification, each task in a folder of its own.

Networks come in as objects: a backbone is a module that gives maps at rising strides (`nas.training.tasks.dilation.Features`),
wherever it was made. Importing this loads no torch.
"""
