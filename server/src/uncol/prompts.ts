/** A box in pixels, edges included. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/**
 * The prompts of one slice: for each foreground class the tight box round its largest 8-connected component, grown by
 * a margin and kept inside the frame; null where the class has no pixel.
 *
 * @param probabilities [C,H,W] float32; the decision is the largest entry (the first on ties).
 * @param margin as a share of the frame's side.
 * @returns `classes - 1` entries, class 1 first.
 */
export function promptBoxes(
  probabilities: Float32Array,
  size: { readonly classes: number; readonly height: number; readonly width: number },
  margin: number,
): (Box | null)[] {
  const labels = decide(probabilities, size.classes, size.height * size.width);
  const largest: (Component | null)[] = Array.from({ length: size.classes - 1 }, () => null);
  for (const component of components(labels, size.height, size.width)) {
    const known = largest[component.label - 1];
    if (!known || component.pixels > known.pixels) largest[component.label - 1] = component;
  }
  return largest.map((component) => component && grow(component, size.height, size.width, margin));
}

interface Component extends Box {
  readonly label: number;
  readonly pixels: number;
}

function decide(probabilities: Float32Array, classes: number, pixels: number): Uint8Array {
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
  const rows = Math.round(margin * height);
  const columns = Math.round(margin * width);
  return {
    top: Math.max(box.top - rows, 0),
    left: Math.max(box.left - columns, 0),
    bottom: Math.min(box.bottom + rows, height - 1),
    right: Math.min(box.right + columns, width - 1),
  };
}
