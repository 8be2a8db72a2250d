// Diagnostic notation (RFC 8949 section 8) to CBOR, as far as the vectors use it.
import { Float, Raw, Tag, encode } from './cbor.mjs';

export function parseDiagnostic(text) {
  let at = 0;
  const fail = () => { throw new Error(`diagnostic notation, at ${at}: ${text.slice(at, at + 30)}`); };
  const space = () => { while (/\s/.test(text[at] ?? '')) at += 1; };
  const take = (pattern) => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at = pattern.lastIndex;
    return match;
  };
  const several = (end, one) => {
    const found = [];
    for (space(); !take(end); space()) {
      if (found.length && !take(/,\s*/y)) fail();
      found.push(one());
    }
    return found;
  };

  function item() {
    let match;
    if (take(/\[/y)) return several(/\]/y, item);
    if (take(/\{/y)) return new Map(several(/\}/y, () => [item(), take(/\s*:\s*/y) ? item() : fail()]));
    if (take(/<</y)) return encode(several(/>>/y, item)[0]);
    if ((match = take(/h'([0-9a-f]*)'/y))) return Buffer.from(match[1], 'hex');
    if ((match = take(/raw'([0-9a-f]*)'/y))) return new Raw(Buffer.from(match[1], 'hex'));
    if ((match = take(/"(?:[^"\\]|\\.)*"/y))) return JSON.parse(match[0]);
    if ((match = take(/(true|false|null)\b/y))) return JSON.parse(match[1]);
    if ((match = take(/(\d+)\(/y))) return new Tag(Number(match[1]), several(/\)/y, item)[0]);
    if ((match = take(/-?\d+\.\d+(?:e[+-]?\d+)?|-?\d+e[+-]?\d+/y))) return new Float(Number(match[0]));
    if ((match = take(/-?\d+/y))) return BigInt(match[0]);
    return fail();
  }

  const found = item();
  if (at !== text.length) fail();
  return found;
}
