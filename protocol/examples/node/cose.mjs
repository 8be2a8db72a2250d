// COSE_Sign1 as requests and replies use it: SPEC.md section 13.3.
import { constants, createHash, sign as cryptoSign, verify as cryptoVerify } from 'node:crypto';
import { CborError, ENVELOPE, FRAME, Tag, decode, encode, isBytes } from './cbor.mjs';
import { Certificate, CertificateError } from './certificates.mjs';

const ALG = 1;
const CRIT = 2;
const CONTENT_TYPE = 3;
const X5CHAIN = 33;
const X5T = 34;
const SHA256 = -16;
const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
const ALGORITHMS = {
  [-7]: { type: 'ec', options: { dsaEncoding: 'ieee-p1363' } },
  [-37]: { type: 'rsa', options: PSS },
  [-257]: { type: 'rsa', options: { padding: constants.RSA_PKCS1_PADDING } },
};

export class EnvelopeError extends Error { // code: cose, certificate or signature, as in the vectors
  constructor(code, text) { super(`${code}: ${text}`); this.code = code; }
}

const need = (condition, text) => { if (!condition) throw new EnvelopeError('cose', text); };
const isThumbprint = (value) => Array.isArray(value) && value.length === 2 && value[0] === SHA256
  && isBytes(value[1]) && value[1].length === 32;

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest();

function toBeSigned(purpose, protectedHeader, payload) {
  return encode(['Signature1', protectedHeader, Buffer.from(`cwp/1 ${purpose}`), payload]);
}

// purpose: 'request' or 'reply'
export function sign(payload, { key, certificate, purpose, withCertificate = true }) {
  const algorithm = key.asymmetricKeyType === 'ec' ? -7 : -37;
  const header = encode(new Map([[ALG, algorithm], [X5T, [SHA256, certificate.hash]]]));
  const unprotected = new Map(withCertificate ? [[X5CHAIN, certificate.raw]] : []);
  const signature = cryptoSign('sha256', toBeSigned(purpose, header, payload),
    { key, ...ALGORITHMS[algorithm].options });
  return encode(new Tag(18, [header, unprotected, payload, signature]));
}

function strict(bytes, profile) {
  try {
    return decode(bytes, profile);
  } catch (error) {
    if (error instanceof CborError) throw new EnvelopeError('cose', error.message);
    throw error;
  }
}

// The shape alone: step 1 of CWP-13.6-1.
export function open(bytes) {
  const tagged = strict(bytes, ENVELOPE);
  need(tagged instanceof Tag && tagged.number === 18, 'tag 18');
  need(Array.isArray(tagged.item) && tagged.item.length === 4, 'four items');
  const [protectedHeader, unprotected, payload, signature] = tagged.item;
  need(isBytes(protectedHeader) && isBytes(payload) && isBytes(signature), 'byte strings');
  need(signature.length <= 512, 'signature');
  const header = strict(protectedHeader, FRAME);
  need(header instanceof Map && unprotected instanceof Map, 'headers');
  need([...header.keys()].every((label) => !isBytes(label)), 'label');
  need(Object.hasOwn(ALGORITHMS, header.get(ALG)) && typeof header.get(ALG) === 'number', 'alg');
  need(isThumbprint(header.get(X5T)), 'x5t');
  need(!header.has(CRIT), 'crit'); // none is defined: every label in it is unknown
  need(!header.has(CONTENT_TYPE) || typeof header.get(CONTENT_TYPE) === 'string', 'content type');
  need([...unprotected.keys()].every((label) => label === X5CHAIN), 'unprotected label');
  need(!header.has(X5CHAIN) || !unprotected.has(X5CHAIN), 'a label in both headers');
  const chain = unprotected.get(X5CHAIN);
  const thumbprint = header.get(X5T)[1];
  if (chain !== undefined) {
    need(isBytes(chain) && chain.length >= 1 && chain.length <= 16384, 'x5chain');
    need(sha256(chain).equals(thumbprint), 'x5chain is not what x5t names');
  }
  return { protectedHeader, payload, signature, algorithm: header.get(ALG), thumbprint, chain };
}

// { payload, principal, certificate }. `known` finds a proved certificate by its hash, for envelopes without x5chain.
export function verify(bytes, { purpose, roles, trust, now, known = () => undefined }) {
  const opened = open(bytes);
  let certificate;
  let principal;
  try {
    certificate = opened.chain ? new Certificate(opened.chain) : known(opened.thumbprint);
    if (!certificate) throw new CertificateError('unknown certificate');
    principal = trust.verify(certificate, roles, now);
  } catch (error) {
    if (error instanceof CertificateError) throw new EnvelopeError('certificate', error.message);
    throw error;
  }
  if (!verifySignature(opened, certificate.key, purpose)) throw new EnvelopeError('signature', 'does not verify');
  return { payload: opened.payload, principal, certificate };
}

function verifySignature({ algorithm, protectedHeader, payload, signature }, key, purpose) {
  const { type, options } = ALGORITHMS[algorithm];
  if (key.asymmetricKeyType !== type || (type === 'ec' && signature.length !== 64)) return false;
  try {
    return cryptoVerify('sha256', toBeSigned(purpose, protectedHeader, payload), { key, ...options }, signature);
  } catch { return false; }
}
