// Identities, tokens, subjects, patterns and inboxes: SPEC.md section 7.
import { createHash } from 'node:crypto';
import { encode } from './cbor.mjs';

const TOKEN = '[a-z0-9._-]{1,255}';
const tokenOnly = new RegExp(`^${TOKEN}$`);
const identityOnly = /^[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?$/;

export const isToken = (text) => typeof text === 'string' && tokenOnly.test(text);
export const isIdentity = (text) => typeof text === 'string' && identityOnly.test(text);
export const isCollective = (text) => isIdentity(text) && text !== 'sys' && text !== 'federation';

export function isSubject(text) {
  if (typeof text !== 'string' || text.length < 1 || text.length > 1024) return false;
  const tokens = text.split('/');
  return tokens.length <= 16 && tokens.every(isToken);
}

export function isPattern(text) {
  if (typeof text !== 'string' || text.length < 1 || text.length > 1024) return false;
  const tokens = text.split('/');
  if (tokens.length > 16) return false;
  const last = tokens.length - 1;
  return tokens.every((token, i) => token === '*' || (i === last && token === '**') || isToken(token));
}

export const matches = (pattern, subject) => includes(pattern, subject);

export function includes(outer, inner) {
  const a = outer.split('/');
  const b = inner.split('/');
  for (let i = 0; i < a.length; i += 1) {
    if (i >= b.length) return false;
    if (a[i] === '**') return true;
    if (b[i] === '**') return false;
    if (a[i] !== '*' && a[i] !== b[i]) return false;
  }
  return a.length === b.length;
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

function base32(bytes) {
  let bits = 0;
  let held = 0;
  let text = '';
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(held >> bits) & 31];
    }
  }
  return bits ? text + ALPHABET[(held << (5 - bits)) & 31] : text;
}

export function inbox({ network, role, name }) {
  const digest = createHash('sha256').update(encode([network, role, name])).digest();
  return base32(digest.subarray(0, 16));
}

export const hexToken = (bytes) => Buffer.from(bytes).toString('hex');

export function sessionPattern(collective, principal, session) {
  return `${collective}/reply/${principal.network}/${inbox(principal)}/${hexToken(session)}/**`;
}

export function replySubject(collective, principal, session, id) {
  return `${collective}/reply/${principal.network}/${inbox(principal)}/${hexToken(session)}/${hexToken(id)}`;
}
