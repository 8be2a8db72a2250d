// Frames and what makes their fields valid: SPEC.md sections 6, 11.2 and 12.
import { CborError, FRAME, decode, encode, encodeHead, isBytes, isInteger } from './cbor.mjs';
import { isCollective, isIdentity, isPattern, isSubject, isToken } from './names.mjs';

export const REASONS = ['NORMAL', 'DRAINING', 'MALFORMED', 'FRAME_TOO_LARGE', 'UNKNOWN_FRAME', 'ILLEGAL_STATE',
  'INVALID_FIELD', 'UNSUPPORTED_VERSION', 'UNSUPPORTED_CRITICAL', 'NOT_PERMITTED', 'LIMIT', 'PAYLOAD_TOO_LARGE',
  'TIMEOUT', 'SLOW_CONSUMER', 'IDENTITY_REFUSED', 'DUPLICATE_IDENTITY', 'BUSY', 'WRONG_NETWORK', 'REVOKED', 'FLOOD',
  'INTERNAL'];
export const reasonNumber = (name) => REASONS.indexOf(name);

export class LinkError extends Error { // ends the link with this reason
  constructor(reason, text = '') { super(text ? `${reason}: ${text}` : reason); this.reason = reason; }
}

const U16 = 65535n;
const U32 = 4294967295n;
const U64 = (1n << 64n) - 1n;
const within = (low, high) => (value) => isInteger(value) && BigInt(value) >= BigInt(low) && BigInt(value) <= BigInt(high);
const list = (low, high, entry) => (value) =>
  Array.isArray(value) && value.length >= low && value.length <= high && value.every(entry)
  && new Set(value).size === value.length;
const orNull = (check) => (value) => value === null || check(value);

const uint16 = within(0, U16);
const uint32 = within(0, U32);
const uint64 = within(0, U64);
const token128 = (value) => isBytes(value) && value.length === 16;
const text256 = (value) => typeof value === 'string' && Buffer.byteLength(value) <= 256 && !/\p{Cc}/u.test(value);
const receiptId = within(1, U64);
const subjectIndex = within(0, 255);
const ascending = (numbers) => numbers.every((number, i) => i === 0 || number > numbers[i - 1]);
const together = (texts) => texts.reduce((sum, text) => sum + text.length, 0) <= 65536;
const patterns = (value) => list(1, 256, isPattern)(value) && together(value);
const subjects = (value) => list(1, 256, isSubject)(value) && together(value);
const headers = (value) => value instanceof Map && value.size <= 64 && encode(value).length <= 8192
  && [...value].every(([key, held]) => uint64(key) && (uint64(held) || isBytes(held) || typeof held === 'string'));
const options = (value) => value instanceof Map && [...value.keys()].every(uint64)
  && (!value.has(1) || receiptId(value.get(1)));
const pair = (value) => Array.isArray(value) && value.length === 2 && subjectIndex(value[0]) && isSubject(value[1]);
const pairs = (value) => Array.isArray(value) && value.length >= 1 && value.length <= 256 && value.every(pair)
  && ascending(value.map(([index]) => index)) && new Set(value.map(([, subject]) => subject)).size === value.length;

const RANGES = [null, [1, 16777216], [1, 16859136], [1, U32], [1, U32], [1, 256]];
const limits = (value) => value instanceof Map && [...value.keys()].every(uint64)
  && [1, 2, 3, 4, 5].every((key) => within(...RANGES[key])(value.get(key))) && value.get(2) >= value.get(1);

const message = [['reply', orNull(isSubject)], ['headers', headers], ['payload', isBytes]];

