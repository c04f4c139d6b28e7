"""MedSAM (ViT-B) as the two graphs that medsam-vit-b.json describes.

    python export_medsam.py medsam_vit_b.pth "$UNCOL_HOME/teachers/medsam-vit-b"

Needs PyTorch and the package `segment_anything` of MedSAM. See README.md.
"""

import argparse
import pathlib

import torch
from segment_anything import sam_model_registry

from export_graphs import GRAPHS, load_on_cpu, write_graph, write_sums

# Blocks whose output the student is shown, from 0.
HIDDEN = (5, 11)
SIDE = 1024


class Encoder(torch.nn.Module):
    """image [1,3,1024,1024] in 0..1 -> embedding [1,256,64,64]; hidden maps [1,768,64,64]."""

    def __init__(self, sam):
        super().__init__()
        self.encoder = sam.image_encoder

    def forward(self, image):
        x = self.encoder.patch_embed(image)
        if self.encoder.pos_embed is not None:
            x = x + self.encoder.pos_embed
        hidden = []
        for index, block in enumerate(self.encoder.blocks):
            x = block(x)
            if index in HIDDEN:
                hidden.append(x.permute(0, 3, 1, 2))
        return (self.encoder.neck(x.permute(0, 3, 1, 2)), *hidden)


class Decoder(torch.nn.Module):
    """A box as its corners, point_coords [1,2,2] (x, y) with point_labels 2 and 3 -> mask logits [1,1,256,256], src."""

    def __init__(self, sam):
        super().__init__()
        self.prompts = sam.prompt_encoder
        self.decoder = sam.mask_decoder

    def forward(self, image_embeddings, point_coords, point_labels):
        prompts = self.prompts
        points = prompts.pe_layer._pe_encoding((point_coords + 0.5) / SIDE)
        for label, embedding in enumerate(prompts.point_embeddings):
            points = points + embedding.weight * (point_labels == label).float().unsqueeze(-1)
        dense = prompts.no_mask_embed.weight.reshape(1, -1, 1, 1).expand(1, -1, *prompts.image_embedding_size)
        seen = []
        hook = self.decoder.transformer.register_forward_hook(lambda _module, _given, out: seen.append(out[1]))
        masks, _ = self.decoder(
            image_embeddings=image_embeddings,
            image_pe=prompts.get_dense_pe(),
            sparse_prompt_embeddings=points,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        hook.remove()
        return masks, seen[0].transpose(1, 2).reshape(image_embeddings.shape)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("out", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    sam = load_on_cpu(arguments.checkpoint, sam_model_registry["vit_b"])
    encoder, decoder = (arguments.out / name for name in GRAPHS)
    image = {"image": torch.rand(1, 3, SIDE, SIDE)}
    found = write_graph(encoder, Encoder(sam), image, ["embedding", *(f"hidden_{index}" for index in HIDDEN)])
    box = {
        "image_embeddings": found["embedding"],
        "point_coords": torch.tensor([[[200.0, 300.0], [500.0, 700.0]]]),
        "point_labels": torch.tensor([[2.0, 3.0]]),
    }
    write_graph(decoder, Decoder(sam), box, ["low_res_masks", "src"])
    write_sums(arguments.out)


if __name__ == "__main__":
    main()
