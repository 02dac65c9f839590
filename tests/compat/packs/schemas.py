"""A pack of one file whose nodes declare themselves by schemas."""

from enum import Enum

from comfy_api.latest import ComfyExtension, io, ui


class Way(Enum):
    UP = "up"
    DOWN = "down"


class Turn(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SchemaTurn",
            display_name="Turn",
            category="schema",
            description="Turn a picture over.",
            inputs=[
                io.Image.Input("image"),
                io.Combo.Input("way", options=Way, default=Way.DOWN),
                io.Int.Input("times", default=1, min=0, max=9, display_mode=io.NumberDisplay.slider),
                io.Mask.Input("mask", optional=True),
                io.Custom("THING").Input("thing", optional=True),
            ],
            outputs=[io.Image.Output(), io.String.Output("said", display_name="what was done")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, times):
        return True if times < 9 else "nine is too often"

    @classmethod
    def execute(cls, image, way, times, mask=None, thing=None):
        for _ in range(times):
            image = image.flip(1 if way == "up" else 2)
        return io.NodeOutput(image, f"{cls.hidden.unique_id} {way} {times} {mask is None}")


class Look(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(node_id="SchemaLook", inputs=[io.Image.Input("image")], outputs=[], is_output_node=True)

    @classmethod
    async def execute(cls, image):
        return io.NodeOutput(ui=ui.PreviewImage(image, cls=cls))


class Stop(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(node_id="SchemaStop", inputs=[], outputs=[io.AnyType.Output()])

    @classmethod
    def execute(cls):
        return io.NodeOutput(None, block_execution="no further")


class Extension(ComfyExtension):
    async def get_node_list(self):
        return [Turn, Look, Stop]


async def comfy_entrypoint():
    return Extension()
