// Every row of protocol/vectors against this implementation: what is accepted, what it means, why the rest is refused.
// The last line is "N passed, M failed"; the exit code is 1 when a row disagrees.
import { createPublicKey } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { CborError, FRAME, Float, REPLY, decode, encode, isBytes } from './cbor.mjs';
import { Certificate, Trust } from './certificates.mjs';
import { EnvelopeError, open, sha256, verify } from './cose.mjs';
import { parseDiagnostic } from './diagnostic.mjs';
import { Deframer, FRAMES, LinkError, build, criticalKey, parse } from './frames.mjs';
import { Link, checkHello } from './link.mjs';
import * as messages from './messages.mjs';
import * as names from './names.mjs';
import * as trust from './trust.mjs';

const read = (name) => JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), 'utf8'));
const hex = (text) => Buffer.from(text, 'hex');

// --- meanings, in the notation of the vectors

function plain(value) {
  if (isBytes(value)) return { hex: Buffer.from(value).toString('hex') };
  if (typeof value === 'bigint') return { int: String(value) };
  if (value instanceof Float) return value.value;
  if (value instanceof Map) return [...value].map((pair) => pair.map(plain));
  if (Array.isArray(value)) return value.map(plain);
  return value;
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

function same(what, expected, got) {
  const [left, right] = [expected, got].map((value) => JSON.stringify(sorted(value)));
  if (left !== right) throw new Error(`${what}: expected ${left.slice(0, 300)}, got ${right.slice(0, 300)}`);
}

function sameDiagnostic({ diagnostic, hex: bytes }) {
  if (!diagnostic || diagnostic.endsWith('... (shortened)')) return;
  same('diagnostic notation', bytes, encode(parseDiagnostic(diagnostic)).toString('hex'));
}

// Runs `judge`; when it throws one of `kinds`, the code, else what it returns under `valid`.
function verdict(judge, code, ...kinds) {
  try {
    return { valid: true, value: judge() };
  } catch (error) {
    if (!kinds.some((kind) => error instanceof kind)) throw error;
    return { valid: false, error: error[code] };
  }
}

function sameVerdict(row, got) {
  same('verdict', row.valid ? 'valid' : row.error, got.valid ? 'valid' : got.error);
}

// --- one check a file

function cbor(row) {
  const got = verdict(() => decode(hex(row.hex), { ...FRAME, floats: row.floats }), 'code', CborError);
  sameVerdict(row, got);
  sameDiagnostic(row);
  if (row.valid) same('encoding again', row.hex, encode(got.value).toString('hex'));
}

function frames(row) {
  let effect = 'ends';
  const got = verdict(() => {
    const frame = parse(hex(row.hex));
    if (frame.name === 'HELLO') checkHello(frame.fields);
    if (frame.name === 'WELCOME' && frame.fields.version !== 1) throw new LinkError('UNSUPPORTED_VERSION');
    if (criticalKey(frame)) { effect = 'frame'; throw new LinkError('UNSUPPORTED_CRITICAL'); }
    return frame;
  }, 'reason', LinkError);
  sameVerdict(row, got);
  sameDiagnostic(row);
  if (!row.valid) return same('effect', row.effect, effect);
  same('meaning', row.meaning, meaningOfFrame(got.value));
  if (got.value.name !== 'RESERVED') buildAgain(got.value, row);
}

function buildAgain({ name, fields }, row) {
  const again = build(name, ...FRAMES[name][1].map(([field]) => fields[field])).toString('hex');
  // Items after the known ones are not ours to write, so only the rest is compared.
  if (!row.name.includes('later field')) same('encoding again', row.hex, again);
}

function meaningOfFrame({ name, fields }) {
  const meaning = { ...fields };
  if (name === 'PUBLISH') {
    meaning['receipt-id'] = fields.options.get(1) ?? 0;
    delete meaning.options;
  }
  if (name === 'WELCOME') meaning.limits = new Map([...fields.limits].filter(([key]) => key <= 5));
  const shown = Object.fromEntries(Object.entries(meaning).map(([key, value]) => [key, plain(value)]));
  return { frame: name, ...shown }; // ERROR's own field `frame` wins, as in the vectors
}

function framing(row) {
  for (const size of [1, 2, 3, 1000, Infinity]) {
    const got = verdict(() => {
      const deframer = new Deframer();
      const bodies = [];
      const bytes = hex(row.hex);
      for (let at = 0; at < bytes.length; at += size) {
        deframer.push(bytes.subarray(at, at + size));
        for (let body; (body = deframer.next(1130496)) !== null;) {
          parse(body); // "GET / HTTP/1.1" starts with the head of a byte string of 7: only its body is wrong
          bodies.push(body.toString('hex'));
        }
      }
      return bodies;
    }, 'reason', LinkError);
    sameVerdict(row, got);
    if (row.valid) same(`bodies in pieces of ${size}`, row.bodies, got.value);
  }
}

function inboxes(row) {
  const principal = { network: row.network, role: row.role, name: row.principal };
  same('token', row.token, names.inbox(principal));
  same('encoding', row.hex, encode([row.network, row.role, row.principal]).toString('hex'));
  sameDiagnostic(row);
}

function matches(row) {
  if (row.relation === 'matches') return same('match', row.holds, names.matches(row.pattern, row.subject));
  return same('inclusion', row.holds, names.includes(row.outer, row.inner));
}

const KINDS = { identity: names.isIdentity, token: names.isToken, collective: names.isCollective,
  subject: names.isSubject, pattern: names.isPattern };

function name(row) {
  same('text', row.hex, Buffer.from(row.text).toString('hex'));
  same('verdict', row.valid, KINDS[row.kind](row.text));
}

const PARSERS = { request: messages.parseRequest, reply: messages.parseReply,
  'presence-query': messages.parsePresenceQuery, 'presence-page': messages.parsePresencePage };

function message(row) {
  const bytes = hex(row.hex);
  const got = verdict(() => PARSERS[row.kind](bytes), 'code', messages.MessageError);
  sameVerdict(row, got);
  sameDiagnostic(row);
  if (!row.valid) return;
  same('meaning', row.meaning, Object.fromEntries(Object.entries(got.value).map(([key, value]) => [key, plain(value)])));
  same('encoding again', row.hex, encode(decode(bytes, REPLY)).toString('hex'));
}

const TRUST_PARSERS = { 'trust-query': trust.parseQuery, 'trust-page': trust.parsePage,
  'trust-news': trust.parseNews, 'trust-object': trust.parseObject };

function trusted(row) {
  const got = verdict(() => TRUST_PARSERS[row.kind](hex(row.hex)), 'message', trust.TrustError);
  same('verdict', row.valid, got.valid);
  sameDiagnostic(row);
}

const KEYS = read('keys');
const certificate = ({ certificate: held }) => new Certificate(hex(held));
const TRUST = Object.fromEntries(Object.entries(KEYS.networks).map(([network, held]) => [network, new Trust({
  network, root: certificate(held.root), brokers: certificate(held.brokers), nodes: certificate(held.nodes),
  clients: certificate(held.clients) })]));
const SIGNERS = { request: ['client', 'service'], reply: ['node', 'service'] };

function keys([title, held]) {
  const key = createPublicKey(held['public-test-key']);
  if (!key.equals(certificate(held).key)) throw new Error(`key of ${title} is not the certificate's`);
}

function envelope(row, { network, 'now-ms': now }) {
  const bytes = hex(row.hex);
  const known = (hash) => Object.values(KEYS.principals).map((held) => hex(held.certificate))
    .filter((raw) => sha256(raw).equals(hash)).map((raw) => new Certificate(raw))[0];
  const got = verdict(
    () => verify(bytes, { purpose: row.kind, roles: SIGNERS[row.kind], trust: TRUST[network], now, known }),
    'code', EnvelopeError,
  );
  sameVerdict(row, got);
  sameDiagnostic(row);
  if (!row.valid) return;
  same('hash', row.sha256, sha256(bytes).toString('hex'));
  const signer = hex(KEYS.principals[row.signer].certificate);
  same('signer', signer.toString('hex'), got.value.certificate.raw.toString('hex'));
  PARSERS[row.kind](open(bytes).payload);
}

function state(row) {
  const link = new Link({ side: row.side });
  row.steps.forEach((step, i) => {
    const got = act(link, step).map(({ text, fields, sent, ...rest }) => (sent ? { sent: sent.toString('hex') } : rest));
    same(`step ${i} (${step.do} at ${step['at-ms']})`, step.expect, got);
    if (row.limits && link.limits) same('limits', row.limits, plain(link.limits));
  });
}

function act(link, step) {
  const now = step['at-ms'];
  if (step.do === 'receive') return link.receive(hex(step.hex), now);
  if (step.do === 'wait') return link.tick(now);
  if (step.do === 'pause') { link.pause(); return []; }
  if (step.do === 'resume') return link.resume(now);
  return link.trySend(bodyOf(step.hex), now);
}

function bodyOf(text) {
  const deframer = new Deframer();
  deframer.push(hex(text));
  return deframer.next(1130496);
}

// The session of section 17: the client's own link, in order, and what the envelopes in it prove.
const SESSION = { link: new Link({ side: 'member', expect: { network: 'alpha' } }) };

function session(step) {
  sameDiagnostic(step);
  const frame = parse(bodyOf(step.hex));
  same('frame', step.frame, frame.name);
  const { fields } = frame;
  if (frame.name === 'PUBLISH' && step.sender === 'client') {
    const { principal, payload } = verify(fields.payload, { purpose: 'request', roles: SIGNERS.request,
      trust: TRUST.alpha, now: 1790000000000 });
    const request = messages.parseRequest(payload);
    const subject = names.replySubject(request.collective, principal, SESSION.hello.session, request.id);
    same('reply field', subject, fields.reply);
    Object.assign(SESSION, { request, subject, hash: sha256(fields.payload) });
  }
  if (frame.name === 'DELIVER' && fields.subject.startsWith(SESSION.subject)) {
    const reply = messages.parseReply(fields.payload);
    same('subject', `${SESSION.subject}/${reply.network}/${reply.sender}`, fields.subject);
    same('request hash', plain(SESSION.hash), plain(reply['request-hash']));
    same('request id', plain(SESSION.request.id), plain(reply['request-id']));
  }
  if (frame.name === 'HELLO') SESSION.hello = fields;
  sessionOnLink(step, frame);
}

function sessionOnLink(step, { name: frame, fields }) {
  const { link } = SESSION;
  if (step.sender === 'node' || (frame === 'DELIVER' && !fields.subject.startsWith(SESSION.subject))) return;
  if (step.sender === 'broker') {
    const [happening] = link.receive(hex(step.hex), 0);
    same('event', frame, happening.event);
  } else if (frame === 'PONG') same('answer to PING', step.hex, link.takeOutput().toString('hex'));
  else {
    same('sent', step.hex, link.send(bodyOf(step.hex), 0)[0].sent.toString('hex'));
    link.takeOutput();
  }
}

// --- all of it

const FILES = [
  ['cbor', (file) => file.rows.map((row) => [row.name, () => cbor(row)])],
  ['frames', (file) => file.rows.map((row) => [row.name, () => frames(row)])],
  ['framing', (file) => file.rows.map((row) => [row.name, () => framing(row)])],
  ['names', (file) => file.rows.map((row) => [row.name, () => name(row)])],
  ['subjects', (file) => file.rows.map((row) => [row.name, () => name(row)])],
  ['matches', (file) => file.rows.map((row) => [row.name, () => matches(row)])],
  ['inboxes', (file) => file.rows.map((row) => [row.name, () => inboxes(row)])],
  ['states', (file) => file.rows.map((row) => [row.name, () => state(row)])],
  ['trust', (file) => file.rows.map((row) => [row.name, () => trusted(row)])],
  ['messages', (file) => file.rows.map((row) => [row.name, () => message(row)])],
  ['keys', (file) => [...Object.entries(file.principals), ...Object.values(file.networks).flatMap(Object.entries)]
    .map((entry) => [entry[0], () => keys(entry)])],
  ['envelopes', (file) => file.rows.map((row) => [row.name, () => envelope(row, file)])],
  ['session', (file) => file.steps.map((step, i) => [`step ${i + 1}`, () => session(step)])],
];

// What this client need not do: join a network, log in, judge filters, keep trust up to date.
const OTHERS = ['enrol', 'login', 'filters', 'trust-objects'];

const known = new Set([...OTHERS, ...FILES.map(([title]) => title)]);
const unknown = readdirSync(new URL('../../vectors/', import.meta.url))
  .filter((file) => file.endsWith('.json') && !known.has(file.slice(0, -5)));
if (unknown.length) throw new Error(`nothing here reads ${unknown.join(', ')}`);

let passed = 0;
let failed = 0;
for (const [title, rowsOf] of FILES) {
  const rows = rowsOf(read(title));
  let good = 0;
  for (const [row, check] of rows) {
    try {
      check();
      good += 1;
    } catch (error) {
      console.log(`FAILED ${title}: ${row}: ${error.message}`);
    }
  }
  console.log(`${title}: ${good} of ${rows.length}`);
  passed += good;
  failed += rows.length - good;
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