export const FRAMES = {
  HELLO: [1, [['versions', list(1, 16, uint16)], ['session', token128], ['capabilities', list(0, 32, uint16)],
    ['boot', token128], ['software', text256], ['collectives', list(1, 64, isCollective)]]],
  WELCOME: [2, [['version', uint16], ['session', token128], ['capabilities', list(0, 32, uint16)],
    ['network', isIdentity], ['broker', isIdentity], ['limits', limits], ['time-ms', uint64]]],
  PING: [3, [['token', uint64]]],
  PONG: [4, [['token', uint64]]],
  GOODBYE: [5, [['reason', within(0, 20)], ['text', text256], ['retry-after-ms', uint32],
    ['brokers', list(0, 16, isIdentity)]]],
  ERROR: [6, [['reason', (value) => [8, 9, 10, 11, 16].includes(value)], ['frame', uint64], ['index', orNull(uint16)],
    ['text', text256]]],
  SUBSCRIBE: [7, [['patterns', patterns], ['group', orNull(isToken)]]],
  UNSUBSCRIBE: [8, [['patterns', patterns], ['group', orNull(isToken)]]],
  PUBLISH: [9, [['subjects', subjects], ['options', options], ...message]],
  DELIVER: [10, [['subject', isSubject], ...message]],
  RECEIPT: [11, [['receipt-id', receiptId], ['handed', uint32], ['partial', (value) => typeof value === 'boolean'],
    ['without', (value) => list(0, 256, subjectIndex)(value) && ascending(value)]]],
  ROUTED: [12, [['origin', isIdentity], ['sequence', uint64], ['receipt-id', uint64], ['remaining-ms', uint32],
    ['pairs', pairs], ['groups', list(0, 64, isToken)], ...message]],
};
const BY_TYPE = new Map(Object.entries(FRAMES).map(([name, [type, fields]]) => [type, { name, fields }]));

// Body to { name, fields }. Throws LinkError; judges encoding, type and fields, in this order (CWP-4-7).
export function parse(body) {
  let items;
  try {
    items = decode(body, FRAME);
  } catch (error) {
    if (error instanceof CborError) throw new LinkError('MALFORMED', error.message);
    throw error;
  }
  if (!Array.isArray(items) || !isInteger(items[0])) throw new LinkError('MALFORMED', 'no frame');
  const type = items[0];
  if (type >= 192 && type <= 223) return { name: 'RESERVED', fields: {} };
  const known = BY_TYPE.get(type);
  if (!known) throw new LinkError('UNKNOWN_FRAME', `type ${type}`);
  const fields = {};
  known.fields.forEach(([name, check], i) => {
    if (i + 1 >= items.length || !check(items[i + 1])) throw new LinkError('INVALID_FIELD', `${known.name} ${name}`);
    fields[name] = items[i + 1];
  });
  return { name: known.name, fields };
}

// What of a valid frame a receiver that knows nothing critical has to refuse, beyond state (CWP-6.9-2, 6.10-3).
export function criticalKey({ fields }) {
  const keys = [...(fields.headers?.keys() ?? []), ...(fields.options?.keys() ?? [])];
  return keys.some((key) => key >= 128);
}

export function build(name, ...values) {
  const body = encode([FRAMES[name][0], ...values]);
  parse(body);
  return body;
}

export const framed = (body) => Buffer.concat([encodeHead(2, body.length), body]);

// Cuts a stream into bodies: section 4.
export class Deframer {
  constructor() { this.held = Buffer.alloc(0); }

  get empty() { return this.held.length === 0; }

  push(bytes) { this.held = this.held.length ? Buffer.concat([this.held, bytes]) : Buffer.from(bytes); }

  // The next body, or null when more bytes are needed. `limit` is that of the state in which the head is read.
  next(limit) {
    if (!this.held.length) return null;
    const info = this.held[0] - 0x40;
    if (info === 0x1b) throw new LinkError('FRAME_TOO_LARGE', 'eight bytes of length');
    if (info < 0 || info > 26) throw new LinkError('MALFORMED', 'no byte string');
    const size = info < 24 ? 0 : 1 << (info - 24);
    if (this.held.length < 1 + size) return null;
    const length = size ? this.held.readUIntBE(1, size) : info;
    if (size && length < [24, 256, 65536][info - 24]) throw new LinkError('MALFORMED', 'long head');
    if (length === 0) throw new LinkError('MALFORMED', 'empty body');
    if (length > limit) throw new LinkError('FRAME_TOO_LARGE', `${length} over ${limit}`);
    const end = 1 + size + length;
    if (this.held.length < end) return null;
    const body = this.held.subarray(1 + size, end);
    this.held = this.held.subarray(end);
    return body;
  }
}
