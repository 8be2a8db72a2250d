// Trust objects on their way, and their shape: SPEC.md sections 20.1 and 20.2. Nothing is proved here.
import { CborError, FRAME, decode, isBytes, isInteger } from './cbor.mjs';
import { isIdentity } from './names.mjs';

const MOST = 16777216; // bytes of an object
const OBJECT = { ...FRAME, string: MOST };

export class TrustError extends Error {}

const need = (condition, text) => { if (!condition) throw new TrustError(text); };
const within = (value, low, high) => isInteger(value) && BigInt(value) >= BigInt(low) && BigInt(value) <= BigInt(high);
const sized = (value, low, high) => isBytes(value) && value.length >= low && value.length <= high;

function strict(bytes, profile = FRAME) {
  try {
    return decode(bytes, profile);
  } catch (error) {
    if (error instanceof CborError) throw new TrustError(error.message);
    throw error;
  }
}

function items(bytes, kind, least) {
  const found = strict(bytes);
  need(Array.isArray(found) && found.length >= least && found[0] === kind, `no message of kind ${kind}`);
  return found;
}

export const isMark = (value) => Array.isArray(value) && value.length === 4
  && within(value[0], 0, (1n << 64n) - 1n) && within(value[1], 0, (1n << 64n) - 1n)
  && sized(value[2], 32, 32) && within(value[3], 1, MOST);

export function parseQuery(bytes) {
  const [, id, digest, offset] = items(bytes, 1, 4);
  need(sized(id, 16, 16) && sized(digest, 32, 32) && within(offset, 0, MOST), 'query');
  return { id, digest, offset };
}

export function parsePage(bytes) {
  const [, id, digest, size, offset, data] = items(bytes, 2, 6);
  need(sized(id, 16, 16) && sized(digest, 32, 32) && within(size, 0, MOST) && within(offset, 0, MOST), 'page');
  need(sized(data, 0, 196608) && offset + data.length <= size, 'more than there is'); // CWP-20.2-6: a part of the object
  return { id, digest, size, offset, data };
}

export function parseNews(bytes) {
  const [, mark, within_] = items(bytes, 3, 3);
  need(isMark(mark) && within(within_, 0, 600000), 'news');
  return { mark, 'within-ms': within_ };
}

export function parseObject(bytes) {
  const map = strict(bytes, OBJECT);
  need(map instanceof Map && [...map.keys()].every(isInteger) && map.get(1) === 1, 'no object of version 1');
  need([...map.keys()].every((key) => key >= 0 && key < 128), 'critical key');
  const [bundles, lists] = [map.has(3) ? map.get(3) : [], map.get(4)];
  need(isIdentity(map.get(2)), 'network');
  need(Array.isArray(bundles) && bundles.length <= 8 && bundles.every((one) => sized(one, 1, 65536)), 'bundles');
  need(Array.isArray(lists) && lists.length <= 48 && lists.every((one) => sized(one, 1, MOST)), 'lists');
  return { network: map.get(2), bundles, lists };
}
