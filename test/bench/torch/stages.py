"""Loss of one step: of the student alone, of stage 1, of stage 2. Inputs are those of the programs by these names."""

import torch
from losses import cross_entropy, dice, entropy, named, one_hot, paste, paste_maps, supervised, visual


def supervised_loss(student, inputs, rule):
    outputs = student(inputs["images"], named(inputs, "dropout"))
    return supervised(outputs.heads, inputs["truth"], inputs["region"])


def pretraining_loss(student, inputs, rule):
    """Image 0 pasted with each of the others; supervised, visual and semantic (the posterior in the prior's place)."""
    mask = inputs["mask"]

    def mixed(x, how=paste):
        return how(x[:1], x[1:], mask)

    posterior = student.projection("semantic", mixed(inputs["labelledSemantic"], paste_maps))
    outputs = student(mixed(inputs["images"]), named(inputs, "dropout"), posterior)
    truth = one_hot(mixed(inputs["labels"]), student.config["classes"])
    loss = supervised(outputs.heads, truth, mixed(inputs["known"]))
    maps = [mixed(x, paste_maps) for x in named(inputs, "labelledVisual")]
    distilled = visual(student, maps, outputs.hidden) + ((outputs.prior - posterior) ** 2).mean()
    return loss + inputs["distillation"].sum() * distilled


def collaboration_loss(student, inputs, rule):
    """A on U_a and U_b on B; ground truth and gated pseudo labels, each on its side of the mask."""
    mask = inputs["mask"]
    image_a, image_b = inputs["images"].chunk(2)
    unlabelled_a, unlabelled_b = inputs["unlabelled"].chunk(2)
    mixes = torch.cat([paste(image_a, unlabelled_a, mask), paste(unlabelled_b, image_b, mask)])
    outputs = student(mixes, named(inputs, "dropout"))

    truth_a, truth_b = one_hot(inputs["labels"], student.config["classes"]).chunk(2)
    known_a, known_b = inputs["known"].chunk(2)
    label, trusted = pseudo_label(inputs, rule)
    (label_a, label_b), (trusted_a, trusted_b) = label.chunk(2), trusted.chunk(2)

    def side(logits, truth, region, weight):
        return weight / 2 * (dice(logits, truth, region) + cross_entropy(logits, truth, region))

    first, second = outputs.logits.chunk(2)
    real, guessed = rule["groundTruthWeight"], rule["pseudoWeight"]
    loss = side(first, truth_a, known_a * mask, real) + side(first, label_a, trusted_a * (1 - mask), guessed)
    loss = loss + side(second, truth_b, known_b * (1 - mask), real) + side(second, label_b, trusted_b * mask, guessed)
    pairs = zip(named(inputs, "labelledVisual"), named(inputs, "unlabelledVisual"))
    maps = []
    for labelled, free in pairs:
        (a, b), (u_a, u_b) = labelled.chunk(2), free.chunk(2)
        maps.append(torch.cat([paste_maps(a, u_a, mask), paste_maps(u_b, b, mask)]))
    # A mean over both mixes, so twice the weight.
    return loss + 2 * rule["visualWeight"] * visual(student, maps, outputs.hidden) if maps else loss


def pseudo_label(inputs, rule):
    """One-hot label of each unlabelled pixel and where it is trusted, by the uncertainty gate over both teachers."""
    foreground = torch.sigmoid(inputs["maskLogits"] / inputs["temperature"])
    raw = torch.cat([(1 - foreground.sum(1, keepdim=True)).clamp(min=0), foreground], 1)
    p_g = torch.softmax(raw, 1) if rule["foundationProb"] == "softmax" else raw / raw.sum(1, keepdim=True)
    p_s, answered, tau = inputs["specialized"], inputs["answered"] > 0, inputs["threshold"]
    u_g, u_s = entropy(p_g), entropy(p_s)
    trusted_g, trusted_s = (u_g <= tau) & answered, u_s <= tau
    share = torch.exp(-u_g) / (torch.exp(-u_g) + torch.exp(-u_s))
    p = torch.where(trusted_g & trusted_s, share * p_g + (1 - share) * p_s, torch.where(trusted_g, p_g, p_s))
    label = one_hot(p.argmax(1, keepdim=True), p.shape[1]).to(p.dtype)
    return label, (trusted_g | trusted_s) * inputs["kept"]


def consult(teacher, unlabelled, least_dice):
    """What stage 2 asks before its step, where no generalized teacher answers: p_S, and which slices are kept."""
    with torch.no_grad():
        answer = torch.softmax(teacher(unlabelled).logits, 1)
        mirrored = torch.softmax(teacher(unlabelled.flip(-1)).logits, 1)
    found, again = answer.argmax(1), mirrored.argmax(1).flip(-1)
    axes = list(range(1, found.dim()))
    both = ((found == again) & (found > 0)).sum(axes)
    total = (found > 0).sum(axes) + (again > 0).sum(axes)
    kept = torch.where(total > 0, 2 * both / total.clamp(min=1), torch.ones(len(total))) >= least_dice
    one = [1] * len(axes)
    return {
        "specialized": answer,
        "maskLogits": torch.full_like(answer[:, 1:], -30),
        "answered": torch.zeros_like(answer[:, :1]),
        "temperature": torch.ones(1, answer.shape[1] - 1, *one),
        "kept": kept.to(answer.dtype).reshape(-1, 1, *one),
    }
