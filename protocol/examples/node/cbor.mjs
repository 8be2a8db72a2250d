// CBOR in the profile of SPEC.md section 5: deterministic encoding, bounds, strict types.
//
// integer  number if it is safe, else bigint      float  Float       byte string  Buffer
// text     string                                 map    Map         tag          Tag
//
// 1.0 is not 1 in this protocol, and JavaScript cannot tell them apart: hence class Float.

export class Float {
  constructor(value) { this.value = value; }
}

export class Tag {
  constructor(number, item) { this.number = number; this.item = item; }
}

export class Raw { // bytes that are an encoding already
  constructor(bytes) { this.bytes = bytes; }
}

export class CborError extends Error {
  constructor(code, offset) { super(`${code} at byte ${offset}`); this.code = code; }
}

export const FRAME = { items: 4096, string: 16859136, floats: false, tags: [] };
export const ENVELOPE = { ...FRAME, tags: [18] };
export const REQUEST = { ...FRAME, floats: true };
export const PRESENCE = { ...FRAME, items: 8192, floats: true };
export const REPLY = { ...FRAME, items: 65536, floats: true };

const MAX_DEPTH = 16;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export const isBytes = (value) => value instanceof Uint8Array;
export const isInteger = (value) => typeof value === 'bigint' || Number.isSafeInteger(value);

function narrow(big) {
  return big >= BigInt(Number.MIN_SAFE_INTEGER) && big <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(big) : big;
}

// Decodes exactly one item.
export function decode(bytes, profile = FRAME) {
  const reader = new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), profile);
  const item = reader.item(0);
  if (reader.at !== reader.data.length) reader.fail('trailing');
  return item;
}

class Reader {
  constructor(data, profile) {
    this.data = data;
    this.profile = profile;
    this.at = 0;
    this.announced = 1;
  }

  fail(code) { throw new CborError(code, this.at); }

  // One head: major type, additional information and the number that follows it.
  head() {
    if (this.at >= this.data.length) this.fail('truncated');
    const first = this.data[this.at];
    const major = first >> 5;
    const info = first & 31;
    if (info >= 28) this.fail('indefinite');
    if (major === 7) return this.simple(info);
    const size = info < 24 ? 0 : 1 << (info - 24);
    if (this.at + 1 + size > this.data.length) this.fail('truncated');
    const value = info < 24 ? BigInt(info) : this.number(size);
    if (size && value < [24n, 256n, 65536n, 4294967296n][info - 24]) this.fail('non-minimal');
    this.at += 1 + size;
    return { major, value };
  }

  number(size) {
    return BigInt(`0x${this.data.subarray(this.at + 1, this.at + 1 + size).toString('hex')}`);
  }

  simple(info) {
    if (info >= 25 && info <= 27 && !this.profile.floats) this.fail('float');
    if (info < 25) {
      if (info < 20 || info > 22) this.fail('simple');
      this.at += 1;
      return { major: 7, item: [false, true, null][info - 20] };
    }
    const size = 1 << (info - 24);
    if (this.at + 1 + size > this.data.length) this.fail('truncated');
    const view = new DataView(this.data.buffer, this.data.byteOffset + this.at + 1, size);
    const value = size === 2 ? halfToNumber(view.getUint16(0)) : size === 4 ? view.getFloat32(0) : view.getFloat64(0);
    if (!Number.isFinite(value)) this.fail('nan');
    if (encodeFloat(value).length !== 1 + size) this.fail('non-minimal');
    this.at += 1 + size;
    return { major: 7, item: new Float(value) };
  }

  item(depth) {
    const start = this.at;
    const head = this.head();
    if (head.major === 7) return head.item;
    if (head.major === 0) return narrow(head.value);
    if (head.major === 1) {
      if (head.value >= 1n << 63n) { this.at = start; this.fail('integer-range'); }
      return narrow(-1n - head.value);
    }
    if (head.major <= 3) return this.string(head);
    if (depth === MAX_DEPTH) this.fail('too-deep');
    if (head.major === 6) {
      if (!this.profile.tags.includes(Number(head.value)) || depth !== 0) this.fail('tag');
      this.announce(1n);
      return new Tag(Number(head.value), this.item(depth + 1));
    }
    return head.major === 4 ? this.array(head.value, depth + 1) : this.map(head.value, depth + 1);
  }

  string({ major, value }) {
    if (value > BigInt(this.profile.string)) this.fail('string-too-long');
    const end = this.at + Number(value);
    if (end > this.data.length) this.fail('truncated');
    const bytes = this.data.subarray(this.at, end);
    if (major === 2) {
      this.at = end;
      return bytes;
    }
    try {
      const text = utf8.decode(bytes);
      this.at = end;
      return text;
    } catch { return this.fail('utf8'); }
  }

