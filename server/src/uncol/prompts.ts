/** A box in pixels, edges included. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** Sizes of a slice; classes with the background. */
export interface SliceSize {
  readonly classes: number;
  readonly height: number;
  readonly width: number;
}

/** How boxes are drawn round what was found. */
export interface PromptRule {
  /** Growth on each side, share of the frame's side, of each foreground class. */
  readonly margin: readonly number[];
  /** Boxes of one class at most, largest component first; 1 in the paper. */
  readonly components: number;
}

/** A component smaller than this share of the largest of its class is a speck, not a part. */
const smallestPart = 0.2;
/** Edges are moved outwards to multiples of this, so that a box that hardly moved is the same prompt as before. */
const edgeStep = 2;

/**
 * The prompts of one slice: boxes round the 8-connected components of each foreground class, grown by a margin and kept
 * inside the frame. One box round two organs of a pair would hold neither.
 *
 * @param probabilities [C,H,W] float32; the decision is the largest entry (the first on ties).
 * @returns of each foreground class, class 1 first: its boxes, largest component first; none where it has no pixel.
 */
export function promptBoxes(probabilities: Float32Array, size: SliceSize, rule: PromptRule): Box[][] {
  return boxesOf(decide(probabilities, size.classes, size.height * size.width), size, rule);
}

/** The same of class indices, [H,W]. */
export function boxesOf(labels: Uint8Array, { classes, height, width }: SliceSize, rule: PromptRule): Box[][] {
  const found = components(labels, height, width);
  return Array.from({ length: classes - 1 }, (_, index) => {
    const ofClass = found.filter(({ label }) => label === index + 1).sort((a, b) => b.pixels - a.pixels);
    const least = smallestPart * (ofClass[0]?.pixels ?? 0);
    return ofClass
      .filter(({ pixels }) => pixels >= least)
      .slice(0, rule.components)
      .map((component) => grow(component, height, width, rule.margin[index] ?? 0));
  });
}

interface Component extends Box {
  readonly label: number;
  readonly pixels: number;
}

/** The largest entry of each pixel (the first on ties), [H,W]; `probabilities` [C,H,W]. */
export function decide(probabilities: Float32Array, classes: number, pixels: number): Uint8Array {
  const labels = new Uint8Array(pixels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    let best = probabilities[pixel] ?? 0;
    for (let label = 1; label < classes; label++) {
      const value = probabilities[label * pixels + pixel] ?? 0;
      if (value > best) {
        best = value;
        labels[pixel] = label;
      }
    }
  }
  return labels;
}

/** Every 8-connected component of equal, non-zero labels, in reading order of its first pixel. */
function components(labels: Uint8Array, height: number, width: number): Component[] {
  const seen = new Uint8Array(labels.length);
  const found: Component[] = [];
  for (let start = 0; start < labels.length; start++)
    if (labels[start] !== 0 && seen[start] === 0) found.push(flood(labels, seen, start, height, width));
  return found;
}

function flood(labels: Uint8Array, seen: Uint8Array, start: number, height: number, width: number): Component {
  const label = labels[start] ?? 0;
  const box = { top: height, left: width, bottom: -1, right: -1 };
  const stack = [start];
  seen[start] = 1;
  let pixels = 0;
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    const row = Math.floor(at / width);
    const column = at % width;
    pixels++;
    box.top = Math.min(box.top, row);
    box.left = Math.min(box.left, column);
    box.bottom = Math.max(box.bottom, row);
    box.right = Math.max(box.right, column);
    for (let r = Math.max(row - 1, 0); r <= Math.min(row + 1, height - 1); r++)
      for (let c = Math.max(column - 1, 0); c <= Math.min(column + 1, width - 1); c++) {
        const next = r * width + c;
        if (labels[next] !== label || seen[next] === 1) continue;
        seen[next] = 1;
        stack.push(next);
      }
  }
  return { ...box, label, pixels };
}

function grow(box: Box, height: number, width: number, margin: number): Box {
  const rows = margin * height;
  const columns = margin * width;
  const down = (edge: number) => Math.max(0, Math.floor(edge / edgeStep) * edgeStep);
  const up = (edge: number, size: number) => Math.min(size, Math.ceil(edge / edgeStep) * edgeStep) - 1;
  return {
    top: down(box.top - rows),
    left: down(box.left - columns),
    bottom: up(box.bottom + 1 + rows, height),
    right: up(box.right + 1 + columns, width),
  };
}
