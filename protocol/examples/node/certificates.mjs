// X.509 as far as SPEC.md sections 2.2, 3 and 13.2 need it: node:crypto verifies, this reads what it hides.
import { X509Certificate, createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isIdentity } from './names.mjs';

export class CertificateError extends Error {}

const ROLES = { brokers: ['broker'], nodes: ['node'], clients: ['client', 'service', 'relay'] };
const ISSUER_OF = { broker: 'brokers', node: 'nodes', client: 'clients', service: 'clients', relay: 'clients' };
const EXT = { keyUsage: '2.5.29.15', san: '2.5.29.17', basic: '2.5.29.19', extended: '2.5.29.37' };
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const SIGNATURES = ['1.2.840.10045.4.3.2', '1.2.840.10045.4.3.3', '1.2.840.10045.4.3.4', // ECDSA with SHA-2
  '1.2.840.113549.1.1.11', '1.2.840.113549.1.1.12', '1.2.840.113549.1.1.13']; // RSA with SHA-2

const need = (condition, text) => { if (!condition) throw new CertificateError(text); };

// --- DER

function der(bytes, at = 0) {
  need(at + 2 <= bytes.length, 'DER ends');
  const tag = bytes[at];
  let length = bytes[at + 1];
  let start = at + 2;
  if (length & 0x80) {
    const size = length & 0x7f;
    need(size >= 1 && size <= 3 && start + size <= bytes.length, 'DER length');
    length = bytes.readUIntBE(start, size);
    start += size;
  }
  need(start + length <= bytes.length, 'DER ends');
  return { tag, body: bytes.subarray(start, start + length), end: start + length };
}

function children({ body }) {
  const found = [];
  for (let at = 0; at < body.length; at = found.at(-1).end) found.push(der(body, at));
  return found;
}

function oid({ body }) {
  const parts = [];
  let value = 0n;
  for (const byte of body) {
    value = (value << 7n) | BigInt(byte & 0x7f);
    if (byte & 0x80) continue;
    if (parts.length) parts.push(value);
    else {
      const first = value < 40n ? 0n : value < 80n ? 1n : 2n;
      parts.push(first, value - first * 40n);
    }
    value = 0n;
  }
  return parts.join('.');
}

function time({ tag, body }) {
  let text = body.toString('latin1');
  if (tag === 0x17) text = (Number(text.slice(0, 2)) < 50 ? '20' : '19') + text;
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  need(match, 'time');
  const [year, month, ...rest] = match.slice(1).map(Number);
  return Date.UTC(year, month - 1, ...rest);
}

// --- a certificate

export class Certificate {
  constructor(raw) {
    need(raw.length <= 16384, 'certificate over 16384 bytes');
    this.raw = Buffer.from(raw);
    this.hash = createHash('sha256').update(this.raw).digest();
    try {
      this.x509 = new X509Certificate(this.raw);
      this.key = this.x509.publicKey;
    } catch (error) { throw new CertificateError(`no certificate: ${error.message}`); }
    this.read();
  }

  static fromPem(pem) { return new Certificate(new X509Certificate(pem).raw); }

  read() {
    const [tbs, algorithm] = children(der(this.raw));
    this.signatureAlgorithm = oid(children(algorithm)[0]);
    const fields = children(tbs).filter(({ tag }) => tag !== 0xa0); // the version
    const [notBefore, notAfter] = children(fields[3]);
    this.notBefore = time(notBefore);
    this.notAfter = time(notAfter);
    this.extensions = new Map();
    const held = fields.find(({ tag }) => tag === 0xa3);
    for (const extension of held ? children(children(held)[0]) : []) {
      const parts = children(extension);
      const critical = parts.length === 3 && parts[1].body[0] !== 0;
      const id = oid(parts[0]);
      need(!this.extensions.has(id), 'an extension twice');
      this.extensions.set(id, { critical, value: der(parts.at(-1).body) });
    }
  }

