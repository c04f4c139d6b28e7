/** Text that is markup already. Only {@link html} and {@link raw} make it. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Value = string | number | Html | readonly Html[];

/** Markup from a template: whatever is filled in is escaped, unless it is {@link Html} itself. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(parts.map((part, n) => part + textOf(values[n] ?? '')).join(''));
}

/** Markup of one's own making, e.g. an `<svg>` of plots.ts. Never for text from elsewhere. */
export function raw(markup: string): Html {
  return new Html(markup);
}

/** A table with a head; cells are escaped. Columns whose cells are all numbers are set to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): Html {
  const isNumber = head.map((_, n) => rows.length > 0 && rows.every((row) => typeof row[n] === 'number'));
  const cells = (row: readonly (string | number)[]) =>
    row.map((cell, n) => (isNumber[n] ? html`<td class="number">${shown(cell)}</td>` : html`<td>${cell}</td>`));
  return html`<table>
<thead><tr>${head.map((name, n) => (isNumber[n] ? html`<th class="number">${name}</th>` : html`<th>${name}</th>`))}</tr></thead>
<tbody>
${rows.map((row) => html`<tr>${cells(row)}</tr>\n`)}</tbody>
</table>`;
}

/** A table of two columns without a head: a name and what it is. */
export function facts(rows: readonly (readonly [string, string | Html])[]): Html {
  return html`<table class="facts">
${rows.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>\n`)}</table>`;
}

/** A bulleted list of texts. */
export function list(texts: readonly string[]): Html {
  return html`<ul>${texts.map((text) => html`<li>${text}</li>`)}</ul>`;
}

/**
 * A page that stands alone: no script, nothing loaded, which its own policy makes sure of.
 *
 * @param sections heading and content.
 */
export function page(title: string, sections: readonly (readonly [string, Html])[]): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${title}</title>
<style>${raw(style)}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${sections.map(([heading, content]) => html`<section>\n<h2>${heading}</h2>\n${content}\n</section>\n`)}</main>
</body>
</html>
`.text;
}

const style = `
:root { color-scheme: light; }
body { margin: 0; background: #fff; color: #222; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid #ccc; }
svg { display: block; max-width: 100%; height: auto; margin: .6rem 0; }
table { border-collapse: collapse; margin: .6rem 0; }
th, td { padding: .25rem .9rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #e4e4e4; }
th.number, td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
table.facts th { white-space: nowrap; font-weight: 600; }
td { overflow-wrap: anywhere; }
ul { margin: 0; padding-left: 1.1rem; }
summary { cursor: pointer; margin: .6rem 0; }
figure { display: inline-block; margin: .4rem 1rem .4rem 0; }
figcaption { color: #555; font-size: .9rem; }
pre { margin: 0; overflow-x: auto; }
p.note { color: #555; max-width: 44rem; }
@media print { main { max-width: none; } section { break-inside: avoid; } }
`;

function textOf(value: Value): string {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return (value as readonly Html[]).map(({ text }) => text).join('');
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return String(value).replace(/[&<>"']/g, (character) => entities[character] ?? '');
}

/** Whole numbers as they are, others with the digits that mean something for a Dice. */
function shown(cell: string | number): string {
  return typeof cell === 'number' && !Number.isInteger(cell) ? cell.toFixed(4) : String(cell);
}
