// node main.mjs --broker HOST:PORT --credentials DIR --node IDENTITY [--collective NAME] [--timeout SECONDS]
//
// Asks with a broadcast whether the node is there, then calls `rpcutil ping` on it with a signed, directed request,
// proves who signed the reply, and prints one JSON object. Exit code 0: all of it worked; 5: the node stayed silent;
// 1: something else.
import { parseArgs } from 'node:util';
import { Client, Credentials, GRADE, KIND } from './client.mjs';
import { Float, isBytes } from './cbor.mjs';
import { REFUSALS } from './messages.mjs';

const SILENT = 5;

function plain(value) {
  if (isBytes(value)) return { hex: Buffer.from(value).toString('hex') };
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Float) return value.value;
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, one]) => [String(key), plain(one)]));
  return Array.isArray(value) ? value.map(plain) : value;
}

const shown = (reply) => reply && {
  sender: reply.sender,
  statuscode: reply.statuscode,
  statusmsg: reply.statusmsg,
  refusal: REFUSALS[reply.refusal],
  data: plain(reply.data),
  grade: reply.signed ? 'signed' : 'link',
  signer: reply.signer ? `choria://${reply.signer.role}/${reply.signer.name}` : null,
};

function options() {
  const { values } = parseArgs({ options: {
    broker: { type: 'string' }, credentials: { type: 'string' }, node: { type: 'string' },
    collective: { type: 'string', default: 'choria' }, timeout: { type: 'string', default: '5' },
  } });
  for (const name of ['broker', 'credentials', 'node']) if (!values[name]) throw new Error(`--${name} is missing`);
  const [, host, port] = /^\[?(.+?)\]?:(\d+)$/.exec(values.broker) ?? [];
  if (!host) throw new Error('--broker is HOST:PORT');
  return { ...values, host, port: Number(port), waitMs: Number(values.timeout) * 1000 };
}

async function main() {
  const { host, port, credentials: folder, node, collective, waitMs } = options();
  const credentials = new Credentials(folder);
  const client = await Client.connect({ host, port, credentials, collective });
  try {
    const discovery = await client.call({ kind: KIND.broadcast, agent: 'discovery', action: 'ping', grade: GRADE.link,
      filter: new Map([[1, [node]]]), waitMs, expected: [node] });
    const rpc = await client.call({ kind: KIND.directed, targets: [node], agent: 'rpcutil', action: 'ping', waitMs,
      expected: [node] });
    const key = `${credentials.principal.network}/${node}`;
    const found = discovery.replies.get(key);
    const reply = rpc.replies.get(key);
    console.log(JSON.stringify({
      network: credentials.principal.network,
      broker: client.broker,
      caller: credentials.principal.name,
      discovery: { receipt: discovery.receipt, heard: discovery.replies.size, reply: shown(found) ?? null },
      call: { receipt: rpc.receipt, reply: shown(reply) ?? null },
      dropped: client.dropped,
    }, null, 2));
    if (!found || !reply) process.exitCode = SILENT;
    else if (found.statuscode !== 0 || reply.statuscode !== 0 || !reply.signer) process.exitCode = 1;
  } finally { await client.close(); }
}

try {
  await main();
} catch (error) {
  console.error(`${error.name}: ${error.message}`);
  process.exitCode = 1;
}