  get uris() { // of the alternative names, as they stand
    const san = this.extensions.get(EXT.san);
    return san ? children(san.value).filter(({ tag }) => tag === 0x86).map(({ body }) => body.toString('latin1')) : [];
  }

  get isCA() {
    const basic = this.extensions.get(EXT.basic);
    const first = basic && children(basic.value)[0];
    return Boolean(first && first.tag === 0x01 && first.body[0]);
  }

  get pathLength() {
    const held = this.isCA && children(this.extensions.get(EXT.basic).value)[1];
    return held ? Number(`0x${held.body.toString('hex')}`) : null;
  }

  uses(bit) {
    const usage = this.extensions.get(EXT.keyUsage);
    return Boolean(usage && usage.value.body[1 + (bit >> 3)] & (0x80 >> (bit & 7)));
  }

  get purposes() {
    const extended = this.extensions.get(EXT.extended);
    return extended ? children(extended.value).map(oid) : [];
  }

  principal(network) {
    const uris = this.uris.filter((uri) => uri.startsWith('choria://'));
    need(uris.length === 1, `${uris.length} choria URIs`);
    const [role, name, more] = uris[0].slice('choria://'.length).split('/');
    need(Object.hasOwn(ISSUER_OF, role), `role ${role}`);
    need(more === undefined && isIdentity(name), `name ${name}`);
    return { network, role, name };
  }

  checkKey() {
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = this.key;
    need((type === 'ec' && details.namedCurve === 'prime256v1')
      || (type === 'rsa' && details.modulusLength >= 2048 && details.modulusLength <= 4096), 'key');
  }

  checkTime(now) { need(now >= this.notBefore && now <= this.notAfter, 'outside of its validity'); }
}

// --- trust: one network, three issuers that are never mixed

export class Trust {
  constructor({ root, brokers, nodes, clients, network }) {
    this.root = root;
    this.issuers = { brokers, nodes, clients };
    this.network = network ?? /^CN=(.*)$/m.exec(root.x509.subject)[1];
    need(isIdentity(this.network), `network ${this.network}`);
  }

  static load(folder) {
    const read = (name) => Certificate.fromPem(readFileSync(join(folder, `${name}.pem`)));
    return new Trust({ root: read('root'), brokers: read('brokers'), nodes: read('nodes'), clients: read('clients') });
  }

  // The principal that a leaf proves, if its role is among `roles`; throws CertificateError.
  verify(leaf, roles, now) {
    const principal = leaf.principal(this.network);
    need(roles.includes(principal.role), `a ${principal.role} where only ${roles.join(' or ')} may sign`);
    const store = ISSUER_OF[principal.role];
    need(ROLES[store].includes(principal.role), 'role of another issuer');
    this.checkIssuer(this.issuers[store], now);
    need(SIGNATURES.includes(leaf.signatureAlgorithm), `signature algorithm ${leaf.signatureAlgorithm}`);
    need(leaf.x509.verify(this.issuers[store].key), `not signed by the issuer of ${store}`);
    leaf.checkTime(now);
    leaf.checkKey();
    need(leaf.extensions.has(EXT.basic) && !leaf.isCA, 'a CA, or no basic constraints');
    need(leaf.uses(0) && !leaf.uses(5) && !leaf.uses(6), 'key usage');
    need(leaf.purposes.includes(principal.role === 'broker' ? SERVER_AUTH : CLIENT_AUTH), 'purpose');
    for (const [id, { critical }] of leaf.extensions) {
      need(!critical || Object.values(EXT).includes(id), `critical extension ${id}`);
    }
    return principal;
  }

  checkIssuer(issuer, now) {
    need(issuer.isCA && issuer.pathLength === 0 && issuer.uses(5), 'issuer is no CA that signs end entities only');
    need(issuer.x509.verify(this.root.key), 'issuer is not of this network');
    issuer.checkTime(now);
  }
}
