// Requests, replies and presence as data: SPEC.md sections 13.4, 13.5, 13.7 and 13.8.
import { CborError, PRESENCE, REPLY, REQUEST, decode, encode, isBytes, isInteger } from './cbor.mjs';
import { isCollective, isIdentity, isToken } from './names.mjs';

export const REFUSALS = [null, 'DENIED', 'EXPIRED', 'FROM_THE_FUTURE', 'NOT_ADDRESSED', 'NOT_MATCHED', 'BUSY',
  'RESULT_TOO_LARGE', 'INVALID_INPUT', 'UNKNOWN_AGENT', 'UNKNOWN_ACTION', 'TIMED_OUT', 'FAILED', 'UNSUPPORTED'];
const STATUS_OF = [null, 1, 1, 1, 1, 1, 1, 5, 4, 2, 2, 5, 5, 5];

export class MessageError extends Error { // code: INVALID or UNSUPPORTED
  constructor(code, text) { super(`${code}: ${text}`); this.code = code; }
}

const need = (condition, text, code = 'INVALID') => { if (!condition) throw new MessageError(code, text); };
const within = (low, high) => (value) => isInteger(value) && BigInt(value) >= BigInt(low) && BigInt(value) <= BigInt(high);
const ms = within(0, (1n << 64n) - 1n);
const token128 = (value) => isBytes(value) && value.length === 16;
const isText = (value) => typeof value === 'string';
const named = (value) => value instanceof Map && [...value.keys()].every(isText);
const texts = (value) => Array.isArray(value) && value.length <= 256 && value.every(isText);
const OPERATORS = ['==', '!=', '<', '<=', '>', '>=', '=~'];
const facts = (value) => Array.isArray(value) && value.length <= 256
  && value.every((one) => Array.isArray(one) && one.length === 3 && one.every(isText) && OPERATORS.includes(one[1]));
const FILTER = new Map([[1, texts], [2, facts], [3, texts], [4, texts]]);
// What a node could judge. A map that it cannot is no matter of shape: it answers INVALID_INPUT (CWP-13.4-10).
const filter = (value) => [...value].every(([key, conditions]) => FILTER.get(key)?.(conditions));
const targets = (value) => Array.isArray(value) && value.length <= 200 && value.every(isIdentity)
  && new Set(value).size === value.length;

const REQUEST_KEYS = [[2, 'id', token128], [3, 'network', isIdentity], [4, 'collective', isCollective],
  [5, 'kind', within(1, 3)], [6, 'targets', targets], [7, 'agent', isToken], [8, 'action', isToken],
  [9, 'inputs', named], [10, 'filter', (value) => value instanceof Map], [11, 'created-ms', ms], [12, 'ttl-ms', within(1, 300000)],
  [13, 'grade', within(1, 2)], [14, 'want-certificate', (value) => typeof value === 'boolean'],
  [15, 'max-reply-bytes', within(0, 4294967295)]];
const REPLY_KEYS = [[2, 'request-id', token128], [3, 'request-hash', (value) => isBytes(value) && value.length === 32],
  [4, 'network', isIdentity], [5, 'sender', isIdentity], [6, 'statuscode', within(0, 5)], [7, 'statusmsg', isText],
  [8, 'data', named], [10, 'time-ms', ms]];

function strict(bytes, profile) {
  try {
    return decode(bytes, profile);
  } catch (error) {
    if (error instanceof CborError) throw new MessageError('INVALID', error.message);
    throw error;
  }
}

function fields(map, keys, last) {
  need(map instanceof Map, 'no map');
  need([...map.keys()].every(isInteger), 'a key that is no integer');
  need(isInteger(map.get(1)), 'version');
  need(map.get(1) === 1, 'version', 'UNSUPPORTED'); // before the fields: another version may have others
  need([...map.keys()].every((key) => key >= 0 && (key <= last || key < 128)), 'critical key', 'UNSUPPORTED');
  const found = {};
  for (const [key, name, check] of keys) {
    need(map.has(key) && check(map.get(key)), name);
    found[name] = map.get(key);
  }
  return found;
}

export function parseRequest(bytes) {
  const request = fields(strict(bytes, REQUEST), REQUEST_KEYS, 15);
  need((request.kind === 2) === (request.targets.length > 0), 'targets and kind');
  return request;
}

export function parseReply(bytes) {
  const map = strict(bytes, REPLY);
  const reply = fields(map, REPLY_KEYS, 10);
  reply.refusal = null;
  if (map.has(9)) {
    need(within(1, 13)(map.get(9)), 'refusal');
    reply.refusal = map.get(9);
    need(reply.statuscode === STATUS_OF[reply.refusal], 'statuscode of the refusal');
  }
  return reply;
}

const place = (value) => value === '' || isIdentity(value);

export function parsePresenceQuery(bytes) {
  const items = strict(bytes, PRESENCE);
  need(Array.isArray(items) && items.length >= 4 && items[0] === 1, 'no query');
  const [, id, kind, after] = items;
  need(token128(id) && within(1, 2)(kind) && place(after), 'query');
  return { 'request-id': id, kind, after };
}

export function parsePresencePage(bytes) {
  const items = strict(bytes, PRESENCE);
  need(Array.isArray(items) && items.length >= 5 && items[0] === 2, 'no page');
  const [, id, kind, entries, next] = items;
  need(token128(id) && within(1, 2)(kind) && place(next), 'page');
  need(Array.isArray(entries) && entries.length <= 1000, 'entries');
  for (const entry of entries) {
    need(Array.isArray(entry) && entry.length >= 3 && isIdentity(entry[0]) && ms(entry[1])
      && (entry[2] === null || within(0, 20)(entry[2])), 'entry');
  }
  return { 'request-id': id, kind, entries: entries.map((entry) => entry.slice(0, 3)), next };
}

export function buildRequest(request) {
  const map = new Map([[1, 1], ...REQUEST_KEYS.map(([key, name]) => [key, request[name]])]);
  need(filter(request.filter), 'filter');
  const bytes = encode(map);
  parseRequest(bytes);
  return bytes;
}