  announce(count) {
    if (BigInt(this.announced) + count > BigInt(this.profile.items)) this.fail('too-many-items');
    this.announced += Number(count);
  }

  array(count, depth) {
    this.announce(count);
    const items = [];
    for (let i = 0n; i < count; i += 1n) items.push(this.item(depth));
    return items;
  }

  map(count, depth) {
    this.announce(count * 2n);
    const map = new Map();
    let before = null;
    for (let i = 0n; i < count; i += 1n) {
      const start = this.at;
      if (start < this.data.length && this.data[start] >> 5 > 3) this.fail('map-key-type');
      const key = this.item(depth);
      const encoded = this.data.subarray(start, this.at);
      if (before !== null) {
        const order = Buffer.compare(before, encoded);
        if (order === 0) this.fail('duplicate-key');
        if (order > 0) this.fail('key-order');
      }
      before = encoded;
      map.set(key, this.item(depth));
    }
    return map;
  }
}

function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
}

function numberToHalf(value) { // null when it does not fit exactly
  const sign = Object.is(value, -0) || value < 0 ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size === 0) return sign;
  for (let exponent = 1; exponent < 31; exponent += 1) {
    const scaled = size * 2 ** (25 - exponent);
    if (scaled < 2048) {
      if (!Number.isInteger(scaled)) return null;
      return scaled < 1024 ? sign | scaled : sign | (exponent << 10) | (scaled - 1024);
    }
  }
  return null;
}

function encodeFloat(value) {
  if (!Number.isFinite(value)) throw new CborError('nan', 0);
  const half = numberToHalf(value);
  if (half !== null) return Buffer.from([0xf9, half >> 8, half & 255]);
  const out = Buffer.alloc(Object.is(Math.fround(value), value) ? 5 : 9);
  out[0] = out.length === 5 ? 0xfa : 0xfb;
  if (out.length === 5) out.writeFloatBE(value, 1);
  else out.writeDoubleBE(value, 1);
  return out;
}

export function encodeHead(major, length) {
  const value = BigInt(length);
  const first = major << 5;
  if (value < 24n) return Buffer.from([first | Number(value)]);
  const size = value < 256n ? 1 : value < 65536n ? 2 : value < 4294967296n ? 4 : 8;
  if (value >> 64n) throw new CborError('integer-range', 0);
  const hex = value.toString(16).padStart(size * 2, '0');
  return Buffer.concat([Buffer.from([first | (24 + Math.log2(size))]), Buffer.from(hex, 'hex')]);
}

export function encode(item, depth = 0) {
  if (item instanceof Raw) return Buffer.from(item.bytes);
  if (item === null) return Buffer.from([0xf6]);
  if (typeof item === 'boolean') return Buffer.from([item ? 0xf5 : 0xf4]);
  if (isInteger(item)) return encodeInteger(BigInt(item));
  if (item instanceof Float) return encodeFloat(item.value);
  if (typeof item === 'string') {
    if (!item.isWellFormed()) throw new CborError('utf8', 0);
    const text = Buffer.from(item, 'utf8');
    return Buffer.concat([encodeHead(3, text.length), text]);
  }
  if (isBytes(item)) return Buffer.concat([encodeHead(2, item.length), item]);
  if (depth === MAX_DEPTH) throw new CborError('too-deep', 0);
  if (Array.isArray(item)) return Buffer.concat([encodeHead(4, item.length), ...item.map((one) => encode(one, depth + 1))]);
  if (item instanceof Map) return encodeMap(item, depth + 1);
  if (item instanceof Tag) return Buffer.concat([encodeHead(6, item.number), encode(item.item, depth + 1)]);
  throw new TypeError(`no CBOR for ${typeof item} ${item}`);
}

function encodeInteger(value) {
  if (value >= 0n) return encodeHead(0, value);
  if (value < -(1n << 63n)) throw new CborError('integer-range', 0);
  return encodeHead(1, -1n - value);
}

function encodeMap(map, depth) {
  const pairs = [...map].map(([key, value]) => {
    if (!isInteger(key) && typeof key !== 'string' && !isBytes(key)) throw new CborError('map-key-type', 0);
    return [encode(key, depth), encode(value, depth)];
  });
  pairs.sort((a, b) => Buffer.compare(a[0], b[0]));
  if (pairs.some((pair, i) => i && pair[0].equals(pairs[i - 1][0]))) throw new CborError('duplicate-key', 0);
  return Buffer.concat([encodeHead(5, map.size), ...pairs.flat()]);
}
