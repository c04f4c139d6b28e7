import type { Code } from '../labelmap/labelmap.ts';
import { codeItem } from '../seg/codes.ts';
import { decimalString } from '../seg/part10.ts';
import type { Vec3 } from '../volume/geometry.ts';

/** How an item relates to the one it stands in (PS3.3 C.17.3.2.4). */
export type Relationship = 'CONTAINS' | 'HAS OBS CONTEXT' | 'HAS CONCEPT MOD' | 'HAS ACQ CONTEXT';

/** A content item as a data set of keywords (PS3.3 C.17.3). */
export type ContentItem = Readonly<Record<string, unknown>>;

/** An image or a segment of one that an item points at (PS3.3 C.18.4). */
export interface ImageReference {
  readonly ReferencedSOPClassUID: string;
  readonly ReferencedSOPInstanceUID: string;
  readonly ReferencedSegmentNumber?: number;
}

function item(relationship: Relationship, valueType: string, name: Code | undefined, value: ContentItem): ContentItem {
  return {
    RelationshipType: relationship,
    ValueType: valueType,
    ...(name ? { ConceptNameCodeSequence: [codeItem(name)] } : {}),
    ...value,
  };
}

export function text(relationship: Relationship, name: Code, value: string): ContentItem {
  return item(relationship, 'TEXT', name, { TextValue: value });
}

/** `modifiers` qualify the value, e.g. the side of a site. */
export function code(
  relationship: Relationship,
  name: Code,
  value: Code,
  modifiers: readonly ContentItem[] = [],
): ContentItem {
  const content = modifiers.length > 0 ? { ContentSequence: modifiers } : {};
  return item(relationship, 'CODE', name, { ConceptCodeSequence: [codeItem(value)], ...content });
}

export function uidRef(relationship: Relationship, name: Code, uid: string): ContentItem {
  return item(relationship, 'UIDREF', name, { UID: uid });
}

/** `value` in PN form, `Family^Given`. */
export function personName(relationship: Relationship, name: Code, value: string): ContentItem {
  return item(relationship, 'PNAME', name, { PersonName: [{ Alphabetic: value }] });
}

/** A measured number with its unit (PS3.3 C.18.1). */
export function measured(name: Code, value: number, unit: Code): ContentItem {
  return item('CONTAINS', 'NUM', name, {
    MeasuredValueSequence: [{ NumericValue: decimalString(value), MeasurementUnitsCodeSequence: [codeItem(unit)] }],
  });
}

/** An entry of an image library has no name, every other reference one. */
export function image(reference: ImageReference, name?: Code): ContentItem {
  return item('CONTAINS', 'IMAGE', name, { ReferencedSOPSequence: [reference] });
}

/** A point in the patient, LPS mm (PS3.3 C.18.9). */
export function point(name: Code, position: Vec3, frameOfReferenceUid: string): ContentItem {
  return item('CONTAINS', 'SCOORD3D', name, {
    GraphicType: 'POINT',
    GraphicData: [...position],
    ReferencedFrameOfReferenceUID: frameOfReferenceUid,
  });
}

/** A container; `template` is its TID where a template begins with it. */
export function container(name: Code, content: readonly ContentItem[], template?: string): ContentItem {
  return item('CONTAINS', 'CONTAINER', name, { ...containerOf(content, template) });
}

/** What every container holds, the document's own one included (PS3.3 C.18.8). */
export function containerOf(content: readonly ContentItem[], template?: string): ContentItem {
  return {
    ContinuityOfContent: 'SEPARATE',
    ...(template ? { ContentTemplateSequence: [{ MappingResource: 'DCMR', TemplateIdentifier: template }] } : {}),
    ContentSequence: content,
  };
}
