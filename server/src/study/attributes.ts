import { type DataSet, unreadable } from './part10.ts';

const decimalForm = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/**
 * Strict reading of required attributes of a data set or a sequence item: what is missing or ill-formed is refused with
 * AppError `instance-unreadable`, never replaced.
 */
export class Attributes {
  readonly dataSet: DataSet;
  /** Names the object in messages. */
  readonly name: string;

  constructor(dataSet: DataSet, name: string) {
    this.dataSet = dataSet;
    this.name = name;
  }

  has(tag: string): boolean {
    return (this.dataSet.elements[tag]?.length ?? 0) > 0;
  }

  /** The value as it stands, Latin-1, without padding; undefined when the attribute is absent. */
  text(tag: string): string | undefined {
    const element = this.dataSet.elements[tag];
    if (element === undefined) return undefined;
    const bytes = this.dataSet.byteArray.subarray(element.dataOffset, element.dataOffset + element.length);
    return new TextDecoder('latin1').decode(bytes).replaceAll('\0', '').trim();
  }

  /** A value that must not be empty. */
  uid(tag: string, keyword: string): string {
    const uid = this.text(tag);
    if (!uid) throw unreadable(this.name, `has no ${keyword}`);
    return uid;
  }

  /** An US value of at least `least`. */
  unsigned(tag: string, keyword: string, least: number): number {
    const value = this.dataSet.uint16(tag);
    if (value === undefined) throw unreadable(this.name, `has no ${keyword}`);
    if (value < least) throw unreadable(this.name, `has ${keyword} ${value}`);
    return value;
  }

  /** Decimal Strings. A decimal comma would be read as a much smaller number by `parseFloat`, so the form is checked. */
  decimals(tag: string, keyword: string, count: number): readonly number[] {
    const text = this.text(tag);
    if (!text) throw unreadable(this.name, `has no ${keyword}`);
    const parts = text.split('\\').map((part) => part.trim());
    const values = parts.map(Number);
    if (parts.length !== count || !parts.every((part) => decimalForm.test(part)) || !values.every(Number.isFinite)) {
      throw unreadable(this.name, `has ${keyword} "${text.slice(0, 64)}", not ${count} decimal numbers`);
    }
    return values;
  }
}
