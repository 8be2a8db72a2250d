// One link, without I/O: states, limits, PING and PONG, deadlines. SPEC.md sections 4, 8, 10.1 and 11.
//
// The owner feeds bytes and time in; out come happenings (what receive, send and tick return) and
// bytes to write (takeOutput). The same class serves either side, so that the vectors can try both.
import { randomBytes } from 'node:crypto';
import { Deframer, LinkError, build, criticalKey, framed, parse, reasonNumber } from './frames.mjs';

const HELLO_LIMIT = 4096;
const HELLO_WITHIN_MS = 10000;
const WELCOME_WITHIN_MS = 10000;

const OPEN_FOR = {
  member: ['PING', 'PONG', 'ERROR', 'SUBSCRIBE', 'UNSUBSCRIBE', 'PUBLISH', 'RECEIPT', 'RESERVED'],
  broker: ['PING', 'PONG', 'ERROR', 'DELIVER', 'RECEIPT', 'ROUTED', 'RESERVED'],
};

// The next state of a sender's machine, or null for ILLEGAL: tables 8.2 and 8.3.
function next(sender, state, name) {
  if (state === 'OPEN') return name === 'GOODBYE' ? 'DONE' : OPEN_FOR[sender].includes(name) ? 'OPEN' : null;
  if (state === 'DONE') return null;
  if (sender === 'member') {
    if (state === 'IDLE') return name === 'HELLO' ? 'WAITING' : null;
    return name === 'GOODBYE' ? 'DONE' : null;
  }
  if (name === 'GOODBYE') return 'DONE';
  return state === 'WAITING' && name === 'WELCOME' ? 'OPEN' : null;
}

export class LocalError extends Error {} // the own table forbids it: a bug on this side (CWP-8.4-2)

export class Link {
  constructor({ side, now = 0, expect = {}, jitter = () => 1 }) {
    this.side = side;
    this.peer = side === 'member' ? 'broker' : 'member';
    this.states = { member: 'IDLE', broker: 'IDLE' };
    this.expect = expect; // what a member wants of WELCOME: network and broker
    this.jitter = jitter;
    this.deframer = new Deframer();
    this.counts = { sent: 0, received: 0 };
    this.output = [];
    this.dead = null;
    this.limits = null;
    this.reading = true;
    this.pings = new Set();
    this.deadline = side === 'broker' ? now + HELLO_WITHIN_MS : Infinity;
  }

  get open() { return this.states.member === 'OPEN' && this.states.broker === 'OPEN'; }

  get frameLimit() { return this.limits ? this.limits.get(2) : HELLO_LIMIT; }

  takeOutput() {
    const bytes = Buffer.concat(this.output);
    this.output = [];
    return bytes;
  }

  // --- sending

  send(body, now) {
    const { name, fields } = parse(body);
    const state = next(this.side, this.states[this.side], name);
    if (state === null || (this.dead && name !== 'GOODBYE')) throw new LocalError(`${name} must not be sent now`);
    this.move(this.side, state);
    if (name === 'HELLO') { this.hello = fields; this.deadline = now + WELCOME_WITHIN_MS; }
    if (name === 'WELCOME') this.opened(fields, now);
    this.counts.sent += 1;
    const bytes = framed(body);
    this.output.push(bytes);
    return [{ sent: bytes }];
  }

  // As send, but the own table's veto is a happening and no exception.
  trySend(body, now) {
    try {
      return this.send(body, now);
    } catch (error) {
      if (error instanceof LocalError) return [{ local: true }];
      throw error;
    }
  }

  goodbye(reason, now, text = '') {
    return this.send(build('GOODBYE', reasonNumber(reason), text, 0, []), now);
  }

  // --- receiving

  receive(bytes, now) {
    if (this.dead) return [{ ends: this.dead }];
    this.deframer.push(bytes);
    return this.process(now);
  }

  pause() { this.reading = false; }

  resume(now) {
    this.reading = true;
    this.alive(now);
    return this.process(now);
  }

  process(now) {
    const happenings = [];
    try {
      while (this.reading) {
        if (this.states[this.peer] === 'DONE' && !this.deframer.empty) {
          throw new LinkError('ILLEGAL_STATE', 'bytes after GOODBYE'); // CWP-4-10: whatever they are
        }
        const body = this.deframer.next(this.frameLimit);
        if (body === null) break;
        this.frame(body, now, happenings);
      }
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      happenings.push(this.die(error.reason, error.message));
    }
    return happenings;
  }

