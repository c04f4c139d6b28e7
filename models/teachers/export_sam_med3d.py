"""SAM-Med3D (vit_b_ori) as the two graphs that sam-med3d.json describes.

    python export_sam_med3d.py sam_med3d_turbo.pth "$UNCOL_HOME/teachers/sam-med3d"

Needs PyTorch and the package `segment_anything` of SAM-Med3D. See README.md.
"""

import argparse
import pathlib

import torch
from segment_anything.build_sam3D import sam_model_registry3D

from export_graphs import GRAPHS, load_on_cpu, write_graph, write_sums

# Blocks whose output the student is shown, from 0.
HIDDEN = (3, 7, 11)
SIDE = 128


def to_model(volume):
    """From slices to the head, rows to the back, columns to the left, to the model's axes: right, front, head."""
    return torch.flip(volume.permute(0, 1, 4, 3, 2), (2, 3))


def from_model(volume):
    """The inverse of to_model."""
    return torch.flip(volume, (2, 3)).permute(0, 1, 4, 3, 2)


class Encoder(torch.nn.Module):
    """image [1,1,128,128,128] (slice, row, column) -> embedding [1,384,8,8,8]; hidden maps [1,768,8,8,8]."""

    def __init__(self, sam):
        super().__init__()
        self.encoder = sam.image_encoder

    def forward(self, image):
        x = self.encoder.patch_embed(to_model(image))
        if self.encoder.pos_embed is not None:
            x = x + self.encoder.pos_embed
        hidden = []
        for index, block in enumerate(self.encoder.blocks):
            x = block(x)
            if index in HIDDEN:
                hidden.append(from_model(x.permute(0, 4, 1, 2, 3)))
        return (from_model(self.encoder.neck(x.permute(0, 4, 1, 2, 3))), *hidden)


class Decoder(torch.nn.Module):
    """A click, point_coords [1,1,3] (slice, row, column) with point_labels 1 -> mask logits [1,1,32,32,32], src."""

    def __init__(self, sam):
        super().__init__()
        self.prompts = sam.prompt_encoder
        self.decoder = sam.mask_decoder

    def forward(self, image_embeddings, point_coords, point_labels):
        prompts = self.prompts
        slices, rows, columns = point_coords.unbind(-1)
        points = torch.stack([SIDE - 1 - columns, SIDE - 1 - rows, slices], dim=-1)
        clicked = prompts.pe_layer._pe_encoding((points + 0.5) / SIDE)
        for label, embedding in enumerate(prompts.point_embeddings):
            clicked = clicked + embedding.weight * (point_labels == label).float().unsqueeze(-1)
        # Without a box the model is always given one more point, which is none.
        sparse = torch.cat([clicked, prompts.not_a_point_embed.weight.unsqueeze(0)], dim=1)
        # At the first click the mask so far is empty; the model is shown it all the same.
        dense = prompts.mask_downscaling(torch.zeros(1, 1, SIDE // 4, SIDE // 4, SIDE // 4))
        seen = []
        hook = self.decoder.transformer.register_forward_hook(lambda _module, _given, out: seen.append(out[1]))
        embedding = to_model(image_embeddings)
        masks, _ = self.decoder(
            image_embeddings=embedding,
            image_pe=prompts.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        hook.remove()
        return from_model(masks), from_model(seen[0].transpose(1, 2).reshape(embedding.shape))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("out", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    sam = load_on_cpu(arguments.checkpoint, sam_model_registry3D["vit_b_ori"])
    encoder, decoder = (arguments.out / name for name in GRAPHS)
    image = {"image": torch.randn(1, 1, SIDE, SIDE, SIDE)}
    found = write_graph(encoder, Encoder(sam), image, ["embedding", *(f"hidden_{index}" for index in HIDDEN)])
    click = {
        "image_embeddings": found["embedding"],
        "point_coords": torch.tensor([[[40.0, 60.0, 80.0]]]),
        "point_labels": torch.tensor([[1.0]]),
    }
    write_graph(decoder, Decoder(sam), click, ["low_res_masks", "src"])
    write_sums(arguments.out)


if __name__ == "__main__":
    main()
