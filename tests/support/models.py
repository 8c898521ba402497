"""Models small enough to be made where they are wanted."""

from functools import cache


@cache
def plus_one() -> bytes:
    """ONNX: y = x + 1 over rows of four floats."""
    import numpy as np
    from onnx import TensorProto, helper

    one = helper.make_tensor("one", TensorProto.FLOAT, [4], np.ones(4, np.float32))
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 4]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "one"], ["y"])], "plus-one", [x], [y], [one])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