  die(reason, text) {
    this.dead = reason;
    this.deadline = Infinity;
    return { ends: reason, text };
  }

  frame(body, now, happenings) {
    const frame = parse(body);
    const number = this.counts.received;
    const state = next(this.peer, this.states[this.peer], frame.name);
    if (state === null) throw new LinkError('ILLEGAL_STATE', `${frame.name} in ${this.states[this.peer]}`);
    if (frame.name === 'HELLO') checkHello(frame.fields);
    if (frame.name === 'WELCOME') this.checkWelcome(frame.fields);
    if (frame.name === 'ERROR' && this.side === 'member' && frame.fields.frame >= this.counts.sent) {
      throw new LinkError('INVALID_FIELD', 'ERROR about a frame that was never sent');
    }
    this.move(this.peer, state);
    this.counts.received += 1;
    if (frame.name === 'WELCOME') this.opened(frame.fields, now);
    this.alive(now);
    const refused = this.refusal(frame);
    if (refused) happenings.push({ refused: refused[0], frame: number, index: refused[1] });
    else this.deliver(frame, happenings);
  }

  deliver({ name, fields }, happenings) {
    if (name === 'PONG') this.pings.delete(String(fields.token));
    if (name === 'PING' && next(this.side, this.states[this.side], 'PONG')) {
      this.counts.sent += 1;
      this.output.push(framed(build('PONG', fields.token)));
    }
    if (name !== 'PONG' && name !== 'RESERVED') happenings.push({ event: name, fields });
  }

  // CWP-6.9-2 to 6.9-4 and 6.10-3; permissions are the owner's business.
  refusal(frame) {
    if (criticalKey(frame)) return ['UNSUPPORTED_CRITICAL', null];
    if (frame.name !== 'PUBLISH') return null;
    if (frame.fields.payload.length > this.limits.get(1)) return ['PAYLOAD_TOO_LARGE', null];
    if (frame.fields.subjects.length > this.limits.get(5)) return ['LIMIT', this.limits.get(5)];
    return null;
  }

  checkWelcome({ version, session, capabilities, network, broker }) {
    const { hello, expect } = this;
    if (!hello.versions.includes(version)) throw new LinkError('UNSUPPORTED_VERSION', `${version}`);
    if (!Buffer.from(session).equals(hello.session)) throw new LinkError('INVALID_FIELD', 'session');
    if (!capabilities.every((one) => hello.capabilities.includes(one))) {
      throw new LinkError('INVALID_FIELD', 'capabilities');
    }
    if (expect.network && network !== expect.network) throw new LinkError('WRONG_NETWORK', network);
    if (expect.broker && broker !== expect.broker) throw new LinkError('IDENTITY_REFUSED', broker);
  }

  // --- states and time

  move(sender, state) {
    this.states[sender] = state;
    const { member, broker } = this.states;
    if (member === 'WAITING' && broker === 'IDLE') this.states.broker = 'WAITING';
    if (member === 'WAITING' && broker === 'OPEN') this.states.member = 'OPEN';
    if (this.side === 'broker' && member !== 'IDLE' && !this.limits) this.deadline = Infinity;
  }

  opened(welcome, now) {
    this.limits = welcome.limits;
    this.interval = welcome.limits.get(4);
    this.alive(now);
  }

  alive(now) {
    this.misses = 0;
    if (this.limits && !this.dead) this.deadline = now + this.interval * this.jitter();
  }

  // Serves deadlines up to now.
  tick(now) {
    if (this.dead || now < this.deadline) return [];
    if (this.states[this.side] === 'DONE' || this.states[this.peer] === 'DONE') return []; // the owner's drain time
    if (!this.open) return [this.die('TIMEOUT', 'no answer to the first frame')];
    if (this.misses === 2) {
      this.deadline = Infinity;
      return this.reading ? [this.die('TIMEOUT', 'three intervals of silence')] : [];
    }
    this.misses += 1;
    this.deadline = now + this.interval * this.jitter();
    if (this.pings.size === 2) return []; // CWP-6.3-2
    const body = build('PING', randomBytes(8).readBigUInt64BE());
    this.pings.add(String(parse(body).fields.token));
    this.counts.sent += 1;
    this.output.push(framed(body));
    return [{ sends: 'PING' }];
  }
}

export function checkHello({ versions, capabilities }) {
  if (!versions.includes(1)) throw new LinkError('UNSUPPORTED_VERSION', versions.join(', '));
  if (capabilities.some((one) => one >= 128)) throw new LinkError('UNSUPPORTED_CRITICAL', 'capability');
}
