"""What a profile says about a device, and which of it goes together."""

import re
from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from profiles.errors import ProfileError

Precision = Literal["float32", "float16", "int8"]

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]

_FORMATS = "formats"

_BOUND = r"(==|>=|<=|<|>)?\d+(\.\d+)*"


class Table(BaseModel):
    """A table of a profile's TOML file: unknown keys and values of another type are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Batch(Table):
    """Images that the device embeds at once: fewest, most often, most."""

    min: Count
    opt: Count
    max: Count

    @model_validator(mode="after")
    def _ascend(self) -> "Batch":
        if not self.min <= self.opt <= self.max:
            raise ValueError(f"min = {self.min}, opt = {self.opt}, max = {self.max}: they must not descend")
        return self


class Budget(Table):
    """What the device affords for one image. Read and shown; a width is not yet chosen by it."""

    latency_ms: Amount | None = None
    multiply_adds: Count | None = None
    parameters: Count | None = None
    size_mb: Amount | None = None
    memory_mb: Amount | None = None


class Tensorrt(Table):
    """The one kind of device and the versions that an engine is built for.

    Attributes:
        compute_capability: of the GPU, such as "8.7".
        version: of TensorRT, such as ">=10.3,<12".
        workspace_mb: MiB that the builder may use for a layer's scratch space.
    """

    compute_capability: Annotated[str, Field(pattern=r"^\d+\.\d+$", examples=["8.7"])]
    version: Annotated[str, Field(pattern=rf"^{_BOUND}(,{_BOUND})*$", examples=["10.3", ">=10.3,<12"])]
    workspace_mb: Count


class Coreml(Table):
    """What an ML program is converted for, in the words of coremltools."""

    minimum_deployment_target: Annotated[
        str, Field(pattern=r"^(iOS|macOS|tvOS|watchOS|visionOS)\d+$", examples=["iOS16"])
    ]
    compute_units: Literal["ALL", "CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE"]


def validation_context(formats: Collection[str] | None) -> dict[str, object]:
    """What `Profile.model_validate` is to know of the world: the formats that can be written, None for any."""
    return {_FORMATS: formats}


class Profile(Table):
    """One device.

    Attributes:
        name: what `--profile` is given and artifacts are named after; the name of the TOML file.
        title: the device in words.
        format: of the artifact; which ones there are, `validation_context` is told.
        runtime: what runs the artifact on the device.
        width: width multiplier of the sub-model, above 0 and at most 1.
        precision: the one that is exported unless asked otherwise.
        precisions: those that make sense on the device, quickest first: in this order `--precision auto` tries them.
        batch: images embedded at once.
        notes: what to know about the device, a sentence or two each.
        budget: what the device affords, where that is known.
        tensorrt: facts of a TensorRT device; there exactly if that is the format.
        coreml: facts of a CoreML device; there exactly if that is the format.
    """

    name: str
    title: Text
    format: Text
    runtime: Text
    width: Annotated[float, Field(gt=0, le=1)]
    precision: Precision
    precisions: Annotated[tuple[Precision, ...], Field(strict=False, min_length=1)]
    batch: Batch
    notes: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    budget: Budget | None = None
    tensorrt: Tensorrt | None = None
    coreml: Coreml | None = None

    def with_precision(self, precision: str) -> "Profile":
        """The same device in another precision.

        Raises:
            ProfileError: the profile doesn't allow it.
        """
        for allowed in self.precisions:
            if allowed == precision:
                return self.model_copy(update={"precision": allowed})
        raise ProfileError(
            f"Profile {self.name} can't be exported in precision {precision!r}.",
            f"It allows {', '.join(self.precisions)}.",
        )

    @field_validator("format")
    @classmethod
    def _be_known(cls, name: str, info: ValidationInfo) -> str:
        known = (info.context or {}).get(_FORMATS)
        if known is not None and name not in known:
            *others, last = map(repr, known)
            raise ValueError(f"should be {', '.join(others)} or {last}")
        return name

    @field_validator("name")
    @classmethod
    def _be_a_file_name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise ValueError("should be made of letters, digits, '-', '_' and '.': files are named after it")
        return name

    @model_validator(mode="after")
    def _allow_own_precision(self) -> "Profile":
        if self.precision not in self.precisions:
            raise ValueError(f"`precision` = {self.precision!r} isn't one of `precisions` = {list(self.precisions)}")
        return self

    @model_validator(mode="after")
    def _have_the_table_of_the_format(self) -> "Profile":
        for table, keys in (("tensorrt", Tensorrt.model_fields), ("coreml", Coreml.model_fields)):
            present = getattr(self, table) is not None
            if self.format == table and not present:
                raise ValueError(f"`format` = {table!r} needs a table [{table}] with {', '.join(keys)}")
            if self.format != table and present:
                raise ValueError(f"the table [{table}] doesn't belong to `format` = {self.format!r}")
        return self
