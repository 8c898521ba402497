"""What a model takes and gives, and whether a request fits it. Pure.

A size of -1 in a declared shape takes any size. A request must name every input once, with the declared datatype and
a shape that fits; it may name outputs, and gets all of them when it names none. What does not fit raises `Refused`
with the field, what was found and what the model wants, and the nearest name where a name is unknown.
"""

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches

from tidegate.model.errors import Refused
from tidegate.wire.inference import InferRequest
from tidegate.wire.tensors import Array

ANY = -1


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One declared input or output."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of that shape may stand here."""
        return len(shape) == len(self.shape) and all(
            wanted in (ANY, found) for wanted, found in zip(self.shape, shape, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Signature:
    """All that a model declares, in its own order."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def feeds(self, request: InferRequest) -> dict[str, Array]:
        """The request's arrays by input name, in the model's order. Refused when it does not fit."""
        given = {tensor.name: (index, tensor.array) for index, tensor in enumerate(request.inputs)}
        declared = {spec.name for spec in self.inputs}
        for name, (index, _) in given.items():
            if name not in declared:
                raise Refused("unknown input", field=f"inputs[{index}].name", found=name, wanted=names(name, declared))
        feeds: dict[str, Array] = {}
        for spec in self.inputs:
            if spec.name not in given:
                raise Refused(
                    "an input is missing",
                    field="inputs",
                    found=list(given),
                    wanted=f"{spec.name} ({spec.datatype} {list(spec.shape)}) too",
                )
            index, array = given[spec.name]
            datatype = request.inputs[index].datatype
            if datatype != spec.datatype:
                raise Refused(
                    f"{spec.name} has another datatype",
                    field=f"inputs[{index}].datatype",
                    found=datatype,
                    wanted=spec.datatype,
                )
            if not spec.fits(array.shape):
                raise Refused(
                    f"{spec.name} has another shape",
                    field=f"inputs[{index}].shape",
                    found=list(array.shape),
                    wanted=f"{list(spec.shape)}" + (" (-1: any size)" if ANY in spec.shape else ""),
                )
            feeds[spec.name] = array
        return feeds

    def chosen(self, request: InferRequest) -> list[str]:
        """The output names that the request wants, in its order; all when it names none."""
        declared = [spec.name for spec in self.outputs]
        if not request.outputs:
            return declared
        chosen: list[str] = []
        for index, output in enumerate(request.outputs):
            field = f"outputs[{index}].name"
            if output.name not in declared:
                raise Refused("unknown output", field=field, found=output.name, wanted=names(output.name, declared))
            if output.name in chosen:
                raise Refused("named twice", field=field, found=output.name, wanted="each output once")
            chosen.append(output.name)
        return chosen


def names(found: str, known: Collection[str]) -> str:
    """What would have been right, for an error: the known name nearest to `found`, case aside, and all the others."""
    folded = {name.lower(): name for name in known}
    near = get_close_matches(found.lower(), folded, 1)
    all_of_them = "one of " + ", ".join(sorted(known))
    return f"{folded[near[0]]} (did you mean that?), {all_of_them}" if near else all_of_them
