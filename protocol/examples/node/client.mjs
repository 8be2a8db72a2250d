// A member of role client: TLS, one link, publishing with receipts, calls and their replies.
import { constants, createPrivateKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { Certificate, Trust } from './certificates.mjs';
import { open, sha256, sign, verify } from './cose.mjs';
import { REASONS, build } from './frames.mjs';
import { Link } from './link.mjs';
import { REFUSALS, MessageError, buildRequest, parseReply } from './messages.mjs';
import { replySubject, sessionPattern } from './names.mjs';

const ALPN = 'cwp/1';
const DRAIN_MS = 10000;
export const KIND = { broadcast: 1, directed: 2, service: 3 };
export const GRADE = { link: 1, signed: 2 };

export class Credentials {
  constructor(folder) {
    const file = (name) => readFileSync(join(folder, name));
    this.trust = Trust.load(join(folder, 'trust'));
    this.certificatePem = file('certificate.pem');
    this.keyPem = file('key.pem');
    this.key = createPrivateKey(this.keyPem);
    this.certificate = Certificate.fromPem(this.certificatePem);
    this.principal = this.trust.verify(this.certificate, ['client'], Date.now());
  }
}

export class LinkEnded extends Error {
  constructor(reason, text, retryAfterMs = 0) {
    super(text ? `${reason}: ${text}` : reason);
    Object.assign(this, { reason, retryAfterMs });
  }
}

export class FrameRefused extends Error {
  constructor({ reason, frame, index, text }) {
    super(`${REASONS[reason]}: ${text}`);
    Object.assign(this, { reason: REASONS[reason], frame, index });
  }
}

export class Client {
  // Resolves once the broker has welcomed us.
  static async connect({ host, port, credentials, collective = 'choria' }) {
    const client = new Client(credentials, collective);
    client.socket = await secured(host, port, credentials);
    await client.begin();
    return client;
  }

  constructor(credentials, collective) {
    Object.assign(this, { credentials, collective });
    this.session = randomBytes(16);
    this.receipts = new Map(); // receipt id to what waits for it
    this.published = new Map(); // frame number to what waits for it
    this.calls = new Map(); // reply subject to call
    this.receiptId = 0;
    this.dropped = { replies: 0, messages: 0 };
    this.certificates = new Map(); // proved ones, by the hash's hex
  }

  begin() {
    const raw = this.socket.getPeerX509Certificate().raw;
    const broker = this.credentials.trust.verify(new Certificate(raw), ['broker'], Date.now());
    this.broker = broker.name;
    this.link = new Link({
      side: 'member',
      expect: { network: broker.network, broker: broker.name },
      jitter: () => 1 - (randomBytes(1)[0] / 255) * 0.1,
    });
    this.socket.on('data', (bytes) => this.handle(this.link.receive(bytes, performance.now())));
    this.socket.on('error', (error) => this.finish(new LinkEnded('lost', error.message)));
    this.socket.on('close', () => this.finish(new LinkEnded('lost', 'the connection ended')));
    this.timer = setInterval(() => this.handle(this.link.tick(performance.now())), 100);
    return new Promise((resolve, reject) => {
      this.welcomed = resolve;
      this.failed = reject;
      this.send('HELLO', [1], this.session, [], randomBytes(16), 'cwp-example-node 1', [this.collective]);
    });
  }

  send(name, ...values) {
    this.link.send(build(name, ...values), performance.now());
    this.flush();
    return this.link.counts.sent - 1;
  }

  flush() {
    const bytes = this.link.takeOutput();
    if (bytes.length) this.socket.write(bytes);
  }

  handle(happenings) {
    for (const happening of happenings) {
      if (happening.ends) this.end(happening.ends, happening.text);
      else if (happening.refused) this.refuse(happening);
      else if (happening.event) this[`on${happening.event}`]?.(happening.fields);
    }
    if (!this.finished) this.flush();
  }

  // --- what the broker says

  onWELCOME({ limits }) {
    this.limits = limits;
    this.subscribe(sessionPattern(this.collective, this.credentials.principal, this.session));
    this.welcomed(this);
  }

  onERROR(error) {
    const waiting = this.published.get(error.frame);
    if (waiting) waiting.reject(new FrameRefused(error));
    else this.finish(new FrameRefused(error));
  }

  onRECEIPT({ 'receipt-id': id, handed, partial, without }) {
    this.receipts.get(id)?.({ handed, partial, without });
  }

  onGOODBYE({ reason, text, 'retry-after-ms': wait }) {
    if (!['DONE', 'IDLE'].includes(this.link.states.member)) this.link.goodbye('NORMAL', performance.now());
    this.flush();
    this.socket.end();
    this.finish(this.closing ? null : new LinkEnded(REASONS[reason], text, wait));
  }

  onDELIVER({ subject, payload }) {
    const call = this.calls.get(subject.split('/').slice(0, -2).join('/'));
    if (call) call.onReply(subject, payload);
    else this.dropped.messages += 1;
  }

  refuse({ refused, frame, index }) { // a DELIVER with a critical header
    this.dropped.messages += 1;
    this.send('ERROR', REASONS.indexOf(refused), frame, index, 'unknown critical header');
  }

  // --- ending

  end(reason, text) { // the peer broke a rule, or fell silent
    if (this.link.states.member !== 'IDLE') {
      this.link.goodbye(reason, performance.now());
      this.flush();
    }
    this.socket.end();
    this.finish(new LinkEnded(reason, text));
  }

  finish(error) {
    if (this.finished) return;
    this.finished = true;
    clearInterval(this.timer);
    this.done?.();
    if (!error) return;
    this.failed(error);
    for (const { reject } of this.published.values()) reject(error);
    for (const call of this.calls.values()) call.reject(error);
  }

  async close() {
    if (this.finished) return;
    this.closing = true;
    const done = new Promise((resolve) => { this.done = resolve; });
    this.link.goodbye('NORMAL', performance.now());
    this.flush();
    const late = setTimeout(() => this.socket.destroy(), DRAIN_MS);
    await done;
    clearTimeout(late);
  }

  // --- subscribing and publishing

  subscribe(...patterns) { return this.send('SUBSCRIBE', patterns, null); }

  // Resolves with the RECEIPT, rejects when the broker refuses the frame.
  publish(subjects, payload, reply) {
    this.receiptId += 1;
    const id = this.receiptId;
    const options = new Map([[1, id]]);
    return new Promise((resolve, reject) => {
      const frame = this.send('PUBLISH', subjects, options, reply, new Map(), payload);
      const settle = (how) => (what) => {
        this.receipts.delete(id);
        this.published.delete(frame);
        how(what);
      };
      this.receipts.set(id, settle(resolve));
      this.published.set(frame, { reject: settle(reject) });
    });
  }

  // --- calls

  // Signs a request, publishes it and collects one reply of each of `expected` (or whatever comes until the time is up).
  async call({ kind, targets = [], agent, action, inputs = new Map(), filter = new Map(), grade = GRADE.signed,
    wantCertificate = true, ttlMs = 60000, waitMs = 5000, expected }) {
    const { principal } = this.credentials;
    const id = randomBytes(16);
    const body = buildRequest({ id, network: principal.network, collective: this.collective, kind, targets, agent,
      action, inputs, filter, 'created-ms': Date.now(), 'ttl-ms': ttlMs, grade, 'want-certificate': wantCertificate,
      'max-reply-bytes': 0 });
    const envelope = sign(body, { ...this.credentials, purpose: 'request' });
    const reply = replySubject(this.collective, principal, this.session, id);
    const subjects = kind === KIND.directed ? targets.map((target) => `${this.collective}/node/${target}`)
      : [`${this.collective}/${kind === KIND.broadcast ? 'agent' : 'service'}/${agent}`];
    const call = new Call({ client: this, reply, id, hash: sha256(envelope), kind, targets,
      network: principal.network, grade, agent, action, expected });
    this.calls.set(reply, call);
    try {
      const receipt = await this.publish(subjects, envelope, reply);
      const replies = await call.collect(waitMs);
      return { receipt, replies };
    } finally { this.calls.delete(reply); }
  }
}

// The link grade is only for these (CWP-13.5-2).
function linkGradeAllowed({ grade, agent, action }, reply) {
  if (REFUSALS[reply.refusal] === 'NOT_MATCHED') return true;
  const open = (agent === 'discovery' && action === 'ping') || (agent === 'certificate' && action === 'get');
  return grade === GRADE.link && reply.refusal === null && open;
}

class Call {
  constructor(about) {
    Object.assign(this, about);
    this.replies = new Map(); // sender to reply
    this.finished = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
    this.finished.catch(() => {}); // it is awaited in collect, or not at all
  }

  async collect(waitMs) {
    const timer = setTimeout(this.resolve, waitMs);
    try {
      await this.finished;
    } finally { clearTimeout(timer); }
    return this.replies;
  }

  onReply(subject, payload) {
    let reply;
    try {
      reply = this.judge(subject, payload);
    } catch (error) {
      this.client.dropped.replies += 1;
      process.emitWarning(`reply on ${subject} dropped: ${error.message}`);
      return;
    }
    const sender = `${reply.network}/${reply.sender}`;
    if (!this.replies.has(sender)) this.replies.set(sender, reply);
    if (this.expected?.every((name) => this.replies.has(`${reply.network}/${name}`))) this.resolve();
  }

  // CWP-13.5-3
  judge(subject, payload) {
    const signed = payload[0] === 0xd2;
    const body = signed ? open(payload).payload : payload;
    const reply = parseReply(body);
    const [network, sender] = subject.split('/').slice(-2);
    this.need(subject === `${this.reply}/${network}/${sender}`, 'subject');
    this.need(reply.network === network && reply.sender === sender, 'sender is not the subject\'s');
    this.need(network === this.network, 'not the network that was asked');
    this.need(this.kind !== KIND.directed || this.targets.includes(sender), 'sender was not asked');
    this.need(Buffer.from(reply['request-id']).equals(this.id), 'request id');
    this.need(Buffer.from(reply['request-hash']).equals(this.hash), 'request hash');
    reply.signed = signed;
    if (signed) this.proveSigner(reply, payload);
    else this.need(linkGradeAllowed(this, reply), 'link grade is not enough');
    return reply;
  }

  proveSigner(reply, payload) {
    const { certificates, credentials } = this.client;
    const { principal, certificate } = verify(payload, { purpose: 'reply',
      roles: [this.kind === KIND.service ? 'service' : 'node'], trust: credentials.trust, now: Date.now(),
      known: (hash) => certificates.get(hash.toString('hex')) });
    this.need(principal.name === reply.sender, 'signer is not the sender');
    certificates.set(certificate.hash.toString('hex'), certificate);
    reply.signer = principal;
  }

  need(condition, text) { if (!condition) throw new MessageError('INVALID', text); }
}

// TLS 1.3 with ALPN and both certificates. The broker's principal is judged by the caller, with the broker issuer alone.
function secured(host, port, { certificatePem, keyPem, trust }) {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({
      host,
      port,
      servername: isIP(host) ? '' : host,
      cert: certificatePem,
      key: keyPem,
      ca: [trust.root, trust.issuers.brokers].map((held) => held.x509.toString()),
      minVersion: 'TLSv1.3',
      ALPNProtocols: [ALPN],
      secureOptions: constants.SSL_OP_NO_TICKET,
      checkServerIdentity: () => undefined, // the URI counts, not the host's name (CWP-3-5)
    });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      if (socket.alpnProtocol === ALPN) resolve(socket);
      else {
        socket.destroy();
        reject(new LinkEnded('lost', `the broker did not agree on ${ALPN}`));
      }
    });
  });
}
